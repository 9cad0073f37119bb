//! An intent as a file: the words of the flags as YAML.

use manifest::read::{Located, Problem, read_mapping};
use serde_json::Value;

use super::draft::{Draft, Given, Place, Trouble, nearest};

/// The keys, each with what it takes.
pub const KEYS: [(&str, &str); 14] = [
    ("workload", "statefulset, deployment or external"),
    ("name", "the name that clients use"),
    ("namespace", "its namespace"),
    ("image", "the container's image"),
    ("software", "the software's name"),
    ("replicas", "a number"),
    ("ports", "a list of name:number[:target]"),
    ("identity", "stable or any"),
    ("clientNamespaces", "a list of namespaces"),
    ("external", "a host with or without port, or a list of addresses"),
    ("expose", "none, ingress, gateway, loadbalancer or nodeport"),
    ("host", "the host name for clients outside"),
    ("clusterDomain", "the zone of the cluster's names"),
    ("mesh", "none, istio or linkerd"),
];

/// Reads an intent's file.
///
/// # Errors
///
/// All that is wrong with its syntax, keys and types, by place.
pub fn read(source: &str, text: &str) -> Result<Draft, Vec<Trouble>> {
    let located = read_mapping(source, text)
        .map_err(|problems| problems.into_iter().map(Trouble::from).collect::<Vec<_>>())?;
    let mut reader = Reader { located: &located, troubles: Vec::new() };
    let draft = Draft {
        workload: reader.one("workload"),
        name: reader.one("name"),
        namespace: reader.one("namespace"),
        image: reader.one("image"),
        software: reader.one("software"),
        replicas: reader.one("replicas"),
        ports: reader.many("ports"),
        identity: reader.one("identity"),
        client_namespaces: reader.many("clientNamespaces"),
        external: reader.joined("external"),
        expose: reader.one("expose"),
        host: reader.one("host"),
        cluster_domain: reader.one("clusterDomain"),
        mesh: reader.one("mesh"),
        existing: Default::default(),
    };
    reader.unknown();
    match reader.troubles.is_empty() {
        true => Ok(draft),
        false => Err(reader.troubles),
    }
}

struct Reader<'l> {
    located: &'l Located,
    troubles: Vec<Trouble>,
}

impl Reader<'_> {
    fn refuse(&mut self, field: &str, message: &str, help: Option<String>) {
        let Located { source, .. } = self.located;
        let problem = Problem::error(source, self.located.position(field), message);
        self.troubles.push(problem.in_field(field).with_help(help).into());
    }

    fn given(&self, field: &str, text: String) -> Given {
        let (source, at) = (self.located.source.clone(), self.located.position(field));
        Given { text, place: Place::Field { source, at, field: field.to_owned() } }
    }

    /// A scalar's text, as it is written.
    fn text(&mut self, field: &str, value: &Value, takes: &str) -> Option<Given> {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(_) | Value::Bool(_) => {
                self.located.written(field).map_or_else(|| value.to_string(), str::to_owned)
            }
            Value::Null => {
                self.refuse(field, "has no value", Some(format!("it takes {takes}")));
                return None;
            }
            Value::Array(_) | Value::Object(_) => {
                let message = "expected one value";
                self.refuse(field, message, Some(format!("it takes {takes}")));
                return None;
            }
        };
        Some(self.given(field, text))
    }

    fn one(&mut self, key: &str) -> Option<Given> {
        let value = self.located.value.get(key)?.clone();
        self.text(key, &value, takes(key))
    }

    /// A list, or one for a list of one.
    fn many(&mut self, key: &str) -> Vec<Given> {
        match self.located.value.get(key).cloned() {
            None => Vec::new(),
            Some(Value::Array(items)) => items
                .iter()
                .enumerate()
                .filter_map(|(at, item)| self.text(&format!("{key}[{at}]"), item, takes(key)))
                .collect(),
            Some(value) => self.text(key, &value, takes(key)).into_iter().collect(),
        }
    }

    /// A list as the flag takes it: with commas.
    fn joined(&mut self, key: &str) -> Option<Given> {
        let items = self.many(key);
        let texts: Vec<&str> = items.iter().map(|given| given.text.as_str()).collect();
        (!items.is_empty()).then(|| self.given(key, texts.join(",")))
    }

    fn unknown(&mut self) {
        let keys: Vec<String> = self
            .located
            .value
            .as_object()
            .into_iter()
            .flatten()
            .map(|(key, _)| key.clone())
            .collect();
        for key in keys {
            if KEYS.iter().all(|(known, _)| *known != key) {
                let help = match nearest(&key, KEYS.iter().map(|(key, _)| (*key, *key))) {
                    Some(near) => format!("did you mean {near}?"),
                    None => format!("known are {}", KEYS.map(|(key, _)| key).join(", ")),
                };
                self.refuse(&key, "an intent has no such key", Some(help));
            }
        }
    }
}

