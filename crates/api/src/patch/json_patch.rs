//! JSON Patch (RFC 6902) with JSON pointers (RFC 6901).
//!
//! The operations are applied in order to a working copy; the first that fails ends it, and the whole patch
//! has no effect (RFC 5789 §2, RFC 6902 §5).

use super::{DEPTH_MAX, PatchError, type_name};
use serde_json::{Map, Value};

/// The most operations one patch may have, as in Kubernetes.
const OPERATIONS_MAX: usize = 10_000;

/// The most that a patch's `copy` operations may copy together, counted in JSON values and bytes of text, so that a
/// short patch cannot grow an object without bound.
const COPIED_MAX: usize = 3 * 1024 * 1024;

/// Applies the operations of `patch` to `document`.
pub(super) fn apply(mut document: Value, patch: &Value) -> Result<Value, PatchError> {
    let Value::Array(operations) = patch else {
        return Err(PatchError::Malformed(format!(
            "a JSON patch must be a list of operations, not {}",
            type_name(patch)
        )));
    };
    if operations.len() > OPERATIONS_MAX {
        return Err(PatchError::TooLarge(format!(
            "the JSON patch has {} operations; at most {OPERATIONS_MAX} are allowed",
            operations.len()
        )));
    }
    let mut copied = 0;
    for (index, value) in operations.iter().enumerate() {
        let operation = Operation::read(value)
            .map_err(|why| PatchError::Malformed(format!("JSON patch operation {index}: {why}")))?;
        if let Action::Copy { from } = &operation.action {
            // A missing source is reported by the operation itself.
            copied += find(&document, from).map_or(0, weight);
            if copied > COPIED_MAX {
                return Err(PatchError::TooLarge(format!(
                    "JSON patch operation {index}: the copy operations copy more than {COPIED_MAX} bytes"
                )));
            }
        }
        document = operation.apply(document).map_err(|why| {
            PatchError::Unprocessable(format!(
                "JSON patch operation {index}, {} {:?}: {why}",
                operation.action.name(),
                operation.path.text
            ))
        })?;
    }
    Ok(document)
}

struct Operation<'a> {
    action: Action<'a>,
    path: Pointer<'a>,
}

