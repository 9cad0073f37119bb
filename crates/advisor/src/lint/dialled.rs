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

#[cfg(test)]
mod tests {
    use manifest::read::read_any;

    use super::*;
    use crate::lint::Options;

    /// What the pods of a workload in namespace `shop` dial by this text; there are the Services db and cache, and
    /// db-peers in namespace prod.
    #[track_caller]
    fn check(container: &str, expected: &[&str]) {
        let service = |namespace: &str, name: &str| {
            format!(
                "---\napiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: {namespace}}}\n"
            )
        };
        let text = format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: a, namespace: shop}}\nspec: {{containers: [{{name: a, {container}}}]}}\n{}{}{}",
            service("shop", "db"),
            service("shop", "cache"),
            service("prod", "db-peers"),
        );
        let reading = read_any("pod.yaml", &text);
        assert_eq!(reading.problems, []);
        let objects = Objects::new(reading.documents, reading.foreign, Options::default());
        let found = dialled(&objects, &objects.workloads[0]);
        let found: Vec<_> = found
            .iter()
            .map(|used| format!("{} {} {}", used.field, used.key, used.service.reference.name))
            .collect();
        assert_eq!(found, expected, "{container}");
    }

    fn env(name: &str, value: &str) -> String {
        format!("env: [{{name: {name}, value: {value:?}}}]")
    }

    #[test]
    fn hosts_are_told_from_other_words() {
        const VALUE: &str = "spec.containers[0].env[0].value";
        for (name, value, service) in [
            ("DB_HOST", "db", Some("db")),
            ("X", "db:5432", Some("db")),
            ("X", "db:$(PORT)", Some("db")),
            ("X", "postgres://user:secret@db/shop", Some("db")),
            ("X", "redis://cache/0", Some("cache")),
            ("X", "db-peers.prod", Some("db-peers")),
            ("X", "db-peers.prod.svc", Some("db-peers")),
            ("X", "db-peers.prod.svc.cluster.local.:5432", Some("db-peers")),
            ("SEEDS", "a.example.com, db", Some("db")),
            ("DB_HOSTNAME", "db", Some("db")),
            // A word, a scheme, a part of a name, a pod of the Service, another cluster's, another namespace's.
            ("X", "db", None),
            ("X", "the db of the shop", None),
            ("DB_URL", "db://elsewhere.example.com", None),
            ("DB_SERVICE", "db", None),
            ("SERVER_NAME", "db", None),
            ("X", "db-0.db-peers.prod.svc:5432", None),
            ("X", "$(POD_NAME).db-peers.prod.svc", None),
            ("X", "db.shop.svc.example.org", None),
            ("DB_HOST", "db-peers", None),
            ("DB_PATH", "/var/lib/db", None),
        ] {
            let expected = service.map(|service| format!("{VALUE} {name} {service}"));
            check(&env(name, value), &expected.as_deref().into_iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn arguments_have_keys_before_them() {
        check("args: [--join=db]", &["spec.containers[0].args[0] --join db"]);
        check("args: [--join, db]", &["spec.containers[0].args[1] --join db"]);
        check("command: [run, db]", &[]);
        check(
            "args: [\"--servers=db,cache\"]",
            &[
                "spec.containers[0].args[0] --servers db",
                "spec.containers[0].args[0] --servers cache",
            ],
        );
    }
}
