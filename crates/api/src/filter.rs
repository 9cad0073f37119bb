//! Which objects a list or watch is about: label and field selectors.

use std::collections::BTreeMap;

use manifest::kind::Kind;
use manifest::selector::{FieldRequirement, FieldSelector, LabelSelector};
use serde::Deserialize;
use serde_json::Value;

use crate::status::StatusError;
use crate::store::Key;

/// A label selector and a field selector; an object must satisfy both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Filter {
    labels: LabelSelector,
    /// Terms about `metadata.name` and `metadata.namespace`, which the key answers without a look at the object.
    key_fields: FieldSelector,
    /// The other terms.
    fields: FieldSelector,
}

impl Filter {
    /// Parses both selectors.
    ///
    /// # Errors
    ///
    /// 400 for malformed text, and for a field that the kind does not select by.
    pub(crate) fn parse(kind: &Kind, labels: &str, fields: &str) -> Result<Self, StatusError> {
        let labels = if labels.is_empty() {
            LabelSelector::everything()
        } else {
            LabelSelector::parse(labels)
                .map_err(|error| StatusError::bad_request(error.to_string()))?
        };
        let parsed = FieldSelector::parse(fields)
            .map_err(|error| StatusError::bad_request(error.to_string()))?;
        let (mut key_fields, mut other) = (FieldSelector::default(), FieldSelector::default());
        for term in parsed.requirements {
            match term.field.as_str() {
                "metadata.name" => key_fields.requirements.push(term),
                "metadata.namespace" if kind.namespaced => key_fields.requirements.push(term),
                field if kind.selectable_fields.contains(&field) => {
                    let field = kind.stored_field(field).into_owned();
                    other.requirements.push(FieldRequirement { field, ..term });
                }
                field => {
                    return Err(StatusError::bad_request(unknown_field(kind, field)));
                }
            }
        }
        Ok(Self { labels, key_fields, fields: other })
    }

    /// Selects only the object of that name, on top of what is selected already.
    pub(crate) fn only_name(&mut self, name: String) {
        let term = FieldRequirement { field: "metadata.name".to_owned(), equal: true, value: name };
        self.key_fields.requirements.push(term);
    }

    /// Whether every object is selected.
    pub(crate) fn is_everything(&self) -> bool {
        self.labels.is_everything() && self.key_fields.is_empty() && self.fields.is_empty()
    }

    /// Whether an object is selected. The JSON is read only as far as the selectors need it.
    pub(crate) fn matches(&self, key: &Key, json: &[u8]) -> bool {
        let of_key = |field: &str| match field {
            "metadata.name" => Some(key.name.as_str()),
            _ => Some(key.namespace.as_str()),
        };
        self.key_fields.matches(of_key)
            && (self.labels.is_everything() || self.labels.matches(&labels(json)))
            && (self.fields.is_empty() || {
                let object = crate::object::stored(json);
                self.fields.matches(|field| field_text(&object, field))
            })
    }
}

/// Kubernetes says it in two ways: for kinds with fields of their own, and for the others.
fn unknown_field(kind: &Kind, field: &str) -> String {
    if kind.selectable_fields.is_empty() {
        format!(
            "{field:?} is not a known field selector: only \"metadata.name\", \"metadata.namespace\""
        )
    } else {
        format!("field label not supported: {field}")
    }
}

/// `metadata.labels`, the rest being skipped.
fn labels(json: &[u8]) -> BTreeMap<String, String> {
    #[derive(Deserialize)]
    struct Object {
        metadata: Metadata,
    }
    #[derive(Deserialize)]
    struct Metadata {
        #[serde(default)]
        labels: Option<BTreeMap<String, String>>,
    }
    let object = serde_json::from_slice::<Object>(json);
    object.ok().and_then(|object| object.metadata.labels).unwrap_or_default()
}

/// A field as field selectors see it. Booleans that are absent are false, as in Go.
fn field_text<'a>(object: &'a Value, field: &str) -> Option<&'a str> {
    // An Event's `source` is the component, wherever it was written.
    let path = if field == "source" { "source.component" } else { field };
    let value = path.split('.').fold(object, |value, name| &value[name]);
    match value {
        Value::String(text) => Some(text),
        Value::Bool(true) => Some("true"),
        Value::Bool(false) => Some("false"),
        Value::Null if matches!(field, "spec.hostNetwork" | "spec.unschedulable") => Some("false"),
        Value::Null if field == "source" => object["reportingComponent"].as_str(),
        Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_) => None,
    }
}
