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
//! Rules: Kubernetes, "Strategic Merge Patch" and "Preserve order in strategic merge patch" (its design documents).

use super::schema::{self, Field, Schema};
use super::{PatchError, type_name};
use manifest::field::FieldPath;
use serde_json::{Map, Value};
use std::collections::{HashMap, HashSet};

const DIRECTIVE: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const DELETE_FROM: &str = "$deleteFromPrimitiveList/";
const SET_ORDER: &str = "$setElementOrder/";

/// Merges `patch` into `current`; anything but two objects replaces.
pub(super) fn apply(
    schema: &'static Schema,
    current: Value,
    patch: &Value,
) -> Result<Value, PatchError> {
    merge_value(Some(Field::Object(schema)), current, patch, &FieldPath::ROOT)
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
    field: Option<Field>,
    current: Value,
    patch: &Value,
    path: &FieldPath<'_>,
) -> Result<Value, PatchError> {
    match patch {
        Value::Object(patch) => {
            let schema = match field {
                Some(Field::Object(schema)) => schema,
                Some(Field::Keyed(..) | Field::Set) | None => &schema::PLAIN,
            };
            let current = match current {
                Value::Object(members) => members,
                _ => Map::new(),
            };
            merge_object(schema, current, patch, path).map(Value::Object)
        }
        Value::Array(patch) => merge_list(field, current, Some(patch), None, path),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(patch.clone()),
    }
}

fn merge_object(
    schema: &Schema,
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
        let field = schema.field(name);
        let old = current.remove(name);
        let new = match (value, order) {
            (None, order) => match old {
                Some(old) => Some(merge_list(field, old, None, order, &at)?),
                None => None,
            },
            (Some(Value::Null), _) => None,
            (Some(Value::Array(items)), order) => {
                Some(merge_list(field, old.unwrap_or_default(), Some(items), order, &at)?)
            }
            (Some(other), None) => Some(merge_value(field, old.unwrap_or_default(), other, &at)?),
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
        items.retain(|item| !values.contains(item));
    }
    Ok(())
}

/// A `$setElementOrder`.
#[derive(Clone, Copy)]
struct Order<'a> {
    values: &'a [Value],
    path: FieldPath<'a>,
}

/// Merges a list, orders it, or both. `patch`: its elements, when the patch has the list; `order`: its `$setElementOrder`.
fn merge_list(
    field: Option<Field>,
    current: Value,
    patch: Option<&Vec<Value>>,
    order: Option<Order<'_>>,
    path: &FieldPath<'_>,
) -> Result<Value, PatchError> {
    let old = match current {
        Value::Array(items) => items,
        _ => Vec::new(),
    };
    match field {
        Some(Field::Keyed(key, schema)) => merge_keyed(key, schema, old, patch, order, path),
        Some(Field::Set) => merge_set(old, patch, order, path),
        Some(Field::Object(_)) | None => match patch {
            Some(items) => {
                let items = items.iter().filter(|item| item.get(DIRECTIVE).is_none());
                Ok(items.map(without_nulls_and_directives).collect())
            }
            None => Ok(Value::Array(old)),
        },
    }
}

fn merge_keyed(
    key: &str,
    schema: &Schema,
    mut old: Vec<Value>,
    patch: Option<&Vec<Value>>,
    order: Option<Order<'_>>,
    path: &FieldPath<'_>,
) -> Result<Value, PatchError> {
    let mut additions = Vec::new();
    let mut deletions = HashSet::new();
    let mut replace = false;
    for (index, item) in patch.into_iter().flatten().enumerate() {
        let at = path.index(index);
        let Value::Object(item) = item else {
            return Err(malformed(&at, format_args!("must be an object, not {}", type_name(item))));
        };
        match Directive::of(item, &at)? {
            Some(Directive::Replace) => replace = true,
            Some(Directive::Delete) => {
                deletions.insert(key_of(item, key, &at)?);
            }
            Some(Directive::Merge) | None => additions.push((index, key_of(item, key, &at)?, item)),
        }
    }
    if replace {
        old.clear();
    } else if !deletions.is_empty() {
        old.retain(|element| element.get(key).is_none_or(|value| !deletions.contains(value)));
    }
    let before = keys_of(&old, key);
    let mut places = first_places(before.iter());
    let mut merged = old;
    for (index, value, item) in &additions {
        let place = *places.entry(*value).or_insert(merged.len());
        if place == merged.len() {
            merged.push(Value::Null);
        }
        let current = match merged[place].take() {
            Value::Object(members) => members,
            _ => Map::new(),
        };
        merged[place] = Value::Object(merge_object(schema, current, item, &path.index(*index))?);
    }
    let wanted: Vec<&Value> = match order {
        Some(order) => {
            let mut wanted = Vec::with_capacity(order.values.len());
            for (index, item) in order.values.iter().enumerate() {
                let at = order.path.index(index);
                let Value::Object(item) = item else {
                    return Err(malformed(
                        &at,
                        format_args!("must be an object, not {}", type_name(item)),
                    ));
                };
                wanted.push(key_of(item, key, &at)?);
            }
            check_order(additions.iter().map(|(_, value, _)| *value), &wanted, path)?;
            wanted
        }
        None => additions.iter().map(|(_, value, _)| *value).collect(),
    };
    let keys = keys_of(&merged, key);
    Ok(Value::Array(arrange(merged, &keys, &wanted, &before)))
}

