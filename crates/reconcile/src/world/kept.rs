//! The kinds that the world keeps, and what it indexes of each.

use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::core::v1::{Endpoints, Namespace, Node, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use k8s_openapi::{Metadata, Resource};
use manifest::labels::SERVICE_NAME;
use manifest::{Kind, KindId, Object, ObjectRef, StoredObject};
use serde_json::Map;

use super::{Pod, Store, World, selector};
use crate::{Key, Work};

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
    fn affected(world: &World, old: Option<&Self>, new: Option<&Self>, work: &mut Found);
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
                work: &mut Found,
            ) {
                $affected(world, old, new, work)
            }
        }
    )*

        /// The kinds whose objects the world keeps whole.
        const WHOLE: &[&str] = &[$($kind::KIND),*];

        impl World {
            /// Takes in an object of any kind.
            pub(super) fn put_object(&mut self, object: Object) -> Vec<Work> {
                match object {
                    $(Object::$kind(object) => self.put(<$kind>::from(object)),)*
                    Object::Stored(object) => self.put_stored(object),
                    Object::Event(_) => Vec::new(),
                }
            }

            /// Takes out an object of any kind.
            pub(super) fn take_object(&mut self, gone: &ObjectRef, uid: Option<&str>) -> Vec<Work> {
                $(if gone.kind == $kind::KIND {
                    return self.take::<$kind>(gone, uid);
                })*
                self.take_stored(gone, uid)
            }

            /// The object that a reference names; of kinds that the world does not keep whole, its metadata.
            pub fn object(&self, reference: &ObjectRef) -> Option<Object> {
                let (namespace, name) = (&reference.namespace, &reference.name);
                $(if reference.kind == $kind::KIND {
                    return Some($kind::clone(self.$field.get(namespace, name)?).into());
                })*
                let metadata = self.stored(reference.kind, namespace, name)?.clone();
                let KindId::Stored(kind) = Kind::by_name(reference.kind)?.id else { return None };
                Some(StoredObject { kind, metadata, content: Map::new() }.into())
            }

            /// The metadata of the object that a reference names.
            pub fn metadata(&self, reference: &ObjectRef) -> Option<&ObjectMeta> {
                let (namespace, name) = (&reference.namespace, &reference.name);
                $(if reference.kind == $kind::KIND {
                    return Some(&self.$field.get(namespace, name)?.metadata);
                })*
                self.stored(reference.kind, namespace, name)
            }

            /// The objects of one kind in one namespace.
            pub(crate) fn content(&self, kind: &'static str, namespace: &str) -> Vec<(ObjectRef, ObjectMeta)> {
                $(if kind == $kind::KIND {
                    let objects = self.$field.in_namespace(namespace);
                    return objects.map(|object| (reference(&**object), object.metadata.clone())).collect();
                })*
                let objects = self.stored.get(kind).into_iter().flat_map(|store| store.in_namespace(namespace));
                objects.map(|metadata| (reference_of(kind, metadata), ObjectMeta::clone(metadata))).collect()
            }

            /// The work of every object.
            pub(super) fn gather_all(&self, work: &mut Found) {
                $(for object in self.$field.iter() {
                    gather(self, None, Some(&**object), work);
                })*
                for (kind, store) in &self.stored {
                    for metadata in store.iter() {
                        gather_stored(self, kind, None, Some(metadata), work);
                    }
                }
            }
        }
    };
}

use super::affected::{self as changed, Found, gather, gather_stored};

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
    ControllerRevision in revisions: changed::revision, index_revision, unindex_revision;
}

/// The kinds that the world keeps: whole, or by their metadata.
pub fn kinds() -> impl Iterator<Item = &'static str> {
    // Another version of a kind has no objects of its own.
    let stored = Kind::all()
        .iter()
        .filter(|kind| matches!(kind.id, KindId::Stored(_)) && kind.is_stored_as_served());
    let stored = stored.map(|kind| kind.kind).filter(|kind| !WHOLE.contains(kind));
    WHOLE.iter().copied().chain(stored)
}

/// The reference to an owner that a dependent in `namespace` names; `None` when it cannot be in the world: a kind
/// that is not kept, or one in a namespace, of a dependent in none.
pub(crate) fn known(
    api_version: &str,
    kind: &str,
    namespace: &str,
    name: &str,
) -> Option<ObjectRef> {
    let kind = Kind::all().iter().find(|known| {
        known.kind == kind
            && known.api_version() == api_version
            && known.stored_as().id != KindId::Event
    })?;
    if kind.namespaced && namespace.is_empty() {
        return None;
    }
    let namespace = if kind.namespaced { namespace } else { "" };
    Some(ObjectRef { kind: kind.kind, namespace: namespace.to_owned(), name: name.to_owned() })
}

impl World {
    /// The metadata of an object of a kind that is not kept whole.
    pub(crate) fn stored(&self, kind: &str, namespace: &str, name: &str) -> Option<&ObjectMeta> {
        self.stored.get(kind)?.get(namespace, name).map(|metadata| &**metadata)
    }

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

/// What names an object with this metadata.
pub(super) fn reference_of(kind: &'static str, metadata: &ObjectMeta) -> ObjectRef {
    ObjectRef {
        kind,
        namespace: metadata.namespace.clone().unwrap_or_default(),
        name: metadata.name.clone().unwrap_or_default(),
    }
}

/// What names an object.
pub(crate) fn reference<T: Kept>(object: &T) -> ObjectRef {
    reference_of(T::KIND, object.metadata())
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

fn index_revision(revision: &ControllerRevision, world: &mut World) {
    let (namespace, name) = names(revision);
    if crate::owner::controller(&revision.metadata).is_none() {
        world.orphan_revisions.insert(namespace, name.to_owned());
    }
}

fn unindex_revision(revision: &ControllerRevision, world: &mut World) {
    let (namespace, name) = names(revision);
    world.orphan_revisions.remove(namespace, &name.to_owned());
}
