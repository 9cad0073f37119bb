//! What is dropped from objects on arrival.

use manifest::Object;
use manifest::labels::LAST_APPLIED;

/// Drops what nobody in this process reads: `managedFields` everywhere, the parts of pods that neither names, controllers
/// nor simulated nodes depend on, and the annotations of revisions. What is then [partial](is_partial) is never written
/// back whole (see [`crate::controllers`]).
pub(crate) fn trim(object: &mut Object) {
    object.metadata_mut().managed_fields = None;
    match object {
        Object::Pod(pod) => {
            // It holds the whole manifest once more.
            if let Some(annotations) = &mut pod.metadata.annotations {
                annotations.remove(LAST_APPLIED);
            }
            let Some(spec) = &mut pod.spec else { return };
            spec.volumes = None;
            spec.affinity = None;
            spec.tolerations = None;
            spec.topology_spread_constraints = None;
            spec.security_context = None;
            spec.dns_config = None;
            spec.service_account = None;
            spec.service_account_name = None;
            for container in
                spec.containers.iter_mut().chain(spec.init_containers.iter_mut().flatten())
            {
                container.command = None;
                container.args = None;
                container.env = None;
                container.env_from = None;
                container.volume_mounts = None;
                container.resources = None;
                container.lifecycle = None;
                container.security_context = None;
                container.liveness_probe = None;
                container.startup_probe = None;
            }
        }
        Object::Node(node) => {
            if let Some(status) = &mut node.status {
                status.images = None;
            }
        }
        Object::ControllerRevision(revision) => revision.metadata.annotations = None,
        // Only the metadata arrives, see `kind`.
        Object::Stored(_)
        | Object::Namespace(_)
        | Object::Service(_)
        | Object::Endpoints(_)
        | Object::EndpointSlice(_)
        | Object::StatefulSet(_)
        | Object::Deployment(_)
        | Object::ReplicaSet(_)
        | Object::Event(_) => {}
    }
}

/// Whether of such an object so little is held that writing it back whole would lose something. (What is dropped of a
/// Node is of its status, which has a request of its own.)
pub(crate) fn is_partial(object: &Object) -> bool {
    match object {
        Object::Pod(_) | Object::ControllerRevision(_) | Object::Stored(_) => true,
        Object::Namespace(_)
        | Object::Node(_)
        | Object::Service(_)
        | Object::Endpoints(_)
        | Object::EndpointSlice(_)
        | Object::StatefulSet(_)
        | Object::Deployment(_)
        | Object::ReplicaSet(_)
        | Object::Event(_) => false,
    }
}
