//! What an update of a Service may not change (Kubernetes' `ValidateServiceUpdate`).

use k8s_openapi::api::core::v1::ServiceSpec;
use serde_json::Value;

use super::is_external_name;
use crate::field::{FieldError, FieldPath};

type Errors = Vec<FieldError>;

/// Checks addresses and families, which stay, except on the way to and from ExternalName.
pub(super) fn validate_update(
    new: &ServiceSpec,
    old: &ServiceSpec,
    path: &FieldPath<'_>,
    errors: &mut Errors,
) {
    if !is_external_name(new) && !is_external_name(old) {
        cluster_ips(new, old, path, errors);
        ip_families(new, old, path, errors);
    }
}

const SET_ONCE: &str = "may not change once set";

/// Only a second address may come and go, with the policy.
fn cluster_ips(new: &ServiceSpec, old: &ServiceSpec, path: &FieldPath<'_>, errors: &mut Errors) {
    let before = old.cluster_ips.as_deref().unwrap_or_default();
    let after = new.cluster_ips.as_deref().unwrap_or_default();
    let list = path.child("clusterIPs");
    let value = || Value::from(after.to_vec());
    if before.len() == after.len() {
        for (index, (before, after)) in before.iter().zip(after).enumerate() {
            if before != after {
                errors.push(FieldError::invalid(&list.index(index), value(), SET_ONCE));
            }
        }
        return;
    }
    match (before.first(), after.first()) {
        (Some(_), None) => errors.push(FieldError::invalid(
            &list.index(0),
            value(),
            "primary clusterIP can not be unset",
        )),
        (Some(before), Some(after)) if before != after => {
            errors.push(FieldError::invalid(&list.index(0), value(), SET_ONCE));
        }
        _ => {}
    }
    let single = new.ip_family_policy.as_deref() == Some("SingleStack");
    if before.len() == 2 && after.len() == 1 && !single {
        errors.push(FieldError::invalid(
            &path.child("ipFamilyPolicy"),
            new.ip_family_policy.clone(),
            "must be set to 'SingleStack' when releasing the secondary clusterIP",
        ));
    }
}

fn ip_families(new: &ServiceSpec, old: &ServiceSpec, path: &FieldPath<'_>, errors: &mut Errors) {
    let before = old.ip_families.as_deref().unwrap_or_default();
    let after = new.ip_families.as_deref().unwrap_or_default();
    let list = path.child("ipFamilies");
    for (index, (before, after)) in before.iter().zip(after).enumerate() {
        if before != after {
            errors.push(FieldError::invalid(&list.index(index), after.as_str(), SET_ONCE));
        }
    }
    match (before, after) {
        ([_, ..], []) => errors.push(FieldError::invalid(
            &list.index(0),
            Value::Array(Vec::new()),
            "primary ipFamily can not be unset",
        )),
        ([_, _], [_]) if new.ip_family_policy.as_deref() != Some("SingleStack") => {
            errors.push(FieldError::invalid(
                &path.child("ipFamilyPolicy"),
                new.ip_family_policy.clone(),
                "must be set to 'SingleStack' when releasing the secondary ipFamily",
            ));
        }
        _ => {}
    }
}
