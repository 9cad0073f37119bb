//! Lists in a strategic merge: keyed ones, sets and atomic ones, and their order.

use super::{DIRECTIVE, Directive, malformed, merge_object};
use crate::patch::{PatchError, type_name};
use crate::types::{Patch, Place};
use manifest::field::FieldPath;
use serde_json::{Map, Value};
use std::collections::{HashMap, HashSet};

/// A `$setElementOrder`.
#[derive(Clone, Copy)]
pub(super) struct Order<'a> {
    pub(super) values: &'a [Value],
    pub(super) path: FieldPath<'a>,
}

/// Merges a list, orders it, or both. `patch`: its elements, when the patch has the list; `order`: its `$setElementOrder`.
pub(super) fn merge_list(
    place: Place,
    current: Value,
    patch: Option<&Vec<Value>>,
    order: Option<Order<'_>>,
    path: &FieldPath<'_>,
) -> Result<Value, PatchError> {
    let old = match current {
        Value::Array(items) => items,
        _ => Vec::new(),
    };
    match place.patch() {
        Patch::Keyed(key) | Patch::KeyedRetainKeys(key) => {
            merge_keyed(key, place.item(), old, patch, order, path)
        }
        Patch::Set => merge_set(old, patch, order, path),
        Patch::Usual | Patch::RetainKeys | Patch::Replace => match patch {
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
    of_item: Place,
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
        merged[place] = Value::Object(merge_object(of_item, current, item, &path.index(*index))?);
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

/// A value that takes the place of another as it is stored: what a patch says by `null` or a directive has no meaning there.
pub(super) fn without_nulls_and_directives(value: &Value) -> Value {
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
