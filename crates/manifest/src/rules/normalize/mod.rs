//! Values in the shape that Kubernetes stores: known fields only, of the right types.
//!
//! A value goes through the typed form of its kind and back. The deserializer here goes on after a wrong type
//! (it hands out the type's empty value instead), so that all of them are reported at once, and it follows what
//! Kubernetes' own reading does: `null` is absent, quantities may be numbers, empty lists, maps and texts are
//! left out.

mod reader;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::Value;

use self::reader::{Reader, Walk};
use crate::field::{FieldError, FieldPath};
use crate::kind::{Kind, Typed, WithType};

/// An object in the shape that is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Normalized {
    /// The object, with `apiVersion` and `kind`, of known fields only.
    pub value: Value,
    /// The paths of the fields that were dropped because the kind has none such: `spec.x`.
    pub unknown: Vec<String>,
    /// For those of them that look like a slip, the field that may have been meant.
    pub nearest: BTreeMap<String, &'static str>,
}

/// How many values of wrong type are looked at before the rest is left for the next try.
const ERRORS_MAX: usize = 64;

/// Brings an object of `kind` into the shape that is stored, and so into the form of the kind as which it is
/// [stored](Kind::stored_as).
///
/// # Errors
///
/// Every wrong type, with its path: `spec.replicas: expected an integer, got the string "three"`.
pub fn normalize(kind: &Kind, value: Value) -> Result<Normalized, Vec<FieldError>> {
    let mut normalized = kind.id.with_type(Through(value))?;
    kind.to_stored(&mut normalized.value);
    Ok(normalized)
}

/// The round trip of a kind.
struct Through(Value);

impl WithType for Through {
    type Output = Result<Normalized, Vec<FieldError>>;

    fn run<T: Typed>(self) -> Self::Output {
        through::<T>(self.0)
    }
}

fn through<T: Typed>(value: Value) -> Result<Normalized, Vec<FieldError>> {
    let Pass { typed, unknown, nearest, empty_maps } = pass::<T>(value, false)?;
    let mut value = serde_json::to_value(&typed)
        .map_err(|error| vec![FieldError::internal(&FieldPath::ROOT, error.to_string())])?;
    for pointer in empty_maps {
        remove_empty(&mut value, &pointer);
    }
    Ok(Normalized { value, unknown, nearest })
}

/// A value in its type, and what else was found.
pub(crate) struct Pass<T> {
    pub(crate) typed: T,
    pub(crate) unknown: Vec<String>,
    pub(crate) nearest: BTreeMap<String, &'static str>,
    empty_maps: Vec<String>,
}

/// Brings a value into a type. `keeps_empty`: empty lists and texts are values like others.
pub(crate) fn pass<T: DeserializeOwned>(
    mut value: Value,
    keeps_empty: bool,
) -> Result<Pass<T>, Vec<FieldError>> {
    // Apart from the recoverable errors, a type's own code may refuse a value, which ends the pass. Such a value
    // is taken out and the pass done again, so that it does not hide what else is wrong.
    let (mut refused, mut taken) = (Vec::new(), Vec::<String>::new());
    loop {
        let walk = Walk { keeps_empty, ..Walk::default() };
        let outcome = T::deserialize(Reader::new(&value, &walk));
        let Walk { errors, unknown, nearest, empty_maps, refused_at, keeps_empty: _ } = walk;
        let mut errors = errors.into_inner();
        match outcome {
            Ok(typed) => {
                errors.append(&mut refused);
                if !errors.is_empty() {
                    errors.truncate(ERRORS_MAX);
                    return Err(errors);
                }
                return Ok(Pass {
                    typed,
                    unknown: unknown.into_inner(),
                    nearest: nearest.into_inner(),
                    empty_maps: empty_maps.into_inner(),
                });
            }
            Err(error) => {
                let place = refused_at.into_inner().filter(|_| refused.len() < ERRORS_MAX);
                let Some((pointer, error)) = place else {
                    errors.append(&mut refused);
                    if errors.is_empty() {
                        errors.push(FieldError::wrong_type(
                            &FieldPath::ROOT,
                            Value::Null,
                            error.to_string(),
                        ));
                    }
                    return Err(errors);
                };
                // What holds a value that was taken out may be refused for want of it, which nobody can mend.
                let lacks = |part: &String| {
                    part.strip_prefix(&pointer).is_some_and(|rest| rest.starts_with('/'))
                };
                let is_there = value.pointer(&pointer).is_some_and(|place| !place.is_null());
                if is_there && !taken.iter().any(lacks) {
                    refused.push(error);
                }
                taken.push(pointer.clone());
                if !take_out(&mut value, &pointer) {
                    return Err(refused);
                }
            }
        }
    }
}

/// Takes out the value at `pointer`, or what holds it where that was done before, as for an item of a list. False when
/// nothing is left.
fn take_out(value: &mut Value, mut pointer: &str) -> bool {
    while let Some(place) = value.pointer_mut(pointer) {
        if !place.is_null() {
            *place = Value::Null;
            return true;
        }
        let Some((holder, _)) = pointer.rsplit_once('/') else { return false };
        pointer = holder;
    }
    false
}

/// Takes out the empty object at `pointer`.
fn remove_empty(value: &mut Value, pointer: &str) {
    let Some((parent, key)) = pointer.rsplit_once('/') else { return };
    if let Some(Value::Object(map)) = value.pointer_mut(parent) {
        let key = key.replace("~1", "/").replace("~0", "~");
        if map.get(&key).and_then(Value::as_object).is_some_and(serde_json::Map::is_empty) {
            map.remove(&key);
        }
    }
}
