//! Namespaces: each has its ServiceAccount `default`, and goes with its content
//! (K: `pkg/controller/serviceaccount`, `pkg/controller/namespace`).

use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use manifest::{Kind, KindId, Stored, StoredObject};
use serde_json::Map;

use crate::world::kinds;
use crate::{Action, Decision, Propagation, World};

/// The ServiceAccount of pods that name none.
pub(crate) const DEFAULT_ACCOUNT: &str = "default";

/// The kinds of a namespace's content that go first, controllers before what they would make again.
const FIRST: [&str; 7] =
    ["Deployment", "StatefulSet", "ReplicaSet", "Service", "Endpoints", "EndpointSlice", "Pod"];

pub(crate) fn decide(world: &World, name: &str) -> Decision {
    let Some(namespace) = world.get::<Namespace>("", name) else { return Decision::default() };
    if namespace.metadata.deletion_timestamp.is_some() {
        return end(world, name, namespace);
    }
    let there = world.stored("ServiceAccount", name, DEFAULT_ACCOUNT).is_some();
    if there || !world.synced("ServiceAccount") {
        return Decision::default();
    }
    let account = StoredObject {
        kind: Stored::ServiceAccount,
        metadata: ObjectMeta {
            name: Some(DEFAULT_ACCOUNT.to_owned()),
            namespace: Some(name.to_owned()),
            ..ObjectMeta::default()
        },
        content: Map::new(),
    };
    vec![Action::Create(account.into())].into()
}

/// The end of a namespace that is being deleted.
fn end(world: &World, name: &str, namespace: &Namespace) -> Decision {
    if !world.all_synced() {
        return Decision::default();
    }
    let mut actions = Vec::new();
    let mut empty = true;
    let later = kinds().filter(|kind| !FIRST.contains(kind));
    for kind in FIRST.into_iter().chain(later) {
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
        // The world does not keep Events, so they go all at once.
        actions.push(Action::DeleteAll {
            kind: Kind::of(KindId::Event).kind,
            namespace: name.to_owned(),
        });
        actions.push(Action::Finalize {
            namespace: name.to_owned(),
            uid: namespace.metadata.uid.clone().unwrap_or_default(),
        });
    }
    actions.into()
}
