//! Garbage collection: objects whose owners are gone, and the part that dependents play in a deletion
//! (K: `pkg/controller/garbagecollector`).
//!
//! Only owners of the kinds that the world keeps, and of kinds that are synced, can count as gone; and even then
//! the API has the last word (see [`Action::Collect`]).

use std::collections::BTreeSet;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use manifest::labels::{FOREGROUND, ORPHAN};
use manifest::{Object, ObjectRef};

use crate::action::Owner;
use crate::world::known;
use crate::{Action, Decision, Propagation, World};

pub(crate) fn decide(world: &World, target: &ObjectRef) -> Decision {
    let Some(metadata) = world.metadata(target) else { return Decision::default() };
    if metadata.deletion_timestamp.is_none() {
        return collect(world, target, metadata).into_iter().collect::<Vec<_>>().into();
    }
    if !world.all_synced() {
        return Decision::default();
    }
    let mut actions = Vec::new();
    if has(metadata, ORPHAN) {
        orphan(world, target, metadata, &mut actions);
    } else if has(metadata, FOREGROUND) {
        foreground(world, target, metadata, &mut actions);
    }
    actions.into()
}

fn has(metadata: &ObjectMeta, finalizer: &str) -> bool {
    metadata.finalizers.iter().flatten().any(|held| held == finalizer)
}

/// The dependents lose their reference to the object that goes; then it may go.
fn orphan(world: &World, target: &ObjectRef, metadata: &ObjectMeta, actions: &mut Vec<Action>) {
    let uid = metadata.uid.as_deref().unwrap_or_default();
    for dependent in world.dependents_of(uid) {
        if let Some(mut object) = world.object(dependent) {
            let owners = object.metadata_mut().owner_references.get_or_insert_default();
            owners.retain(|owner| owner.uid != uid);
            actions.push(Action::Update(object));
        }
    }
    if actions.is_empty() {
        actions.extend(without_finalizer(world, target, ORPHAN));
    }
}

/// How many owners, and owners of owners, are asked whether an object waits for itself.
const OWNERS_ASKED_MAX: usize = 1_000;

/// The dependents that block the deletion go first; then the object may go.
fn foreground(world: &World, target: &ObjectRef, metadata: &ObjectMeta, actions: &mut Vec<Action>) {
    let uid = metadata.uid.as_deref().unwrap_or_default();
    let mut blocked = false;
    for dependent in world.dependents_of(uid) {
        let Some(metadata) = world.metadata(dependent) else { continue };
        if !blocked_owners(metadata).any(|owner| owner.uid == uid) {
            continue;
        }
        blocked = true;
        if metadata.deletion_timestamp.is_none() {
            actions.extend(collect(world, dependent, metadata));
        }
    }
    if !blocked {
        actions.extend(without_finalizer(world, target, FOREGROUND));
    } else if waits_for_itself(world, metadata) {
        actions.extend(unblocking(world, target));
    }
}

/// The owners whose deletion waits for this dependent.
fn blocked_owners(metadata: &ObjectMeta) -> impl Iterator<Item = &OwnerReference> {
    let owners = metadata.owner_references.iter().flatten();
    owners.filter(|owner| owner.block_owner_deletion == Some(true))
}

/// Whether an object that waits for its dependents is, over owners that wait as well, one of its own dependents: such a
/// circle would wait for ever. Kubernetes suspects one wherever an owner and a dependent both wait; here only owners too
/// many to be asked are taken for one. That costs no more than the order in which they go.
fn waits_for_itself(world: &World, metadata: &ObjectMeta) -> bool {
    let mut seen = BTreeSet::new();
    let mut unasked = vec![metadata];
    while let Some(dependent) = unasked.pop() {
        let namespace = dependent.namespace.as_deref().unwrap_or_default();
        for owner in blocked_owners(dependent) {
            if Some(&owner.uid) == metadata.uid.as_ref() || seen.len() == OWNERS_ASKED_MAX {
                return true;
            }
            if seen.insert(&owner.uid) {
                let target = known(&owner.api_version, &owner.kind, namespace, &owner.name);
                let found = target.and_then(|target| world.metadata(&target));
                unasked.extend(
                    found.filter(|found| {
                        found.uid.as_deref() == Some(&owner.uid) && is_waiting(found)
                    }),
                );
            }
        }
    }
    false
}

/// The object with references that block no owner's deletion.
fn unblocking(world: &World, target: &ObjectRef) -> Option<Action> {
    let mut object = world.object(target)?;
    for owner in object.metadata_mut().owner_references.iter_mut().flatten() {
        owner.block_owner_deletion = Some(false);
    }
    Some(Action::Update(object))
}

fn is_waiting(metadata: &ObjectMeta) -> bool {
    metadata.deletion_timestamp.is_some() && has(metadata, FOREGROUND)
}

fn without_finalizer(world: &World, target: &ObjectRef, finalizer: &str) -> Option<Action> {
    let mut object = world.object(target)?;
    let metadata = object.metadata_mut();
    metadata.finalizers.get_or_insert_default().retain(|held| held != finalizer);
    Some(Action::Update(object))
}

/// How an owner stands.
enum Standing {
    /// There, or not known to be gone.
    Solid,
    /// Gone as far as the world tells.
    Absent,
    /// Being deleted, and waiting for its dependents.
    Waiting,
}

fn standing(world: &World, namespace: &str, owner: &OwnerReference) -> Standing {
    let Some(target) = known(&owner.api_version, &owner.kind, namespace, &owner.name) else {
        return Standing::Solid;
    };
    match world.metadata(&target) {
        Some(metadata) if metadata.uid.as_deref() == Some(&owner.uid) => {
            if is_waiting(metadata) {
                Standing::Waiting
            } else {
                Standing::Solid
            }
        }
        _ if world.synced(target.kind) => Standing::Absent,
        _ => Standing::Solid,
    }
}

/// What becomes of an object by its owners alone.
fn collect(world: &World, target: &ObjectRef, metadata: &ObjectMeta) -> Option<Action> {
    let owners = metadata.owner_references.as_deref().unwrap_or_default();
    let mut solid = Vec::new();
    let mut absent = Vec::new();
    let mut waiting = false;
    for owner in owners {
        match standing(world, &target.namespace, owner) {
            Standing::Solid => solid.push(owner.clone()),
            Standing::Waiting => waiting = true,
            Standing::Absent => absent.extend(
                known(&owner.api_version, &owner.kind, &target.namespace, &owner.name)
                    .map(|target| Owner { target, uid: owner.uid.clone() }),
            ),
        }
    }
    if absent.is_empty() && !waiting {
        return None;
    }
    if !solid.is_empty() {
        // Others keep it alive; it only forgets the owners that are gone or going.
        let mut object: Object = world.object(target)?;
        object.metadata_mut().owner_references = Some(solid);
        return Some(match absent.is_empty() {
            true => Action::Update(object),
            false => Action::Release { object, absent },
        });
    }
    let uid = metadata.uid.clone().unwrap_or_default();
    let propagation = if has(metadata, ORPHAN) {
        Propagation::Orphan
    } else if has(metadata, FOREGROUND) || (waiting && world.dependents_of(&uid).next().is_some()) {
        Propagation::Foreground
    } else {
        Propagation::Background
    };
    let target = target.clone();
    Some(match absent.is_empty() {
        true => Action::Delete { target, uid, propagation },
        false => Action::Collect { target, uid, propagation, absent },
    })
}
