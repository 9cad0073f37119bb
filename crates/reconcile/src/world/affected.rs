//! Which work a change of an object calls for: for the object as it was, and as it is.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::Metadata;
use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::core::v1::{Endpoints, Namespace, Node, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta, OwnerReference};
use manifest::labels::{
    FOREGROUND, MIRRORING_CONTROLLER, ORPHAN, SERVICE_NAME, SLICE_MANAGED_BY, ZONE,
};

use super::kept::{Indexed, known, names, reference_of};
use super::{Kept, Pod, World};
use crate::namespace::DEFAULT_ACCOUNT;
use crate::owner::controller;
use crate::selector::compile;
use crate::{Key, Work};

/// The pieces found.
pub(super) type Found = BTreeSet<Work>;

/// All work for a change: `old` is `None` for a new object, `new` for one that is gone.
pub(super) fn gather<T: Indexed>(
    world: &World,
    old: Option<&T>,
    new: Option<&T>,
    work: &mut Found,
) {
    T::affected(world, old, new, work);
    let before = old.map(Metadata::metadata);
    let after = new.map(Metadata::metadata);
    whatever_kind(world, T::KIND, before, after, work);
}

/// The same for an object of which only the metadata is kept.
pub(super) fn gather_stored(
    world: &World,
    kind: &'static str,
    old: Option<&ObjectMeta>,
    new: Option<&ObjectMeta>,
    work: &mut Found,
) {
    match kind {
        "PersistentVolumeClaim" => claim(world, old, new, work),
        "ServiceAccount" => service_account(old, new, work),
        _ => {}
    }
    whatever_kind(world, kind, old, new, work);
}

/// What holds for every kind: owners, dependents, the end of the namespace.
fn whatever_kind(
    world: &World,
    kind: &'static str,
    before: Option<&ObjectMeta>,
    after: Option<&ObjectMeta>,
    work: &mut Found,
) {
    let Some(either) = after.or(before) else { return };
    let namespace = either.namespace.as_deref().unwrap_or_default();
    if world.terminating(namespace) {
        work.insert(Work::Namespace(namespace.to_owned()));
    }
    dependents(world, before, after, work);
    owners(world, namespace, before, after, work);
    if let Some(metadata) = after {
        let dangling = || {
            let changed =
                before.is_none_or(|before| before.owner_references != metadata.owner_references);
            changed
                && metadata
                    .owner_references
                    .iter()
                    .flatten()
                    .any(|owner| !world.owner_present(namespace, owner))
        };
        if waits_for_garbage(metadata) || dangling() {
            work.insert(Work::Garbage(reference_of(kind, metadata)));
        }
    }
}

/// Whether the object is being deleted and its finalizers leave a part of that to garbage collection.
fn waits_for_garbage(metadata: &ObjectMeta) -> bool {
    metadata.deletion_timestamp.is_some()
        && metadata
            .finalizers
            .iter()
            .flatten()
            .any(|finalizer| finalizer == FOREGROUND || finalizer == ORPHAN)
}

/// The dependents of an object that is gone, or is another one under the same name.
fn dependents(
    world: &World,
    before: Option<&ObjectMeta>,
    after: Option<&ObjectMeta>,
    work: &mut Found,
) {
    let Some(uid) = before.and_then(|before| before.uid.as_deref()) else { return };
    if after.is_some_and(|after| after.uid.as_deref() == Some(uid)) {
        return;
    }
    work.extend(world.dependents_of(uid).cloned().map(Work::Garbage));
}

/// The owners whose foreground deletion may have waited for this object.
fn owners(
    world: &World,
    namespace: &str,
    before: Option<&ObjectMeta>,
    after: Option<&ObjectMeta>,
    work: &mut Found,
) {
    fn references(metadata: Option<&ObjectMeta>) -> &[OwnerReference] {
        metadata.and_then(|metadata| metadata.owner_references.as_deref()).unwrap_or_default()
    }
    let now = references(after);
    for owner in references(before).iter().filter(|owner| !now.contains(owner)) {
        let Some(target) = known(&owner.api_version, &owner.kind, namespace, &owner.name) else {
            continue;
        };
        if world.metadata(&target).is_some_and(waits_for_garbage) {
            work.insert(Work::Garbage(target));
        }
    }
}

pub(super) fn namespace(
    _: &World,
    _: Option<&Namespace>,
    new: Option<&Namespace>,
    work: &mut Found,
) {
    if let Some(new) = new {
        work.insert(Work::Namespace(new.metadata.name.clone().unwrap_or_default()));
    }
}