enum Action<'a> {
    Add { value: &'a Value },
    Remove,
    Replace { value: &'a Value },
    Move { from: Pointer<'a> },
    Copy { from: Pointer<'a> },
    Test { value: &'a Value },
}

impl<'a> Operation<'a> {
    /// Reads one operation; unknown members are ignored (RFC 6902 §4).
    fn read(value: &'a Value) -> Result<Self, String> {
        let Value::Object(members) = value else {
            return Err(format!("must be an object, not {}", type_name(value)));
        };
        let path = Pointer::member(members, "path")?;
        let from = || Pointer::member(members, "from");
        let value = || members.get("value").ok_or_else(|| "has no \"value\"".to_owned());
        let action = match text(members, "op")? {
            "add" => Action::Add { value: value()? },
            "remove" => Action::Remove,
            "replace" => Action::Replace { value: value()? },
            "move" => Action::Move { from: from()? },
            "copy" => Action::Copy { from: from()? },
            "test" => Action::Test { value: value()? },
            other => {
                return Err(format!(
                    "unknown \"op\" {other:?}: must be add, remove, replace, move, copy or test"
                ));
            }
        };
        Ok(Self { action, path })
    }

    fn apply(&self, mut document: Value) -> Result<Value, String> {
        let path = &self.path;
        match &self.action {
            Action::Add { value } => add(document, path, (*value).clone()),
            Action::Remove => {
                remove(&mut document, path)?;
                Ok(document)
            }
            Action::Replace { value } => {
                check_depth(path, value)?;
                let target = find_mut(&mut document, path).ok_or_else(|| missing(path))?;
                *target = (*value).clone();
                Ok(document)
            }
            Action::Move { from } => {
                if path.text.strip_prefix(from.text).is_some_and(|rest| rest.starts_with('/')) {
                    return Err(format!("cannot move {:?} into itself", from.text));
                }
                let value = remove(&mut document, from)?;
                add(document, path, value)
            }
            Action::Copy { from } => {
                let value = find(&document, from).ok_or_else(|| missing(from))?.clone();
                add(document, path, value)
            }
            Action::Test { value } => {
                let found = find(&document, path).ok_or_else(|| missing(path))?;
                if equal(found, value) {
                    Ok(document)
                } else {
                    Err("the test failed: the value differs".to_owned())
                }
            }
        }
    }
}

impl Action<'_> {
    fn name(&self) -> &'static str {
        match self {
            Self::Add { .. } => "add",
            Self::Remove => "remove",
            Self::Replace { .. } => "replace",
            Self::Move { .. } => "move",
            Self::Copy { .. } => "copy",
            Self::Test { .. } => "test",
        }
    }
}

/// A JSON pointer: its text and its unescaped reference tokens.
struct Pointer<'a> {
    text: &'a str,
    tokens: Vec<String>,
}

impl<'a> Pointer<'a> {
    fn member(members: &'a Map<String, Value>, name: &str) -> Result<Self, String> {
        let text = text(members, name)?;
        Self::read(text).map_err(|why| format!("{name:?} is not a JSON pointer: {why}"))
    }

    fn read(text: &'a str) -> Result<Self, String> {
        let tokens = match text.strip_prefix('/') {
            Some(rest) => rest.split('/').map(unescape).collect::<Result<Vec<_>, _>>()?,
            None if text.is_empty() => Vec::new(),
            None => return Err(format!("{text:?} must be empty or begin with \"/\"")),
        };
        if tokens.len() > DEPTH_MAX {
            return Err(format!("it has more than {DEPTH_MAX} parts"));
        }
        Ok(Self { text, tokens })
    }
}

/// `~1` is `/` and `~0` is `~`, and nothing else may follow a tilde (RFC 6901 §3).
fn unescape(token: &str) -> Result<String, String> {
    let mut parts = token.split('~');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let mut rest = part.chars();
        plain.push(match rest.next() {
            Some('0') => '~',
            Some('1') => '/',
            _ => return Err(format!("in {token:?}, \"~\" must be followed by 0 or 1")),
        });
        plain.push_str(rest.as_str());
    }
    Ok(plain)
}

fn text<'a>(members: &'a Map<String, Value>, name: &str) -> Result<&'a str, String> {
    match members.get(name) {
        Some(Value::String(text)) => Ok(text),
        Some(other) => Err(format!("{name:?} must be a string, not {}", type_name(other))),
        None => Err(format!("has no {name:?}")),
    }
}

/// An array index: decimal digits without leading zeros (RFC 6901 §4).
fn array_index(token: &str) -> Option<usize> {
    let digits = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_digit());
    let canonical = digits && (token == "0" || !token.starts_with('0'));
    if canonical { token.parse().ok() } else { None }
}

