//! Strategic merge patch: JSON merge patch with lists that merge by key, and directives.
//!
//! | directive | where | meaning |
//! |---|---|---|
//! | `$patch: replace` | an object | the patch's object takes the place of the current one |
//! | `$patch: delete` | an object | the current object becomes empty |
//! | `$patch: merge` | an object | what happens without it |
//! | `$patch: delete` | an element with the merge key | the elements with that key go |
//! | `$patch: replace` | an element | the other elements of the patch take the place of the whole list |
//! | `$deleteFromPrimitiveList/F` | beside `F` | these values leave the set `F` |
//! | `$setElementOrder/F` | beside `F` | the order of `F`, by merge key or by value |
//! | `$retainKeys` | an object | members that are not named go |
//!
//! The order of a merged list: elements that the patch (or `$setElementOrder`) names stand in the patch's
//! order, the others keep theirs, and the two are interleaved so that an element that stood before another
//! stays before it where the first two rules allow.
//!
//! Which lists merge, and by what: `crate::types`. A `$retainKeys` is honoured in whichever object it stands, as
//! Kubernetes does.
//!
//! Rules: Kubernetes, "Strategic Merge Patch" and "Preserve order in strategic merge patch" (its design documents).

mod list;

use std::collections::HashSet;

use super::{PatchError, type_name};
use crate::types::{Patch, Place};
use list::{Order, merge_list, without_nulls_and_directives};
use manifest::field::FieldPath;
use manifest::kind::Kind;
use serde_json::{Map, Value};

const DIRECTIVE: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const DELETE_FROM: &str = "$deleteFromPrimitiveList/";
const SET_ORDER: &str = "$setElementOrder/";

/// Merges `patch` into `current`, an object of `kind`.
pub(super) fn apply(kind: &Kind, current: Value, patch: &Value) -> Result<Value, PatchError> {
    merge_value(Place::of(kind), current, patch, &FieldPath::ROOT)
}

/// The value of `$patch`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Directive {
    Delete,
    Merge,
    Replace,
}

impl Directive {
    fn of(object: &Map<String, Value>, path: &FieldPath<'_>) -> Result<Option<Self>, PatchError> {
        match object.get(DIRECTIVE) {
            None => Ok(None),
            Some(Value::String(text)) if text == "delete" => Ok(Some(Self::Delete)),
            Some(Value::String(text)) if text == "merge" => Ok(Some(Self::Merge)),
            Some(Value::String(text)) if text == "replace" => Ok(Some(Self::Replace)),
            Some(other) => Err(malformed(
                path,
                format_args!("$patch must be \"delete\", \"merge\" or \"replace\", not {other}"),
            )),
        }
    }
}

/// What a field is after the patch; `current` is `Null` where there is none.
fn merge_value(
    place: Place,
    current: Value,
    patch: &Value,
    path: &FieldPath<'_>,
) -> Result<Value, PatchError> {
    match patch {
        Value::Object(_) if place.patch() == Patch::Replace => {
            Ok(without_nulls_and_directives(patch))
        }
        Value::Object(patch) => {
            let current = match current {
                Value::Object(members) => members,
                _ => Map::new(),
            };
            merge_object(place, current, patch, path).map(Value::Object)
        }
        Value::Array(patch) => merge_list(place, current, Some(patch), None, path),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(patch.clone()),
    }
}

