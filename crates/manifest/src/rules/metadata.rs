//! What holds for the metadata of every object.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};

use super::names;
use crate::field::{FieldError, FieldPath};
use crate::kind::{Kind, KindId, Stored};
use crate::labels::{FOREGROUND, ORPHAN};

/// All annotations together, keys and values.
const ANNOTATIONS_BYTES_MAX: usize = 256 * 1024;

/// The finalizers that need no prefix.
const PLAIN_FINALIZERS: [&str; 3] = ["kubernetes", ORPHAN, FOREGROUND];

/// The rule for the names of a kind's objects.
pub(crate) fn name_rule(id: KindId) -> fn(&str) -> Vec<String> {
    match id {
        // A Service's name may begin with a digit since Kubernetes 1.36 (KEP-5311).
        KindId::Namespace | KindId::Service => names::dns_1123_label,
        KindId::Node
        | KindId::Pod
        | KindId::Endpoints
        | KindId::Event
        | KindId::EndpointSlice
        | KindId::StatefulSet
        | KindId::Deployment
        | KindId::ReplicaSet => names::dns_1123_subdomain,
        KindId::Stored(
            Stored::Role | Stored::RoleBinding | Stored::ClusterRole | Stored::ClusterRoleBinding,
        ) => names::path_segment,
        KindId::Stored(_) => names::dns_1123_subdomain,
    }
}

/// Checks an object's metadata, and, given the stored object's, what may not change.
pub(crate) fn validate(
    kind: &Kind,
    new: &ObjectMeta,
    old: Option<&ObjectMeta>,
    errors: &mut Vec<FieldError>,
) {
    let path = FieldPath::new("metadata");
    validate_name(kind, new, errors);
    if kind.namespaced {
        match new.namespace.as_deref() {
            None | Some("") => errors.push(FieldError::required(&path.child("namespace"), "")),
            Some(namespace) => errors.extend(
                names::dns_1123_label(namespace)
                    .into_iter()
                    .map(|text| FieldError::invalid(&path.child("namespace"), namespace, text)),
            ),
        }
    } else if new.namespace.as_deref().is_some_and(|namespace| !namespace.is_empty()) {
        errors.push(FieldError::forbidden(&path.child("namespace"), "not allowed on this type"));
    }
    labels(&path.child("labels"), new.labels.as_ref(), errors);
    annotations(&path.child("annotations"), new.annotations.as_ref(), errors);
    owners(&path.child("ownerReferences"), new.owner_references.as_deref(), errors);
    finalizers(&path.child("finalizers"), new.finalizers.as_deref().unwrap_or_default(), errors);
    if let Some(old) = old {
        validate_update(new, old, errors);
    }
}

fn validate_name(kind: &Kind, new: &ObjectMeta, errors: &mut Vec<FieldError>) {
    let path = FieldPath::new("metadata");
    let rule = name_rule(kind.id);
    let prefix = new.generate_name.as_deref().unwrap_or_default();
    if !prefix.is_empty() {
        let path = path.child("generateName");
        errors.extend(
            rule(&names::mask_trailing_hyphen(prefix))
                .into_iter()
                .map(|text| FieldError::invalid(&path, prefix, text)),
        );
    }
    let path = path.child("name");
    match new.name.as_deref() {
        None | Some("") => {
            errors.push(FieldError::required(&path, "name or generateName is required"));
        }
        Some(name) => {
            errors.extend(rule(name).into_iter().map(|text| FieldError::invalid(&path, name, text)))
        }
    }
}

/// Checks labels: of an object, a selector, a pod template.
pub(crate) fn labels(
    path: &FieldPath<'_>,
    labels: Option<&BTreeMap<String, String>>,
    errors: &mut Vec<FieldError>,
) {
    for (key, value) in labels.into_iter().flatten() {
        errors.extend(
            names::qualified_name(key)
                .into_iter()
                .map(|text| FieldError::invalid(path, key.as_str(), text)),
        );
        errors.extend(
            names::label_value(value)
                .into_iter()
                .map(|text| FieldError::invalid(path, value.as_str(), text)),
        );
    }
}

