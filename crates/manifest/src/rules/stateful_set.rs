//! StatefulSets.

use k8s_openapi::api::apps::v1::{StatefulSet, StatefulSetSpec};
use serde_json::{Map, Value};

use super::defaults::{items, object, set, text};
use super::{pod, workload};
use crate::field::{FieldError, FieldPath};

/// Kubernetes' `SetDefaults_StatefulSet`.
pub(crate) fn default(stateful_set: &mut Map<String, Value>) {
    let Some(spec) = object(stateful_set, "spec") else { return };
    set(spec, "podManagementPolicy", "OrderedReady");
    if let Some(strategy) = object(spec, "updateStrategy") {
        set(strategy, "type", "RollingUpdate");
        if text(strategy, "type") == "RollingUpdate"
            && let Some(rolling) = object(strategy, "rollingUpdate")
        {
            set(rolling, "partition", 0);
        }
    }
    if let Some(retention) = object(spec, "persistentVolumeClaimRetentionPolicy") {
        set(retention, "whenDeleted", "Retain");
        set(retention, "whenScaled", "Retain");
    }
    set(spec, "replicas", 1);
    set(spec, "revisionHistoryLimit", 10);
    pod::default_template(spec);
    for claim in items(spec, "volumeClaimTemplates") {
        if let Some(spec) = object(claim, "spec") {
            set(spec, "volumeMode", "Filesystem");
        }
        if let Some(status) = object(claim, "status") {
            set(status, "phase", "Pending");
        }
    }
}

/// Kubernetes' `ValidateStatefulSetSpec` and `ValidateStatefulSetUpdate`; the template is checked like every
/// pod's, which Kubernetes leaves to the creation of the pods.
pub(crate) fn validate(new: &StatefulSet, old: Option<&StatefulSet>, errors: &mut Vec<FieldError>) {
    let path = FieldPath::new("spec");
    let Some(spec) = &new.spec else {
        errors.push(FieldError::required(&path, ""));
        return;
    };
    pod::known(
        &path.child("podManagementPolicy"),
        spec.pod_management_policy.as_deref(),
        &["OrderedReady", "Parallel"],
        errors,
    );
    let strategy_path = path.child("updateStrategy");
    let strategy = spec.update_strategy.as_ref();
    let strategy_type = strategy.and_then(|strategy| strategy.type_.as_deref());
    match strategy_type {
        None | Some("") => errors.push(FieldError::required(&strategy_path, "")),
        Some("RollingUpdate") => {
            let rolling = strategy.and_then(|strategy| strategy.rolling_update.as_ref());
            let path = strategy_path.child("rollingUpdate");
            if let Some(rolling) = rolling {
                workload::not_negative(rolling.partition, &path.child("partition"), errors);
                if let Some(unavailable) = &rolling.max_unavailable {
                    let path = path.child("maxUnavailable");
                    workload::count_or_percentage(unavailable, &path, errors);
                    if workload::is_zero(unavailable) {
                        errors.push(FieldError::invalid(&path, 0, "cannot be 0"));
                    }
                }
            }
        }
        Some("OnDelete") => {
            if strategy.is_some_and(|strategy| strategy.rolling_update.is_some()) {
                errors.push(FieldError::invalid(
                    &strategy_path.child("rollingUpdate"),
                    Value::Null,
                    "only allowed for updateStrategy 'RollingUpdate'",
                ));
            }
        }
        Some(other) => errors.push(FieldError::invalid(
            &strategy_path,
            other,
            "must be 'RollingUpdate' or 'OnDelete'",
        )),
    }
    if let Some(retention) = &spec.persistent_volume_claim_retention_policy {
        let path = path.child("persistentVolumeClaimRetentionPolicy");
        for (field, policy) in
            [("whenDeleted", &retention.when_deleted), ("whenScaled", &retention.when_scaled)]
        {
            let policy = policy.as_deref();
            pod::known(&path.child(field), policy, &["Delete", "Retain"], errors);
        }
    }
    workload::not_negative(spec.replicas, &path.child("replicas"), errors);
    workload::not_negative(spec.min_ready_seconds, &path.child("minReadySeconds"), errors);
    if let Some(ordinals) = &spec.ordinals {
        let path = path.child("ordinals");
        workload::not_negative(ordinals.start, &path.child("start"), errors);
    }
    workload::selector(&spec.selector, Some(&spec.template), &path, errors);
    if let Some(name) = spec.service_name.as_deref().filter(|name| !name.is_empty()) {
        errors.extend(
            super::names::dns_1123_subdomain(name)
                .into_iter()
                .map(|text| FieldError::invalid(&path.child("serviceName"), name, text)),
        );
    }
    let claims = spec
        .volume_claim_templates
        .iter()
        .flatten()
        .filter_map(|claim| claim.metadata.name.as_deref())
        .collect();
    pod::validate_template(&spec.template, &path.child("template"), claims, errors);
    if let Some(old) = old.and_then(|old| old.spec.as_ref()) {
        validate_update(spec, old, &path, errors);
    }
}

fn validate_update(
    new: &StatefulSetSpec,
    old: &StatefulSetSpec,
    path: &FieldPath<'_>,
    errors: &mut Vec<FieldError>,
) {
    let StatefulSetSpec {
        // What may change.
        min_ready_seconds: _,
        ordinals: _,
        persistent_volume_claim_retention_policy: _,
        replicas: _,
        revision_history_limit: _,
        template: _,
        update_strategy: _,
        // What may not.
        pod_management_policy,
        selector,
        service_name,
        volume_claim_templates,
    } = new;
    let same = *pod_management_policy == old.pod_management_policy
        && *selector == old.selector
        && service_name.as_deref().unwrap_or_default()
            == old.service_name.as_deref().unwrap_or_default()
        && volume_claim_templates.as_deref().unwrap_or_default()
            == old.volume_claim_templates.as_deref().unwrap_or_default();
    if !same {
        errors.push(FieldError::forbidden(
            path,
            "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', \
             'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and \
             'minReadySeconds' are forbidden",
        ));
    }
}
