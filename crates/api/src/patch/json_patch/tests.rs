use super::*;
use proptest::prelude::*;
use serde_json::json;

#[track_caller]
fn check(document: Value, patch: Value, result: Value) {
    assert_eq!(apply(document, &patch), Ok(result));
}

#[track_caller]
fn check_error(document: Value, patch: Value, error: PatchError) {
    assert_eq!(apply(document, &patch), Err(error));
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
    check(json!({"a": 1}), json!([{"op": "move", "from": "/a", "path": "/a"}]), json!({"a": 1}));
    check(
        json!({"n": 1}),
        json!([{"op": "test", "path": "/n", "value": 1.0}, {"op": "test", "path": "", "value": {"n": 1}}]),
        json!({"n": 1}),
    );
    check(json!({}), json!([{"op": "add", "path": "/a", "value": null}]), json!({"a": null}));
    // "If nobody has set this", as kube-rs asks before it adds the first finalizer.
    check(
        json!({"metadata": {}}),
        json!([
            {"op": "test", "path": "/metadata/finalizers", "value": null},
            {"op": "add", "path": "/metadata/finalizers", "value": ["a/b"]},
        ]),
        json!({"metadata": {"finalizers": ["a/b"]}}),
    );
}

#[test]
fn a_patch_that_does_not_fit() {
    let document = || json!({"foo": {"bar": [1, 2]}});
    let check = |operation: Value, text: &str| {
        let text = format!("JSON patch operation 0, {text}");
        check_error(document(), json!([operation]), PatchError::Unprocessable(text));
    };
    check(
        json!({"op": "test", "path": "/foo/bar/0", "value": "1"}),
        "test \"/foo/bar/0\": the test failed: the value differs",
    );
    check(
        json!({"op": "test", "path": "/baz", "value": 1}),
        "test \"/baz\": nothing is at \"/baz\"",
    );
    for path in ["/baz/x", "/foo/bar/2"] {
        let text = format!("test {path:?}: nothing is at {path:?}");
        check(json!({"op": "test", "path": path, "value": null}), &text);
    }
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
    let check = |patch: Value, text: &str| {
        check_error(json!({}), patch, PatchError::Malformed(text.to_owned()));
    };
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
    assert!(matches!(error, PatchError::TooLarge(_)), "{error}");
    let wrap = json!({"op": "copy", "from": "/a", "path": "/a/a"});
    let deeper = apply(json!({"a": {}}), &json!(vec![&wrap; 200])).unwrap_err();
    assert!(matches!(deeper, PatchError::Unprocessable(_)), "{deeper}");
    let many = apply(json!({}), &json!(vec![json!({"op": "remove", "path": ""}); 10_001]));
    assert!(matches!(many, Err(PatchError::TooLarge(_))), "{many:?}");
}

/// The same operation as often as is allowed, on a list of so many elements.
#[track_caller]
fn check_shifting(operation: Value, elements: usize, result: Result<usize, &str>) {
    let patch = json!(vec![&operation; OPERATIONS_MAX]);
    let document = json!({"x": vec![0; elements]});
    let list = |document: Value| document["x"].as_array().map_or(0, Vec::len);
    let refused = |index: &str| {
        PatchError::TooLarge(format!(
            "JSON patch operation {index}: the operations shift more than {SHIFTED_MAX} elements of lists"
        ))
    };
    assert_eq!(apply(document, &patch).map(list), result.map_err(refused), "{operation}");
}

#[test]
fn a_short_patch_cannot_shift_a_long_list_without_end() {
    let add = |path: &str| json!({"op": "add", "path": path, "value": 0});
    let remove = |path: &str| json!({"op": "remove", "path": path});
    let take = |from: &str, path: &str| json!({"op": "move", "from": from, "path": path});
    let copy = json!({"op": "copy", "from": "/x/1", "path": "/x/0"});
    const LONG: usize = 1_200_000;
    check_shifting(add("/x/0"), LONG, Err("16"));
    check_shifting(remove("/x/0"), LONG, Err("16"));
    check_shifting(copy, LONG, Err("16"));
    check_shifting(take("/x/0", "/x/1"), LONG, Err("8"));
    check_shifting(take("/x/1199999", "/x/0"), LONG, Err("16"));
    // What is done at the end shifts nothing; lists of honest length are shifted as often as is wanted.
    check_shifting(add("/x/-"), LONG, Ok(LONG + OPERATIONS_MAX));
    check_shifting(take("/x/1199999", "/x/-"), LONG, Ok(LONG));
    check_shifting(take("/x/0", "/x/999"), 1_000, Ok(1_000));
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
