//! What kinds without behaviour begin with: the state that they would be in if somebody cared for them.

use manifest::kind::Stored;
use serde_json::{Value, json};

use crate::object;

/// Sets the status of a new object; what a client says of it does not count.
pub(crate) fn prepare_create(kind: Stored, value: &mut Value) {
    let status = match kind {
        Stored::PersistentVolumeClaim => bind(value),
        Stored::PersistentVolume => json!({ "phase": "Available" }),
        Stored::DaemonSet => json!({
            "currentNumberScheduled": 0,
            "desiredNumberScheduled": 0,
            "numberMisscheduled": 0,
            "numberReady": 0,
        }),
        Stored::HorizontalPodAutoscaler => json!({ "desiredReplicas": 0 }),
        Stored::PodDisruptionBudget => json!({
            "currentHealthy": 0,
            "desiredHealthy": 0,
            "disruptionsAllowed": 0,
            "expectedPods": 0,
        }),
        Stored::Ingress => json!({ "loadBalancer": {} }),
        Stored::ResourceQuota | Stored::Job | Stored::CronJob => json!({}),
        Stored::GatewayClass => pending(&["Accepted"]),
        Stored::Gateway => pending(&["Accepted", "Programmed"]),
        Stored::HTTPRoute | Stored::ReferenceGrant => return,
        Stored::ConfigMap
        | Stored::Secret
        | Stored::ServiceAccount
        | Stored::LimitRange
        | Stored::ControllerRevision
        | Stored::Lease
        | Stored::Event
        | Stored::NetworkPolicy
        | Stored::IngressClass
        | Stored::Role
        | Stored::RoleBinding
        | Stored::ClusterRole
        | Stored::ClusterRoleBinding
        | Stored::PriorityClass
        | Stored::ServiceImport
        | Stored::StorageClass => return,
    };
    object::set(value, "status", status);
}

/// The conditions that the definitions of the Gateway API begin with, until a controller says otherwise.
fn pending(conditions: &[&str]) -> Value {
    let condition = |kind: &&str| {
        json!({
            "type": kind,
            "status": "Unknown",
            "reason": "Pending",
            "message": "Waiting for controller",
            "lastTransitionTime": "1970-01-01T00:00:00Z",
        })
    };
    json!({ "conditions": conditions.iter().map(condition).collect::<Vec<_>>() })
}

/// A claim is bound as soon as it is made, to a volume that is named as a provisioner names it. There is no such
/// PersistentVolume: simulated pods mount nothing.
fn bind(claim: &mut Value) -> Value {
    let name = format!("pvc-{}", object::meta(claim, "uid"));
    let spec = &mut claim["spec"];
    if spec["volumeName"].as_str().unwrap_or_default().is_empty() {
        spec["volumeName"] = name.into();
    }
    let mut status = json!({ "phase": "Bound" });
    for (field, value) in
        [("accessModes", &spec["accessModes"]), ("capacity", &spec["resources"]["requests"])]
    {
        if !value.is_null() {
            status[field] = value.clone();
        }
    }
    status
}
