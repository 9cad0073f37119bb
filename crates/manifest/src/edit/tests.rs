use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::read::read_any;

const HEAD: &str = "apiVersion: v1\nkind: Service\n";

fn set(field: &str, to: &str) -> Change {
    Change::Set { field: field.to_owned(), to: to.to_owned() }
}

fn remove(field: &str) -> Change {
    Change::Remove { field: field.to_owned() }
}

fn add(parent: &str, key: &str, value: &str) -> Change {
    Change::Add { parent: parent.to_owned(), key: key.to_owned(), value: value.to_owned() }
}

fn first(text: &str) -> Position {
    let reading = read_any("t", text);
    reading.documents.first().expect("an object").start()
}

/// Changes the first object of `HEAD` and `text`, and compares what follows the head.
fn check(text: &str, changes: &[Change], expected: &str) {
    let text = format!("{HEAD}{text}");
    let seen = edit("t", &text, first(&text), changes);
    assert_eq!(seen.as_deref(), Ok(format!("{HEAD}{expected}").as_str()), "{changes:?} of {text}");
}

fn refused(text: &str, change: Change, expected: Refusal) {
    let text = format!("{HEAD}{text}");
    assert_eq!(edit("t", &text, first(&text), &[change]), Err(expected), "{text}");
}

#[test]
fn scalars_are_set() {
    check(
        "spec:\n  type: NodePort # why\n",
        &[set("spec.type", "ClusterIP")],
        "spec:\n  type: ClusterIP # why\n",
    );
    check(
        "spec: {type: NodePort, a: b}\n",
        &[set("spec.type", "ClusterIP")],
        "spec: {type: ClusterIP, a: b}\n",
    );
    check("spec:\n  type: \"x\"", &[set("spec.type", "None")], "spec:\n  type: None");
    check(
        "spec:\n  ports:\n  - port: 80\n    targetPort: 8080\n",
        &[set("spec.ports[0].targetPort", "\"web\"")],
        "spec:\n  ports:\n  - port: 80\n    targetPort: \"web\"\n",
    );
    check(
        "metadata:\n  labels:\n    a.b/c: 'ü' # é\n",
        &[set("metadata.labels.a.b/c", "d")],
        "metadata:\n  labels:\n    a.b/c: d # é\n",
    );
    check("spec:\r\n  type: A\r\n", &[set("spec.type", "B")], "spec:\r\n  type: B\r\n");
    refused(
        "spec:\n  type: |\n    A\n",
        set("spec.type", "B"),
        Refusal::Layout("spec.type".into()),
    );
    refused("spec:\n  type:\n", set("spec.type", "B"), Refusal::Layout("spec.type".into()));
    refused("spec:\n  type: A\n", set("spec.typo", "B"), Refusal::Field("spec.typo".into()));
    refused(
        "spec:\n  type: A\n",
        set("spec.type", "[unclosed"),
        Refusal::Layout("spec.type".into()),
    );
}

