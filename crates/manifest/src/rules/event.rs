//! Events.

use k8s_openapi::api::core::v1::Event;

use crate::field::{FieldError, FieldPath};

/// The namespace of Events about objects that have none.
const CLUSTER_NAMESPACES: [&str; 2] = ["default", "kube-system"];

/// Kubernetes' `legacyValidateEvent`: an Event lives with the object it is about.
pub(crate) fn validate(event: &Event, errors: &mut Vec<FieldError>) {
    let path = FieldPath::new("involvedObject");
    let path = path.child("namespace");
    let own = event.metadata.namespace.as_deref().unwrap_or_default();
    let involved = event.involved_object.namespace.as_deref().unwrap_or_default();
    let fits =
        if involved.is_empty() { CLUSTER_NAMESPACES.contains(&own) } else { involved == own };
    if !fits {
        errors.push(FieldError::invalid(&path, involved, "does not match event.namespace"));
    }
}
