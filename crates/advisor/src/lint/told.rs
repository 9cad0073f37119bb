//! What a workload's pods are told (environment, command, arguments, mounted ConfigMaps), and the hosts named in it.

use std::collections::HashMap;
use std::ops::Range;

use k8s_openapi::api::core::v1::{Container, Service};
use manifest::read::{Document, Position, Span};
use manifest::{KindId, Stored};
use serde_json::Value;

use super::finding::Label;
use super::objects::{Item, Objects};
use super::workload::Workload;

/// A text, and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Text<'a> {
    /// The object that it stands in: the workload, or a ConfigMap.
    pub(super) document: &'a Document,
    /// Its path there.
    pub(super) field: String,
    /// What it is for: the variable's name, the flag, or the ConfigMap's key.
    pub(super) key: &'a str,
    /// The text itself.
    pub(super) text: &'a str,
}

impl<'a> Text<'a> {
    /// The place; `text` stands at it.
    pub(super) fn label(&self, text: impl Into<String>) -> Label {
        Label::new(self.document, &self.field, text)
    }

    /// As [`Text::label`], of a part of it: its own line where the text is a block of them, as configuration is.
    pub(super) fn label_at(&self, part: Range<usize>, text: impl Into<String>) -> Label {
        let mut label = self.label(text);
        let Span { start, end } = label.span;
        let (before, within) = (&self.text[..part.start], &self.text[part]);
        // Literal blocks (`|`) end where the next, outer line begins; folded ones have other lines than their text.
        if self.text.lines().count() == end.line - start.line && end.column < start.column {
            let column = before.chars().rev().take_while(|c| *c != '\n').count();
            let line = start.line + before.matches('\n').count();
            let at = |column| Position { line, column: start.column + column };
            label.span = Span { start: at(column), end: at(column + within.chars().count()) };
        }
        label
    }

    /// The place of a host in it.
    pub(super) fn label_of(&self, host: &Host<'_>, text: impl Into<String>) -> Label {
        self.label_at(host.at..host.at + host.name.len(), text)
    }

    /// The hosts that it names.
    pub(super) fn hosts(&self) -> impl Iterator<Item = Host<'a>> {
        hosts(self.key, self.text)
    }
}

/// The texts of workloads; ConfigMaps are looked up by name.
#[derive(Debug)]
pub(super) struct Texts<'a> {
    config_maps: HashMap<(&'a str, &'a str), &'a Item<Value>>,
}

impl<'a> Texts<'a> {
    pub(super) fn new(objects: &'a Objects) -> Self {
        let named = config_maps(objects).map(|item| {
            let reference = &item.reference;
            ((reference.namespace.as_str(), reference.name.as_str()), item)
        });
        Self { config_maps: named.collect() }
    }

    /// All that a workload's pods are told.
    pub(super) fn of(&self, workload: &'a Workload) -> Vec<Text<'a>> {
        let mut texts = own(workload);
        let pod = &workload.pod;
        let namespace = workload.reference.namespace.as_str();
        let containers = || pod.init_containers.iter().flatten().chain(&pod.containers);
        let mut take = |name: &str, only: Option<&str>| {
            let Some((_, item)) = self.config_maps.get_key_value(&(namespace, name)) else {
                return;
            };
            let data = data(item).filter(|text| only.is_none_or(|only| text.key == only));
            texts.extend(data);
        };
        for volume in pod.volumes.iter().flatten() {
            if let Some(map) = &volume.config_map {
                take(&map.name, None);
            }
            let projected = volume.projected.iter().flat_map(|all| all.sources.iter().flatten());
            for map in projected.filter_map(|source| source.config_map.as_ref()) {
                take(&map.name, None);
            }
        }
        for container in containers() {
            for source in container.env_from.iter().flatten() {
                if let Some(map) = &source.config_map_ref {
                    take(&map.name, None);
                }
            }
            let variables = container.env.iter().flatten();
            for variable in variables.filter_map(|variable| variable.value_from.as_ref()) {
                if let Some(map) = &variable.config_map_key_ref {
                    take(&map.name, Some(&map.key));
                }
            }
        }
        texts
    }
}

/// The ConfigMaps.
pub(super) fn config_maps(objects: &Objects) -> impl Iterator<Item = &Item<Value>> {
    let is_map = |item: &&Item<Value>| item.document.kind.id == KindId::Stored(Stored::ConfigMap);
    objects.all.iter().filter(is_map)
}

/// A ConfigMap's texts.
pub(super) fn data(item: &Item<Value>) -> impl Iterator<Item = Text<'_>> {
    let entries = item.object["data"].as_object().into_iter().flatten();
    entries.filter_map(|(key, value)| {
        let field = format!("data[{key}]");
        Some(Text { document: &item.document, field, key, text: value.as_str()? })
    })
}

