//! What controllers ask of a pod.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{ContainerPort, ObjectReference, Pod, PodCondition, PodIP};

use crate::world::names;

/// The pod's condition of this type.
pub(crate) fn condition<'a>(pod: &'a Pod, kind: &str) -> Option<&'a PodCondition> {
    pod.status.as_ref()?.conditions.iter().flatten().find(|condition| condition.type_ == kind)
}

/// How its endpoints name it.
pub(crate) fn target_ref(pod: &Pod) -> ObjectReference {
    let (namespace, name) = names(pod);
    ObjectReference {
        kind: Some("Pod".to_owned()),
        namespace: Some(namespace.to_owned()),
        name: Some(name.to_owned()),
        uid: pod.metadata.uid.clone(),
        ..ObjectReference::default()
    }
}

/// Whether its condition Ready is True.
pub(crate) fn ready(pod: &Pod) -> bool {
    condition(pod, "Ready").is_some_and(|condition| condition.status == "True")
}

/// How long until it counts as available: it must have been ready for `min_ready_seconds`. `None` when it is not
/// ready.
pub(crate) fn available_in(pod: &Pod, min_ready_seconds: i32, now: Timestamp) -> Option<Duration> {
    let ready = condition(pod, "Ready").filter(|condition| condition.status == "True")?;
    let min_ready = SignedDuration::from_secs(min_ready_seconds.max(0).into());
    if min_ready.is_zero() {
        return Some(Duration::ZERO);
    }
    let since = ready.last_transition_time.as_ref().map_or(now, |time| time.0);
    Some(Duration::try_from(min_ready - now.duration_since(since)).unwrap_or(Duration::ZERO))
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
    fn identity(pod: &Pod) -> Option<[&Option<String>; 3]> {
        pod.spec.as_ref().map(|spec| [&spec.hostname, &spec.subdomain, &spec.node_name])
    }
    fn addresses(pod: &Pod) -> Option<(&Option<String>, &Option<Vec<PodIP>>)> {
        pod.status.as_ref().map(|status| (&status.pod_ip, &status.pod_ips))
    }
    fn ports(pod: &Pod) -> impl Iterator<Item = &Option<Vec<ContainerPort>>> {
        let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
        let init = pod.spec.iter().flat_map(|spec| spec.init_containers.iter().flatten());
        containers.chain(init).map(|container| &container.ports)
    }
    old.metadata.uid == new.metadata.uid
        && ready(old) == ready(new)
        && ended(old) == ended(new)
        && terminating(old) == terminating(new)
        && identity(old) == identity(new)
        && addresses(old) == addresses(new)
        && ports(old).eq(ports(new))
}
