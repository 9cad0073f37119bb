//! Names of pods that the texts of manifests mention: `db-0.db-peers`, `$(POD_NAME).db-peers.prod.svc`.

use serde_json::Value;

use super::Workload;

/// How a text names a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pod<'t> {
    /// `db-0`.
    Fixed {
        /// The StatefulSet that a pod of this name would be of.
        set: &'t str,
        /// The name as written.
        name: &'t str,
    },
    /// `$(POD_NAME)`, `${HOSTNAME}` or `$HOSTNAME`: the variable's name.
    Variable(&'t str),
}

/// A pod's name under a Service, in some text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mention<'t> {
    /// The first label.
    pub(crate) pod: Pod<'t>,
    /// The second.
    pub(crate) service: &'t str,
    /// The third.
    pub(crate) namespace: Option<&'t str>,
}

/// What a text mentions; any dotted name whose first label could be a pod's.
pub(crate) fn mentions(text: &str) -> impl Iterator<Item = Mention<'_>> {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    let mut at = 0;
    text.split(move |c| !is_of_name(c)).filter_map(move |token| {
        let start = at;
        // What divides is one character, of whatever length.
        let divider = text[start + token.len()..].chars().next().map_or(0, char::len_utf8);
        at = start + token.len() + divider;
        let (first, rest) = token.split_once('.')?;
        let pod = match variable(&text[..start], first) {
            Some(variable) => Pod::Variable(variable),
            None => {
                let (set, ordinal) = first.rsplit_once('-')?;
                let is_number =
                    !ordinal.is_empty() && ordinal.bytes().all(|byte| byte.is_ascii_digit());
                Pod::Fixed { set: Some(set).filter(|_| is_number)?, name: first }
            }
        };
        let mut labels = rest.split('.').map(|label| Some(label).filter(|label| !label.is_empty()));
        Some(Mention { pod, service: labels.next()??, namespace: labels.next().flatten() })
    })
}

/// The variable whose value a name begins with, from what stands before the name and its first label.
fn variable<'t>(before: &'t str, first: &'t str) -> Option<&'t str> {
    if !first.is_empty() {
        return before.ends_with('$').then_some(first);
    }
    let inner = before.strip_suffix([')', '}'])?;
    let name = inner.rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '_').next()?;
    let opened = inner.strip_suffix(name)?.strip_suffix(['(', '{'])?;
    (!name.is_empty() && opened.ends_with('$')).then_some(name)
}

/// Whether a variable of its containers holds the pod's name.
pub(crate) fn is_pod_name(set: &Workload, variable: &str) -> bool {
    let mut variables = set.containers().flat_map(|(_, container)| container.env.iter().flatten());
    let is_it = |path: Option<&str>| path == Some("metadata.name");
    variable == "HOSTNAME"
        || variables.any(|entry| {
            let source = entry.value_from.as_ref().and_then(|source| source.field_ref.as_ref());
            entry.name == variable && is_it(source.map(|field| field.field_path.as_str()))
        })
}

/// Every text below a value, with its path: `spec.containers[0].env[1].value`.
pub(crate) fn each_text(value: &Value, visit: &mut impl FnMut(&str, &str)) {
    walk(value, &mut String::new(), visit);
}

fn walk(value: &Value, path: &mut String, visit: &mut impl FnMut(&str, &str)) {
    let length = path.len();
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
        Value::String(text) => visit(path, text),
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                path.push_str(&format!("[{at}]"));
                walk(item, path, visit);
                path.truncate(length);
            }
        }
        Value::Object(entries) => {
            for (key, item) in entries {
                if length > 0 {
                    path.push('.');
                }
                path.push_str(key);
                walk(item, path, visit);
                path.truncate(length);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[(Pod<'_>, &str, Option<&str>)]) {
        let found: Vec<_> =
            mentions(text).map(|found| (found.pod, found.service, found.namespace)).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn names_of_pods_in_texts() {
        let db = |name| Pod::Fixed { set: "db", name };
        check("db-0.peers", &[(db("db-0"), "peers", None)]);
        check("http://db-10.peers.prod.svc:80/", &[(db("db-10"), "peers", Some("prod"))]);
        check("ü db-0.a,db-1.b.", &[(db("db-0"), "a", None), (db("db-1"), "b", None)]);
        let set = |set, name| Pod::Fixed { set, name };
        check("a=my-db-3.x", &[(set("my-db", "my-db-3"), "x", None)]);
        for text in ["$(POD_NAME).peers.prod", "${POD_NAME}.peers.prod", "x $POD_NAME.peers.prod"] {
            check(text, &[(Pod::Variable("POD_NAME"), "peers", Some("prod"))]);
        }
        for text in
            ["", "db-0", "db.peers", "db-.peers", "db-0.", "1.2.3.4", "(x).peers", "$().peers"]
        {
            check(text, &[]);
        }
    }

    #[test]
    fn every_text_has_its_path() {
        let value = serde_json::json!({"a": [{"b.c": "x"}, "y"], "d": 1, "e": "z"});
        let mut found = Vec::new();
        each_text(&value, &mut |path, text| found.push(format!("{path} {text}")));
        assert_eq!(found, ["a[0].b.c x", "a[1] y", "e z"]);
    }
}
