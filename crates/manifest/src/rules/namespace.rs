//! Namespaces.

use k8s_openapi::api::core::v1::Namespace;
use serde_json::{Map, Value, json};

use super::defaults::{object, set, text};
use super::metadata;
use crate::field::{FieldError, FieldPath};

/// The label that carries a namespace's own name, for selectors.
const NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// The name label; the finalizer that keeps a deleted namespace until its content is gone; the phase.
///
/// A namespace that is being deleted gets no finalizer, or it could never lose its last one.
pub(crate) fn default(namespace: &mut Map<String, Value>) {
    let Some(metadata) = object(namespace, "metadata") else { return };
    let is_deleted = metadata.contains_key("deletionTimestamp");
    let name = text(metadata, "name").to_owned();
    if !name.is_empty()
        && let Some(labels) = object(metadata, "labels")
    {
        labels.insert(NAME_LABEL.to_owned(), name.into());
    }
    if is_deleted {
        return;
    }
    if let Some(spec) = object(namespace, "spec") {
        set(spec, "finalizers", json!(["kubernetes"]));
    }
    if let Some(status) = object(namespace, "status") {
        set(status, "phase", "Active");
    }
}

/// Kubernetes' `ValidateNamespace`.
pub(crate) fn validate(namespace: &Namespace, errors: &mut Vec<FieldError>) {
    let path = FieldPath::new("spec");
    let path = path.child("finalizers");
    let finalizers = namespace.spec.as_ref().and_then(|spec| spec.finalizers.as_ref());
    for (index, name) in finalizers.into_iter().flatten().enumerate() {
        metadata::finalizer(&path.index(index), name, errors);
    }
}
