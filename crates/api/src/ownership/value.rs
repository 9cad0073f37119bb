//! Objects seen as sets of fields: what a value sets, what a change changes, how two are merged.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::{Map, Value};

use super::set::FieldSet;
use crate::types::{Apply, Place, key_default};

/// The fields that a value sets.
pub(super) fn fields(place: Place, value: &Value) -> FieldSet {
    let mut set = FieldSet::default();
    collect(place, value, &mut set);
    set.trim();
    set
}

fn collect(place: Place, value: &Value, set: &mut FieldSet) {
    match (place.apply(), value) {
        (Apply::Fields, Value::Object(object)) if !object.is_empty() => {
            for (name, value) in object {
                collect(place.field(name), value, set.child(format!("f:{name}")));
            }
        }
        (Apply::Keyed(keys), Value::Array(items)) if !items.is_empty() => {
            for item in items {
                let Some(key) = key_of(keys, item) else { continue };
                let below = set.child(key);
                below.own = true;
                collect(place.item(), item, below);
                below.own = true;
            }
        }
        (Apply::Set, Value::Array(items)) if !items.is_empty() => {
            for item in items {
                set.child(format!("v:{item}")).own = true;
            }
        }
        _ => set.own = true,
    }
}

/// The element of a list's item; `None` when it lacks a key.
pub(super) fn key_of(keys: &[&str], item: &Value) -> Option<String> {
    let mut found = Map::new();
    for key in keys {
        let value = match &item[*key] {
            Value::Null => key_default(key)?.into(),
            value => value.clone(),
        };
        found.insert((*key).to_owned(), value);
    }
    Some(format!("k:{}", Value::Object(found)))
}

/// What a change did.
#[derive(Debug, Default)]
pub(super) struct Difference {
    /// Fields that are new or have another value.
    pub(super) set: FieldSet,
    /// Fields that are gone.
    pub(super) removed: FieldSet,
}

/// Compares two objects.
pub(super) fn difference(place: Place, old: &Value, new: &Value) -> Difference {
    let mut difference = Difference::default();
    // Null: there was none.
    let old = Some(old).filter(|old| !old.is_null());
    compare(place, old, Some(new), &mut difference.set, &mut difference.removed);
    difference.set.trim();
    difference.removed.trim();
    difference
}

fn compare(
    place: Place,
    old: Option<&Value>,
    new: Option<&Value>,
    set: &mut FieldSet,
    removed: &mut FieldSet,
) {
    if old == new {
        return;
    }
    let (old, new) = match (old, new) {
        (Some(old), Some(new)) => (old, new),
        (Some(old), None) => {
            collect(place, old, removed);
            return;
        }
        (None, Some(new)) => {
            collect(place, new, set);
            return;
        }
        (None, None) => return,
    };
    match (place.apply(), old, new) {
        (Apply::Fields, Value::Object(before), Value::Object(after)) => {
            let names = after.keys().chain(before.keys().filter(|name| !after.contains_key(*name)));
            for name in names {
                let (before, after) = (before.get(name), after.get(name));
                if before != after {
                    let element = format!("f:{name}");
                    let (set, removed) = (set.child(element.clone()), removed.child(element));
                    compare(place.field(name), before, after, set, removed);
                }
            }
        }
        (Apply::Keyed(keys), Value::Array(before), Value::Array(after)) => {
            let mut pairs: BTreeMap<String, [Option<&Value>; 2]> = BTreeMap::new();
            for (side, items) in [before, after].into_iter().enumerate() {
                for item in items {
                    if let Some(element) = key_of(keys, item) {
                        pairs.entry(element).or_default()[side].get_or_insert(item);
                    }
                }
            }
            for (element, [before, after]) in pairs {
                let (set, removed) = (set.child(element.clone()), removed.child(element));
                set.own |= before.is_none();
                removed.own |= after.is_none();
                compare(place.item(), before, after, set, removed);
            }
        }
        (Apply::Set, Value::Array(before), Value::Array(after)) => {
            let (old, new): (HashSet<_>, HashSet<_>) =
                (before.iter().collect(), after.iter().collect());
            for item in new.difference(&old) {
                set.child(format!("v:{item}")).own = true;
            }
            for item in old.difference(&new) {
                removed.child(format!("v:{item}")).own = true;
            }
        }
        _ => set.own = true,
    }
}

