//! The JSON schemas of the served kinds: their fields with types and descriptions, as k8s-openapi has them.

use std::borrow::Cow;

use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use k8s_openapi::api::authorization::v1::{SelfSubjectAccessReview, SelfSubjectRulesReview};
use k8s_openapi::api::autoscaling::v1::Scale;
use k8s_openapi::api::core::v1::Binding;
use k8s_openapi::api::policy::v1::Eviction;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{DeleteOptions, ListMeta, Patch, Status};
use k8s_openapi::schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::{Map, Value};

use crate::kind::{Kind, Typed, WithType};

/// Where schemas refer to each other.
pub const REFERENCE: &str = "#/components/schemas/";

/// The schemas of every kind, of what goes with them in requests and answers, and of all types that these refer to, by
/// the types' names in Kubernetes' OpenAPI: `io.k8s.api.core.v1.ServiceSpec`. References begin with [`REFERENCE`].
///
/// They are made anew at each call.
pub fn definitions() -> Map<String, Value> {
    let settings = SchemaSettings::draft07().with(|settings| {
        settings.definitions_path = Cow::Borrowed("/components/schemas");
    });
    let mut generator = settings.into_generator();
    for kind in Kind::all() {
        kind.id.with_type(Define(&mut generator));
    }
    generator.subschema_for::<Binding>();
    generator.subschema_for::<DeleteOptions>();
    generator.subschema_for::<Eviction>();
    generator.subschema_for::<ListMeta>();
    generator.subschema_for::<Patch>();
    generator.subschema_for::<Scale>();
    generator.subschema_for::<SelfSubjectAccessReview>();
    generator.subschema_for::<SelfSubjectReview>();
    generator.subschema_for::<SelfSubjectRulesReview>();
    generator.subschema_for::<Status>();
    let mut definitions = generator.take_definitions(false);
    for (name, schema) in &mut definitions {
        correct_required(name, schema);
        forget_null(schema);
    }
    definitions
}

/// The types whose `name` k8s-openapi takes for required, and Kubernetes does not.
const NAME_OPTIONAL: [&str; 8] = [
    "io.k8s.api.core.v1.ConfigMapEnvSource",
    "io.k8s.api.core.v1.ConfigMapKeySelector",
    "io.k8s.api.core.v1.ConfigMapProjection",
    "io.k8s.api.core.v1.ConfigMapVolumeSource",
    "io.k8s.api.core.v1.LocalObjectReference",
    "io.k8s.api.core.v1.SecretEnvSource",
    "io.k8s.api.core.v1.SecretKeySelector",
    "io.k8s.api.core.v1.SecretProjection",
];

/// Takes away the marks that Kubernetes does not set: k8s-openapi calls required what its types always have. Metadata is
/// required of no object.
fn correct_required(name: &str, schema: &mut Value) {
    let Some(Value::Array(required)) = schema.get_mut("required") else { return };
    required
        .retain(|field| field != "metadata" && !(field == "name" && NAME_OPTIONAL.contains(&name)));
    if required.is_empty()
        && let Some(schema) = schema.as_object_mut()
    {
        schema.remove("required");
    }
}

/// Takes `null` from what a field may hold: in Kubernetes a field that may be left out has the schema of its value. Only
/// the types of this crate say otherwise.
fn forget_null(schema: &mut Value) {
    let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
    for schema in properties.into_iter().flat_map(Map::values_mut) {
        if let Some(Value::Array(kinds)) = schema.get_mut("type") {
            kinds.retain(|kind| kind != "null");
            if let [only] = kinds.as_slice() {
                schema["type"] = only.clone();
            }
        }
        let Some(fields) = schema.as_object_mut() else { continue };
        let Some(Value::Array(choices)) = fields.remove("anyOf") else { continue };
        for choice in choices.into_iter().filter(|choice| choice["type"] != "null") {
            if let Value::Object(choice) = choice {
                fields.extend(choice);
            }
        }
    }
}

/// The name of a kind's type.
pub fn type_name(kind: &Kind) -> String {
    kind.id.with_type(Name)
}

struct Define<'a>(&'a mut SchemaGenerator);

impl WithType for Define<'_> {
    type Output = ();

    fn run<T: Typed>(self) {
        self.0.subschema_for::<T>();
    }
}

struct Name;

impl WithType for Name {
    type Output = String;

    fn run<T: Typed>(self) -> String {
        T::schema_name().into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks that whatever is referred to is there.
    fn check_references(value: &Value, definitions: &Map<String, Value>) {
        if let Some(reference) = value["$ref"].as_str() {
            let name = reference.strip_prefix(REFERENCE).unwrap();
            assert!(definitions.contains_key(name), "{name}");
        }
        match value {
            Value::Object(members) => {
                members.values().for_each(|v| check_references(v, definitions))
            }
            Value::Array(items) => items.iter().for_each(|v| check_references(v, definitions)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    #[test]
    fn every_kind_has_a_schema_and_every_reference_leads_to_one() {
        let definitions = definitions();
        check_references(&Value::Object(definitions.clone()), &definitions);
        for kind in Kind::all() {
            let schema = &definitions[&type_name(kind)];
            assert!(!schema["description"].as_str().unwrap().is_empty(), "{}", kind.kind);
            assert!(schema["properties"]["metadata"]["$ref"].is_string(), "{}", kind.kind);
            let status = &schema["properties"]["status"];
            assert!(status.is_null() || status["$ref"].is_string(), "{}: {status}", kind.kind);
        }
        assert_eq!(type_name(Kind::by_name("Service").unwrap()), "io.k8s.api.core.v1.Service");
    }
}
