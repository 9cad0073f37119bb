//! The deserializer that goes on after a wrong type.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::Value;

use super::ERRORS_MAX;
use crate::field::{FieldError, FieldPath};
use crate::kind::distance;

/// What one pass found.
#[derive(Default)]
pub(super) struct Walk {
    pub(super) errors: RefCell<Vec<FieldError>>,
    pub(super) unknown: RefCell<Vec<String>>,
    pub(super) nearest: RefCell<BTreeMap<String, &'static str>>,
    pub(super) empty_maps: RefCell<Vec<String>>,
    /// The value that ended the pass, by JSON pointer, and why.
    pub(super) refused_at: RefCell<Option<(String, FieldError)>>,
    /// Whether empty lists and texts are values like others, which they are not to Kubernetes.
    pub(super) keeps_empty: bool,
}

/// One value on its way into its type.
#[derive(Clone, Copy)]
pub(super) struct Reader<'de, 'p> {
    value: &'de Value,
    path: &'p FieldPath<'p>,
    /// Whether this is a struct's field, where an empty map is left out.
    omit_empty: bool,
    walk: &'p Walk,
}

impl<'de, 'p> Reader<'de, 'p> {
    /// A reader of a whole object.
    pub(super) fn new(value: &'de Value, walk: &'p Walk) -> Self {
        Self { value, path: &FieldPath::ROOT, omit_empty: false, walk }
    }
}

