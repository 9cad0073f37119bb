//! The status of a StatefulSet.

use std::time::Duration;

use k8s_openapi::api::apps::v1::{StatefulSet, StatefulSetStatus};
use manifest::Object;

use super::{Look, revision};
use crate::{Action, pod};

/// The update of the status, if it is not what the pods say.
pub(super) fn update(look: &Look<'_>) -> Option<Action> {
    let held = look.set.status.clone().unwrap_or_default();
    let status = status(look, &held);
    if look.set.status.as_ref() == Some(&status) {
        return None;
    }
    let mut set = StatefulSet::clone(look.set);
    set.status = Some(status);
    Some(Action::UpdateStatus(Object::StatefulSet(set)))
}

/// The update of the status that makes the next revision take another name.
pub(super) fn collided(set: &StatefulSet) -> Action {
    let mut set = set.clone();
    let collisions = &mut set.status.get_or_insert_default().collision_count;
    *collisions = Some(collisions.unwrap_or(0).saturating_add(1));
    Action::UpdateStatus(Object::StatefulSet(set))
}

fn status(look: &Look<'_>, held: &StatefulSetStatus) -> StatefulSetStatus {
    let mut replicas = 0;
    let mut ready = 0;
    let mut available = 0;
    let mut current = 0;
    let mut updated = 0;
    for pod in &look.pods {
        replicas += 1;
        if pod::phase(pod) == "Running" && pod.is_ready() {
            ready += 1;
            let wait = pod::available_in(pod, look.min_ready_seconds, look.context_now);
            available += i32::from(wait == Some(Duration::ZERO));
        }
        if !pod::terminating(pod) {
            current += i32::from(revision(pod) == Some(&look.revisions.current));
            updated += i32::from(revision(pod) == Some(&look.revisions.update));
        }
    }
    let mut current_revision = look.revisions.current.clone();
    let wanted = look.spec.replicas.unwrap_or(1);
    // The update is complete: its revision is the current one from now on.
    if !look.on_delete() && updated == wanted && ready == wanted && replicas == wanted {
        current = updated;
        current_revision.clone_from(&look.revisions.update);
    }
    let some = |count: i32| (count != 0).then_some(count);
    StatefulSetStatus {
        available_replicas: Some(available),
        collision_count: Some(held.collision_count.unwrap_or(0)),
        conditions: held.conditions.clone(),
        current_replicas: some(current),
        current_revision: Some(current_revision),
        observed_generation: look.set.metadata.generation,
        ready_replicas: some(ready),
        replicas,
        update_revision: Some(look.revisions.update.clone()),
        updated_replicas: some(updated),
    }
}
