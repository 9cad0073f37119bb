//! OpenAPI 3, as little of it as kubectl needs.
//!
//! `kubectl create -f` and `apply` look, in the document of the object's group and version, for a PATCH
//! operation with the kind's `x-kubernetes-group-version-kind` and ask whether it takes the query parameter
//! `fieldValidation`; then the server validates. `apply` also looks whether that operation takes
//! `application/strategic-merge-patch+json`. It must not be named here: kubectl would then build its patches
//! from these schemas, which carry no merge keys, and lists would be replaced that should be merged. Without it
//! kubectl builds the same strategic patches from the merge keys that it has built in.

use super::{group_version, kinds, named_groups, reviews, root_path, versions};
use manifest::kind::Kind;
use serde_json::{Map, Value, json};

use crate::review::Review;

/// `/openapi/v2` in protobuf, the only form that kubectl asks for: a document without a path (`swagger: "2.0"`, `info`
/// with title and version). A kind that `/openapi/v3` does not have, kubectl looks up here; not finding it, it goes
/// on and says "no matches for kind", where a 404 would end in an error about validation.
pub(crate) const V2: &[u8] = b"\x0a\x032.0\x12\x19\x0a\x0aKubernetes\x12\x0bunversioned";

/// The media type of [`V2`].
pub(crate) const V2_MEDIA_TYPE: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

/// `/openapi/v3`: where the document of each group and version is.
///
/// The hash in a document's URL changes with its content, for clients that keep it.
pub(super) fn index() -> Value {
    let mut paths = Map::new();
    for group in [""].into_iter().chain(named_groups()) {
        for version in versions(group) {
            if let Some(document) = document(group, version) {
                let path = root_path(group, version);
                let hash = fnv1a(document.to_string().as_bytes());
                let url = format!("/openapi/v3/{path}?hash={hash:016X}");
                paths.insert(path, json!({"serverRelativeURL": url}));
            }
        }
    }
    json!({"paths": paths})
}

/// The document of a group and version; `None` when nothing is served there.
pub(super) fn document(group: &str, version: &str) -> Option<Value> {
    let kinds = kinds(group, version);
    let reviews = reviews(group, version);
    if kinds.is_empty() && reviews.is_empty() {
        return None;
    }
    let (mut paths, mut schemas) = (Map::new(), Map::new());
    for kind in kinds {
        paths.insert(
            object_path(kind),
            json!({"parameters": path_parameters(kind), "patch": patch(kind)}),
        );
        schemas.insert(
            schema_name(kind.group, kind.version, kind.kind),
            schema(kind.group, kind.version, kind.kind),
        );
    }
    for Review { group, kind, .. } in reviews {
        schemas.insert(schema_name(group, version, kind), schema(group, version, kind));
    }
    Some(json!({
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": super::version::GIT_VERSION},
        "paths": paths,
        "components": {"schemas": schemas},
    }))
}

/// The URL of one object: `/apis/apps/v1/namespaces/{namespace}/deployments/{name}`.
fn object_path(kind: &Kind) -> String {
    let root = root_path(kind.group, kind.version);
    let namespace = if kind.namespaced { "namespaces/{namespace}/" } else { "" };
    format!("/{root}/{namespace}{}/{{name}}", kind.plural)
}

fn path_parameters(kind: &Kind) -> Vec<Value> {
    let names: &[&str] = if kind.namespaced { &["name", "namespace"] } else { &["name"] };
    names
        .iter()
        .map(|name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}))
        .collect()
}

fn patch(kind: &Kind) -> Value {
    let parameter = |name: &str, description: &str| json!({"name": name, "in": "query", "description": description, "schema": {"type": "string"}});
    let body = json!({"schema": {"type": "object"}});
    json!({
        "description": format!("Changes a part of one {}.", kind.kind),
        "operationId": format!("patch{}", kind.kind),
        "parameters": [
            parameter("dryRun", "\"All\": everything is checked and nothing is changed."),
            parameter("fieldManager", "Who makes the change."),
            parameter("fieldValidation", "What happens with unknown fields: Ignore, Warn or Strict."),
        ],
        "requestBody": {
            "required": true,
            "content": {"application/json-patch+json": body, "application/merge-patch+json": body},
        },
        "responses": {
            "200": {
                "description": "The whole object after the change.",
                "content": {"application/json": {"schema": {"$ref": format!("#/components/schemas/{}", schema_name(kind.group, kind.version, kind.kind))}}},
            },
        },
        "x-kubernetes-action": "patch",
        "x-kubernetes-group-version-kind": type_extension(kind.group, kind.version, kind.kind),
    })
}

/// The kind's name among the schemas, as Kubernetes forms it: the group's first label, the version, the kind.
fn schema_name(group: &str, version: &str, kind: &str) -> String {
    let group = group.split('.').next().unwrap_or_default();
    let group = if group.is_empty() { "core" } else { group };
    format!("io.k8s.api.{group}.{version}.{kind}")
}

fn schema(group: &str, version: &str, kind: &str) -> Value {
    let text = |description: &str| json!({"type": "string", "description": description});
    json!({
        "type": "object",
        "description": format!("A {kind} of {}.", group_version(group, version)),
        "properties": {
            "apiVersion": text("The group and version of this object."),
            "kind": text("The kind of this object."),
            "metadata": {"type": "object", "description": "The standard metadata of an object."},
        },
        "x-kubernetes-group-version-kind": [type_extension(group, version, kind)],
        "x-kubernetes-preserve-unknown-fields": true,
    })
}

fn type_extension(group: &str, version: &str, kind: &str) -> Value {
    json!({"group": group, "version": version, "kind": kind})
}

/// FNV-1a, 64 bits: tells documents apart, promises nothing against an attacker.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
