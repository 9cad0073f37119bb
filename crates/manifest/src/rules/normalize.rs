//! Values in the shape that Kubernetes stores: known fields only, of the right types.
//!
//! A value goes through the typed form of its kind and back. The deserializer here goes on after a wrong type
//! (it hands out the type's empty value instead), so that all of them are reported at once, and it follows what
//! Kubernetes' own reading does: `null` is absent, quantities may be numbers, empty lists, maps and texts are
//! left out.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::core::v1::{Endpoints, Event, Namespace, Node, Pod, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use serde::de::value::BorrowedStrDeserializer;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Serialize, forward_to_deserialize_any};
use serde_json::Value;

use crate::field::{FieldError, FieldPath};
use crate::kind::{Kind, KindId, distance};

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

/// Brings an object of `kind` into the shape that is stored.
///
/// # Errors
///
/// Every wrong type, with its path: `spec.replicas: expected an integer, got the string "three"`.
pub fn normalize(kind: &Kind, value: Value) -> Result<Normalized, Vec<FieldError>> {
    match kind.id {
        KindId::Namespace => through::<Namespace>(value),
        KindId::Node => through::<Node>(value),
        KindId::Pod => through::<Pod>(value),
        KindId::Service => through::<Service>(value),
        KindId::Endpoints => through::<Endpoints>(value),
        KindId::Event => through::<Event>(value),
        KindId::EndpointSlice => through::<EndpointSlice>(value),
        KindId::StatefulSet => through::<StatefulSet>(value),
        KindId::Deployment => through::<Deployment>(value),
        KindId::ReplicaSet => through::<ReplicaSet>(value),
    }
}