/// A namespace has its ServiceAccount `default` made again.
fn service_account(old: Option<&ObjectMeta>, new: Option<&ObjectMeta>, work: &mut Found) {
    if let Some(gone) = old.filter(|_| new.is_none())
        && gone.name.as_deref() == Some(DEFAULT_ACCOUNT)
    {
        work.insert(Work::Namespace(gone.namespace.clone().unwrap_or_default()));
    }
}

/// The StatefulSet whose claim template this claim, `<template>-<set>-<ordinal>`, may be of.
fn claim(world: &World, old: Option<&ObjectMeta>, new: Option<&ObjectMeta>, work: &mut Found) {
    let Some(either) = new.or(old) else { return };
    let namespace = either.namespace.as_deref().unwrap_or_default();
    let name = either.name.as_deref().unwrap_or_default();
    let Some((base, _)) = name.rsplit_once('-') else { return };
    // Both names may have dashes in them.
    for (dash, _) in base.match_indices('-') {
        let (template, set) = (&base[..dash], &base[dash + 1..]);
        let Some(set) = world.stateful_sets.get(namespace, set) else { continue };
        let templates =
            set.spec.iter().flat_map(|spec| spec.volume_claim_templates.iter().flatten());
        if templates.into_iter().any(|held| held.metadata.name.as_deref() == Some(template)) {
            work.insert(Work::StatefulSet(key(&**set)));
        }
    }
}

/// Endpoints name a pod's node and zone, and pods on nodes that do not exist are left out.
pub(super) fn node(world: &World, old: Option<&Node>, new: Option<&Node>, work: &mut Found) {
    let zone = |node: Option<&Node>| {
        node.map(|node| node.metadata.labels.as_ref().and_then(|has| has.get(ZONE)).cloned())
    };
    if zone(old) == zone(new) {
        return;
    }
    let Some(name) = new.or(old).and_then(|node| node.metadata.name.as_deref()) else { return };
    for key in world.pods_by_node.get(name) {
        if let Some(pod) = world.pods.get(&key.namespace, &key.name) {
            services_of(world, &key.namespace, pod.metadata.labels.as_ref(), work);
        }
    }
}

pub(super) fn pod(world: &World, old: Option<&Pod>, new: Option<&Pod>, work: &mut Found) {
    let Some(either) = new.or(old) else { return };
    let (namespace, _) = names(either);
    let relabelled = labels(old) != labels(new);
    let endpoint_changed = match (old, new) {
        (Some(old), Some(new)) => !crate::pod::same_endpoint(old, new),
        _ => true,
    };
    if relabelled || endpoint_changed {
        services_of(world, namespace, labels(new), work);
        if relabelled {
            services_of(world, namespace, labels(old), work);
        }
    }
    for pod in [old, new].into_iter().flatten() {
        match controller(&pod.metadata) {
            Some(owner) if owner.kind == "StatefulSet" => {
                work.insert(Work::StatefulSet(Key::new(namespace, &owner.name)));
            }
            Some(owner) if owner.kind == "ReplicaSet" => {
                work.insert(Work::ReplicaSet(Key::new(namespace, &owner.name)));
                // A Deployment that recreates waits until the pods themselves are gone.
                if new.is_none()
                    && let Some(set) = world.replica_sets.get(namespace, &owner.name)
                    && let Some(owner) = controller(&set.metadata)
                {
                    work.insert(Work::Deployment(Key::new(namespace, &owner.name)));
                }
            }
            _ => {}
        }
    }
    let ownership =
        |pod: Option<&Pod>| pod.map(|pod| controller(&pod.metadata).map(|owner| owner.uid.clone()));
    if let Some(new) = new
        && controller(&new.metadata).is_none()
        && (relabelled || ownership(old) != Some(None))
    {
        adopters(world, namespace, new, work);
    }
}

fn labels(pod: Option<&Pod>) -> Option<&BTreeMap<String, String>> {
    pod?.metadata.labels.as_ref()
}

/// The sets that may adopt a pod that nothing controls.
fn adopters(world: &World, namespace: &str, pod: &Pod, work: &mut Found) {
    let empty = BTreeMap::new();
    let labels = pod.metadata.labels.as_ref().unwrap_or(&empty);
    for set in world.replica_sets.in_namespace(namespace) {
        if set.spec.as_ref().is_some_and(|spec| compile(&spec.selector).matches(labels)) {
            work.insert(Work::ReplicaSet(key(&**set)));
        }
    }
    stateful_sets_selecting(world, namespace, labels, work);
}