#[test]
fn fields_are_removed() {
    check(
        "spec:\n  a: 1\n  # of b\n  b: 2 # b\n  c: 3\n",
        &[remove("spec.b")],
        "spec:\n  a: 1\n  # of b\n  c: 3\n",
    );
    check(
        "spec:\n  a: 1\n  b:\n    c: 2\n    d: |\n      text\n\n  # of e\n  e: 3\n",
        &[remove("spec.b")],
        "spec:\n  a: 1\n\n  # of e\n  e: 3\n",
    );
    check("spec:\n  a: 1\n  b: 2", &[remove("spec.b")], "spec:\n  a: 1\n");
    check("spec:\n  a: 1\n  b:\n  c: 3\n", &[remove("spec.b")], "spec:\n  a: 1\n  c: 3\n");
    // The only one.
    check(
        "metadata:\n  annotations: # kept\n    # too\n    a: b\n  name: x\n",
        &[remove("metadata.annotations.a")],
        "metadata:\n  annotations: {} # kept\n    # too\n  name: x\n",
    );
    // The first one behind a hyphen.
    check(
        "spec:\n- name: a # of a\n  port: 80\n- port: 81\n",
        &[remove("spec[0].name")],
        "spec:\n- port: 80\n- port: 81\n",
    );
    check(
        "spec:\n  - name: a # of a\n    # of port\n    port: 80\n",
        &[remove("spec[0].name")],
        "spec:\n  - \n    # of port\n    port: 80\n",
    );
    check("spec:\n- name: a\n- name: b\n", &[remove("spec[0].name")], "spec:\n- {}\n- name: b\n");
    // Elements of lists.
    check("spec:\n- a\n# of b\n- b # b\n- c\n", &[remove("spec[1]")], "spec:\n- a\n# of b\n- c\n");
    check(
        "spec:\n  x:\n  - a: 1\n    b: 2\n  - c: 3\n",
        &[remove("spec.x[0]")],
        "spec:\n  x:\n  - c: 3\n",
    );
    check("spec:\n  x:\n  - a\n  y: 1\n", &[remove("spec.x[0]")], "spec:\n  x: []\n  y: 1\n");
    // Flow style.
    check("spec: {a: 1, b: 2, c: 3}\n", &[remove("spec.a")], "spec: {b: 2, c: 3}\n");
    check("spec: {a: 1, b: 2, c: 3}\n", &[remove("spec.c")], "spec: {a: 1, b: 2}\n");
    check("spec: { a: 1 }\n", &[remove("spec.a")], "spec: {}\n");
    check("spec: [a, b]\n", &[remove("spec[1]")], "spec: [a]\n");
    check("spec:\r\n  a: 1\r\n  b: 2\r\n", &[remove("spec.a")], "spec:\r\n  b: 2\r\n");
    refused("spec: {a: 1, # of a\n  b: 2}\n", remove("spec.a"), Refusal::Layout("spec.a".into()));
}

#[test]
fn fields_are_added() {
    check(
        "spec:\n  a: 1 # a\n  # end\nstatus: {}\n",
        &[add("spec", "b", "2")],
        "spec:\n  a: 1 # a\n  b: 2\n  # end\nstatus: {}\n",
    );
    check(
        "spec:\n  a:\n    c: 1",
        &[add("spec", "b", "{x: [y]}")],
        "spec:\n  a:\n    c: 1\n  b: {x: [y]}",
    );
    check(
        "spec:\n  a: |\n    text\n\nstatus: 1\n",
        &[add("spec", "b", "2")],
        "spec:\n  a: |\n    text\n  b: 2\n\nstatus: 1\n",
    );
    check(
        "spec:\n- a: 1\n- b: 1\n",
        &[add("spec[0]", "c", "x")],
        "spec:\n- a: 1\n  c: x\n- b: 1\n",
    );
    check("spec:\n  a:\nstatus: 1\n", &[add("spec", "b", "2")], "spec:\n  a:\n  b: 2\nstatus: 1\n");
    check("spec: {}\n", &[add("spec", "b", "2")], "spec: {b: 2}\n");
    check("spec: {a: 1}\n", &[add("spec", "b", "2")], "spec: {a: 1, b: 2}\n");
    check(
        "spec:\n  a: 1\n",
        &[add("spec", "on", "2"), add("spec", "a b", "3")],
        "spec:\n  a: 1\n  \"on\": 2\n  \"a b\": 3\n",
    );
    check("spec:\r\n  a: 1\r\n", &[add("spec", "b", "2")], "spec:\r\n  a: 1\r\n  b: 2\r\n");
    check("a: 1\n", &[add("", "b", "2")], "a: 1\nb: 2\n");
    refused("spec:\n  a: 1\n", add("spec", "a", "2"), Refusal::Field("spec.a".into()));
    refused("spec:\n", add("spec", "a", "2"), Refusal::Layout("spec".into()));
    refused("a: 1\n", add("spec", "a", "2"), Refusal::Field("spec".into()));
}