/// Lays what is applied over the live object.
pub(super) fn merge(place: Place, live: &mut Value, applied: &Value) {
    match (place.apply(), live, applied) {
        (Apply::Fields, Value::Object(live), Value::Object(applied)) => {
            for (name, value) in applied {
                match live.get_mut(name) {
                    Some(live) => merge(place.field(name), live, value),
                    None => {
                        live.insert(name.clone(), value.clone());
                    }
                }
            }
        }
        (Apply::Keyed(keys), Value::Array(live), Value::Array(applied)) => {
            let mut known = HashMap::new();
            for (index, item) in live.iter().enumerate() {
                if let Some(key) = key_of(keys, item) {
                    known.entry(key).or_insert(index);
                }
            }
            for item in applied {
                match key_of(keys, item).and_then(|key| known.get(&key)) {
                    Some(index) => merge(place.item(), &mut live[*index], item),
                    None => live.push(item.clone()),
                }
            }
        }
        (Apply::Set, Value::Array(live), Value::Array(applied)) => {
            let mut known: HashSet<Value> = live.iter().cloned().collect();
            live.extend(applied.iter().filter(|item| known.insert((*item).clone())).cloned());
        }
        (_, live, applied) => *live = applied.clone(),
    }
}

/// Takes the fields in `gone` away, except where something below belongs to `others`.
pub(super) fn prune(place: Place, value: &mut Value, gone: &FieldSet, others: Option<&FieldSet>) {
    let others_below = |element: &str| others.and_then(|others| others.children.get(element));
    match (place.apply(), value) {
        (Apply::Fields, Value::Object(object)) => {
            for (element, below) in &gone.children {
                let Some(name) = element.strip_prefix("f:") else { continue };
                let Some(field) = object.get_mut(name) else { continue };
                let theirs = others_below(element);
                prune(place.field(name), field, below, theirs);
                let emptied = !below.children.is_empty() && is_empty(field);
                if theirs.is_none() && (below.own || emptied) {
                    object.remove(name);
                }
            }
        }
        (Apply::Keyed(keys), Value::Array(items)) => {
            items.retain_mut(|item| {
                let Some(element) = key_of(keys, item) else { return true };
                let Some(below) = gone.children.get(&element) else { return true };
                let theirs = others_below(&element);
                if below.own && theirs.is_none() {
                    return false;
                }
                prune(place.item(), item, below, theirs);
                true
            });
        }
        (Apply::Set, Value::Array(items)) => items.retain(|item| {
            let element = format!("v:{item}");
            !gone.children.contains_key(&element) || others_below(&element).is_some()
        }),
        _ => {}
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Object(object) => object.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// What an applied object must fulfil: items have their keys, and no two have the same.
pub(super) fn check(place: Place, value: &Value, path: &str) -> Result<(), String> {
    match (place.apply(), value) {
        (Apply::Fields, Value::Object(object)) => object.iter().try_for_each(|(name, value)| {
            check(place.field(name), value, &format!("{path}.{name}"))
        }),
        (Apply::Keyed(keys), Value::Array(items)) => {
            let mut seen = HashSet::new();
            for (index, item) in items.iter().enumerate() {
                let Some(key) = key_of(keys, item) else {
                    let missing = keys
                        .iter()
                        .find(|key| item[**key].is_null() && key_default(key).is_none())
                        .copied()
                        .unwrap_or_default();
                    return Err(format!(
                        "{path}: element {index}: associative list with keys has an element that omits key field \"{missing}\" (and doesn't have default value)"
                    ));
                };
                check(place.item(), item, &format!("{path}[{index}]"))?;
                let mut one = FieldSet::default();
                one.child(key.clone()).own = true;
                if !seen.insert(key) {
                    return Err(format!(
                        "{path}: duplicate entries for key {}",
                        one.paths().concat()
                    ));
                }
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Leaves out nulls, which say nothing.
pub(super) fn without_nulls(value: &mut Value) {
    match value {
        Value::Object(object) => {
            object.retain(|_, value| !value.is_null());
            object.values_mut().for_each(without_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(without_nulls),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
