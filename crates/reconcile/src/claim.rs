//! Which objects a controller owns: it takes orphans that its selector matches, and lets go of what it does not.

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use k8s_openapi::{Metadata, Resource};

use crate::owner::{controlled_by, controller};
use crate::pod;
use crate::selector::compile;
use crate::world::{Kept, Pod};
use crate::{Action, World};

/// What was claimed.
pub(crate) struct Claim<T> {
    /// The controller's own objects, by name.
    pub(crate) owned: Vec<Arc<T>>,
    /// Adoptions and releases, to be done before anything else is decided.
    pub(crate) actions: Vec<Action>,
}

/// Claims the pods of a controller. `adoptable` narrows which orphans are taken.
pub(crate) fn pods<T>(
    world: &World,
    owner: &T,
    selector: &LabelSelector,
    adoptable: impl Fn(&Pod) -> bool,
) -> Claim<Pod>
where
    T: Resource + Metadata<Ty = ObjectMeta>,
{
    let namespace = owner.metadata().namespace.as_deref().unwrap_or_default();
    let orphans = world.pods_selected(namespace, selector).filter(|candidate| {
        !pod::terminating(candidate) && !pod::ended(candidate) && adoptable(candidate)
    });
    objects(world, owner, selector, orphans)
}

/// Claims objects: those that `owner` controls, and `orphans` that nothing controls.
pub(crate) fn objects<'a, T, C>(
    world: &'a World,
    owner: &T,
    selector: &LabelSelector,
    orphans: impl Iterator<Item = &'a Arc<C>>,
) -> Claim<C>
where
    T: Resource + Metadata<Ty = ObjectMeta>,
    C: Kept + 'a,
{
    let metadata = owner.metadata();
    let uid = metadata.uid.as_deref().unwrap_or_default();
    let name = metadata.name.as_deref().unwrap_or_default();
    let namespace = metadata.namespace.as_deref().unwrap_or_default();
    let leaving = metadata.deletion_timestamp.is_some();
    let selector = compile(selector);
    let matches = |metadata: &ObjectMeta| {
        metadata.labels.as_ref().is_some_and(|labels| selector.matches(labels))
    };
    let mut claim = Claim { owned: Vec::new(), actions: Vec::new() };
    for reference in world.dependents_of(uid).filter(|reference| reference.kind == C::KIND) {
        let Some(object) = world.get::<C>(&reference.namespace, &reference.name) else { continue };
        let ours = reference.namespace == namespace
            && controller(object.metadata()).is_some_and(|owner| {
                owner.uid == uid && owner.name == name && owner.kind == T::KIND
            });
        if !ours {
            continue;
        }
        if matches(object.metadata()) {
            claim.owned.push(object.clone());
        } else if !leaving && object.metadata().deletion_timestamp.is_none() {
            let mut released = C::clone(object);
            let owners = released.metadata_mut().owner_references.get_or_insert_default();
            owners.retain(|owner| owner.uid != uid);
            claim.actions.push(Action::Update(released.into()));
        }
    }
    if leaving || world.terminating(namespace) {
        return claim;
    }
    for object in orphans {
        let metadata = object.metadata();
        if controller(metadata).is_some()
            || metadata.deletion_timestamp.is_some()
            || !matches(metadata)
        {
            continue;
        }
        let mut adopted = C::clone(object);
        let owners = adopted.metadata_mut().owner_references.get_or_insert_default();
        owners.retain(|owner| owner.uid != uid);
        owners.push(controlled_by(owner));
        claim.actions.push(Action::Update(adopted.into()));
    }
    claim
}