#[test]
fn what_others_share_is_left() {
    refused("x: &x\n  a: 1\nspec: *x\n", set("spec.a", "2"), Refusal::Shared("spec.a".into()));
    refused("x: &x\n  a: 1\nspec:\n  <<: *x\n", remove("spec.a"), Refusal::Shared("spec.a".into()));
    refused("spec: &x\n  a: 1\ny: *x\n", set("spec.a", "2"), Refusal::Different);
    check(
        "x: &x\n  a: 1\nspec:\n  <<: *x\n  b: 2\n",
        &[set("spec.b", "3")],
        "x: &x\n  a: 1\nspec:\n  <<: *x\n  b: 3\n",
    );
    // The field hides another of the same name, which its removal would show.
    refused("x: &x\n  a: 1\nspec:\n  <<: *x\n  a: 2\n", remove("spec.a"), Refusal::Different);
}

#[test]
fn json_stays_json() {
    let text = "{\n  \"apiVersion\": \"v1\",\n  \"kind\": \"Service\",\n  \"spec\": {\"a\": 1, \"b\": 2}\n}\n";
    let check = |change: Change, expected: &str| {
        let expected = text.replace("\"spec\": {\"a\": 1, \"b\": 2}", expected);
        assert_eq!(edit("t.json", text, first(text), &[change]), Ok(expected));
    };
    check(set("spec.a", "None"), "\"spec\": {\"a\": \"None\", \"b\": 2}");
    check(remove("spec.a"), "\"spec\": {\"b\": 2}");
    check(add("spec", "c", "[x, 1]"), "\"spec\": {\"a\": 1, \"b\": 2, \"c\": [\"x\",1]}");
    check(add("", "c", "true"), "\"spec\": {\"a\": 1, \"b\": 2},\n  \"c\": true");
}

#[test]
fn other_objects_of_the_text_stay() {
    let text = "\u{feff}# one\napiVersion: v1\nkind: Service\nspec: {a: 1}\n--- # two\napiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Pod\n  spec: # of it\n    a: 1\n- apiVersion: x.y/v1\n  kind: Z\n  spec:\n    a: 1\n";
    let reading = read_any("t", text);
    let at = |kind: &str| {
        let known = reading.documents.iter().map(|document| &document.located);
        let mut all = known.chain(reading.foreign.iter().map(|foreign| &foreign.located));
        all.find(|located| located.value["kind"] == kind).expect("the object").start()
    };
    let check = |kind: &str, change: Change, old: &str, new: &str| {
        assert!(text.contains(old), "{old}");
        assert_eq!(edit("t", text, at(kind), &[change]), Ok(text.replace(old, new)));
    };
    check("Service", set("spec.a", "2"), "{a: 1}", "{a: 2}");
    check("Pod", remove("spec.a"), "spec: # of it\n    a: 1\n", "spec: {} # of it\n");
    check("Z", add("spec", "b", "2"), "  spec:\n    a: 1\n", "  spec:\n    a: 1\n    b: 2\n");
    let nowhere = Position { line: 2, column: 3 };
    assert_eq!(edit("t", text, nowhere, &[set("spec.a", "2")]), Err(Refusal::NoObject));
    assert_eq!(edit("t", "a: [", nowhere, &[set("a", "2")]), Err(Refusal::NoObject));
}

fn any_value() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        any::<i32>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        "[a-z #:é-]{0,6}".prop_map(Value::from),
        Just(json!("two\nlines")),
    ];
    scalar.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map("[a-c]{1,2}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Writes a value as YAML with a comment line before each line, in block or flow style as `flows` has it.
fn write(value: &Value, indent: usize, flows: &mut dyn Iterator<Item = bool>, out: &mut String) {
    let scalar = |value: &Value| value.to_string();
    let pad = " ".repeat(indent);
    let nested = |value: &Value| match value {
        Value::Object(map) => !map.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    };
    let mut child = |head: String, value: &Value, out: &mut String| {
        let number = out.lines().count();
        out.push_str(&format!("{pad}# comment {number}\n"));
        if nested(value) && !flows.next().unwrap_or(false) {
            out.push_str(&format!("{pad}{head}\n"));
            write(value, indent + 2, flows, out);
        } else {
            out.push_str(&format!("{pad}{head} {}\n", scalar(value)));
        }
    };
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                child(format!("{key}:"), value, out);
            }
        }
        Value::Array(items) => {
            for item in items {
                child("-".to_owned(), item, out);
            }
        }
        other => out.push_str(&format!("{pad}{other}\n")),
    }
}

