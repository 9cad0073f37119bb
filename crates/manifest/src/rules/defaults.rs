//! Small tools for filling in JSON objects.

use serde_json::{Map, Value};

/// Sets `key` unless it is there.
pub(crate) fn set(map: &mut Map<String, Value>, key: &str, value: impl Into<Value>) {
    match map.get(key) {
        None | Some(Value::Null) => {
            map.insert(key.to_owned(), value.into());
        }
        Some(_) => {}
    }
}

/// The object under `key`, made if it is missing; nothing if something else is there.
pub(crate) fn object<'m>(
    map: &'m mut Map<String, Value>,
    key: &str,
) -> Option<&'m mut Map<String, Value>> {
    set(map, key, Map::new());
    map.get_mut(key).and_then(Value::as_object_mut)
}

/// The object under `key`, if there is one.
pub(crate) fn existing<'m>(
    map: &'m mut Map<String, Value>,
    key: &str,
) -> Option<&'m mut Map<String, Value>> {
    map.get_mut(key).and_then(Value::as_object_mut)
}

/// The objects of the list under `key`.
pub(crate) fn items<'m>(
    map: &'m mut Map<String, Value>,
    key: &str,
) -> impl Iterator<Item = &'m mut Map<String, Value>> {
    map.get_mut(key)
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
        .filter_map(Value::as_object_mut)
}

/// The text under `key`; empty if there is none.
pub(crate) fn text<'m>(map: &'m Map<String, Value>, key: &str) -> &'m str {
    map.get(key).and_then(Value::as_str).unwrap_or_default()
}