fn step<'v>(value: &'v Value, token: &str) -> Option<&'v Value> {
    match value {
        Value::Object(members) => members.get(token),
        Value::Array(items) => items.get(array_index(token)?),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

fn step_mut<'v>(value: &'v mut Value, token: &str) -> Option<&'v mut Value> {
    match value {
        Value::Object(members) => members.get_mut(token),
        Value::Array(items) => items.get_mut(array_index(token)?),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

fn find<'v>(document: &'v Value, path: &Pointer<'_>) -> Option<&'v Value> {
    path.tokens.iter().try_fold(document, |value, token| step(value, token))
}

fn find_mut<'v>(document: &'v mut Value, path: &Pointer<'_>) -> Option<&'v mut Value> {
    path.tokens.iter().try_fold(document, |value, token| step_mut(value, token))
}

/// The place that holds what `path` names, and the last token.
fn parent<'v, 'p>(
    document: &'v mut Value,
    path: &'p Pointer<'_>,
) -> Option<(Result<&'v mut Value, String>, &'p str)> {
    let (last, above) = path.tokens.split_last()?;
    let holder = above
        .iter()
        .try_fold(document, |value, token| step_mut(value, token))
        .ok_or_else(|| format!("nothing is at {:?} or above it", path.text));
    Some((holder, last))
}

fn add(mut document: Value, path: &Pointer<'_>, value: Value) -> Result<Value, String> {
    check_depth(path, &value)?;
    let Some((holder, last)) = parent(&mut document, path) else {
        return Ok(value);
    };
    match holder? {
        Value::Object(members) => {
            members.insert(last.to_owned(), value);
        }
        Value::Array(items) if last == "-" => items.push(value),
        Value::Array(items) => match array_index(last) {
            Some(index) if index <= items.len() => items.insert(index, value),
            Some(index) => {
                return Err(format!("index {index} is beyond the list's {} elements", items.len()));
            }
            None => return Err(format!("{last:?} is not an index of a list")),
        },
        other => return Err(format!("cannot add to {}", type_name(other))),
    }
    Ok(document)
}

fn remove(document: &mut Value, path: &Pointer<'_>) -> Result<Value, String> {
    let Some((holder, last)) = parent(document, path) else {
        return Ok(document.take());
    };
    match holder? {
        Value::Object(members) => members.remove(last).ok_or_else(|| missing(path)),
        Value::Array(items) => match array_index(last) {
            Some(index) if index < items.len() => Ok(items.remove(index)),
            Some(_) | None => Err(missing(path)),
        },
        _ => Err(missing(path)),
    }
}

fn missing(path: &Pointer<'_>) -> String {
    format!("nothing is at {:?}", path.text)
}

/// Equal by RFC 6902 §4.6: numbers by their value, so that 1 equals 1.0.
fn equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            one == other || (one.is_f64() || other.is_f64()) && one.as_f64() == other.as_f64()
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(a, b)| equal(a, b))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, a)| other.get(name).is_some_and(|b| equal(a, b)))
        }
        (one, other) => one == other,
    }
}

fn check_depth(path: &Pointer<'_>, value: &Value) -> Result<(), String> {
    if path.tokens.len() + depth(value) > DEPTH_MAX {
        return Err(format!("the object would be nested more than {DEPTH_MAX} levels deep"));
    }
    Ok(())
}

/// How many levels of lists and objects a value has.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

