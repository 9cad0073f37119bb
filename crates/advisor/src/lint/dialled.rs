//! Services by whose names a workload's pods are told to dial someone.

use k8s_openapi::api::core::v1::Service;

use super::objects::{Item, Objects};
use super::workload::Workload;

/// A Service's own name (not that of one of its pods) in a pod's environment, arguments or command.
#[derive(Clone, Debug)]
pub(super) struct Dialled<'a> {
    pub(super) service: &'a Item<Service>,
    /// The place among the pod's fields: `spec.containers[0].env[1].value`.
    pub(super) field: String,
    /// What the text is for: the variable's name, or the flag before `=`; empty where it has none.
    pub(super) key: String,
    /// The name as it stands there.
    pub(super) name: String,
}

/// Words in the key of a text that holds names of hosts.
const KEYS: &[&str] = &[
    "host",
    "addr",
    "url",
    "uri",
    "server",
    "seed",
    "node",
    "join",
    "endpoint",
    "broker",
    "bootstrap",
    "peer",
    "cluster",
    "discovery",
    "dns",
    "member",
];

/// How keys end whose value is no host: what it is to be called, or a part that names are made of.
const PARTS: &[&str] = &["name", "namespace", "service", "svc", "domain", "id"];

/// All Services that a workload's pods are told of.
pub(super) fn dialled<'a>(objects: &'a Objects, workload: &Workload) -> Vec<Dialled<'a>> {
    let mut found = Vec::new();
    for (path, container) in workload.containers() {
        for (at, variable) in container.env.iter().flatten().enumerate() {
            let Some(value) = variable.value.as_deref() else { continue };
            let field = format!("{path}.env[{at}].value");
            look(objects, workload, &field, &variable.name, value, &mut found);
        }
        for (list, texts) in [("command", &container.command), ("args", &container.args)] {
            let mut before = "";
            for (at, text) in texts.iter().flatten().enumerate() {
                let field = format!("{path}.{list}[{at}]");
                let (key, value) = match text.split_once('=') {
                    Some((key, value)) if key.starts_with('-') => (key, value),
                    // `--join NAME` is a flag and its value.
                    _ => (if before.starts_with('-') { before } else { "" }, text.as_str()),
                };
                look(objects, workload, &field, key, value, &mut found);
                before = text;
            }
        }
    }
    found
}

fn look<'a>(
    objects: &'a Objects,
    workload: &Workload,
    field: &str,
    key: &str,
    text: &str,
    found: &mut Vec<Dialled<'a>>,
) {
    let lower = key.to_lowercase();
    let is_part = PARTS.iter().any(|word| lower.ends_with(word)) && !lower.ends_with("hostname");
    let holds_hosts = !is_part && KEYS.iter().any(|word| lower.contains(word));
    for (start, name) in names(text) {
        let bare = name.trim_end_matches('.');
        let Some((service, namespace)) = parse(bare, &workload.reference.namespace, objects) else {
            continue;
        };
        let Some(service) = objects.service(namespace, service) else { continue };
        // A single word may be anything; as a host it stands by a port or behind a scheme, or alone under a telling key.
        if !bare.contains('.') {
            let (before, after) = (&text[..start], &text[start + name.len()..]);
            let by_port = after
                .strip_prefix(':')
                .is_some_and(|port| port.starts_with(|c: char| c.is_ascii_digit() || c == '$'));
            let behind_scheme = before.ends_with("//") || before.ends_with('@');
            let ends = |side: Option<char>| side.is_none_or(|c| matches!(c, ',' | ' ' | ';'));
            let alone = ends(before.chars().next_back()) && ends(after.chars().next());
            if after.starts_with("://") || !(by_port || behind_scheme || (alone && holds_hosts)) {
                continue;
            }
        }
        found.push(Dialled {
            service,
            field: field.to_owned(),
            key: key.to_owned(),
            name: bare.to_owned(),
        });
    }
}

/// The words of a text that may be DNS names, and where each begins.
fn names(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    let mut start = 0;
    text.split_inclusive(move |c| !is_of_name(c)).filter_map(move |piece| {
        let at = start;
        start += piece.len();
        let name = piece.trim_end_matches(|c| !is_of_name(c));
        (!name.is_empty()).then_some((at, name))
    })
}

/// `S`, `S.N`, `S.N.svc` and `S.N.svc.DOMAIN` as Service and namespace.
fn parse<'n>(name: &'n str, namespace: &'n str, objects: &Objects) -> Option<(&'n str, &'n str)> {
    let Some((service, rest)) = name.split_once('.') else { return Some((name, namespace)) };
    let Some((namespace, rest)) = rest.split_once('.') else { return Some((service, rest)) };
    let domain = rest.strip_prefix("svc")?;
    let is_ours = domain.is_empty()
        || domain.strip_prefix('.') == Some(objects.options.cluster_domain.as_str());
    is_ours.then_some((service, namespace))
}