/// Checks annotations: their keys and the size of all.
pub(crate) fn annotations(
    path: &FieldPath<'_>,
    annotations: Option<&BTreeMap<String, String>>,
    errors: &mut Vec<FieldError>,
) {
    let mut bytes = 0;
    for (key, value) in annotations.into_iter().flatten() {
        bytes += key.len() + value.len();
        // The rule for annotations, unlike the one for labels, does not mind capitals in the prefix.
        errors.extend(
            names::qualified_name(&key.to_lowercase())
                .into_iter()
                .map(|text| FieldError::invalid(path, key.as_str(), text)),
        );
    }
    if bytes > ANNOTATIONS_BYTES_MAX {
        errors.push(FieldError::too_long(path, ANNOTATIONS_BYTES_MAX));
    }
}

fn finalizers(path: &FieldPath<'_>, finalizers: &[String], errors: &mut Vec<FieldError>) {
    for (index, name) in finalizers.iter().enumerate() {
        finalizer(&path.index(index), name, errors);
    }
    let has = |wanted: &str| finalizers.iter().any(|name| name == wanted);
    if has(ORPHAN) && has(FOREGROUND) {
        errors.push(FieldError::invalid(
            path,
            finalizers.to_vec(),
            "finalizer orphan and foregroundDeletion cannot be both set",
        ));
    }
}

/// Checks one finalizer's name.
pub(crate) fn finalizer(path: &FieldPath<'_>, name: &str, errors: &mut Vec<FieldError>) {
    let problems = names::qualified_name(name);
    if problems.is_empty() && !name.contains('/') && !PLAIN_FINALIZERS.contains(&name) {
        errors.push(FieldError::invalid(
            path,
            name,
            "name is neither a standard finalizer name nor is it fully qualified",
        ));
    }
    errors.extend(problems.into_iter().map(|text| FieldError::invalid(path, name, text)));
}

fn owners(path: &FieldPath<'_>, owners: Option<&[OwnerReference]>, errors: &mut Vec<FieldError>) {
    let mut controller: Option<&str> = None;
    for (index, owner) in owners.into_iter().flatten().enumerate() {
        let path = path.index(index);
        let OwnerReference {
            api_version,
            block_owner_deletion: _,
            controller: is_controller,
            kind,
            name,
            uid,
        } = owner;
        for (field, value) in
            [("apiVersion", api_version), ("kind", kind), ("name", name), ("uid", uid)]
        {
            if value.is_empty() {
                let text = if field == "apiVersion" {
                    "version must not be empty"
                } else {
                    "must not be empty"
                };
                errors.push(FieldError::invalid(&path.child(field), "", text));
            }
        }
        if *is_controller == Some(true) {
            if let Some(first) = controller {
                errors.push(FieldError::invalid(
                    &FieldPath::new("metadata").child("ownerReferences"),
                    name.as_str(),
                    format!(
                        "Only one reference can have Controller set to true. Found \"true\" in references for \
                         {first} and {name}"
                    ),
                ));
            } else {
                controller = Some(name);
            }
        }
    }
}