/// What stands in the workload itself, of all its containers.
pub(super) fn own(workload: &Workload) -> Vec<Text<'_>> {
    let pod = &workload.pod;
    let lists = [
        ("initContainers", pod.init_containers.as_deref().unwrap_or_default()),
        ("containers", pod.containers.as_slice()),
    ];
    let mut texts = Vec::new();
    for (list, containers) in lists {
        for (at, container) in containers.iter().enumerate() {
            let path = workload.pod_field(&format!("spec.{list}[{at}]"));
            of_container(&workload.document, &path, container, &mut texts);
        }
    }
    texts
}

fn of_container<'a>(
    document: &'a Document,
    path: &str,
    container: &'a Container,
    texts: &mut Vec<Text<'a>>,
) {
    for (at, variable) in container.env.iter().flatten().enumerate() {
        if let Some(text) = variable.value.as_deref() {
            let field = format!("{path}.env[{at}].value");
            texts.push(Text { document, field, key: &variable.name, text });
        }
    }
    for (list, words) in [("command", &container.command), ("args", &container.args)] {
        let mut before = "";
        for (at, word) in words.iter().flatten().enumerate() {
            let (key, text) = match word.split_once('=') {
                Some((key, value)) if key.starts_with('-') => (key, value),
                // `--join NAME` is a flag and its value.
                _ if before.starts_with('-') && !word.starts_with('-') => (before, word.as_str()),
                _ => ("", word.as_str()),
            };
            texts.push(Text { document, field: format!("{path}.{list}[{at}]"), key, text });
            before = word;
        }
    }
}

/// A word of a text that may be a host's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Host<'t> {
    /// As written, without a dot at its end; a dot begins it where a variable stands for the first label.
    pub(super) name: &'t str,
    /// Where in the text it begins.
    at: usize,
    /// Whether a dot ends it, so that no search list is walked.
    pub(super) absolute: bool,
    /// The number behind it.
    pub(super) port: Option<u16>,
    /// Whether it stands where only a host can: behind a scheme or before a port.
    pub(super) dialled: bool,
    /// Whether its key speaks of hosts and it is no part of a path.
    told: bool,
}

/// What keys of texts that hold hosts have in them.
const KEYS: &[&str] = &[
    "host",
    "addr",
    "url",
    "uri",
    "server",
    "seed",
    "join",
    "endpoint",
    "broker",
    "bootstrap",
    "peer",
    "upstream",
    "dsn",
];

fn hosts<'t>(key: &str, text: &'t str) -> impl Iterator<Item = Host<'t>> + use<'t> {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '*');
    let key = key.to_ascii_lowercase();
    let telling = KEYS.iter().any(|word| key.contains(word));
    let mut at = 0;
    text.split_inclusive(move |c| !is_of_name(c)).filter_map(move |piece| {
        let start = at;
        at += piece.len();
        let written = piece.trim_end_matches(|c| !is_of_name(c));
        let name = written.strip_suffix('.').unwrap_or(written);
        if name.trim_matches(['.', '-', '*', '_']).is_empty() {
            return None;
        }
        let (before, after) = (&text[..start], &text[start + written.len()..]);
        let digits = after.strip_prefix(':').map(|rest| {
            let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            rest.split_at(end)
        });
        // What follows `:3.6` is a version, what follows `:8080` is none.
        let port = digits
            .filter(|(_, rest)| !rest.starts_with(|c: char| is_of_name(c)))
            .and_then(|(digits, _)| digits.parse().ok());
        let in_path = before.ends_with('/') && !before.ends_with("//");
        let by_variable = after.strip_prefix(":$").is_some();
        let in_url = before.ends_with("//") || before.ends_with('@');
        let divides =
            |c: Option<char>| c.is_none_or(|c| matches!(c, ',' | ';') || c.is_whitespace());
        let alone = divides(before.chars().next_back()) && divides(after.chars().next());
        Some(Host {
            name,
            at: start,
            absolute: written.len() > name.len(),
            port,
            dialled: !in_path
                && (port.is_some() || by_variable || in_url)
                && !after.starts_with("://"),
            told: telling && alone,
        })
    })
}

