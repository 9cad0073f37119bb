//! JSON merge patches (RFC 7386): what must change in one value to make it another.

use serde_json::{Map, Value};

/// The patch that makes `old` into `new`; `None` when they are equal.
pub(crate) fn difference(old: &Value, new: &Value) -> Option<Value> {
    if old == new {
        return None;
    }
    let (Value::Object(old), Value::Object(new)) = (old, new) else { return Some(new.clone()) };
    let mut patch = Map::new();
    for (key, value) in new {
        match old.get(key) {
            Some(before) => {
                if let Some(inner) = difference(before, value) {
                    patch.insert(key.clone(), inner);
                }
            }
            None => {
                patch.insert(key.clone(), value.clone());
            }
        }
    }
    for key in old.keys().filter(|key| !new.contains_key(*key)) {
        patch.insert(key.clone(), Value::Null);
    }
    Some(Value::Object(patch))
}

/// The patch that brings a manifest into force, as `kubectl apply` computes it for merge patches: what the
/// manifest says and `live` does not is set; what the manifest applied last said and this one no longer says is
/// removed; all else stays as it is. A list is a single value here, replaced unless it was applied before just
/// so and the live one still has all of it (and perhaps defaults besides). `None` when nothing is to be done.
pub(crate) fn three_way(last: Option<&Value>, manifest: &Value, live: &Value) -> Option<Value> {
    let (Value::Object(manifest), Value::Object(live)) = (manifest, live) else {
        let stays = covers(live, manifest) && last.is_none_or(|last| last == manifest);
        return (!stays).then(|| manifest.clone());
    };
    let mut patch = Map::new();
    let last = last.and_then(Value::as_object);
    for (key, value) in manifest {
        match live.get(key) {
            // A null asks for the field's absence, or its default.
            Some(_) if value.is_null() => {}
            None if value.is_null() => {}
            Some(before) => {
                if let Some(inner) = three_way(last.and_then(|last| last.get(key)), value, before) {
                    patch.insert(key.clone(), inner);
                }
            }
            None => {
                patch.insert(key.clone(), value.clone());
            }
        }
    }
    for key in last.iter().flat_map(|last| last.keys()) {
        if !manifest.contains_key(key) && live.contains_key(key) {
            patch.insert(key.clone(), Value::Null);
        }
    }
    (!patch.is_empty()).then_some(Value::Object(patch))
}

/// Whether `live` has all that `wanted` says: more fields in objects are fine, other lengths of lists are not.
fn covers(live: &Value, wanted: &Value) -> bool {
    match (live, wanted) {
        (Value::Object(live), Value::Object(wanted)) => wanted.iter().all(|(key, wanted)| {
            wanted.is_null() || live.get(key).is_some_and(|live| covers(live, wanted))
        }),
        (Value::Array(live), Value::Array(wanted)) => {
            live.len() == wanted.len()
                && live.iter().zip(wanted).all(|(live, wanted)| covers(live, wanted))
        }
        (live, wanted) => live == wanted,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn differences() {
        fn check(old: Value, new: Value, patch: Option<Value>) {
            assert_eq!(difference(&old, &new), patch, "{old} to {new}");
        }
        check(json!({"a": 1}), json!({"a": 1}), None);
        check(json!({"a": 1}), json!({"a": 2, "b": [1]}), Some(json!({"a": 2, "b": [1]})));
        check(json!({"a": 1, "b": 2}), json!({"a": 1}), Some(json!({"b": null})));
        check(
            json!({"m": {"a": 1, "b": 2}}),
            json!({"m": {"a": 1, "b": 3}}),
            Some(json!({"m": {"b": 3}})),
        );
        check(json!({"l": [1, 2]}), json!({"l": [1]}), Some(json!({"l": [1]})));
    }

    #[test]
    fn manifests_merge_three_ways() {
        fn check(last: Value, manifest: Value, live: Value, patch: Option<Value>) {
            let last = Some(&last).filter(|last| !last.is_null());
            assert_eq!(three_way(last, &manifest, &live), patch, "{last:?}, {manifest}, {live}");
        }
        // Defaults and what others set stay.
        check(json!({"a": 1}), json!({"a": 1}), json!({"a": 1, "default": 2}), None);
        check(Value::Null, json!({"a": 1}), json!({"a": 1, "default": 2}), None);
        check(Value::Null, json!({"a": 2}), json!({"a": 1}), Some(json!({"a": 2})));
        // What is no longer said goes, unless it is gone already.
        check(
            json!({"a": 1, "b": 2}),
            json!({"a": 1}),
            json!({"a": 1, "b": 3}),
            Some(json!({"b": null})),
        );
        check(json!({"a": 1, "b": 2}), json!({"a": 1}), json!({"a": 1}), None);
        // Lists of objects keep defaults inside while they say the same.
        let ports = json!({"ports": [{"port": 80}]});
        let live = json!({"ports": [{"port": 80, "protocol": "TCP"}]});
        check(ports.clone(), ports.clone(), live.clone(), None);
        check(Value::Null, ports.clone(), live.clone(), None);
        check(
            json!({"ports": [{"port": 80, "name": "x"}]}),
            ports.clone(),
            live.clone(),
            Some(ports.clone()),
        );
        check(ports.clone(), json!({"ports": []}), live.clone(), Some(json!({"ports": []})));
        check(
            ports,
            json!({"ports": [{"port": 81}]}),
            live,
            Some(json!({"ports": [{"port": 81}]})),
        );
        // An explicit null in a manifest is no wish to change.
        check(json!({"a": null}), json!({"a": null}), json!({"a": 1}), None);
    }
}
