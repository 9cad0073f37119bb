//! Deployments.

use k8s_openapi::api::apps::v1::Deployment;
use serde_json::{Map, Value};

use super::defaults::{object, set, text};
use super::{pod, workload};
use crate::field::{FieldError, FieldPath};

/// Kubernetes' `SetDefaults_Deployment`.
pub(crate) fn default(deployment: &mut Map<String, Value>) {
    let Some(spec) = object(deployment, "spec") else { return };
    set(spec, "replicas", 1);
    if let Some(strategy) = object(spec, "strategy") {
        set(strategy, "type", "RollingUpdate");
        if text(strategy, "type") == "RollingUpdate"
            && let Some(rolling) = object(strategy, "rollingUpdate")
        {
            set(rolling, "maxUnavailable", "25%");
            set(rolling, "maxSurge", "25%");
        }
    }
    set(spec, "revisionHistoryLimit", 10);
    set(spec, "progressDeadlineSeconds", 600);
    pod::default_template(spec);
}

/// Kubernetes' `ValidateDeploymentSpec` and `ValidateDeploymentUpdate`.
pub(crate) fn validate(new: &Deployment, old: Option<&Deployment>, errors: &mut Vec<FieldError>) {
    let path = FieldPath::new("spec");
    let Some(spec) = &new.spec else {
        errors.push(FieldError::required(&path, ""));
        return;
    };
    workload::not_negative(spec.replicas, &path.child("replicas"), errors);
    workload::selector(&spec.selector, Some(&spec.template), &path, errors);
    pod::validate_template(&spec.template, &path.child("template"), pod::Volumes::new(), errors);
    strategy(new, &path.child("strategy"), errors);
    workload::not_negative(spec.min_ready_seconds, &path.child("minReadySeconds"), errors);
    workload::not_negative(
        spec.revision_history_limit,
        &path.child("revisionHistoryLimit"),
        errors,
    );
    let deadline_path = path.child("progressDeadlineSeconds");
    workload::not_negative(spec.progress_deadline_seconds, &deadline_path, errors);
    if let Some(deadline) = spec.progress_deadline_seconds
        && deadline <= spec.min_ready_seconds.unwrap_or_default()
    {
        errors.push(FieldError::invalid(
            &deadline_path,
            deadline,
            "must be greater than minReadySeconds",
        ));
    }
    if let Some(old) = old.and_then(|old| old.spec.as_ref()) {
        workload::immutable(&spec.selector, &old.selector, &path.child("selector"), errors);
    }
}

fn strategy(deployment: &Deployment, path: &FieldPath<'_>, errors: &mut Vec<FieldError>) {
    let strategy = deployment.spec.as_ref().and_then(|spec| spec.strategy.as_ref());
    let strategy_type = strategy.and_then(|strategy| strategy.type_.as_deref());
    pod::known(&path.child("type"), strategy_type, &["Recreate", "RollingUpdate"], errors);
    let Some(rolling) = strategy.and_then(|strategy| strategy.rolling_update.as_ref()) else {
        return;
    };
    let path = path.child("rollingUpdate");
    if strategy_type == Some("Recreate") {
        errors.push(FieldError::forbidden(
            &path,
            "may not be specified when strategy `type` is 'Recreate'",
        ));
        return;
    }
    for (field, value) in
        [("maxUnavailable", &rolling.max_unavailable), ("maxSurge", &rolling.max_surge)]
    {
        if let Some(value) = value {
            workload::count_or_percentage(value, &path.child(field), errors);
        }
    }
    if let (Some(unavailable), Some(surge)) = (&rolling.max_unavailable, &rolling.max_surge)
        && workload::is_zero(unavailable)
        && workload::is_zero(surge)
    {
        errors.push(FieldError::invalid(
            &path.child("maxUnavailable"),
            serde_json::to_value(unavailable).unwrap_or_default(),
            "may not be 0 when `maxSurge` is 0",
        ));
    }
}