/// How much a value weighs for [`COPIED_MAX`]: a unit for each value, and the bytes of its text.
fn weight(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(weight).sum(),
        Value::Object(members) => {
            members.iter().map(|(name, value)| name.len() + weight(value)).sum()
        }
        Value::String(text) => text.len(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[track_caller]
    fn check(document: Value, patch: Value, result: Value) {
        assert_eq!(apply(document, &patch), Ok(result));
    }

    #[track_caller]
    fn check_error(document: Value, patch: Value, status: u16, text: &str) {
        let error = apply(document, &patch).unwrap_err();
        assert_eq!((error.status_code(), error.to_string().as_str()), (status, text));
    }

    /// RFC 6902 appendix A; A.9 and A.15 among the errors below, A.13 is not valid JSON.
    #[test]
    fn the_examples_of_the_rfc() {
        check(
            json!({"foo": "bar"}),
            json!([{"op": "add", "path": "/baz", "value": "qux"}]),
            json!({"baz": "qux", "foo": "bar"}),
        );
        check(
            json!({"foo": ["bar", "baz"]}),
            json!([{"op": "add", "path": "/foo/1", "value": "qux"}]),
            json!({"foo": ["bar", "qux", "baz"]}),
        );
        check(
            json!({"baz": "qux", "foo": "bar"}),
            json!([{"op": "remove", "path": "/baz"}]),
            json!({"foo": "bar"}),
        );
        check(
            json!({"foo": ["bar", "qux", "baz"]}),
            json!([{"op": "remove", "path": "/foo/1"}]),
            json!({"foo": ["bar", "baz"]}),
        );
        check(
            json!({"baz": "qux", "foo": "bar"}),
            json!([{"op": "replace", "path": "/baz", "value": "boo"}]),
            json!({"baz": "boo", "foo": "bar"}),
        );
        check(
            json!({"foo": {"bar": "baz", "waldo": "fred"}, "qux": {"corge": "grault"}}),
            json!([{"op": "move", "from": "/foo/waldo", "path": "/qux/thud"}]),
            json!({"foo": {"bar": "baz"}, "qux": {"corge": "grault", "thud": "fred"}}),
        );
        check(
            json!({"foo": ["all", "grass", "cows", "eat"]}),
            json!([{"op": "move", "from": "/foo/1", "path": "/foo/3"}]),
            json!({"foo": ["all", "cows", "eat", "grass"]}),
        );
        check(
            json!({"baz": "qux", "foo": ["a", 2, "c"]}),
            json!([
                {"op": "test", "path": "/baz", "value": "qux"},
                {"op": "test", "path": "/foo/1", "value": 2},
            ]),
            json!({"baz": "qux", "foo": ["a", 2, "c"]}),
        );
        check(
            json!({"foo": "bar"}),
            json!([{"op": "add", "path": "/child", "value": {"grandchild": {}}}]),
            json!({"foo": "bar", "child": {"grandchild": {}}}),
        );
        check(
            json!({"foo": "bar"}),
            json!([{"op": "add", "path": "/baz", "value": "qux", "xyz": 123}]),
            json!({"foo": "bar", "baz": "qux"}),
        );
        check(
            json!({"/": 9, "~1": 10}),
            json!([{"op": "test", "path": "/~01", "value": 10}]),
            json!({"/": 9, "~1": 10}),
        );
        check(
            json!({"foo": ["bar"]}),
            json!([{"op": "add", "path": "/foo/-", "value": ["abc", "def"]}]),
            json!({"foo": ["bar", ["abc", "def"]]}),
        );
    }

    #[test]
    fn what_kubernetes_people_write() {
        check(
            json!({"metadata": {"labels": {"a/b": "c"}}}),
            json!([{"op": "remove", "path": "/metadata/labels/a~1b"}]),
            json!({"metadata": {"labels": {}}}),
        );
        check(
            json!({"a": {"b": 1}}),
            json!([{"op": "copy", "from": "/a", "path": "/a/c"}]),
            json!({"a": {"b": 1, "c": {"b": 1}}}),
        );
        check(json!({"a": 1}), json!([{"op": "replace", "path": "", "value": {}}]), json!({}));
        check(
            json!({"a": 1}),
            json!([{"op": "move", "from": "/a", "path": "/a"}]),
            json!({"a": 1}),
        );
        check(
            json!({"n": 1}),
            json!([{"op": "test", "path": "/n", "value": 1.0}, {"op": "test", "path": "", "value": {"n": 1}}]),
            json!({"n": 1}),
        );
        check(json!({}), json!([{"op": "add", "path": "/a", "value": null}]), json!({"a": null}));
    }

    #[test]
    fn a_patch_that_does_not_fit() {
        let document = || json!({"foo": {"bar": [1, 2]}});
        let check = |operation: Value, text: &str| {
            check_error(
                document(),
                json!([operation]),
                422,
                &format!("JSON patch operation 0, {text}"),
            );
        };
        check(
            json!({"op": "test", "path": "/foo/bar/0", "value": "1"}),
            "test \"/foo/bar/0\": the test failed: the value differs",
        );
        check(
            json!({"op": "test", "path": "/baz", "value": 1}),
            "test \"/baz\": nothing is at \"/baz\"",
        );
        check(json!({"op": "remove", "path": "/baz"}), "remove \"/baz\": nothing is at \"/baz\"");
        check(
            json!({"op": "remove", "path": "/foo/bar/2"}),
            "remove \"/foo/bar/2\": nothing is at \"/foo/bar/2\"",
        );
        check(
            json!({"op": "replace", "path": "/foo/baz", "value": 1}),
            "replace \"/foo/baz\": nothing is at \"/foo/baz\"",
        );
        check(
            json!({"op": "add", "path": "/baz/bat", "value": 1}),
            "add \"/baz/bat\": nothing is at \"/baz/bat\" or above it",
        );
        check(
            json!({"op": "add", "path": "/foo/bar/3", "value": 1}),
            "add \"/foo/bar/3\": index 3 is beyond the list's 2 elements",
        );
        check(
            json!({"op": "add", "path": "/foo/bar/01", "value": 1}),
            "add \"/foo/bar/01\": \"01\" is not an index of a list",
        );
        check(
            json!({"op": "add", "path": "/foo/bar/0/x", "value": 1}),
            "add \"/foo/bar/0/x\": cannot add to a number",
        );
        check(
            json!({"op": "move", "from": "/foo", "path": "/foo/bar"}),
            "move \"/foo/bar\": cannot move \"/foo\" into itself",
        );
        check(
            json!({"op": "copy", "from": "/nowhere", "path": "/foo/bar"}),
            "copy \"/foo/bar\": nothing is at \"/nowhere\"",
        );
    }

    #[test]
    fn a_patch_that_is_none() {
        let check = |patch: Value, text: &str| check_error(json!({}), patch, 400, text);
        check(json!({"a": 1}), "a JSON patch must be a list of operations, not an object");
        let check = |operation: Value, text: &str| {
            check(json!([operation]), &format!("JSON patch operation 0: {text}"));
        };
        check(json!(1), "must be an object, not a number");
        check(json!({"path": "/a"}), "has no \"op\"");
        check(json!({"op": "add", "path": "/a"}), "has no \"value\"");
        check(json!({"op": "remove"}), "has no \"path\"");
        check(json!({"op": "move", "path": "/a"}), "has no \"from\"");
        check(
            json!({"op": "remove", "path": "a/b"}),
            "\"path\" is not a JSON pointer: \"a/b\" must be empty or begin with \"/\"",
        );
        check(
            json!({"op": "remove", "path": "/a~2b"}),
            "\"path\" is not a JSON pointer: in \"a~2b\", \"~\" must be followed by 0 or 1",
        );
        check(
            json!({"op": "delete", "path": "/a"}),
            "unknown \"op\" \"delete\": must be add, remove, replace, move, copy or test",
        );
        check(json!({"op": 1, "path": "/a"}), "\"op\" must be a string, not a number");
    }

    #[test]
    fn a_short_patch_cannot_grow_an_object_without_bound() {
        let double = json!({"op": "copy", "from": "/a", "path": "/a/-"});
        let error = apply(json!({"a": ["x".repeat(1000)]}), &json!(vec![&double; 60])).unwrap_err();
        assert_eq!(error.status_code(), 413, "{error}");
        let wrap = json!({"op": "copy", "from": "/a", "path": "/a/a"});
        let deeper = apply(json!({"a": {}}), &json!(vec![&wrap; 200])).unwrap_err();
        assert_eq!(deeper.status_code(), 422, "{deeper}");
        let many = apply(json!({}), &json!(vec![json!({"op": "remove", "path": ""}); 10_001]));
        assert_eq!(many.unwrap_err().status_code(), 413);
    }

    proptest! {
        #[test]
        fn what_was_added_can_be_removed(
            members in prop::collection::btree_map("[a-c~/]{1,3}", 0..9_u8, 0..4),
            name in "[d-f~/]{1,3}x",
            value in 0..9_u8,
        ) {
            let document = json!(members);
            let path = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
            let add = json!({"op": "add", "path": path, "value": value});
            let test = json!({"op": "test", "path": path, "value": value});
            let remove = json!({"op": "remove", "path": path});
            prop_assert_eq!(apply(document.clone(), &json!([add, test, remove])), Ok(document));
        }

        #[test]
        fn any_operations_end_in_a_value_or_an_error(
            operations in prop::collection::vec(
                ("add|remove|replace|move|copy|test", "(/[ab01-]){0,3}", "(/[ab01-]){0,3}", 0..3_u8),
                0..8,
            ),
        ) {
            let operations: Vec<Value> = operations
                .into_iter()
                .map(|(op, path, from, value)| json!({"op": op, "path": path, "from": from, "value": value}))
                .collect();
            let document = json!({"a": [0, {"b": [1, 2]}], "b": {"a": {"0": "x"}}});
            match apply(document, &json!(operations)) {
                Ok(_) | Err(PatchError::Unprocessable(_)) => {}
                Err(other) => prop_assert!(false, "{other}"),
            }
        }
    }
}