fn stateful_sets_selecting(
    world: &World,
    namespace: &str,
    labels: &BTreeMap<String, String>,
    work: &mut Found,
) {
    for set in world.stateful_sets.in_namespace(namespace) {
        if set.spec.as_ref().is_some_and(|spec| compile(&spec.selector).matches(labels)) {
            work.insert(Work::StatefulSet(key(&**set)));
        }
    }
}

fn services_of(
    world: &World,
    namespace: &str,
    labels: Option<&BTreeMap<String, String>>,
    work: &mut Found,
) {
    let Some(labels) = labels else { return };
    for service in world.services_selecting(namespace, labels) {
        let key = key(&**service);
        work.insert(Work::EndpointSlices(key.clone()));
        work.insert(Work::Endpoints(key));
    }
}

pub(super) fn service(_: &World, old: Option<&Service>, new: Option<&Service>, work: &mut Found) {
    if let Some(service) = new.or(old) {
        let key = key(service);
        work.insert(Work::EndpointSlices(key.clone()));
        work.insert(Work::Endpoints(key.clone()));
        work.insert(Work::Mirror(key));
    }
}

pub(super) fn endpoints(
    world: &World,
    old: Option<&Endpoints>,
    new: Option<&Endpoints>,
    work: &mut Found,
) {
    if let Some(endpoints) = new.or(old) {
        let key = key(endpoints);
        // Without a Service it may be one that a person makes before its Service: only the removal of a Service
        // removes its Endpoints.
        if world.services.get(&key.namespace, &key.name).is_some() {
            work.insert(Work::Endpoints(key.clone()));
        }
        work.insert(Work::Mirror(key));
    }
}

pub(super) fn slice(
    _: &World,
    old: Option<&EndpointSlice>,
    new: Option<&EndpointSlice>,
    work: &mut Found,
) {
    for slice in [old, new].into_iter().flatten() {
        let Some(labels) = &slice.metadata.labels else { continue };
        let Some(service) = labels.get(SERVICE_NAME) else { continue };
        let key = Key::new(names(slice).0, service);
        match labels.get(SLICE_MANAGED_BY).map(String::as_str) {
            Some(MIRRORING_CONTROLLER) => work.insert(Work::Mirror(key)),
            _ => work.insert(Work::EndpointSlices(key)),
        };
    }
}

pub(super) fn stateful_set(
    _: &World,
    _: Option<&StatefulSet>,
    new: Option<&StatefulSet>,
    work: &mut Found,
) {
    if let Some(set) = new {
        work.insert(Work::StatefulSet(key(set)));
    }
}

pub(super) fn revision(
    world: &World,
    old: Option<&ControllerRevision>,
    new: Option<&ControllerRevision>,
    work: &mut Found,
) {
    for revision in [old, new].into_iter().flatten() {
        let (namespace, _) = names(revision);
        match controller(&revision.metadata) {
            Some(owner) if owner.kind == "StatefulSet" => {
                work.insert(Work::StatefulSet(Key::new(namespace, &owner.name)));
            }
            Some(_) => {}
            None => {
                let empty = BTreeMap::new();
                let labels = revision.metadata.labels.as_ref().unwrap_or(&empty);
                stateful_sets_selecting(world, namespace, labels, work);
            }
        }
    }
}

pub(super) fn deployment(
    _: &World,
    _: Option<&Deployment>,
    new: Option<&Deployment>,
    work: &mut Found,
) {
    if let Some(deployment) = new {
        work.insert(Work::Deployment(key(deployment)));
    }
}

pub(super) fn replica_set(
    world: &World,
    old: Option<&ReplicaSet>,
    new: Option<&ReplicaSet>,
    work: &mut Found,
) {
    if let Some(set) = new {
        work.insert(Work::ReplicaSet(key(set)));
    }
    for set in [old, new].into_iter().flatten() {
        let (namespace, _) = names(set);
        match controller(&set.metadata) {
            Some(owner) if owner.kind == "Deployment" => {
                work.insert(Work::Deployment(Key::new(namespace, &owner.name)));
            }
            Some(_) => {}
            None => {
                let empty = BTreeMap::new();
                let labels = set.metadata.labels.as_ref().unwrap_or(&empty);
                let selects = |selector: &LabelSelector| compile(selector).matches(labels);
                for deployment in world.deployments.in_namespace(namespace) {
                    if deployment.spec.as_ref().is_some_and(|spec| selects(&spec.selector)) {
                        work.insert(Work::Deployment(key(&**deployment)));
                    }
                }
            }
        }
    }
}

fn key<T: Kept>(object: &T) -> Key {
    let (namespace, name) = names(object);
    Key::new(namespace, name)
}
