//! The status of a Deployment: counts, and the conditions Available and Progressing.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::apps::v1::{Deployment, DeploymentCondition, DeploymentStatus, ReplicaSet};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use manifest::Object;

use super::{Look, sets};
use crate::replica_set::FAILURE;
use crate::world::names;
use crate::{Action, Decision};

const AVAILABLE: &str = "Available";
const PROGRESSING: &str = "Progressing";
const DONE: &str = "NewReplicaSetAvailable";
const TIMED_OUT: &str = "ProgressDeadlineExceeded";
pub(super) const NOT_CREATED: &str = "ReplicaSetCreateError";
const PAUSED: &str = "DeploymentPaused";

/// Whether all pods are of the new template and available.
pub(super) fn complete(look: &Look<'_>) -> bool {
    is_complete(look, &counts(look))
}

fn is_complete(look: &Look<'_>, status: &DeploymentStatus) -> bool {
    let wanted = Some(look.replicas()).filter(|count| *count != 0);
    status.updated_replicas == wanted
        && status.replicas == wanted
        && status.available_replicas == wanted
}

/// The status update of the creation of a ReplicaSet: progress is measured from here.
pub(super) fn created(look: &Look<'_>, set: &str) -> Option<Action> {
    deadline(look)?;
    let mut deployment = look.deployment.clone();
    let status = deployment.status.get_or_insert_default();
    let message = format!("Created new replica set \"{set}\"");
    put(status, condition(look.now, PROGRESSING, "True", "NewReplicaSetCreated", message), true);
    Some(Action::UpdateStatus(Object::Deployment(deployment)))
}

/// The status update that tells that a ReplicaSet cannot be made, if it does not say so yet.
pub(super) fn not_created(look: &Look<'_>, message: &str) -> Option<Action> {
    deadline(look)?;
    let mut deployment = look.deployment.clone();
    let status = deployment.status.get_or_insert_default();
    if reason(status) == NOT_CREATED {
        return None;
    }
    let condition = condition(look.now, PROGRESSING, "False", NOT_CREATED, message.to_owned());
    put(status, condition, false);
    Some(Action::UpdateStatus(Object::Deployment(deployment)))
}

/// The status update that makes the next ReplicaSet take another name.
pub(super) fn collided(deployment: &Deployment, collisions: i32) -> Action {
    let mut deployment = deployment.clone();
    deployment.status.get_or_insert_default().collision_count = Some(collisions.saturating_add(1));
    Action::UpdateStatus(Object::Deployment(deployment))
}

/// The status update that tells of a pause and its end: the time between does not count against the deadline.
pub(super) fn paused_or_resumed(look: &Look<'_>) -> Option<Action> {
    deadline(look)?;
    let mut deployment = look.deployment.clone();
    let status = deployment.status.get_or_insert_default();
    let reason = reason(status);
    let (reason, message) = match (look.paused(), reason) {
        (_, TIMED_OUT) | (true, PAUSED) => return None,
        (true, _) => (PAUSED, "Deployment is paused"),
        (false, PAUSED) => ("DeploymentResumed", "Deployment is resumed"),
        (false, _) => return None,
    };
    put(status, condition(look.now, PROGRESSING, "Unknown", reason, message.to_owned()), false);
    Some(Action::UpdateStatus(Object::Deployment(deployment)))
}

/// The reason of the condition Progressing; empty without one.
fn reason(status: &DeploymentStatus) -> &str {
    let mut conditions = status.conditions.iter().flatten();
    let current = conditions.find(|condition| condition.type_ == PROGRESSING);
    current.and_then(|current| current.reason.as_deref()).unwrap_or_default()
}

/// The update of the status, if it is not what the ReplicaSets say, and when the deadline passes.
pub(super) fn update(look: &Look<'_>) -> Decision {
    let held = look.deployment.status.clone().unwrap_or_default();
    let mut status = counts(look);
    let paces = look.paces();
    let enough = status.available_replicas.unwrap_or(0) >= look.replicas() - paces.1;
    let available = if enough {
        condition(
            look.now,
            AVAILABLE,
            "True",
            "MinimumReplicasAvailable",
            "Deployment has minimum availability.".to_owned(),
        )
    } else {
        condition(
            look.now,
            AVAILABLE,
            "False",
            "MinimumReplicasUnavailable",
            "Deployment does not have minimum availability.".to_owned(),
        )
    };
    put(&mut status, available, false);
    let retry_after = if look.paused() {
        None
    } else {
        let retry_after = progress(look, &held, &mut status);
        failure(look, &mut status);
        retry_after
    };
    if status.conditions.as_ref().is_some_and(Vec::is_empty) {
        status.conditions = None;
    }
    let mut decision = Decision { actions: Vec::new(), retry_after };
    if look.deployment.status.as_ref() != Some(&status) {
        let mut deployment = look.deployment.clone();
        deployment.status = Some(status);
        decision.actions.push(Action::UpdateStatus(Object::Deployment(deployment)));
    }
    decision
}

