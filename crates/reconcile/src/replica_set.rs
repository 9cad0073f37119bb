//! ReplicaSets: so many pods of one template (K: `pkg/controller/replicaset`).

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{
    ReplicaSet, ReplicaSetCondition, ReplicaSetSpec, ReplicaSetStatus,
};
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use manifest::Object;

use crate::owner::{controlled_by, controller};
use crate::world::{Pod, Refusal, carries, names};
use crate::{Action, Context, Decision, Key, Work, World, claim, pod};

const COMPONENT: &str = "replicaset-controller";

/// The condition of a ReplicaSet whose pods cannot be made; its Deployment shows it too.
pub(crate) const FAILURE: &str = "ReplicaFailure";

/// The most pods made or deleted in one decision.
const BURST_MAX: usize = 500;

pub(crate) fn decide(world: &World, key: &Key, context: &mut Context<'_>) -> Decision {
    let Some(set) = world.get::<ReplicaSet>(&key.namespace, &key.name) else {
        return Decision::default();
    };
    let Some(spec) = &set.spec else { return Decision::default() };
    let claim = claim::pods(world, &**set, &spec.selector, |_| true);
    if !claim.actions.is_empty() {
        return claim.actions.into();
    }
    let active: Vec<Arc<Pod>> =
        claim.owned.into_iter().filter(|pod| !pod::ended(pod) && !pod::terminating(pod)).collect();
    let mut decision = Decision::default();
    let mut refused = None;
    if set.metadata.deletion_timestamp.is_none() {
        manage(world, set, spec, &active, context, &mut decision.actions);
        if decision.actions.iter().any(|action| matches!(action, Action::Create(_))) {
            refused = world.refusal(&Work::ReplicaSet(key.clone()));
        }
    }
    if let Some(Refusal { message, .. }) = refused {
        let text = format!("Error creating: {message}");
        let told = Action::warning(&**set, COMPONENT, "FailedCreate", text);
        let status = update_status(set, spec, &active, Some(message.as_str()), context.now);
        decision.actions.splice(0..0, std::iter::once(told).chain(status));
    }
    let min_ready_seconds = spec.min_ready_seconds.unwrap_or(0);
    decision.retry_after = active
        .iter()
        .filter_map(|pod| pod::available_in(pod, min_ready_seconds, context.now))
        .filter(|wait| !wait.is_zero())
        .min();
    if decision.actions.is_empty() {
        decision.actions.extend(update_status(set, spec, &active, None, context.now));
    }
    decision
}

fn manage(
    world: &World,
    set: &ReplicaSet,
    spec: &ReplicaSetSpec,
    active: &[Arc<Pod>],
    context: &mut Context<'_>,
    actions: &mut Vec<Action>,
) {
    let wanted = usize::try_from(spec.replicas.unwrap_or(1)).unwrap_or(0);
    // Told after all that they report.
    let mut told = Vec::new();
    let mut record = |reason, message| {
        told.push(Action::normal(set, COMPONENT, reason, message));
    };
    let mut taken = BTreeSet::new();
    for _ in active.len()..wanted.min(active.len() + BURST_MAX) {
        let pod = new_pod(world, set, spec, &taken, context);
        let name = pod.metadata.name.clone().unwrap_or_default();
        actions.push(Action::Create(Object::Pod(pod)));
        record("SuccessfulCreate", format!("Created pod: {name}"));
        taken.insert(name);
    }
    if active.len() > wanted {
        for pod in to_delete(world, set, active, (active.len() - wanted).min(BURST_MAX)) {
            actions.push(Action::delete(&*pod));
            record("SuccessfulDelete", format!("Deleted pod: {}", names(&*pod).1));
        }
    }
    actions.append(&mut told);
}

fn new_pod(
    world: &World,
    set: &ReplicaSet,
    spec: &ReplicaSetSpec,
    taken: &BTreeSet<String>,
    context: &mut Context<'_>,
) -> core::Pod {
    let (namespace, name) = names(set);
    let template = spec.template.clone().unwrap_or_default();
    let labelled = template.metadata.unwrap_or_default();
    let base = format!("{name}-");
    let name = context
        .name(&base, |name| world.get::<Pod>(namespace, name).is_some() || taken.contains(name));
    core::Pod {
        metadata: ObjectMeta {
            annotations: labelled.annotations,
            finalizers: labelled.finalizers,
            generate_name: Some(base),
            labels: labelled.labels,
            name: Some(name),
            namespace: Some(namespace.to_owned()),
            owner_references: Some(vec![controlled_by(set)]),
            ..ObjectMeta::default()
        },
        spec: Some(template.spec.unwrap_or_default()),
        status: None,
    }
}

