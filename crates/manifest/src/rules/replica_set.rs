//! ReplicaSets.

use k8s_openapi::api::apps::v1::ReplicaSet;
use serde_json::{Map, Value};

use super::defaults::{object, set};
use super::{pod, workload};
use crate::field::{FieldError, FieldPath};

/// Kubernetes' `SetDefaults_ReplicaSet`.
pub(crate) fn default(replica_set: &mut Map<String, Value>) {
    if let Some(spec) = object(replica_set, "spec") {
        set(spec, "replicas", 1);
        pod::default_template(spec);
    }
}

/// Kubernetes' `ValidateReplicaSetSpec` and `ValidateReplicaSetUpdate`.
pub(crate) fn validate(new: &ReplicaSet, old: Option<&ReplicaSet>, errors: &mut Vec<FieldError>) {
    let path = FieldPath::new("spec");
    let Some(spec) = &new.spec else {
        errors.push(FieldError::required(&path, ""));
        return;
    };
    workload::not_negative(spec.replicas, &path.child("replicas"), errors);
    workload::not_negative(spec.min_ready_seconds, &path.child("minReadySeconds"), errors);
    workload::selector(&spec.selector, spec.template.as_ref(), &path, errors);
    match &spec.template {
        None => errors.push(FieldError::required(&path.child("template"), "")),
        Some(template) => {
            let path = path.child("template");
            pod::validate_template(template, &path, pod::Volumes::new(), errors);
        }
    }
    if let Some(old) = old.and_then(|old| old.spec.as_ref()) {
        workload::immutable(&spec.selector, &old.selector, &path.child("selector"), errors);
    }
}
