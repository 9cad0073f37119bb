//! Pods: how they begin, and what of them may change.

use manifest::field::{FieldError, FieldPath};
use serde_json::{Value, json};

/// The ServiceAccount that Kubernetes' admission gives a pod that names none.
const DEFAULT_ACCOUNT: &str = "default";

/// A new pod is Pending.
pub(crate) fn prepare_create(value: &mut Value) {
    let spec = &mut value["spec"];
    let names = |field: &str| spec[field].as_str().is_some_and(|account| !account.is_empty());
    if spec.is_object() && !names("serviceAccountName") && !names("serviceAccount") {
        spec["serviceAccountName"] = DEFAULT_ACCOUNT.into();
    }
    value["status"] = json!({ "phase": "Pending", "qosClass": qos_class(&value["spec"]) });
}

/// A pod's node is set once, by its binding.
pub(crate) fn check_update(old: &Value, new: &Value) -> Result<(), Vec<FieldError>> {
    let node = |pod: &Value| pod["spec"]["nodeName"].as_str().unwrap_or("").to_owned();
    if node(old) == node(new) {
        return Ok(());
    }
    let detail = "pod updates may not change fields other than `spec.containers[*].image`,\
        `spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing \
        tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";
    Err(vec![FieldError::forbidden(&FieldPath::new("spec"), detail)])
}

/// Sets a condition to True; the time changes only when the condition does.
pub(crate) fn set_condition(pod: &mut Value, condition: &str, now: &str) {
    let entry = json!({
        "type": condition, "status": "True", "lastProbeTime": null, "lastTransitionTime": now,
    });
    if pod["status"].is_null() {
        pod["status"] = json!({});
    }
    match &mut pod["status"]["conditions"] {
        Value::Array(conditions) => {
            match conditions.iter_mut().find(|present| present["type"] == condition) {
                Some(present) if present["status"] == "True" => {}
                Some(present) => *present = entry,
                None => conditions.push(entry),
            }
        }
        other => *other = json!([entry]),
    }
}

/// The pod's quality of service (Kubernetes documentation, "Pod Quality of Service Classes"): Guaranteed when every
/// container limits CPU and memory and requests just that, BestEffort when none asks for anything.
fn qos_class(spec: &Value) -> &'static str {
    let lists = ["containers", "initContainers"];
    let containers = || lists.iter().filter_map(|list| spec[list].as_array()).flatten();
    let amounts = ["cpu", "memory"];
    let asks = |container: &Value| {
        amounts.iter().any(|amount| {
            !container["resources"]["limits"][amount].is_null()
                || !container["resources"]["requests"][amount].is_null()
        })
    };
    let guaranteed = |container: &Value| {
        amounts.iter().all(|amount| {
            let limit = &container["resources"]["limits"][amount];
            let request = &container["resources"]["requests"][amount];
            !limit.is_null() && (request.is_null() || request == limit)
        })
    };
    if !containers().any(asks) {
        "BestEffort"
    } else if containers().all(guaranteed) {
        "Guaranteed"
    } else {
        "Burstable"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quality_of_service() {
        let check = |resources: &[Value], expected: &str| {
            let containers: Vec<Value> =
                resources.iter().map(|resources| json!({ "resources": resources })).collect();
            assert_eq!(qos_class(&json!({ "containers": containers })), expected, "{resources:?}");
        };
        let full = json!({ "limits": { "cpu": "1", "memory": "1Gi" } });
        check(&[json!({})], "BestEffort");
        check(std::slice::from_ref(&full), "Guaranteed");
        check(&[full, json!({})], "Burstable");
        check(&[json!({ "requests": { "cpu": "1" } })], "Burstable");
        check(
            &[json!({ "limits": { "cpu": "1", "memory": "1Gi" }, "requests": { "cpu": "500m" } })],
            "Burstable",
        );
    }
}