/// Every path below a value.
fn paths(value: &Value, path: &str, out: &mut Vec<(String, bool)>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let path = format!("{path}.{key}");
                out.push((path.clone(), !value.is_object() && !value.is_array()));
                paths(value, &path, out);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                let path = format!("{path}[{index}]");
                out.push((path.clone(), !value.is_object() && !value.is_array()));
                paths(value, &path, out);
            }
        }
        _ => {}
    }
}

proptest! {
    #[test]
    fn a_change_changes_what_it_names_and_keeps_the_comments(
        spec in proptest::collection::btree_map("[a-c]{1,2}", any_value(), 1..4),
        flows in proptest::collection::vec(any::<bool>(), 16),
        pick in any::<prop::sample::Index>(),
        kind in 0..3,
        crlf in any::<bool>(),
    ) {
        let spec = Value::Object(spec.into_iter().collect());
        let mut text = format!("{HEAD}spec:\n");
        write(&spec, 2, &mut flows.into_iter(), &mut text);
        if crlf {
            text = text.replace('\n', "\r\n");
        }
        let reading = read_any("t", &text);
        prop_assert_eq!(&reading.documents[0].value["spec"], &spec, "{}", text);
        let mut all = Vec::new();
        paths(&spec, "spec", &mut all);
        let (path, is_scalar) = all[pick.index(all.len())].clone();
        let change = match kind {
            0 if is_scalar => set(&path, "changed"),
            1 => remove(&path),
            _ => {
                let (parent, _) = path.rsplit_once('.').unwrap_or(("spec", ""));
                add(parent, "zz", "[new]")
            }
        };
        // Every comment line is still there, but those inside of what was removed.
        let comments = |text: &str| -> Vec<String> {
            text.lines().filter(|line| line.trim().starts_with('#')).map(|line| line.trim().to_owned()).collect()
        };
        // That the value is what was meant, `edit` itself compares; here it must not have refused.
        let new = edit("t", &text, reading.documents[0].start(), std::slice::from_ref(&change));
        prop_assert!(new.is_ok(), "{:?} of {}: {:?}", change, text, new);
        let new = new.unwrap();
        let inside = match &change {
            Change::Remove { .. } => {
                let steps = path.trim_start_matches("spec");
                let mut value = &spec;
                let pointer = steps.replace(['.', '['], "/").replace(']', "");
                value = value.pointer(&pointer).unwrap_or(value);
                let mut below = Vec::new();
                paths(value, "", &mut below);
                below.len()
            }
            _ => 0,
        };
        let (before, after) = (comments(&text), comments(&new));
        prop_assert!(after.iter().all(|comment| before.contains(comment)));
        prop_assert!(after.len() + inside >= before.len(), "{:?} of {} gives {}", change, text, new);
    }

    #[test]
    fn nothing_panics(text in "[ \\-a-c:{}\\[\\],#&*|>\"'\n\r\t?!é]{0,60}", line in 1usize..6, column in 1usize..8) {
        let at = Position { line, column };
        for change in [set("a.b", "c"), remove("a"), remove("a[0]"), add("a", "b", "c"), add("", "x", "y")] {
            let whole = format!("apiVersion: v1\nkind: Service\n{text}");
            let _ = edit("t", &whole, at, std::slice::from_ref(&change));
            let _ = edit("t", &whole, Position { line: 1, column: 1 }, &[change]);
        }
    }
}
