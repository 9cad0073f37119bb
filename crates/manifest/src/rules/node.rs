//! Nodes.

use k8s_openapi::api::core::v1::{Node, NodeSpec, Taint};

use super::{names, net, pod};
use crate::field::{FieldError, FieldPath};

/// Kubernetes' `ValidateNode` and `ValidateNodeUpdate`, as far as the pods' addresses and the scheduling go.
pub(crate) fn validate(new: &Node, old: Option<&Node>, errors: &mut Vec<FieldError>) {
    let Some(spec) = &new.spec else { return };
    let path = FieldPath::new("spec");
    let NodeSpec {
        config_source: _,
        external_id: _,
        pod_cidr,
        pod_cidrs,
        provider_id: _,
        taints,
        unschedulable: _,
    } = spec;
    let cidrs = pod_cidrs.as_deref().unwrap_or_default();
    let list = path.child("podCIDRs");
    for (index, cidr) in cidrs.iter().enumerate() {
        if !net::is_cidr(cidr) {
            errors.push(FieldError::invalid(&list.index(index), cidr.as_str(), net::NOT_A_CIDR));
        }
    }
    if cidrs.len() > 2 {
        errors.push(FieldError::invalid(
            &list,
            cidrs.to_vec(),
            "may specify no more than one CIDR for each IP family",
        ));
    }
    if let (Some(first), Some(single)) = (cidrs.first(), pod_cidr)
        && first != single
    {
        errors.push(FieldError::invalid(&list, cidrs.to_vec(), "first value must match `podCIDR`"));
    }
    let list = path.child("taints");
    for (index, taint) in taints.iter().flatten().enumerate() {
        let path = list.index(index);
        let Taint { effect, key, time_added: _, value } = taint;
        errors.extend(
            names::qualified_name(key)
                .into_iter()
                .map(|text| FieldError::invalid(&path.child("key"), key.as_str(), text)),
        );
        if let Some(value) = value.as_deref() {
            errors.extend(
                names::label_value(value)
                    .into_iter()
                    .map(|text| FieldError::invalid(&path.child("value"), value, text)),
            );
        }
        const EFFECTS: [&str; 3] = ["NoExecute", "NoSchedule", "PreferNoSchedule"];
        pod::known(&path.child("effect"), Some(effect), &EFFECTS, errors);
    }
    let before = old.and_then(|old| old.spec.as_ref()).and_then(|old| old.pod_cidrs.as_ref());
    if let Some(before) = before
        && before.as_slice() != cidrs
    {
        errors.push(FieldError::forbidden(
            &path.child("podCIDRs"),
            "node updates may not change podCIDR except from \"\" to valid",
        ));
    }
}