fn through<T: DeserializeOwned + Serialize>(
    mut value: Value,
) -> Result<Normalized, Vec<FieldError>> {
    // Apart from the recoverable errors, a type's own code may refuse a value, which ends the pass. Such a value
    // is taken out and the pass done again, so that it does not hide what else is wrong.
    let mut refused = Vec::new();
    loop {
        let walk = Walk::default();
        let outcome = T::deserialize(Reader {
            value: &value,
            path: &FieldPath::ROOT,
            omit_empty: false,
            walk: &walk,
        });
        let Walk { errors, unknown, nearest, empty_maps, refused_at } = walk;
        let mut errors = errors.into_inner();
        match outcome {
            Ok(typed) => {
                errors.append(&mut refused);
                if !errors.is_empty() {
                    errors.truncate(ERRORS_MAX);
                    return Err(errors);
                }
                let mut value = serde_json::to_value(&typed).map_err(|error| {
                    vec![FieldError::internal(&FieldPath::ROOT, error.to_string())]
                })?;
                for pointer in empty_maps.into_inner() {
                    remove_empty(&mut value, &pointer);
                }
                return Ok(Normalized {
                    value,
                    unknown: unknown.into_inner(),
                    nearest: nearest.into_inner(),
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
                refused.push(error);
                match value.pointer_mut(&pointer) {
                    Some(place) => *place = Value::Null,
                    None => return Err(refused),
                }
            }
        }
    }
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

/// What one pass found.
#[derive(Default)]
struct Walk {
    errors: RefCell<Vec<FieldError>>,
    unknown: RefCell<Vec<String>>,
    nearest: RefCell<BTreeMap<String, &'static str>>,
    empty_maps: RefCell<Vec<String>>,
    /// The value that ended the pass, by JSON pointer, and why.
    refused_at: RefCell<Option<(String, FieldError)>>,
}

#[derive(Clone, Copy)]
struct Reader<'de, 'p> {
    value: &'de Value,
    path: &'p FieldPath<'p>,
    /// Whether this is a struct's field, where an empty map is left out.
    omit_empty: bool,
    walk: &'p Walk,
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

/// An error that ends the pass. Its place is in [`Walk::refused_at`].
#[derive(Debug)]
struct Refusal(String);

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
        i8 i16 i128 u8 u16 u32 u64 u128 f32 char bytes byte_buf unit unit_struct tuple tuple_struct enum identifier
    }
}

/// Whether a text is a quantity: a number with a suffix of the SI, binary or exponent forms.
fn is_quantity(text: &str) -> bool {
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
        seed.deserialize(Reader { value, path: &path, omit_empty: false, walk: self.of.walk })
            .map(Some)
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
        seed.deserialize(Reader { value, path: &path, omit_empty: is_struct, walk: self.of.walk })
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Normalizes a Service with this `spec` and compares the spec, the unknown fields, or the errors.
    #[track_caller]
    fn check(kind: KindId, spec: Value, expected: Result<(Value, &[&str]), &[&str]>) {
        let kind = Kind::of(kind);
        let object = json!({
            "apiVersion": kind.api_version(), "kind": kind.kind,
            "metadata": {"name": "x", "creationTimestamp": null}, "spec": spec,
        });
        match (normalize(kind, object), expected) {
            (Ok(normalized), Ok((spec, unknown))) => {
                assert_eq!(normalized.value["spec"], spec);
                assert_eq!(normalized.unknown, unknown);
                assert!(normalized.nearest.keys().all(|path| normalized.unknown.contains(path)));
                assert_eq!(normalized.value["metadata"], json!({"name": "x"}));
            }
            (Err(errors), Err(expected)) => {
                let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
                assert_eq!(texts, expected);
            }
            (outcome, expected) => panic!("{outcome:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn known_fields_pass_and_unknown_ones_are_listed() {
        check(
            KindId::Service,
            json!({"clusterIP": "None", "selektor": {"a": "b"}, "ports": [{"port": 80, "prot": "TCP"}]}),
            Ok((
                json!({"clusterIP": "None", "ports": [{"port": 80}]}),
                &["spec.ports[0].prot", "spec.selektor"],
            )),
        );
    }

    #[test]
    fn what_is_empty_is_absent() {
        check(
            KindId::Service,
            json!({"clusterIP": "", "selector": {}, "ports": [], "externalName": null, "sessionAffinityConfig": {}}),
            Ok((json!({"sessionAffinityConfig": {}}), &[])),
        );
        check(
            KindId::StatefulSet,
            json!({"selector": {"matchLabels": {}}, "template": null, "serviceName": "x"}),
            Ok((json!({"selector": {}, "serviceName": "x", "template": {}}), &[])),
        );
    }

    #[test]
    fn numbers_stand_for_quantities_and_for_port_names() {
        check(
            KindId::Pod,
            json!({"containers": [{"name": "c", "resources": {"limits": {"cpu": 1, "memory": "1Gi", "x": 0.5}},
                "readinessProbe": {"httpGet": {"port": "http"}}, "livenessProbe": {"tcpSocket": {"port": 80}}}]}),
            Ok((
                json!({"containers": [{"name": "c", "resources": {"limits": {"cpu": "1", "memory": "1Gi", "x": "0.5"}},
                "readinessProbe": {"httpGet": {"port": "http"}}, "livenessProbe": {"tcpSocket": {"port": 80}}}]}),
                &[],
            )),
        );
        check(
            KindId::Pod,
            json!({"containers": [{"name": "c", "resources": {"limits": {"cpu": "lots"}}}]}),
            Err(&[
                "spec.containers[0].resources.limits[cpu]: expected a quantity such as 500m, 2 or 1Gi, \
                   got the string \"lots\"",
            ]),
        );
    }

    #[test]
    fn every_wrong_type_is_reported() {
        check(
            KindId::Service,
            json!({"ports": [{"port": "http", "name": 1}, {"port": 80, "targetPort": true}, 7],
                "selector": {"a": 1}, "publishNotReadyAddresses": "yes", "externalIPs": "10.0.0.1"}),
            Err(&[
                "spec.externalIPs: expected a list, got the string \"10.0.0.1\"",
                "spec.ports[0].name: expected a string, got the number 1",
                "spec.ports[0].port: expected an integer, got the string \"http\"",
                "spec.ports[2]: expected an object, got the number 7",
                "spec.publishNotReadyAddresses: expected true or false, got the string \"yes\"",
                "spec.selector[a]: expected a string, got the number 1",
                "spec.ports[1].targetPort: expected an integer or a string, got the boolean true",
            ]),
        );
        check(
            KindId::StatefulSet,
            json!({"replicas": 3_000_000_000_u64, "template": {"spec": {"containers": [
                {"name": "c", "env": [{"name": "A", "value": 1}]}]}}}),
            Err(&[
                "spec.replicas: expected an integer between -2147483648 and 2147483647, got the number 3000000000",
                "spec.template.spec.containers[0].env[0].value: expected a string, got the number 1",
            ]),
        );
    }

    #[test]
    fn times_and_whole_objects_are_checked() {
        let pod = |value| normalize(Kind::of(KindId::Pod), value);
        let text = |value| pod(value).unwrap_err()[0].to_string();
        assert_eq!(
            text(json!({"metadata": {"creationTimestamp": "yesterday"}})),
            "metadata.creationTimestamp: expected a time such as 2026-01-31T08:30:00Z, got the string \"yesterday\""
        );
        assert_eq!(text(json!([])), "expected an object, got a list");
        assert_eq!(
            pod(json!({"metadata": {"creationTimestamp": "2026-01-02T03:04:05Z"}})).unwrap().value,
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"creationTimestamp": "2026-01-02T03:04:05Z"}})
        );
    }

    #[test]
    fn quantities() {
        for text in ["1", "0.5", ".5", "5.", "+1", "-1", "100m", "1Ki", "1e3", "1E-3", "12E"] {
            assert!(is_quantity(text), "{text}");
        }
        for text in ["", "m", ".", "1.2.3", "1 Gi", "1KiB", "1e", "--1", "lots"] {
            assert!(!is_quantity(text), "{text}");
        }
    }
}