fn merge_set(
    old: Vec<Value>,
    patch: Option<&Vec<Value>>,
    order: Option<Order<'_>>,
    path: &FieldPath<'_>,
) -> Result<Value, PatchError> {
    let mut seen = HashSet::new();
    let mut merged: Vec<Value> = Vec::with_capacity(old.len());
    for item in old.iter().chain(patch.into_iter().flatten()) {
        if item.is_array() || item.is_object() {
            return Err(malformed(
                path,
                format_args!("must hold primitives, not {}", type_name(item)),
            ));
        }
        if seen.insert(item) {
            merged.push(item.clone());
        }
    }
    let wanted: Vec<&Value> = match (order, patch) {
        (Some(order), patch) => {
            let wanted: Vec<&Value> = order.values.iter().collect();
            check_order(patch.into_iter().flatten(), &wanted, path)?;
            wanted
        }
        (None, Some(patch)) => patch.iter().collect(),
        (None, None) => Vec::new(),
    };
    let keys = merged.clone();
    Ok(Value::Array(arrange(merged, &keys, &wanted, &old)))
}

/// `$setElementOrder` must name all that the patch names, in the same order.
fn check_order<'a>(
    patched: impl Iterator<Item = &'a Value>,
    wanted: &[&Value],
    path: &FieldPath<'_>,
) -> Result<(), PatchError> {
    // An empty order says nothing, as in Kubernetes.
    if wanted.is_empty() {
        return Ok(());
    }
    let mut rest = wanted.iter();
    for value in patched {
        if !rest.any(|other| *other == value) {
            return Err(malformed(
                path,
                format_args!(
                    "the order of its elements differs from its $setElementOrder, or that lacks {value}"
                ),
            ));
        }
    }
    Ok(())
}

/// Orders merged `items`, of which `keys` are the merge keys: those in `wanted` by it, the others as they
/// stood, interleaved by where both stood in `before`.
fn arrange(items: Vec<Value>, keys: &[Value], wanted: &[&Value], before: &[Value]) -> Vec<Value> {
    let ranks = first_places(wanted.iter().copied());
    let stood = first_places(before.iter());
    let (mut named, mut others) = (Vec::new(), Vec::new());
    for (item, key) in items.into_iter().zip(keys) {
        let stood = stood.get(key).copied();
        match ranks.get(key) {
            Some(rank) => named.push((*rank, stood, item)),
            None => others.push((stood, item)),
        }
    }
    named.sort_by_key(|(rank, ..)| *rank);
    let mut arranged = Vec::with_capacity(keys.len());
    let mut others = others.into_iter().peekable();
    for (_, named_stood, item) in named {
        while let Some((_, other)) = others.next_if(|(other_stood, _)| {
            matches!((other_stood, named_stood), (Some(other), Some(named)) if *other < named)
        }) {
            arranged.push(other);
        }
        arranged.push(item);
    }
    arranged.extend(others.map(|(_, item)| item));
    arranged
}

/// Each value's first place.
fn first_places<'a>(values: impl Iterator<Item = &'a Value>) -> HashMap<&'a Value, usize> {
    let mut places = HashMap::new();
    for (place, value) in values.enumerate() {
        places.entry(value).or_insert(place);
    }
    places
}

/// The merge key's value in each element; `Null` where there is none.
fn keys_of(items: &[Value], key: &str) -> Vec<Value> {
    items.iter().map(|item| item.get(key).cloned().unwrap_or_default()).collect()
}

/// A value of an atomic list as it is stored: what a patch says by `null` or a directive has no meaning there.
fn without_nulls_and_directives(value: &Value) -> Value {
    match value {
        Value::Object(members) => members
            .iter()
            .filter(|(name, value)| !value.is_null() && !name.starts_with('$'))
            .map(|(name, value)| (name.clone(), without_nulls_and_directives(value)))
            .collect(),
        Value::Array(items) => items.iter().map(without_nulls_and_directives).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

fn key_of<'a>(
    item: &'a Map<String, Value>,
    key: &str,
    path: &FieldPath<'_>,
) -> Result<&'a Value, PatchError> {
    match item.get(key) {
        None | Some(Value::Null) => {
            Err(malformed(path, format_args!("has no {key:?}, the merge key of this list")))
        }
        Some(value) => Ok(value),
    }
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
#[path = "strategic_tests.rs"]
mod tests;