fn takes(key: &str) -> &'static str {
    KEYS.iter().find(|(known, _)| *known == key).map_or("a value", |(_, takes)| takes)
}

#[cfg(test)]
mod tests {
    use manifest::read::Position;

    use super::*;

    #[test]
    fn the_words_of_the_flags_are_read_with_their_places() {
        let draft = read(
            "intent.yaml",
            "workload: statefulset\nname: db\nreplicas: 3\nports:\n- sql:5432\n- rest:8008:8009\nclientNamespaces: shop\nexternal: [10.0.0.1, 10.0.0.2]\n",
        )
        .expect("an intent");
        assert_eq!(draft.replicas.map(|given| given.text).as_deref(), Some("3"));
        let texts =
            |list: &[Given]| list.iter().map(|given| given.text.clone()).collect::<Vec<_>>();
        assert_eq!(texts(&draft.ports), ["sql:5432", "rest:8008:8009"]);
        assert_eq!(texts(&draft.client_namespaces), ["shop"]);
        assert_eq!(draft.external.map(|given| given.text).as_deref(), Some("10.0.0.1,10.0.0.2"));
        let at = Position { line: 6, column: 3 };
        assert_eq!(
            draft.ports[1].place,
            Place::Field { source: "intent.yaml".into(), at, field: "ports[1]".to_owned() }
        );
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let check = |text: &str, expected: &[&str]| {
            let troubles = read("i.yaml", text).expect_err(text);
            let shown: Vec<String> = troubles.iter().map(Trouble::to_string).collect();
            assert_eq!(shown, expected);
        };
        check(
            "nmae: db\nreplica: 3\nclient-namespace: [a]\nfrobnicate: 1\n",
            &[
                "i.yaml:3:1: error: client-namespace: an intent has no such key\n  help: did you mean clientNamespaces?",
                "i.yaml:4:13: error: frobnicate: an intent has no such key\n  help: known are workload, name, namespace, image, software, replicas, ports, identity, clientNamespaces, external, expose, host, clusterDomain, mesh",
                "i.yaml:1:7: error: nmae: an intent has no such key\n  help: did you mean name?",
                "i.yaml:2:10: error: replica: an intent has no such key\n  help: did you mean replicas?",
            ],
        );
        check(
            "name: [a]\nports:\n- {name: http}\nmesh:\n",
            &[
                "i.yaml:1:1: error: name: expected one value\n  help: it takes the name that clients use",
                "i.yaml:3:3: error: ports[0]: expected one value\n  help: it takes a list of name:number[:target]",
                "i.yaml:4:1: error: mesh: has no value\n  help: it takes none, istio or linkerd",
            ],
        );
        check("- a\n", &["i.yaml:1:1: error: expected a mapping of keys to values"]);
        check("", &["i.yaml:1:1: error: expected a mapping of keys to values"]);
    }
}
