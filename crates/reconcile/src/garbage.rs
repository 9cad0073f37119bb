//! Garbage collection: objects whose owners are gone, and the part that dependents play in a deletion
//! (K: `pkg/controller/garbagecollector`).
//!
//! Only owners of the kinds that the world keeps, and of kinds that are synced, can count as gone; and even then
//! the API has the last word (see [`Action::Collect`]).

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

/// The dependents that block the deletion go first; then the object may go.
fn foreground(world: &World, target: &ObjectRef, metadata: &ObjectMeta, actions: &mut Vec<Action>) {
    let uid = metadata.uid.as_deref().unwrap_or_default();
    let mut blocked = false;
    for dependent in world.dependents_of(uid) {
        let Some(metadata) = world.metadata(dependent) else { continue };
        let blocks =
            |owner: &OwnerReference| owner.uid == uid && owner.block_owner_deletion == Some(true);
        if !metadata.owner_references.iter().flatten().any(blocks) {
            continue;
        }
        blocked = true;
        if metadata.deletion_timestamp.is_none() {
            actions.extend(collect(world, dependent, metadata));
        }
    }
    if !blocked {
        actions.extend(without_finalizer(world, target, FOREGROUND));
    }
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
            if metadata.deletion_timestamp.is_some() && has(metadata, FOREGROUND) {
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
