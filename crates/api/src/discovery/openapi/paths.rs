//! The paths of a document: every operation that is served.

use manifest::kind::Kind;
use manifest::schema::type_name;
use serde_json::{Map, Value, json};

use super::schemas::{GROUP_VERSION_KIND, group_version_kind, reference, review_type, type_of};
use crate::discovery::resources::{Subresource, subresources};
use crate::discovery::{deletes_collections, root_path};
use crate::patch::Format;
use crate::review::{self, Review};

pub(super) const DELETE_OPTIONS: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions";
pub(super) const PATCH: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.Patch";
pub(super) const STATUS: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.Status";

/// Parameters of the query, and the types of their values.
type Parameters = &'static [(&'static str, &'static str)];

const READ: Parameters = &[("pretty", "string")];
const LIST: Parameters = &[
    ("allowWatchBookmarks", "boolean"),
    ("continue", "string"),
    ("fieldSelector", "string"),
    ("labelSelector", "string"),
    ("limit", "integer"),
    ("resourceVersion", "string"),
    ("resourceVersionMatch", "string"),
    ("sendInitialEvents", "boolean"),
    ("timeoutSeconds", "integer"),
    ("watch", "boolean"),
];
const WRITE: Parameters =
    &[("dryRun", "string"), ("fieldManager", "string"), ("fieldValidation", "string")];
const PATCHED: Parameters = &[
    ("dryRun", "string"),
    ("fieldManager", "string"),
    ("fieldValidation", "string"),
    ("force", "boolean"),
];
const DELETED: Parameters =
    &[("dryRun", "string"), ("gracePeriodSeconds", "integer"), ("propagationPolicy", "string")];

/// The kind that an operation is about, and the name of its type.
struct About {
    kind: Value,
    type_name: String,
}

/// The paths of these kinds and reviews.
pub(super) fn of(kinds: &[&Kind], reviews: &[&Review]) -> Map<String, Value> {
    let mut paths = Map::new();
    for kind in kinds {
        add_kind(kind, &mut paths);
    }
    for review in reviews {
        let about = About {
            kind: group_version_kind(review.group, review::VERSION, review.kind),
            type_name: review_type(review),
        };
        let path = format!("/{}/{}", root_path(review.group, review::VERSION), review.plural);
        paths.insert(path, json!({"post": about.write("post")}));
    }
    paths
}

/// The types of a kind's subresources that are not the kind's own.
pub(super) fn objects_of(kind: &Kind) -> Vec<String> {
    subresources(kind)
        .iter()
        .map(|subresource| About::subresource(kind, subresource).type_name)
        .collect()
}

fn add_kind(kind: &Kind, paths: &mut Map<String, Value>) {
    let root = format!("/{}", root_path(kind.group, kind.version));
    let about = About::object(kind);
    let list =
        |parameters| about.operation("list", &format!("{}List", about.type_name), parameters);
    let collection = if kind.namespaced {
        paths.insert(format!("{root}/{}", kind.plural), json!({"get": list(LIST)}));
        format!("{root}/namespaces/{{namespace}}/{}", kind.plural)
    } else {
        format!("{root}/{}", kind.plural)
    };
    let within: &[&str] = if kind.namespaced { &["namespace"] } else { &[] };
    let named = [&["name"], within].concat();
    let mut operations = json!({
        "parameters": path_parameters(within),
        "get": list(LIST),
        "post": about.write("post"),
    });
    if deletes_collections(kind) {
        operations["delete"] = about.delete("deletecollection");
        operations["delete"]["parameters"] =
            [parameters(LIST), parameters(DELETED)].concat().into();
    }
    paths.insert(collection.clone(), operations);
    paths.insert(
        format!("{collection}/{{name}}"),
        json!({
            "parameters": path_parameters(&named),
            "get": about.operation("get", &about.type_name, READ),
            "put": about.write("put"),
            "patch": about.patch(),
            "delete": about.delete("delete"),
        }),
    );
    for subresource in subresources(kind) {
        let about = About::subresource(kind, &subresource);
        let mut path = Map::new();
        path.insert("parameters".to_owned(), path_parameters(&named));
        for verb in subresource.verbs {
            let (method, operation) = match *verb {
                "create" => ("post", about.write("post")),
                "get" => ("get", about.operation("get", &about.type_name, READ)),
                "patch" => ("patch", about.patch()),
                "update" => ("put", about.write("put")),
                _ => continue,
            };
            path.insert(method.to_owned(), operation);
        }
        paths.insert(format!("{collection}/{{name}}/{}", subresource.name), path.into());
    }
}

impl About {
    fn object(kind: &Kind) -> Self {
        Self {
            kind: group_version_kind(kind.group, kind.version, kind.kind),
            type_name: type_name(kind),
        }
    }

    fn subresource(kind: &Kind, subresource: &Subresource) -> Self {
        let Subresource { group, version, kind: object, .. } = *subresource;
        if object == kind.kind {
            return Self::object(kind);
        }
        Self {
            kind: group_version_kind(group, version, object),
            type_name: type_of(group, version, object),
        }
    }

    /// An operation that answers with an object of the type `answer`.
    fn operation(&self, action: &str, answer: &str, query: Parameters) -> Value {
        json!({
            "parameters": parameters(query),
            "responses": {
                "200": {
                    "description": "OK",
                    "content": {"application/json": {"schema": reference(answer)}},
                },
            },
            "x-kubernetes-action": action,
            GROUP_VERSION_KIND: self.kind,
        })
    }

    fn write(&self, action: &str) -> Value {
        let mut operation = self.operation(action, &self.type_name, WRITE);
        let body = json!({"schema": reference(&self.type_name)});
        operation["requestBody"] = json!({"required": true, "content": {"application/json": body}});
        operation
    }

    fn patch(&self) -> Value {
        let mut operation = self.operation("patch", &self.type_name, PATCHED);
        let body = json!({"schema": reference(PATCH)});
        let formats = Format::MEDIA_TYPES.iter().chain(&["application/apply-patch+yaml"]);
        let content: Map<String, Value> =
            formats.map(|format| ((*format).to_owned(), body.clone())).collect();
        operation["requestBody"] = json!({"required": true, "content": content});
        operation
    }

    fn delete(&self, action: &str) -> Value {
        let mut operation = self.operation(action, STATUS, DELETED);
        let body = json!({"schema": reference(DELETE_OPTIONS)});
        operation["requestBody"] = json!({"content": {"application/json": body}});
        operation
    }
}

fn parameters(query: Parameters) -> Vec<Value> {
    let parameter = |(name, kind): &(&str, &str)| json!({"name": name, "in": "query", "schema": {"type": kind}});
    query.iter().map(parameter).collect()
}

fn path_parameters(names: &[&str]) -> Value {
    let parameter = |name: &&str| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}});
    names.iter().map(parameter).collect()
}