fn merge_object(
    place: Place,
    mut current: Map<String, Value>,
    patch: &Map<String, Value>,
    path: &FieldPath<'_>,
) -> Result<Map<String, Value>, PatchError> {
    match Directive::of(patch, path)? {
        Some(Directive::Delete) => return Ok(Map::new()),
        Some(Directive::Replace) => current.clear(),
        Some(Directive::Merge) | None => {}
    }
    if let Some(retained) = patch.get(RETAIN_KEYS) {
        retain_keys(&mut current, patch, retained, path)?;
    }
    for (name, value) in patch {
        if let Some(name) = name.strip_prefix(DELETE_FROM) {
            delete_from_set(&mut current, name, value, path)?;
        }
    }
    for (name, value) in patch {
        let (name, value, order) = if let Some(listed) = name.strip_prefix(SET_ORDER) {
            let path = path.child(name);
            let values = list(value, &path)?;
            (listed, patch.get(listed), Some(Order { values, path }))
        } else if name.starts_with('$') {
            check_directive(name, path)?;
            continue;
        } else if patch.contains_key(&format!("{SET_ORDER}{name}")) {
            // Merged together with its order, above.
            continue;
        } else {
            (name.as_str(), Some(value), None)
        };
        let at = path.child(name);
        let place = place.field(name);
        let old = current.remove(name);
        let new = match (value, order) {
            (None, order) => match old {
                Some(old) => Some(merge_list(place, old, None, order, &at)?),
                None => None,
            },
            (Some(Value::Null), _) => None,
            (Some(Value::Array(items)), order) => {
                Some(merge_list(place, old.unwrap_or_default(), Some(items), order, &at)?)
            }
            (Some(other), None) => Some(merge_value(place, old.unwrap_or_default(), other, &at)?),
            (Some(other), Some(_)) => {
                return Err(malformed(
                    &at,
                    format_args!(
                        "has a $setElementOrder and must be a list, not {}",
                        type_name(other)
                    ),
                ));
            }
        };
        if let Some(new) = new {
            current.insert(name.to_owned(), new);
        }
    }
    Ok(current)
}

/// Only the directives above may begin with `$`.
fn check_directive(name: &str, path: &FieldPath<'_>) -> Result<(), PatchError> {
    if name == DIRECTIVE || name == RETAIN_KEYS || name.starts_with(DELETE_FROM) {
        Ok(())
    } else {
        Err(malformed(path, format_args!("unknown directive {name:?}")))
    }
}

fn retain_keys(
    current: &mut Map<String, Value>,
    patch: &Map<String, Value>,
    retained: &Value,
    path: &FieldPath<'_>,
) -> Result<(), PatchError> {
    let retained = list(retained, &path.child(RETAIN_KEYS))?;
    let is_retained = |name: &str| retained.iter().any(|key| key.as_str() == Some(name));
    for (name, value) in patch {
        if !value.is_null() && !name.starts_with('$') && !is_retained(name) {
            return Err(malformed(
                path,
                format_args!("sets {name:?}, which its $retainKeys does not name"),
            ));
        }
    }
    current.retain(|name, _| is_retained(name));
    Ok(())
}

fn delete_from_set(
    current: &mut Map<String, Value>,
    name: &str,
    values: &Value,
    path: &FieldPath<'_>,
) -> Result<(), PatchError> {
    let directive = format!("{DELETE_FROM}{name}");
    let at = path.child(&directive);
    let values = list(values, &at)?;
    if let Some(value) = values.iter().find(|value| value.is_array() || value.is_object()) {
        return Err(malformed(&at, format_args!("must hold primitives, not {}", type_name(value))));
    }
    if let Some(Value::Array(items)) = current.get_mut(name) {
        let values: HashSet<&Value> = values.iter().collect();
        items.retain(|item| !values.contains(item));
    }
    Ok(())
}

fn list<'a>(value: &'a Value, path: &FieldPath<'_>) -> Result<&'a Vec<Value>, PatchError> {
    match value {
        Value::Array(items) => Ok(items),
        other => Err(malformed(path, format_args!("must be a list, not {}", type_name(other)))),
    }
}

fn malformed(path: &FieldPath<'_>, what: std::fmt::Arguments<'_>) -> PatchError {
    let path = path.to_string();
    let path = if path.is_empty() { "the patch" } else { &path };
    PatchError::Malformed(format!("strategic merge patch: {path}: {what}"))
}

#[cfg(test)]
mod tests;