fn validate_update(new: &ObjectMeta, old: &ObjectMeta, errors: &mut Vec<FieldError>) {
    let path = FieldPath::new("metadata");
    // A field that the new object leaves out keeps its value, so only another value is a change.
    for (field, new, old) in [
        ("name", &new.name, &old.name),
        ("namespace", &new.namespace, &old.namespace),
        ("uid", &new.uid, &old.uid),
    ] {
        if let (Some(new), Some(old)) = (new, old)
            && new != old
        {
            errors.push(FieldError::invalid(
                &path.child(field),
                new.as_str(),
                "field is immutable",
            ));
        }
    }
    if old.deletion_timestamp.is_some() {
        let known = old.finalizers.as_deref().unwrap_or_default();
        let added: Vec<&String> =
            new.finalizers.iter().flatten().filter(|name| !known.contains(name)).collect();
        if !added.is_empty() {
            errors.push(FieldError::forbidden(
                &path.child("finalizers"),
                format!(
                    "no new finalizers can be added if the object is being deleted, found new finalizers {added:?}"
                ),
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[track_caller]
    fn check(kind: KindId, new: Value, old: Option<Value>, expected: &[&str]) {
        let new: ObjectMeta = serde_json::from_value(new).unwrap();
        let old: Option<ObjectMeta> = old.map(|old| serde_json::from_value(old).unwrap());
        let mut errors = Vec::new();
        validate(Kind::of(kind), &new, old.as_ref(), &mut errors);
        let texts: Vec<String> = errors
            .iter()
            .map(|error| error.to_string().split(" (e.g.").next().unwrap_or_default().to_owned())
            .collect();
        assert_eq!(texts, expected);
    }

    #[test]
    fn names_follow_the_kind() {
        let meta = |name: &str| json!({"name": name, "namespace": "default"});
        check(KindId::Pod, meta("a.b"), None, &[]);
        check(KindId::Service, meta("0-a"), None, &[]);
        check(
            KindId::Service,
            meta("-a"),
            None,
            &[
                "metadata.name: Invalid value: \"-a\": a lowercase RFC 1123 label must consist of lower case \
               alphanumeric characters or '-', and must start and end with an alphanumeric character",
            ],
        );
        check(
            KindId::Pod,
            meta("X"),
            None,
            &[
                "metadata.name: Invalid value: \"X\": a lowercase RFC 1123 subdomain must consist of lower case \
               alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
            ],
        );
        check(
            KindId::Namespace,
            json!({"name": "X"}),
            None,
            &[
                "metadata.name: Invalid value: \"X\": a lowercase RFC 1123 label must consist of lower case \
               alphanumeric characters or '-', and must start and end with an alphanumeric character",
            ],
        );
        check(
            KindId::Pod,
            json!({"namespace": "default"}),
            None,
            &["metadata.name: Required value: name or generateName is required"],
        );
        check(
            KindId::Pod,
            json!({"namespace": "default", "name": "x", "generateName": "X-"}),
            None,
            &[
                "metadata.generateName: Invalid value: \"X-\": a lowercase RFC 1123 subdomain must consist of lower \
               case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
            ],
        );
    }

    #[test]
    fn namespaces() {
        check(KindId::Pod, json!({"name": "x"}), None, &["metadata.namespace: Required value"]);
        check(
            KindId::Node,
            json!({"name": "x", "namespace": "y"}),
            None,
            &["metadata.namespace: Forbidden: not allowed on this type"],
        );
        check(
            KindId::Pod,
            json!({"name": "x", "namespace": "a.b"}),
            None,
            &["metadata.namespace: Invalid value: \"a.b\": must not contain dots"],
        );
    }

    #[test]
    fn maps_finalizers_and_owners() {
        let with = |more: Value| {
            let mut meta = json!({"name": "x"});
            meta.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            meta
        };
        check(
            KindId::Node,
            with(json!({"labels": {"a b": "c"}})),
            None,
            &[
                "metadata.labels: Invalid value: \"a b\": name part must consist of alphanumeric characters, '-', '_' \
               or '.', and must start and end with an alphanumeric character",
            ],
        );
        check(
            KindId::Node,
            with(json!({"labels": {"a": "b c"}})),
            None,
            &[
                "metadata.labels: Invalid value: \"b c\": a valid label must be an empty string or consist of \
               alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
            ],
        );
        check(KindId::Node, with(json!({"annotations": {"X.Y/a": "any text"}})), None, &[]);
        check(
            KindId::Node,
            with(json!({"annotations": {"a": "x".repeat(256 * 1024)}})),
            None,
            &["metadata.annotations: Too long: may not be more than 262144 bytes"],
        );
        check(KindId::Node, with(json!({"finalizers": ["orphan", "a.b/c"]})), None, &[]);
        check(
            KindId::Node,
            with(json!({"finalizers": ["mine"]})),
            None,
            &[
                "metadata.finalizers[0]: Invalid value: \"mine\": name is neither a standard finalizer name nor is it \
               fully qualified",
            ],
        );
        let owner = |name: &str| json!({"apiVersion": "v1", "kind": "Node", "name": name, "uid": "u", "controller": true});
        check(KindId::Node, with(json!({"ownerReferences": [owner("a")]})), None, &[]);
        check(
            KindId::Node,
            with(json!({"ownerReferences": [owner("a"), owner("b")]})),
            None,
            &[
                "metadata.ownerReferences: Invalid value: \"b\": Only one reference can have Controller set to true. \
               Found \"true\" in references for a and b",
            ],
        );
    }

    #[test]
    fn updates() {
        let old = json!({"name": "x", "uid": "1", "finalizers": ["orphan"], "deletionTimestamp": "2026-01-01T00:00:00Z"});
        check(KindId::Node, json!({"name": "x"}), Some(old.clone()), &[]);
        check(
            KindId::Node,
            json!({"name": "x", "uid": "2", "finalizers": ["orphan", "a/b"]}),
            Some(old),
            &[
                "metadata.uid: Invalid value: \"2\": field is immutable",
                "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, \
                 found new finalizers [\"a/b\"]",
            ],
        );
    }
}
