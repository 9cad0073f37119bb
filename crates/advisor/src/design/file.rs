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
        replicas: reader.number("replicas"),
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

    /// A text. What YAML reads as something else is refused: it may not be what is written, such as 1.10.
    fn text(&mut self, field: &str, value: &Value, takes: &str) -> Option<Given> {
        let (message, help) = match value {
            Value::String(text) => return Some(self.given(field, text.clone())),
            Value::Number(_) | Value::Bool(_) => {
                let written = self.written(field, value);
                let kind = if value.is_number() { "a number" } else { "true or false" };
                let help = match field.contains("ports") {
                    true => format!("with a name, such as http:{written}; it takes {takes}"),
                    false => format!("in quotes it is a text: \"{written}\"; it takes {takes}"),
                };
                (format!("expected a text, and YAML reads {written} as {kind}"), help)
            }
            Value::Null => ("has no value".to_owned(), format!("it takes {takes}")),
            Value::Array(_) | Value::Object(_) => {
                ("expected one value".to_owned(), format!("it takes {takes}"))
            }
        };
        self.refuse(field, &message, Some(help));
        None
    }

    /// A scalar as it is written.
    fn written(&self, field: &str, value: &Value) -> String {
        self.located.written(field).map_or_else(|| value.to_string(), str::to_owned)
    }

    fn one(&mut self, key: &str) -> Option<Given> {
        let value = self.located.value.get(key)?.clone();
        self.text(key, &value, takes(key))
    }

    fn number(&mut self, key: &str) -> Option<Given> {
        let value = self.located.value.get(key)?.clone();
        match &value {
            Value::Number(_) => Some(self.given(key, self.written(key, &value))),
            Value::String(text) => {
                let help = match text.trim().parse::<u32>() {
                    Ok(number) => format!("without quotes: {key}: {number}"),
                    Err(_) => format!("it takes {}", takes(key)),
                };
                self.refuse(key, &format!("expected a number, and {text:?} is a text"), Some(help));
                None
            }
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
                self.refuse(key, "expected a number", Some(format!("it takes {}", takes(key))));
                None
            }
        }
    }

    /// A list of texts.
    fn many(&mut self, key: &str) -> Vec<Given> {
        match self.located.value.get(key).cloned() {
            None => Vec::new(),
            Some(Value::Array(items)) => self.items(key, &items),
            Some(value @ (Value::Null | Value::Object(_))) => {
                self.text(key, &value, takes(key)).into_iter().collect()
            }
            Some(value) => {
                let item = match (key, &value) {
                    (_, Value::String(text)) => text.clone(),
                    ("ports", _) => format!("http:{}", self.written(key, &value)),
                    _ => self.written(key, &value),
                };
                let help = format!("a list of one is {key}: [{item:?}]; it takes {}", takes(key));
                self.refuse(key, "expected a list, and this is one value", Some(help));
                Vec::new()
            }
        }
    }

    fn items(&mut self, key: &str, items: &[Value]) -> Vec<Given> {
        items
            .iter()
            .enumerate()
            .filter_map(|(at, item)| self.text(&format!("{key}[{at}]"), item, takes(key)))
            .collect()
    }

    /// One text, or a list as the flag takes it: with commas.
    fn joined(&mut self, key: &str) -> Option<Given> {
        let items = match self.located.value.get(key).cloned() {
            Some(Value::Array(items)) => self.items(key, &items),
            _ => return self.one(key),
        };
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
            "workload: statefulset\nname: db\nreplicas: 3\nports:\n- sql:5432\n- rest:8008:8009\nclientNamespaces: [shop]\nexternal: [10.0.0.1, 10.0.0.2]\n",
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
        check(
            "ports: 80\nreplicas: \"3\"\nclientNamespaces: shop\nname: 7\n",
            &[
                "i.yaml:4:7: error: name: expected a text, and YAML reads 7 as a number\n  help: in quotes it is a text: \"7\"; it takes the name that clients use",
                "i.yaml:2:11: error: replicas: expected a number, and \"3\" is a text\n  help: without quotes: replicas: 3",
                "i.yaml:1:8: error: ports: expected a list, and this is one value\n  help: a list of one is ports: [\"http:80\"]; it takes a list of name:number[:target]",
                "i.yaml:3:19: error: clientNamespaces: expected a list, and this is one value\n  help: a list of one is clientNamespaces: [\"shop\"]; it takes a list of namespaces",
            ],
        );
        check(
            "ports:\n- 80\nreplicas: three\nhost: true\n",
            &[
                "i.yaml:3:11: error: replicas: expected a number, and \"three\" is a text\n  help: it takes a number",
                "i.yaml:2:3: error: ports[0]: expected a text, and YAML reads 80 as a number\n  help: with a name, such as http:80; it takes a list of name:number[:target]",
                "i.yaml:4:7: error: host: expected a text, and YAML reads true as true or false\n  help: in quotes it is a text: \"true\"; it takes the host name for clients outside",
            ],
        );
        check("- a\n", &["i.yaml:1:1: error: expected a mapping of keys to values"]);
        check("", &["i.yaml:1:1: error: expected a mapping of keys to values"]);
    }
}