/// What a value is, in a sentence.
fn describe(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => format!("the boolean {value}"),
        Value::Number(value) => format!("the number {value}"),
        Value::String(value) if value.chars().count() > 60 => "a string".to_owned(),
        Value::String(value) => format!("the string {value:?}"),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

/// `a, b or c`.
fn one_of(words: &[&str]) -> String {
    match words {
        [] => "nothing".to_owned(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

impl Reader<'_, '_> {
    fn mismatch(&self, expected: &str) {
        let detail = format!("expected {expected}, got {}", describe(self.value));
        let mut errors = self.walk.errors.borrow_mut();
        if errors.len() < ERRORS_MAX {
            errors.push(FieldError::wrong_type(self.path, self.value.clone(), detail));
        }
    }

    /// The integer, if it is one within `min..=max`; a float without a fraction counts, as it does in YAML.
    fn integer(&self, min: i64, max: i64) -> i64 {
        let number = match self.value {
            Value::Null => return 0,
            Value::Number(number) => number,
            _ => {
                self.mismatch("an integer");
                return 0;
            }
        };
        let integer = number.as_i64().or_else(|| {
            #[allow(clippy::cast_possible_truncation)]
            number
                .as_f64()
                .filter(|float| float.fract() == 0.0 && float.abs() < 9.0e15)
                .map(|float| float as i64)
        });
        match integer {
            Some(integer) if (min..=max).contains(&integer) => integer,
            Some(_) => {
                self.mismatch(&format!("an integer between {min} and {max}"));
                0
            }
            None => {
                self.mismatch("an integer");
                0
            }
        }
    }
}

/// Keeps the place of a value whose own type refuses it: one that [`Reader`] handed out as it was asked to.
fn placed<T>(result: Result<T, Refusal>, of: Reader<'_, '_>) -> Result<T, Refusal> {
    result.inspect_err(|Refusal(message)| {
        let mut refused_at = of.walk.refused_at.borrow_mut();
        if refused_at.is_none() {
            let error = FieldError::invalid(of.path, of.value.clone(), message.clone());
            *refused_at = Some((of.path.pointer(), error));
        }
    })
}

/// An error that ends the pass. Its place is in [`Walk::refused_at`].
#[derive(Debug)]
pub(super) struct Refusal(String);

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refusal {}

impl serde::de::Error for Refusal {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

impl<'de> Deserializer<'de> for Reader<'de, '_> {
    type Error = Refusal;

    /// For the types that accept several shapes: IntOrString, raw JSON.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        let refused_before = self.walk.refused_at.borrow().is_some();
        let result = match self.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Number(number) => {
                if let Some(integer) = number.as_i64() {
                    visitor.visit_i64(integer)
                } else if let Some(integer) = number.as_u64() {
                    visitor.visit_u64(integer)
                } else {
                    visitor.visit_f64(number.as_f64().unwrap_or_default())
                }
            }
            Value::String(text) => visitor.visit_borrowed_str(text),
            Value::Array(items) => {
                visitor.visit_seq(Items { items: items.iter(), next: 0, of: self })
            }
            Value::Object(map) => visitor.visit_map(Entries {
                entries: map.iter(),
                of_struct: None,
                value: None,
                of: self,
            }),
        };
        result.inspect_err(|_| {
            if !refused_before && self.walk.refused_at.borrow().is_none() {
                let detail =
                    format!("expected an integer or a string, got {}", describe(self.value));
                let error = FieldError::wrong_type(self.path, self.value.clone(), detail);
                *self.walk.refused_at.borrow_mut() = Some((self.path.pointer(), error));
            }
        })
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        match self.value {
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Null => visitor.visit_bool(false),
            _ => {
                self.mismatch("true or false");
                visitor.visit_bool(false)
            }
        }
    }

    fn deserialize_i32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        visitor.visit_i64(self.integer(i32::MIN.into(), i32::MAX.into()))
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        visitor.visit_i64(self.integer(i64::MIN, i64::MAX))
    }

    fn deserialize_u16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        visitor.visit_i64(self.integer(0, u16::MAX.into()))
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        visitor.visit_i64(self.integer(0, u32::MAX.into()))
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        visitor.visit_i64(self.integer(0, i64::MAX))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        let text = match self.value {
            // To YAML 1.1 it is a boolean.
            Value::Bool(false) => Some("off"),
            value => value.as_str(),
        };
        let known = text.filter(|text| variants.contains(text));
        if known.is_none() {
            self.mismatch(&one_of(variants));
        }
        let text = known.or(variants.first().copied()).unwrap_or_default();
        visitor.visit_enum(BorrowedStrDeserializer::new(text))
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        match self.value {
            Value::Number(number) => visitor.visit_f64(number.as_f64().unwrap_or_default()),
            Value::Null => visitor.visit_f64(0.0),
            _ => {
                self.mismatch("a number");
                visitor.visit_f64(0.0)
            }
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        match self.value {
            Value::String(text) => visitor.visit_borrowed_str(text),
            Value::Null => visitor.visit_borrowed_str(""),
            _ => {
                self.mismatch("a string");
                visitor.visit_borrowed_str("")
            }
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        match self.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        match name {
            "Quantity" => match self.value {
                Value::Number(_) => visitor.visit_newtype_struct(self),
                Value::String(text) if is_quantity(text) => visitor.visit_newtype_struct(self),
                _ => {
                    self.mismatch("a quantity such as 500m, 2 or 1Gi");
                    visitor.visit_newtype_struct(BorrowedStrDeserializer::new("0"))
                }
            },
            "Time" | "MicroTime" => {
                let text = self.value.as_str().unwrap_or_default();
                if text.parse::<jiff::Timestamp>().is_ok() {
                    visitor.visit_newtype_struct(self)
                } else {
                    self.mismatch("a time such as 2026-01-31T08:30:00Z");
                    visitor
                        .visit_newtype_struct(BorrowedStrDeserializer::new("1970-01-01T00:00:00Z"))
                }
            }
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        let items = match self.value {
            Value::Array(items) => items.as_slice(),
            Value::Null => &[],
            _ => {
                self.mismatch("a list");
                &[]
            }
        };
        visitor.visit_seq(Items { items: items.iter(), next: 0, of: self })
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        match self.value {
            Value::Object(map) => {
                if map.is_empty() && self.omit_empty {
                    self.walk.empty_maps.borrow_mut().push(self.path.pointer());
                }
                visitor.visit_map(Entries {
                    entries: map.iter(),
                    of_struct: None,
                    value: None,
                    of: self,
                })
            }
            Value::Null => visitor.visit_map(Nothing),
            _ => {
                self.mismatch("an object");
                visitor.visit_map(Nothing)
            }
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        match self.value {
            Value::Object(map) => visitor.visit_map(Entries {
                entries: map.iter(),
                of_struct: Some(Struct { name, fields }),
                value: None,
                of: self,
            }),
            Value::Null => visitor.visit_map(Nothing),
            _ => {
                self.mismatch("an object");
                visitor.visit_map(Nothing)
            }
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        i8 i16 i128 u8 u128 f32 char bytes byte_buf unit unit_struct tuple tuple_struct identifier
    }
}

/// Whether a text is a quantity: a number with a suffix of the SI, binary or exponent forms.
pub(super) fn is_quantity(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let digits = unsigned.len()
        - unsigned.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').len();
    let (number, suffix) = unsigned.split_at(digits);
    let well_formed = number.bytes().any(|byte| byte.is_ascii_digit())
        && number.bytes().filter(|byte| *byte == b'.').count() <= 1;
    let exponent = |suffix: &str| {
        suffix.strip_prefix(['e', 'E']).is_some_and(|exponent| {
            let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
            (1..=3).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
        })
    };
    const SUFFIXES: [&str; 16] =
        ["", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
    well_formed && (SUFFIXES.contains(&suffix) || exponent(suffix))
}

struct Items<'de, 'p> {
    items: std::slice::Iter<'de, Value>,
    next: usize,
    of: Reader<'de, 'p>,
}

impl<'de> SeqAccess<'de> for Items<'de, '_> {
    type Error = Refusal;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Refusal> {
        let Some(value) = self.items.next() else { return Ok(None) };
        let path = self.of.path.index(self.next);
        self.next += 1;
        let reader = Reader { value, path: &path, omit_empty: false, walk: self.of.walk };
        placed(seed.deserialize(reader), reader).map(Some)
    }
}

/// The struct that is being filled: its name and its fields.
struct Struct {
    name: &'static str,
    fields: &'static [&'static str],
}

/// The field that is nearest to what was written, if one is near.
fn nearest(written: &str, fields: &'static [&'static str]) -> Option<&'static str> {
    let written = written.to_lowercase().replace(['_', '-'], "");
    let slips_max = (written.len() / 4).clamp(1, 3);
    fields
        .iter()
        .map(|field| (distance(&written, &field.to_lowercase()), *field))
        .filter(|(slips, _)| *slips <= slips_max)
        .min()
        .map(|(_, field)| field)
}

/// The texts that mean something when empty; everywhere else an empty text is no text.
fn keeps_empty_text(name: &str, field: &str) -> bool {
    matches!(
        (name, field),
        ("EndpointPort", "name" | "appProtocol")
            | ("ServicePort", "appProtocol")
            | ("PersistentVolumeClaimSpec", "storageClassName" | "volumeAttributesClassName")
    )
}

struct Entries<'de, 'p> {
    entries: serde_json::map::Iter<'de>,
    /// The struct, when this is one rather than a free map.
    of_struct: Option<Struct>,
    /// The entry whose value comes next.
    value: Option<(&'de str, &'de Value)>,
    of: Reader<'de, 'p>,
}

impl<'de> MapAccess<'de> for Entries<'de, '_> {
    type Error = Refusal;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Refusal> {
        for (key, value) in self.entries.by_ref() {
            if let Some(Struct { name, fields }) = &self.of_struct {
                if !fields.contains(&key.as_str()) {
                    let path = self.of.path.child(key).to_string();
                    let mut unknown = self.of.walk.unknown.borrow_mut();
                    if unknown.len() < ERRORS_MAX {
                        if let Some(near) = nearest(key, fields) {
                            self.of.walk.nearest.borrow_mut().insert(path.clone(), near);
                        }
                        unknown.push(path);
                    }
                    continue;
                }
                let absent = match value {
                    Value::Null => true,
                    _ if self.of.walk.keeps_empty => false,
                    Value::Array(items) => items.is_empty(),
                    Value::String(text) => text.is_empty() && !keeps_empty_text(name, key),
                    Value::Bool(_) | Value::Number(_) | Value::Object(_) => false,
                };
                if absent {
                    continue;
                }
            }
            self.value = Some((key, value));
            return seed.deserialize(BorrowedStrDeserializer::new(key)).map(Some);
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Refusal> {
        let Some((key, value)) = self.value.take() else {
            return Err(serde::de::Error::custom("a value was asked for before its key"));
        };
        let is_struct = self.of_struct.is_some();
        let path = if is_struct { self.of.path.child(key) } else { self.of.path.key(key) };
        let reader = Reader { value, path: &path, omit_empty: is_struct, walk: self.of.walk };
        placed(seed.deserialize(reader), reader)
    }
}

/// An object without entries, in place of a value of another type.
struct Nothing;

impl<'de> MapAccess<'de> for Nothing {
    type Error = Refusal;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        _seed: K,
    ) -> Result<Option<K::Value>, Refusal> {
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, _seed: V) -> Result<V::Value, Refusal> {
        Err(serde::de::Error::custom("there is no value"))
    }
}
