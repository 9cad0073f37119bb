//! JSON merge patch (RFC 7396).

use serde_json::{Map, Value};

/// Lays `patch` over `target` by the algorithm of RFC 7396 §2: objects merge member by member, `null`
/// removes a member, anything else replaces.
pub(super) fn apply(target: Value, patch: &Value) -> Value {
    let Value::Object(patch) = patch else {
        return patch.clone();
    };
    let mut members = match target {
        Value::Object(members) => members,
        _ => Map::new(),
    };
    for (name, value) in patch {
        if value.is_null() {
            members.remove(name);
        } else {
            let old = members.get_mut(name).map(Value::take).unwrap_or_default();
            members.insert(name.clone(), apply(old, value));
        }
    }
    Value::Object(members)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    /// RFC 7396 appendix A, all of it.
    #[test]
    fn the_examples_of_the_rfc() {
        let check = |target: Value, patch: Value, result: Value| {
            assert_eq!(apply(target.clone(), &patch), result, "{target} patched with {patch}");
        };
        check(json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"}));
        check(json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"}));
        check(json!({"a": "b"}), json!({"a": null}), json!({}));
        check(json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"}));
        check(json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"}));
        check(json!({"a": "c"}), json!({"a": ["b"]}), json!({"a": ["b"]}));
        check(
            json!({"a": {"b": "c"}}),
            json!({"a": {"b": "d", "c": null}}),
            json!({"a": {"b": "d"}}),
        );
        check(json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]}));
        check(json!(["a", "b"]), json!(["c", "d"]), json!(["c", "d"]));
        check(json!({"a": "b"}), json!(["c"]), json!(["c"]));
        check(json!({"a": "foo"}), json!(null), json!(null));
        check(json!({"a": "foo"}), json!("bar"), json!("bar"));
        check(json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1}));
        check(json!([1, 2]), json!({"a": "b", "c": null}), json!({"a": "b"}));
        check(json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}}));
    }

    /// The smallest merge patch that makes `to` of `from`; both without nulls (RFC 7396 §1: a patch cannot set one).
    fn difference(from: &Value, to: &Value) -> Value {
        let (Value::Object(from), Value::Object(to)) = (from, to) else {
            return to.clone();
        };
        let mut patch = Map::new();
        for name in from.keys().filter(|name| !to.contains_key(*name)) {
            patch.insert(name.clone(), Value::Null);
        }
        for (name, new) in to {
            match from.get(name) {
                Some(old) if old == new => {}
                Some(old) => {
                    patch.insert(name.clone(), difference(old, new));
                }
                None => {
                    patch.insert(name.clone(), new.clone());
                }
            }
        }
        Value::Object(patch)
    }

    fn json_value(nulls: bool) -> impl Strategy<Value = Value> {
        let null = if nulls { Just(Value::Null).boxed() } else { Just(json!(0)).boxed() };
        let leaf =
            prop_oneof![null, any::<bool>().prop_map(Value::from), (0..3_u8).prop_map(Value::from)];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::btree_map("[a-d]", inner, 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn applying_a_difference_gives_the_other(from in json_value(false), to in json_value(false)) {
            prop_assert_eq!(apply(from.clone(), &difference(&from, &to)), to);
        }

        #[test]
        fn applying_twice_is_applying_once(target in json_value(true), patch in json_value(true)) {
            let once = apply(target, &patch);
            prop_assert_eq!(apply(once.clone(), &patch), once);
        }
    }
}
