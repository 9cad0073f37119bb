use std::collections::BTreeSet;

use manifest::kind::Kind;

use super::*;
use crate::review::Review;

/// The path of every document, and the document.
fn documents() -> Vec<(String, Value)> {
    let index: Value = serde_json::from_slice(&index()).unwrap();
    let paths = index["paths"].as_object().unwrap();
    let get = |path: &String| (path.clone(), read(&document(path, None).unwrap().0));
    paths.keys().map(get).collect()
}

fn read(json: &[u8]) -> Value {
    serde_json::from_slice(json).unwrap()
}

fn document_of(kind: &Kind) -> Value {
    read(&document(&root_path(kind.group, kind.version), None).unwrap().0)
}

fn kind_of(kind: &Kind) -> Value {
    json!({"group": kind.group, "version": kind.version, "kind": kind.kind})
}

/// Every operation of a document, with its path and method.
fn operations(document: &Value) -> Vec<(&str, &str, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    paths
        .iter()
        .flat_map(|(path, methods)| {
            let methods = methods.as_object().unwrap().iter();
            methods.map(move |(method, operation)| (path.as_str(), method.as_str(), operation))
        })
        .filter(|(_, method, _)| *method != "parameters")
        .collect()
}

#[test]
fn the_index_names_each_document_by_its_content() {
    let index = read(&index());
    let groups: BTreeSet<&str> =
        index["paths"].as_object().unwrap().keys().map(String::as_str).collect();
    for kind in Kind::all() {
        assert!(groups.contains(root_path(kind.group, kind.version).as_str()), "{}", kind.kind);
    }
    for review in Review::all() {
        assert!(groups.contains(root_path(review.group, "v1").as_str()), "{}", review.kind);
    }
    for path in groups {
        let url = index["paths"][path]["serverRelativeURL"].as_str().unwrap();
        let (url, hash) = url.split_once("?hash=").unwrap();
        assert_eq!(url, format!("/openapi/v3/{path}"));
        assert_eq!(hash.len(), 16);
        let (json, named) = document(path, Some(hash)).unwrap();
        assert!(
            named
                && Made::new(SERVED[path].group, SERVED[path].version, &schema::definitions()).json
                    == json,
            "{path}"
        );
        assert!(!document(path, Some("0")).unwrap().1 && !document(path, None).unwrap().1);
    }
    assert!(document("apis/example.com/v1", None).is_none());
}

/// What kubectl looks for before it writes: see the module's documentation.
#[test]
fn every_kind_has_a_patch_that_kubectl_finds() {
    for kind in Kind::all() {
        let document = document_of(kind);
        let patches: Vec<&Value> = operations(&document)
            .into_iter()
            .filter(|(_, method, operation)| {
                *method == "patch" && operation["x-kubernetes-group-version-kind"] == kind_of(kind)
            })
            .map(|(_, _, operation)| operation)
            .collect();
        assert_eq!(patches.len(), if kind.status { 2 } else { 1 }, "{}", kind.kind);
        for patch in patches {
            let parameters = patch["parameters"].as_array().unwrap();
            assert!(
                parameters.iter().any(|p| p["name"] == "fieldValidation" && p["in"] == "query")
            );
            let content = patch["requestBody"]["content"].as_object().unwrap();
            for format in [
                "apply-patch+yaml",
                "json-patch+json",
                "merge-patch+json",
                "strategic-merge-patch+json",
            ] {
                assert!(content.contains_key(&format!("application/{format}")), "{format}");
            }
        }
    }
}

/// `kubectl explain` looks for the kind in the GET operation of the list or of one object, and then for the schema that
/// names the kind.
#[test]
fn every_kind_has_a_schema_that_kubectl_explain_finds() {
    for kind in Kind::all() {
        let document = document_of(kind);
        let root = format!("/{}", root_path(kind.group, kind.version));
        let within = if kind.namespaced { "/namespaces/{namespace}" } else { "" };
        let collection = format!("{root}{within}/{}", kind.plural);
        let one = format!("{collection}/{{name}}");
        for path in [&collection, &one] {
            let operation = &document["paths"][path]["get"];
            assert_eq!(operation["x-kubernetes-group-version-kind"], kind_of(kind), "{path}");
        }
        let schemas = document["components"]["schemas"].as_object().unwrap();
        let named: Vec<_> = schemas
            .iter()
            .filter(|(_, schema)| {
                let kinds = schema["x-kubernetes-group-version-kind"].as_array();
                kinds.is_some_and(|kinds| kinds.contains(&kind_of(kind)))
            })
            .collect();
        let [(name, schema)] = named.as_slice() else { panic!("{named:?}") };
        assert_eq!(**name, schema::type_name(kind));
        assert!(
            schema["properties"]["metadata"]["allOf"].is_array()
                && schema["required"]
                    .as_array()
                    .is_none_or(|fields| !fields.contains(&json!("metadata"))),
            "{name}"
        );
    }
}

