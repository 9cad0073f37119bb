//! What controllers ask of a pod.

use k8s_openapi::api::core::v1::{Pod, PodCondition, PodSpec, PodStatus};

/// The pod's condition of this type.
pub(crate) fn condition<'a>(pod: &'a Pod, kind: &str) -> Option<&'a PodCondition> {
    pod.status.as_ref()?.conditions.iter().flatten().find(|condition| condition.type_ == kind)
}

/// Whether its condition Ready is True.
pub(crate) fn ready(pod: &Pod) -> bool {
    condition(pod, "Ready").is_some_and(|condition| condition.status == "True")
}

/// Its phase; empty before a node took it.
pub(crate) fn phase(pod: &Pod) -> &str {
    pod.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or_default()
}

/// Whether it has ended: its phase is Succeeded or Failed.
pub(crate) fn ended(pod: &Pod) -> bool {
    matches!(phase(pod), "Succeeded" | "Failed")
}

/// Whether it is being deleted.
pub(crate) fn terminating(pod: &Pod) -> bool {
    pod.metadata.deletion_timestamp.is_some()
}

/// Its node's name.
pub(crate) fn node(pod: &Pod) -> Option<&str> {
    pod.spec.as_ref()?.node_name.as_deref().filter(|name| !name.is_empty())
}

/// Whether both states of a pod make the same endpoints in every Service (labels aside).
pub(crate) fn same_endpoint(old: &Pod, new: &Pod) -> bool {
    fn of_spec(pod: &Pod) -> Option<(&Option<String>, &Option<String>, &Option<String>)> {
        let PodSpec { hostname, subdomain, node_name, .. } = pod.spec.as_ref()?;
        Some((hostname, subdomain, node_name))
    }
    fn of_status(pod: &Pod) -> impl PartialEq {
        let PodStatus { pod_ip, pod_ips, .. } = pod.status.clone().unwrap_or_default();
        (pod_ip, pod_ips)
    }
    fn containers(pod: &Pod) -> impl PartialEq {
        let spec = pod.spec.as_ref();
        spec.map(|spec| {
            let ports = |container: &k8s_openapi::api::core::v1::Container| container.ports.clone();
            let main: Vec<_> = spec.containers.iter().map(ports).collect();
            let init: Vec<_> = spec.init_containers.iter().flatten().map(ports).collect();
            (main, init)
        })
    }
    old.metadata.uid == new.metadata.uid
        && ready(old) == ready(new)
        && ended(old) == ended(new)
        && terminating(old) == terminating(new)
        && of_spec(old) == of_spec(new)
        && of_status(old) == of_status(new)
        && containers(old) == containers(new)
}