impl Host<'_> {
    /// The labels before `svc`, or all; `None` when the name goes on with another domain than the cluster's.
    fn labels(&self, domain: &str) -> Option<(Vec<&str>, bool)> {
        let mut labels: Vec<&str> = self.name.split('.').collect();
        let Some(at) = labels.iter().position(|label| *label == "svc").filter(|at| *at > 0) else {
            return Some((labels, false));
        };
        let rest = labels.split_off(at);
        let is_ours = rest.len() == 1 || rest[1..].join(".").eq_ignore_ascii_case(domain);
        is_ours.then_some((labels, true))
    }

    /// Whether it ends with `.svc` or `.svc.DOMAIN`.
    pub(super) fn is_of_cluster(&self, domain: &str) -> bool {
        self.labels(domain).is_some_and(|(_, svc)| svc)
    }

    /// The Service of these objects that a pod in this namespace finds under the name, its own or one of its endpoints'.
    pub(super) fn service<'a>(
        &self,
        objects: &'a Objects,
        namespace: &str,
    ) -> Option<&'a Item<Service>> {
        let (labels, svc) = self.labels(&objects.options.cluster_domain)?;
        match (labels.as_slice(), svc) {
            ([service], false) if self.dialled || self.told => objects.service(namespace, service),
            ([first, second], false) => objects.service(second, first).or_else(|| {
                let is_pod = first.is_empty() || is_of_pod(first);
                objects.service(namespace, second).filter(|service| is_pod && service.is_headless())
            }),
            ([service, namespace], true) | ([_, service, namespace], _) => {
                objects.service(namespace, service)
            }
            _ => None,
        }
    }
}

/// Whether a label could be a pod's of a StatefulSet: `db-0`.
fn is_of_pod(label: &str) -> bool {
    let ordinal = label.rsplit_once('-').map(|(_, ordinal)| ordinal);
    ordinal.is_some_and(|digits| {
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use manifest::read::read_any;

    use super::*;
    use crate::lint::Options;

    const SERVICES: &str = "\
apiVersion: v1
kind: Service
metadata: {name: db}
spec: {ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: peers}
spec: {clusterIP: None}
---
apiVersion: v1
kind: Service
metadata: {name: nats, namespace: bus}
spec: {ports: [{port: 4222}]}
";

    #[test]
    fn a_part_of_a_block_has_a_line_of_its_own() {
        let check = |data: &str, (line, column): (usize, usize)| {
            let text = format!(
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\ndata:\n  k: {data}\n  z: end\n"
            );
            let reading = read_any("map.yaml", &text);
            assert_eq!(reading.problems, []);
            let objects = Objects::new(reading.documents, reading.foreign, Options::default());
            let text = data_of(&objects);
            let at = text.text.find("db").unwrap();
            let Span { start, end } = text.label_at(at..at + 2, "").span;
            assert_eq!(start, Position { line, column }, "{data:?}");
            assert!((start.line, start.column) < (end.line, end.column), "{data:?}");
        };
        check("|\n    a\n    to db", (7, 8));
        check("|-\n    a\n\n    \u{fc} db", (8, 7));
        // Of others the whole is shown.
        check(">\n    a\n    to db\n\n    b", (6, 5));
        check("\"a\\nto db\"", (5, 6));
        check("db", (5, 6));
    }

    fn data_of(objects: &Objects) -> Text<'_> {
        config_maps(objects).flat_map(data).next().unwrap()
    }

    #[test]
    fn hosts_and_their_services() {
        let reading = read_any("services.yaml", SERVICES);
        let objects = Objects::new(reading.documents, reading.foreign, Options::default());
        let check = |key: &str, text: &str, expected: &[(&str, &str, Option<u16>)]| {
            let found: Vec<_> = hosts(key, text)
                .filter_map(|host| {
                    let service = host.service(&objects, "default")?;
                    Some((host.name, service.reference.name.as_str(), host.port))
                })
                .collect();
            assert_eq!(found, expected, "{key}={text}");
        };
        check("DB", "db:5432", &[("db", "db", Some(5432))]);
        check("DB_URL", "postgres://u:p@db:5432/db", &[("db", "db", Some(5432))]);
        check("DB_HOST", "db", &[("db", "db", None)]);
        check("SEEDS", "peers, db", &[("peers", "peers", None), ("db", "db", None)]);
        check("", "peers-0.peers:80", &[("peers-0.peers", "peers", Some(80))]);
        check("", "x@$(POD).peers.default.svc", &[(".peers.default.svc", "peers", None)]);
        check("", "nats://nats.bus", &[("nats.bus", "nats", None)]);
        let whole = "nats.bus.svc.cluster.local";
        check("", "nats.bus.svc.cluster.local.", &[(whole, "nats", None)]);
        // A word is no host, a version is no port, and a path's end is neither.
        for (key, text) in [
            ("NAME", "db"),
            ("IMAGE", "registry/db:5432"),
            ("IMAGE", "db:15.2"),
            ("DATA", "/var/lib/db"),
            ("", "db://elsewhere"),
            ("", "nats.bus.svc.other.domain"),
            ("", "conf.peers"),
        ] {
            check(key, text, &[]);
        }
    }
}
