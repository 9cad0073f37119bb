//! The schemas of a document: k8s-openapi's, as Kubernetes serves them.

use manifest::kind::Kind;
use manifest::schema::{REFERENCE, type_name};
use serde_json::{Map, Value, json};

use super::paths::{DELETE_OPTIONS, PATCH, STATUS};
use super::{enums, paths};
use crate::review::{self, Review};
use crate::types::{self, Apply, Patch, Rule};

/// What every document has besides the types of its kinds.
const COMMON: [&str; 3] = [DELETE_OPTIONS, PATCH, STATUS];

const LIST_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta";

/// The schemas of these kinds and reviews, and of all that they refer to, by name.
pub(super) fn of(
    kinds: &[&Kind],
    reviews: &[&Review],
    definitions: &Map<String, Value>,
) -> Map<String, Value> {
    let mut schemas = Map::new();
    let mut wanted: Vec<String> = COMMON.map(str::to_owned).into();
    wanted.extend(reviews.iter().map(|review| review_type(review)));
    for kind in kinds {
        let name = type_name(kind);
        schemas.insert(format!("{name}List"), list(kind, &definitions[&name]));
        wanted.extend([name, LIST_META.to_owned()]);
        wanted.extend(paths::objects_of(kind));
    }
    while let Some(name) = wanted.pop() {
        let Some(definition) = definitions.get(&name).filter(|_| !schemas.contains_key(&name))
        else {
            continue;
        };
        references(definition, &mut wanted);
        schemas.insert(name.clone(), schema(&name, definition));
    }
    let mut mark = |name: String, group: &str, version: &str, kind: &str| {
        if let Some(schema) = schemas.get_mut(&name) {
            schema[GROUP_VERSION_KIND] = json!([group_version_kind(group, version, kind)]);
        }
    };
    for kind in kinds {
        let name = type_name(kind);
        mark(format!("{name}List"), kind.group, kind.version, &format!("{}List", kind.kind));
        mark(name, kind.group, kind.version, kind.kind);
    }
    for review in reviews {
        mark(review_type(review), review.group, review::VERSION, review.kind);
    }
    schemas
}

/// The extension that says which kind a schema or an operation is about.
pub(super) const GROUP_VERSION_KIND: &str = "x-kubernetes-group-version-kind";

/// The value of [`GROUP_VERSION_KIND`], or of one of several.
pub(super) fn group_version_kind(group: &str, version: &str, kind: &str) -> Value {
    json!({"group": group, "version": version, "kind": kind})
}

/// The name of the type of a kind that is not stored: the group's first label, the version, the kind.
pub(super) fn type_of(group: &str, version: &str, kind: &str) -> String {
    let group = group.split('.').next().filter(|label| !label.is_empty()).unwrap_or("core");
    format!("io.k8s.api.{group}.{version}.{kind}")
}

/// The name of a review's type.
pub(super) fn review_type(review: &Review) -> String {
    type_of(review.group, review::VERSION, review.kind)
}

/// A reference to a schema.
pub(super) fn reference(name: &str) -> Value {
    json!({"$ref": format!("{REFERENCE}{name}")})
}

/// The types that a schema refers to.
fn references(schema: &Value, found: &mut Vec<String>) {
    match schema {
        Value::Object(members) => {
            let reference = members.get("$ref").and_then(Value::as_str);
            found.extend(reference.and_then(|r| r.strip_prefix(REFERENCE)).map(str::to_owned));
            members.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The schema of a list of a kind's objects.
fn list(kind: &Kind, schema: &Value) -> Value {
    let properties = &schema["properties"];
    json!({
        "description": format!("{0}List is a list of {0} objects.", kind.kind),
        "type": "object",
        "properties": {
            "apiVersion": properties["apiVersion"],
            "kind": properties["kind"],
            "metadata": {"description": "Standard list metadata.", "allOf": [reference(LIST_META)]},
            "items": {
                "description": "The objects of the list.",
                "type": "array",
                "items": reference(&type_name(kind)),
            },
        },
        "required": ["items"],
    })
}

/// The schema of a type.
fn schema(name: &str, definition: &Value) -> Value {
    let mut schema = definition.clone();
    let Some(members) = schema.as_object_mut() else { return schema };
    // What may be a number or a string; for its use see k8s-openapi's IntOrString and Quantity.
    if members.remove("x-kubernetes-int-or-string").is_some() {
        let is_quantity = name.ends_with(".Quantity");
        let number = if is_quantity { "number" } else { "integer" };
        members.insert("oneOf".to_owned(), json!([{"type": number}, {"type": "string"}]));
        if !is_quantity {
            members.insert("format".to_owned(), "int-or-string".into());
        }
    }
    if types::is_atomic(name) {
        members.insert("x-kubernetes-map-type".to_owned(), "atomic".into());
    }
    for (field, property) in
        members.get_mut("properties").and_then(Value::as_object_mut).into_iter().flatten()
    {
        let Some(property) = property.as_object_mut() else { continue };
        // Beside a reference nothing else may stand.
        if let Some(reference) = property.remove("$ref") {
            property.insert("allOf".to_owned(), json!([{"$ref": reference}]));
        }
        let is_list = property.contains_key("items");
        property.extend(extensions(types::rule(name, field), is_list));
        let values = enums::values(name, field);
        if !values.is_empty() {
            property.insert("enum".to_owned(), values.into());
        }
    }
    schema
}

/// A rule as extensions.
fn extensions(rule: Rule, is_list: bool) -> Map<String, Value> {
    let Rule { apply, patch } = rule;
    let mut extensions = Map::new();
    let mut add = |name: &str, value: Value| {
        extensions.insert(format!("x-kubernetes-{name}"), value);
    };
    match apply {
        Some(Apply::Keyed(keys)) => {
            add("list-type", "map".into());
            add("list-map-keys", keys.into());
        }
        Some(Apply::Set) => add("list-type", "set".into()),
        Some(Apply::Fields) => add("map-type", "granular".into()),
        Some(Apply::Atomic) if !is_list => add("map-type", "atomic".into()),
        None if !is_list => {}
        Some(Apply::Atomic) | None => add("list-type", "atomic".into()),
    }
    let (strategy, key) = match patch {
        Patch::Usual => ("", ""),
        Patch::Keyed(key) => ("merge", key),
        Patch::KeyedRetainKeys(key) => ("merge,retainKeys", key),
        Patch::Set => ("merge", ""),
        Patch::RetainKeys => ("retainKeys", ""),
        Patch::Replace => ("replace", ""),
    };
    for (name, text) in [("patch-strategy", strategy), ("patch-merge-key", key)] {
        if !text.is_empty() {
            add(name, text.into());
        }
    }
    extensions
}
