//! What controllers ask of a pod.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::ObjectReference;

use crate::world::{Pod, Ready, names};

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

/// How long until it counts as available: it must have been ready for `min_ready_seconds`. `None` when it is not
/// ready.
pub(crate) fn available_in(pod: &Pod, min_ready_seconds: i32, now: Timestamp) -> Option<Duration> {
    let Ready { since, .. } = pod.ready.filter(|ready| ready.is)?;
    let min_ready = SignedDuration::from_secs(min_ready_seconds.max(0).into());
    if min_ready.is_zero() {
        return Some(Duration::ZERO);
    }
    let waited = now.duration_since(since.unwrap_or(now));
    Some(Duration::try_from(min_ready - waited).unwrap_or(Duration::ZERO))
}

/// Its phase; empty before a node took it.
pub(crate) fn phase(pod: &Pod) -> &'static str {
    pod.phase
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
    pod.node.as_deref()
}

/// Whether both states of a pod make the same endpoints in every Service (labels aside).
pub(crate) fn same_endpoint(old: &Pod, new: &Pod) -> bool {
    fn identity(pod: &Pod) -> [&Option<Box<str>>; 3] {
        [&pod.hostname, &pod.subdomain, &pod.node]
    }
    old.metadata.uid == new.metadata.uid
        && old.is_ready() == new.is_ready()
        && ended(old) == ended(new)
        && terminating(old) == terminating(new)
        && identity(old) == identity(new)
        && old.addresses == new.addresses
        && old.ports == new.ports
}
