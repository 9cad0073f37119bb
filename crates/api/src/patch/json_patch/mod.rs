//! JSON Patch (RFC 6902) with JSON pointers (RFC 6901).
//!
//! The operations are applied in order to a working copy; the first that fails ends it, and the whole patch
//! has no effect (RFC 5789 §2, RFC 6902 §5).

mod pointer;

use super::{DEPTH_MAX, PatchError, type_name};
use pointer::{Pointer, array_index};
use serde_json::{Map, Value};

/// The most operations one patch may have, as in Kubernetes.
const OPERATIONS_MAX: usize = 10_000;

/// The most that a patch's `copy` and `move` operations may carry together, counted in JSON values and bytes of text, so
/// that a short patch can neither grow an object without bound nor keep the server busy with carrying it about.
const CARRIED_MAX: usize = 3 * 1024 * 1024;

/// How many elements of lists a patch's operations may shift together to make and close gaps: the 10,000 allowed may
/// each be at the front of a list of 2,000. Those of a longer list could keep the server busy for minutes.
const SHIFTED_MAX: usize = 20_000_000;

/// Applies the operations of `patch` to `document`.
pub(super) fn apply(mut document: Value, patch: &Value) -> Result<Value, PatchError> {
    let Value::Array(operations) = patch else {
        return Err(PatchError::Malformed(format!(
            "a JSON patch must be a list of operations, not {}",
            type_name(patch)
        )));
    };
    if operations.len() > OPERATIONS_MAX {
        return Err(PatchError::TooLarge(format!(
            "the JSON patch has {} operations; at most {OPERATIONS_MAX} are allowed",
            operations.len()
        )));
    }
    let mut carried = 0;
    let mut shifted = 0;
    for (index, value) in operations.iter().enumerate() {
        let operation = Operation::read(value)
            .map_err(|why| PatchError::Malformed(format!("JSON patch operation {index}: {why}")))?;
        if let Action::Copy { from } | Action::Move { from } = &operation.action {
            // A missing source is reported by the operation itself.
            carried += from.find(&document).map_or(0, weight);
            if carried > CARRIED_MAX {
                return Err(PatchError::TooLarge(format!(
                    "JSON patch operation {index}: the copy and move operations carry more than {CARRIED_MAX} bytes"
                )));
            }
        }
        document = operation.apply(document, &mut shifted).map_err(|why| {
            PatchError::Unprocessable(format!(
                "JSON patch operation {index}, {} {:?}: {why}",
                operation.action.name(),
                operation.path.text()
            ))
        })?;
        if shifted > SHIFTED_MAX {
            return Err(PatchError::TooLarge(format!(
                "JSON patch operation {index}: the operations shift more than {SHIFTED_MAX} elements of lists"
            )));
        }
    }
    Ok(document)
}

struct Operation<'a> {
    action: Action<'a>,
    path: Pointer<'a>,
}

enum Action<'a> {
    Add { value: &'a Value },
    Remove,
    Replace { value: &'a Value },
    Move { from: Pointer<'a> },
    Copy { from: Pointer<'a> },
    Test { value: &'a Value },
}

impl<'a> Operation<'a> {
    /// Reads one operation; unknown members are ignored (RFC 6902 §4).
    fn read(value: &'a Value) -> Result<Self, String> {
        let Value::Object(members) = value else {
            return Err(format!("must be an object, not {}", type_name(value)));
        };
        let path = pointer(members, "path")?;
        let from = || pointer(members, "from");
        let value = || members.get("value").ok_or_else(|| "has no \"value\"".to_owned());
        let action = match text(members, "op")? {
            "add" => Action::Add { value: value()? },
            "remove" => Action::Remove,
            "replace" => Action::Replace { value: value()? },
            "move" => Action::Move { from: from()? },
            "copy" => Action::Copy { from: from()? },
            "test" => Action::Test { value: value()? },
            other => {
                return Err(format!(
                    "unknown \"op\" {other:?}: must be add, remove, replace, move, copy or test"
                ));
            }
        };
        Ok(Self { action, path })
    }

    /// Applies the operation, and adds to `shifted` how many elements of lists that shifts.
    fn apply(&self, mut document: Value, shifted: &mut usize) -> Result<Value, String> {
        let path = &self.path;
        match &self.action {
            Action::Add { value } => add(document, path, (*value).clone(), shifted),
            Action::Remove => {
                remove(&mut document, path, shifted)?;
                Ok(document)
            }
            Action::Replace { value } => {
                check_depth(path, value)?;
                let target = path.find_mut(&mut document).ok_or_else(|| missing(path))?;
                *target = (*value).clone();
                Ok(document)
            }
            Action::Move { from } => {
                if path.is_below(from) {
                    return Err(format!("cannot move {:?} into itself", from.text()));
                }
                let value = remove(&mut document, from, shifted)?;
                add(document, path, value, shifted)
            }
            Action::Copy { from } => {
                let value = from.find(&document).ok_or_else(|| missing(from))?.clone();
                add(document, path, value, shifted)
            }
            Action::Test { value } => {
                match path.find(&document) {
                    Some(found) if equal(found, value) => Ok(document),
                    Some(_) => Err("the test failed: the value differs".to_owned()),
                    // Kubernetes takes a missing member for null: so clients say "if nobody has set this".
                    None if value.is_null() && path.is_missing_member(&document) => Ok(document),
                    None => Err(missing(path)),
                }
            }
        }
    }
}

impl Action<'_> {
    fn name(&self) -> &'static str {
        match self {
            Self::Add { .. } => "add",
            Self::Remove => "remove",
            Self::Replace { .. } => "replace",
            Self::Move { .. } => "move",
            Self::Copy { .. } => "copy",
            Self::Test { .. } => "test",
        }
    }
}

fn pointer<'a>(members: &'a Map<String, Value>, name: &str) -> Result<Pointer<'a>, String> {
    Pointer::read(text(members, name)?)
        .map_err(|why| format!("{name:?} is not a JSON pointer: {why}"))
}

