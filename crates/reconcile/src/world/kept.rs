//! The kinds that the world keeps, and what it indexes of each.

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::core::v1::{Endpoints, Namespace, Node, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use k8s_openapi::{Metadata, Resource};
use manifest::labels::SERVICE_NAME;
use manifest::{Object, ObjectRef};

use super::{Pod, Store, World, selector};
use crate::Key;

/// A kind that the world keeps.
pub trait Kept: Resource + Metadata<Ty = ObjectMeta> + Clone + PartialEq + Into<Object> {
    /// Where the world keeps it.
    fn store(world: &World) -> &Store<Self>;
}

/// How the world files an object of this kind.
pub(super) trait Indexed: Kept {
    fn store_mut(world: &mut World) -> &mut Store<Self>;
    fn index(&self, _: &mut World) {}
    fn unindex(&self, _: &mut World) {}
    /// The work for this object alone, beyond what holds for every kind; see `affected`.
    fn affected(
        world: &World,
        old: Option<&Self>,
        new: Option<&Self>,
        work: &mut super::affected::Found,
    );
}

macro_rules! kept {
    ($($kind:ident in $field:ident: $affected:path $(, $index:path, $unindex:path)?;)*) => {$(
        impl Kept for $kind {
            fn store(world: &World) -> &Store<Self> { &world.$field }
        }

        impl Indexed for $kind {
            fn store_mut(world: &mut World) -> &mut Store<Self> { &mut world.$field }
            $(
                fn index(&self, world: &mut World) { $index(self, world) }
                fn unindex(&self, world: &mut World) { $unindex(self, world) }
            )?
            fn affected(
                world: &World,
                old: Option<&Self>,
                new: Option<&Self>,
                work: &mut super::affected::Found,
            ) {
                $affected(world, old, new, work)
            }
        }
    )*

        /// The kinds that the world keeps.
        pub const KINDS: &[&str] = &[$($kind::KIND),*];

        impl World {
            /// The objects of one kind in one namespace.
            pub(crate) fn content(&self, kind: &str, namespace: &str) -> Vec<(ObjectRef, ObjectMeta)> {
                $(if kind == $kind::KIND {
                    let objects = self.$field.in_namespace(namespace);
                    return objects.map(|object| (reference(&**object), object.metadata.clone())).collect();
                })*
                Vec::new()
            }

            /// The metadata of the object that a reference names.
            pub fn metadata(&self, reference: &ObjectRef) -> Option<&ObjectMeta> {
                let (namespace, name) = (&reference.namespace, &reference.name);
                $(if reference.kind == $kind::KIND {
                    return Some(&self.$field.get(namespace, name)?.metadata);
                })*
                None
            }
        }

        /// The reference to an object of a kind that the world keeps; `None` for other kinds and groups.
        pub(crate) fn known(api_version: &str, kind: &str, namespace: &str, name: &str) -> Option<ObjectRef> {
            $(if kind == $kind::KIND && api_version == $kind::API_VERSION {
                let namespaced = !matches!($kind::KIND, "Namespace" | "Node");
                return Some(ObjectRef {
                    kind: $kind::KIND,
                    namespace: if namespaced { namespace.to_owned() } else { String::new() },
                    name: name.to_owned(),
                });
            })*
            None
        }
    };
}

use super::affected as changed;

kept! {
    Namespace in namespaces: changed::namespace;
    Node in nodes: changed::node;
    Pod in pods: changed::pod, index_pod, unindex_pod;
    Service in services: changed::service, index_service, unindex_service;
    Endpoints in endpoints: changed::endpoints;
    EndpointSlice in slices: changed::slice, index_slice, unindex_slice;
    StatefulSet in stateful_sets: changed::stateful_set;
    Deployment in deployments: changed::deployment;
    ReplicaSet in replica_sets: changed::replica_set, index_replica_set, unindex_replica_set;
}

impl World {
    /// The UID of the object that a reference names; empty when it has none.
    pub(crate) fn uid(&self, reference: &ObjectRef) -> Option<&str> {
        Some(self.metadata(reference)?.uid.as_deref().unwrap_or_default())
    }

    pub(crate) fn owner_references(&self, reference: &ObjectRef) -> &[OwnerReference] {
        self.metadata(reference)
            .and_then(|metadata| metadata.owner_references.as_deref())
            .unwrap_or_default()
    }
}

/// What names an object.
pub(crate) fn reference<T: Kept>(object: &T) -> ObjectRef {
    let (namespace, name) = names(object);
    ObjectRef { kind: T::KIND, namespace: namespace.to_owned(), name: name.to_owned() }
}

/// Namespace and name, empty where missing.
pub(crate) fn names<T: Metadata<Ty = ObjectMeta>>(object: &T) -> (&str, &str) {
    let metadata = object.metadata();
    (
        metadata.namespace.as_deref().unwrap_or_default(),
        metadata.name.as_deref().unwrap_or_default(),
    )
}

fn index_pod(pod: &Pod, world: &mut World) {
    let (namespace, name) = names(pod);
    for (key, value) in pod.metadata.labels.iter().flatten() {
        world.pods_by_label.insert(namespace, key, value, name);
    }
    if let Some(node) = &pod.node {
        world.pods_by_node.insert(node, Key::new(namespace, name));
    }
}

fn unindex_pod(pod: &Pod, world: &mut World) {
    let (namespace, name) = names(pod);
    for (key, value) in pod.metadata.labels.iter().flatten() {
        world.pods_by_label.remove(namespace, key, value, name);
    }
    if let Some(node) = &pod.node {
        world.pods_by_node.remove(node, &Key::new(namespace, name));
    }
}

fn index_service(service: &Service, world: &mut World) {
    let (namespace, name) = names(service);
    if let Some(selector) = selector(service) {
        world.services_by_selector.insert(namespace, name, selector);
    }
}

fn unindex_service(service: &Service, world: &mut World) {
    let (namespace, name) = names(service);
    world.services_by_selector.remove(namespace, name);
}

fn index_slice(slice: &EndpointSlice, world: &mut World) {
    let (namespace, name) = names(slice);
    if let Some(service) =
        slice.metadata.labels.as_ref().and_then(|labels| labels.get(SERVICE_NAME))
    {
        world.slices_by_service.insert(namespace, SERVICE_NAME, service, name);
    }
}

fn unindex_slice(slice: &EndpointSlice, world: &mut World) {
    let (namespace, name) = names(slice);
    if let Some(service) =
        slice.metadata.labels.as_ref().and_then(|labels| labels.get(SERVICE_NAME))
    {
        world.slices_by_service.remove(namespace, SERVICE_NAME, service, name);
    }
}

fn index_replica_set(set: &ReplicaSet, world: &mut World) {
    let (namespace, name) = names(set);
    if crate::owner::controller(&set.metadata).is_none() {
        world.orphan_replica_sets.insert(namespace, name.to_owned());
    }
}

fn unindex_replica_set(set: &ReplicaSet, world: &mut World) {
    let (namespace, name) = names(set);
    world.orphan_replica_sets.remove(namespace, &name.to_owned());
}