/// The counts, with the conditions and collisions that the status holds.
fn counts(look: &Look<'_>) -> DeploymentStatus {
    let held = look.deployment.status.clone().unwrap_or_default();
    let total = |count: fn(&ReplicaSet) -> i32| sets::sum(look.sets.all().map(|set| count(set)));
    let wanted = total(sets::replicas);
    let available = total(sets::available);
    let replicas = total(sets::observed);
    let ready = total(sets::ready);
    let updated = look.sets.new.as_ref().map_or(0, |set| sets::observed(set));
    let some = |count: i32| (count != 0).then_some(count);
    DeploymentStatus {
        available_replicas: some(available),
        collision_count: held.collision_count,
        conditions: held.conditions,
        observed_generation: look.deployment.metadata.generation,
        ready_replicas: some(ready),
        replicas: some(replicas),
        terminating_replicas: held.terminating_replicas,
        unavailable_replicas: some(wanted.saturating_sub(available).max(0)),
        updated_replicas: some(updated),
    }
}

fn deadline(look: &Look<'_>) -> Option<SignedDuration> {
    let seconds = look.spec.progress_deadline_seconds.unwrap_or(600);
    // Kubernetes' way to say "none".
    (seconds != i32::MAX).then(|| SignedDuration::from_secs(seconds.into()))
}

/// The condition Progressing; when to look again for the deadline.
fn progress(
    look: &Look<'_>,
    held: &DeploymentStatus,
    status: &mut DeploymentStatus,
) -> Option<Duration> {
    let Some(deadline) = deadline(look) else {
        status
            .conditions
            .get_or_insert_default()
            .retain(|condition| condition.type_ != PROGRESSING);
        return None;
    };
    let current = held.conditions.iter().flatten().find(|condition| condition.type_ == PROGRESSING);
    let reason = reason(held);
    if reason == DONE && status.replicas == status.updated_replicas {
        return None;
    }
    let subject = match &look.sets.new {
        Some(set) => format!("ReplicaSet \"{}\"", names(&**set).1),
        None => format!("Deployment \"{}\"", names(look.deployment).1),
    };
    let older = |status: &DeploymentStatus| {
        status.replicas.unwrap_or(0) - status.updated_replicas.unwrap_or(0)
    };
    let moved = status.updated_replicas > held.updated_replicas
        || status.ready_replicas > held.ready_replicas
        || status.available_replicas > held.available_replicas
        || older(status) < older(held);
    if is_complete(look, status) {
        let message = format!("{subject} has successfully progressed.");
        put(status, condition(look.now, PROGRESSING, "True", DONE, message), false);
        return None;
    }
    if moved {
        let message = format!("{subject} is progressing.");
        put(status, condition(look.now, PROGRESSING, "True", "ReplicaSetUpdated", message), true);
        return Duration::try_from(deadline).ok();
    }
    // A rollout that had succeeded is no longer measured, and one that failed stays failed until it moves.
    if reason == DONE || reason == TIMED_OUT {
        return None;
    }
    let Some(current) = current else {
        // Somebody has begun to care for the deadline.
        let set = names(&**look.sets.new.as_ref()?).1;
        let message = format!("Found new replica set \"{set}\"");
        put(status, condition(look.now, PROGRESSING, "True", "FoundNewReplicaSet", message), true);
        return Duration::try_from(deadline).ok();
    };
    let since = current.last_update_time.as_ref().map_or(look.now, |time| time.0);
    let left = deadline - look.now.duration_since(since);
    if left.is_positive() {
        return Duration::try_from(left).ok();
    }
    let message = format!("{subject} has timed out progressing.");
    put(status, condition(look.now, PROGRESSING, "False", TIMED_OUT, message), false);
    None
}

/// The condition ReplicaFailure: that of the new ReplicaSet, else of an old one.
fn failure(look: &Look<'_>, status: &mut DeploymentStatus) {
    let found = look.sets.new.iter().chain(&look.sets.old).find_map(|set| {
        let mut conditions = set.status.as_ref()?.conditions.iter().flatten();
        conditions.find(|condition| condition.type_ == FAILURE)
    });
    let Some(found) = found else {
        status.conditions.get_or_insert_default().retain(|held| held.type_ != FAILURE);
        return;
    };
    let condition = DeploymentCondition {
        last_transition_time: found.last_transition_time.clone(),
        last_update_time: found.last_transition_time.clone(),
        message: found.message.clone(),
        reason: found.reason.clone(),
        status: found.status.clone(),
        type_: found.type_.clone(),
    };
    put(status, condition, false);
}

fn condition(
    now: Timestamp,
    kind: &str,
    status: &str,
    reason: &str,
    message: String,
) -> DeploymentCondition {
    DeploymentCondition {
        last_transition_time: Some(Time(now)),
        last_update_time: Some(Time(now)),
        message: Some(message),
        reason: Some(reason.to_owned()),
        status: status.to_owned(),
        type_: kind.to_owned(),
    }
}

/// Sets a condition, as the last one. One of the same status keeps its transition time; one of the same reason too
/// stays as it is, unless `refresh` says that its update time matters.
fn put(status: &mut DeploymentStatus, mut new: DeploymentCondition, refresh: bool) {
    let conditions = status.conditions.get_or_insert_default();
    let at = conditions.iter().position(|condition| condition.type_ == new.type_);
    if let Some(at) = at {
        let held = &conditions[at];
        if held.status == new.status && held.reason == new.reason && !refresh {
            return;
        }
        let held = conditions.remove(at);
        if held.status == new.status {
            new.last_transition_time = held.last_transition_time;
        }
    }
    conditions.push(new);
}