fn text<'a>(members: &'a Map<String, Value>, name: &str) -> Result<&'a str, String> {
    match members.get(name) {
        Some(Value::String(text)) => Ok(text),
        Some(other) => Err(format!("{name:?} must be a string, not {}", type_name(other))),
        None => Err(format!("has no {name:?}")),
    }
}

fn add(
    mut document: Value,
    path: &Pointer<'_>,
    value: Value,
    shifted: &mut usize,
) -> Result<Value, String> {
    check_depth(path, &value)?;
    let Some((holder, last)) = path.holder(&mut document) else {
        return Ok(value);
    };
    match holder.ok_or_else(|| format!("nothing is at {:?} or above it", path.text()))? {
        Value::Object(members) => {
            members.insert(last.to_owned(), value);
        }
        Value::Array(items) if last == "-" => items.push(value),
        Value::Array(items) => match array_index(last) {
            Some(index) if index <= items.len() => {
                *shifted += items.len() - index;
                items.insert(index, value);
            }
            Some(index) => {
                return Err(format!("index {index} is beyond the list's {} elements", items.len()));
            }
            None => return Err(format!("{last:?} is not an index of a list")),
        },
        other => return Err(format!("cannot add to {}", type_name(other))),
    }
    Ok(document)
}

fn remove(document: &mut Value, path: &Pointer<'_>, shifted: &mut usize) -> Result<Value, String> {
    let Some((holder, last)) = path.holder(document) else {
        return Ok(document.take());
    };
    let removed = match holder {
        Some(Value::Object(members)) => members.remove(last),
        Some(Value::Array(items)) => match array_index(last) {
            Some(index) if index < items.len() => {
                *shifted += items.len() - index - 1;
                Some(items.remove(index))
            }
            Some(_) | None => None,
        },
        Some(_) | None => None,
    };
    removed.ok_or_else(|| missing(path))
}

fn missing(path: &Pointer<'_>) -> String {
    format!("nothing is at {:?}", path.text())
}

/// Equal by RFC 6902 §4.6: numbers by their value, so that 1 equals 1.0.
fn equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            one == other || (one.is_f64() || other.is_f64()) && one.as_f64() == other.as_f64()
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(a, b)| equal(a, b))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, a)| other.get(name).is_some_and(|b| equal(a, b)))
        }
        (one, other) => one == other,
    }
}

fn check_depth(path: &Pointer<'_>, value: &Value) -> Result<(), String> {
    if path.depth() + depth(value) > DEPTH_MAX {
        return Err(format!("the object would be nested more than {DEPTH_MAX} levels deep"));
    }
    Ok(())
}

/// How many levels of lists and objects a value has.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

/// How much a value weighs for [`CARRIED_MAX`]: a unit for each value, and the bytes of its text.
fn weight(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(weight).sum(),
        Value::Object(members) => {
            members.iter().map(|(name, value)| name.len() + weight(value)).sum()
        }
        Value::String(text) => text.len(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

#[cfg(test)]
mod tests;
