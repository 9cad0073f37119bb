//! The same changes of the value alone, to compare with.

use serde_json::{Map, Value};

use super::{Change, Refusal};
use crate::read::value_of;

/// A step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

/// Makes a change at the place that the steps lead to.
pub(super) fn change(target: &mut Value, steps: &[Step], change: &Change) -> Result<(), Refusal> {
    match change {
        Change::Set { field, to } => {
            let place = walk(target, steps).ok_or_else(|| Refusal::Field(field.clone()))?;
            *place = value_of(to).ok_or_else(|| Refusal::Layout(field.clone()))?;
        }
        Change::Remove { field } => {
            let none = || Refusal::Field(field.clone());
            let (last, parent) = steps.split_last().ok_or_else(none)?;
            match (walk(target, parent).ok_or_else(none)?, last) {
                (Value::Object(map), Step::Key(key)) => {
                    map.remove(key).ok_or_else(none)?;
                }
                (Value::Array(items), Step::Index(index)) if *index < items.len() => {
                    items.remove(*index);
                }
                _ => return Err(none()),
            }
        }
        Change::Add { parent, key, value } => {
            let none = || Refusal::Field(parent.clone());
            let map: &mut Map<_, _> =
                walk(target, steps).and_then(Value::as_object_mut).ok_or_else(none)?;
            let value = value_of(value).ok_or_else(|| Refusal::Layout(parent.clone()))?;
            if map.insert(key.clone(), value).is_some() {
                return Err(Refusal::Field(format!("{parent}.{key}")));
            }
        }
    }
    Ok(())
}

fn walk<'v>(value: &'v mut Value, steps: &[Step]) -> Option<&'v mut Value> {
    steps.iter().try_fold(value, |value, step| match step {
        Step::Key(key) => value.get_mut(key),
        Step::Index(index) => value.get_mut(*index),
    })
}