#[test]
fn every_reference_leads_to_a_schema_of_the_same_document() {
    fn check(value: &Value, schemas: &Value, path: &str) {
        if let Some(reference) = value.get("$ref").and_then(Value::as_str) {
            let name = reference.strip_prefix(schema::REFERENCE).unwrap();
            assert!(schemas[name].is_object(), "{path}: {name}");
        }
        match value {
            Value::Object(members) => {
                members.values().for_each(|value| check(value, schemas, path))
            }
            Value::Array(items) => items.iter().for_each(|value| check(value, schemas, path)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    for (path, document) in documents() {
        check(&document, &document["components"]["schemas"], &path);
        for (path, method, operation) in operations(&document) {
            assert!(operation["responses"]["200"].is_object(), "{method} {path}");
        }
    }
}

#[test]
fn paths_are_those_that_are_served() {
    let paths = |path: &str| -> Vec<String> {
        let document = read(&document(path, None).unwrap().0);
        let operations = operations(&document).into_iter();
        operations.map(|(path, method, _)| format!("{method} {path}")).collect()
    };
    let slices = "/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices";
    assert_eq!(
        paths("apis/discovery.k8s.io/v1"),
        [
            "get /apis/discovery.k8s.io/v1/endpointslices".to_owned(),
            format!("delete {slices}"),
            format!("get {slices}"),
            format!("post {slices}"),
            format!("delete {slices}/{{name}}"),
            format!("get {slices}/{{name}}"),
            format!("patch {slices}/{{name}}"),
            format!("put {slices}/{{name}}"),
        ]
    );
    let scales = paths("apis/apps/v1").into_iter().filter(|path| path.ends_with("/scale"));
    assert_eq!(scales.count(), 9);
    assert_eq!(
        paths("apis/authentication.k8s.io/v1"),
        ["post /apis/authentication.k8s.io/v1/selfsubjectreviews"]
    );
}

/// Checks the field of a type of a kind's document, its description apart.
#[track_caller]
fn check_field(kind: &str, name: &str, field: &str, expected: Value) {
    let document = document_of(Kind::by_name(kind).unwrap());
    let mut schema = document["components"]["schemas"][name]["properties"][field].clone();
    let description = schema.as_object_mut().unwrap().remove("description");
    assert!(description.is_some_and(|text| !text.as_str().unwrap().is_empty()), "{name}.{field}");
    assert_eq!(schema, expected, "{name}.{field}");
}

#[test]
fn values_are_of_fields_that_there_are() {
    let definitions = schema::definitions();
    for (name, fields) in enums::ENUMS {
        for (field, values) in *fields {
            let property = &definitions[&format!("io.k8s.{name}")]["properties"][field];
            assert_eq!(property["type"], "string", "{name}.{field}");
            assert!(values.len() > 1 && values.is_sorted(), "{name}.{field}");
        }
    }
    check_field(
        "Service",
        "io.k8s.api.core.v1.ServiceSpec",
        "type",
        json!({"type": "string", "enum": ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"]}),
    );
}

/// As Kubernetes' own documents have them.
#[test]
fn fields_carry_their_types_and_how_they_merge() {
    let refer = |name: &str| json!({"$ref": format!("#/components/schemas/io.k8s.{name}")});
    check_field(
        "Service",
        "io.k8s.api.core.v1.ServiceSpec",
        "ports",
        json!({
            "type": "array",
            "items": refer("api.core.v1.ServicePort"),
            "x-kubernetes-list-map-keys": ["port", "protocol"],
            "x-kubernetes-list-type": "map",
            "x-kubernetes-patch-merge-key": "port",
            "x-kubernetes-patch-strategy": "merge",
        }),
    );
    check_field(
        "Service",
        "io.k8s.api.core.v1.ServiceSpec",
        "selector",
        json!({
            "type": "object",
            "additionalProperties": {"type": "string"},
            "x-kubernetes-map-type": "atomic",
        }),
    );
    check_field(
        "Service",
        "io.k8s.api.core.v1.ServicePort",
        "targetPort",
        json!({"allOf": [refer("apimachinery.pkg.util.intstr.IntOrString")]}),
    );
    check_field(
        "Pod",
        "io.k8s.api.core.v1.PodSpec",
        "tolerations",
        json!({
            "type": "array",
            "items": refer("api.core.v1.Toleration"),
            "x-kubernetes-list-type": "atomic",
        }),
    );
    check_field(
        "StatefulSet",
        "io.k8s.api.core.v1.PodSpec",
        "volumes",
        json!({
            "type": "array",
            "items": refer("api.core.v1.Volume"),
            "x-kubernetes-list-map-keys": ["name"],
            "x-kubernetes-list-type": "map",
            "x-kubernetes-patch-merge-key": "name",
            "x-kubernetes-patch-strategy": "merge,retainKeys",
        }),
    );
    check_field(
        "ConfigMap",
        "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta",
        "finalizers",
        json!({
            "type": "array",
            "items": {"type": "string"},
            "x-kubernetes-list-type": "set",
            "x-kubernetes-patch-strategy": "merge",
        }),
    );
    let document = document_of(Kind::by_name("Pod").unwrap());
    let schemas = &document["components"]["schemas"];
    let number = &schemas["io.k8s.apimachinery.pkg.util.intstr.IntOrString"];
    assert_eq!(number["oneOf"], json!([{"type": "integer"}, {"type": "string"}]));
    assert_eq!(number["format"], "int-or-string");
    let quantity = &schemas["io.k8s.apimachinery.pkg.api.resource.Quantity"];
    assert_eq!(quantity["oneOf"], json!([{"type": "number"}, {"type": "string"}]));
    let reference = &schemas["io.k8s.api.core.v1.LocalObjectReference"];
    assert_eq!(reference["x-kubernetes-map-type"], "atomic");
    assert_eq!(schemas["io.k8s.api.core.v1.ServicePort"]["required"], json!(["port"]));
}
