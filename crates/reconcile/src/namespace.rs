//! Deletion of a namespace with its content (K: `pkg/controller/namespace`).

use k8s_openapi::api::core::v1::Namespace;

use manifest::{Kind, KindId};

use crate::{Action, Decision, Propagation, World};

/// The kinds of a namespace's content, controllers before what they would make again.
const CONTENT: [&str; 7] =
    ["Deployment", "StatefulSet", "ReplicaSet", "Service", "Endpoints", "EndpointSlice", "Pod"];

pub(crate) fn decide(world: &World, name: &str) -> Decision {
    let Some(namespace) = world.get::<Namespace>("", name) else { return Decision::default() };
    if namespace.metadata.deletion_timestamp.is_none() || !world.all_synced() {
        return Decision::default();
    }
    let mut actions = Vec::new();
    let mut empty = true;
    for kind in CONTENT {
        for (target, metadata) in world.content(kind, name) {
            empty = false;
            if metadata.deletion_timestamp.is_none() {
                actions.push(Action::Delete {
                    target,
                    uid: metadata.uid.clone().unwrap_or_default(),
                    propagation: Propagation::Background,
                });
            }
        }
    }
    let finalizers =
        namespace.spec.as_ref().and_then(|spec| spec.finalizers.as_deref()).unwrap_or_default();
    if empty && finalizers.iter().any(|finalizer| finalizer == "kubernetes") {
        // The world keeps neither Events nor the kinds that nothing acts on, so they go all at once.
        let unwatched = Kind::all()
            .iter()
            .filter(|kind| kind.namespaced && kind.is_stored_as_served())
            .filter(|kind| matches!(kind.id, KindId::Event | KindId::Stored(_)));
        actions.extend(
            unwatched.map(|kind| Action::DeleteAll { kind: kind.kind, namespace: name.to_owned() }),
        );
        actions.push(Action::Finalize {
            namespace: name.to_owned(),
            uid: namespace.metadata.uid.clone().unwrap_or_default(),
        });
    }
    actions.into()
}