/// Which pods go first when there are too many, as Kubernetes chooses: without a node before with one, Pending
/// before Running, not ready before ready, the cheaper by `pod-deletion-cost`, more siblings on the same node,
/// ready for a shorter time, restarted more often, younger.
fn to_delete(world: &World, set: &ReplicaSet, active: &[Arc<Pod>], count: usize) -> Vec<Arc<Pod>> {
    let crowd = crowd(world, set);
    let mut pods = active.to_vec();
    pods.sort_by_cached_key(|pod| {
        let phase = match pod::phase(pod) {
            "Running" => 2,
            "Unknown" => 1,
            _ => 0,
        };
        let ready_since = pod.ready.filter(|ready| ready.is).and_then(|ready| ready.since);
        let siblings = pod::node(pod).and_then(|node| crowd.get(node)).copied().unwrap_or(0);
        (
            (pod::node(pod).is_some(), phase, pod.is_ready()),
            (deletion_cost(pod), Reverse(siblings), Reverse(ready_since)),
            (Reverse(pod.restarts), Reverse(created(pod)), names(&**pod).1.to_owned()),
        )
    });
    pods.truncate(count);
    pods
}

/// How many active pods of this set, and of the others of the same controller, are on each node.
fn crowd(world: &World, set: &ReplicaSet) -> HashMap<String, usize> {
    let mut related = vec![set.metadata.uid.clone().unwrap_or_default()];
    if let Some(owner) = controller(&set.metadata) {
        let siblings =
            world.dependents_of(&owner.uid).filter(|reference| reference.kind == "ReplicaSet");
        related.extend(siblings.filter_map(|reference| world.uid(reference)).map(str::to_owned));
    }
    related.sort();
    related.dedup();
    let mut crowd = HashMap::new();
    for uid in related {
        for reference in world.dependents_of(&uid).filter(|reference| reference.kind == "Pod") {
            let pod = world.get::<Pod>(&reference.namespace, &reference.name);
            let Some(pod) = pod.filter(|pod| !pod::ended(pod) && !pod::terminating(pod)) else {
                continue;
            };
            if let Some(node) = pod::node(pod) {
                *crowd.entry(node.to_owned()).or_default() += 1;
            }
        }
    }
    crowd
}

fn deletion_cost(pod: &Pod) -> i32 {
    let annotations = pod.metadata.annotations.as_ref();
    let cost = annotations.and_then(|annotations| annotations.get(manifest::labels::DELETION_COST));
    cost.and_then(|cost| cost.parse().ok()).unwrap_or(0)
}

fn created(pod: &Pod) -> Option<Timestamp> {
    pod.metadata.creation_timestamp.as_ref().map(|time| time.0)
}

fn update_status(
    set: &ReplicaSet,
    spec: &ReplicaSetSpec,
    active: &[Arc<Pod>],
    refused: Option<&str>,
    now: Timestamp,
) -> Option<Action> {
    let template = spec.template.as_ref().and_then(|template| template.metadata.as_ref());
    let wanted = template.and_then(|template| template.labels.clone()).unwrap_or_default();
    let mut labelled = 0;
    let mut ready = 0;
    let mut available = 0;
    for pod in active {
        labelled +=
            i32::from(pod.metadata.labels.as_ref().is_some_and(|labels| carries(labels, &wanted)));
        ready += i32::from(pod.is_ready());
        let wait = pod::available_in(pod, spec.min_ready_seconds.unwrap_or(0), now);
        available += i32::from(wait == Some(Duration::ZERO));
    }
    let held = set.status.clone().unwrap_or_default();
    let some = |count: i32| (count != 0).then_some(count);
    let status = ReplicaSetStatus {
        available_replicas: some(available),
        conditions: conditions(held.conditions, refused, now),
        fully_labeled_replicas: some(labelled),
        observed_generation: set.metadata.generation,
        ready_replicas: some(ready),
        replicas: i32::try_from(active.len()).unwrap_or(i32::MAX),
        terminating_replicas: held.terminating_replicas,
    };
    if set.status.as_ref() == Some(&status) {
        return None;
    }
    let mut set = set.clone();
    set.status = Some(status);
    Some(Action::UpdateStatus(Object::ReplicaSet(set)))
}

/// The conditions: whether a pod could not be made, as told first.
fn conditions(
    held: Option<Vec<ReplicaSetCondition>>,
    refused: Option<&str>,
    now: Timestamp,
) -> Option<Vec<ReplicaSetCondition>> {
    let mut conditions = held.unwrap_or_default();
    let at = conditions.iter().position(|condition| condition.type_ == FAILURE);
    match (at, refused) {
        (Some(_), Some(_)) | (None, None) => {}
        (Some(at), None) => drop(conditions.remove(at)),
        (None, Some(message)) => conditions.push(ReplicaSetCondition {
            last_transition_time: Some(Time(now)),
            message: Some(message.to_owned()),
            reason: Some("FailedCreate".to_owned()),
            status: "True".to_owned(),
            type_: FAILURE.to_owned(),
        }),
    }
    Some(conditions).filter(|conditions| !conditions.is_empty())
}
