//! Deployments: one ReplicaSet per template, replaced at a stated pace (K: `pkg/controller/deployment`).
//!
//! A look does one step (make the new ReplicaSet, scale one way, tidy up, tell the status); its result brings the
//! work back for the next.

mod rolling;
mod scale;
mod sets;
mod status;

use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec, ReplicaSet};
use manifest::Object;
use manifest::labels::REVISION;

use crate::world::Pod;
use crate::{Action, Context, Decision, Key, World, claim, pod};
use sets::Sets;

const COMPONENT: &str = "deployment-controller";

pub(crate) fn decide(world: &World, key: &Key, context: &Context<'_>) -> Decision {
    let Some(deployment) = world.get::<Deployment>(&key.namespace, &key.name) else {
        return Decision::default();
    };
    let Some(spec) = &deployment.spec else { return Decision::default() };
    let orphans = world.orphan_replica_sets(&key.namespace);
    let claim = claim::objects::<_, ReplicaSet>(world, &**deployment, &spec.selector, orphans);
    if !claim.actions.is_empty() {
        return claim.actions.into();
    }
    let mut look = Look {
        world,
        deployment,
        spec,
        sets: Sets::new(spec, claim.owned),
        now: context.now,
        actions: Vec::new(),
    };
    if deployment.metadata.deletion_timestamp.is_none() {
        look.act();
    }
    if look.actions.is_empty() {
        return status::update(&look);
    }
    look.actions.into()
}

/// One look at a Deployment and its ReplicaSets.
struct Look<'a> {
    world: &'a World,
    deployment: &'a Deployment,
    spec: &'a DeploymentSpec,
    sets: Sets,
    now: jiff::Timestamp,
    actions: Vec<Action>,
}

impl Look<'_> {
    fn act(&mut self) {
        self.actions.extend(status::paused_or_resumed(self));
        if self.actions.is_empty() {
            self.number_revision();
        }
        if !self.actions.is_empty() {
            return;
        }
        if self.paused() {
            self.scale();
            if self.actions.is_empty() {
                self.tidy();
            }
            return;
        }
        if self.was_scaled() && !self.recreates() {
            self.scale();
            return;
        }
        if self.recreates() {
            self.recreate();
        } else {
            self.roll();
        }
        if self.actions.is_empty() && status::complete(self) {
            self.tidy();
        }
    }

    fn paused(&self) -> bool {
        self.spec.paused == Some(true)
    }

    fn recreates(&self) -> bool {
        let strategy = self.spec.strategy.as_ref().and_then(|strategy| strategy.type_.as_deref());
        strategy == Some("Recreate")
    }

    fn replicas(&self) -> i32 {
        self.spec.replicas.unwrap_or(1).max(0)
    }

    /// Gives the new ReplicaSet the highest revision and what the Deployment says of itself, and the Deployment the
    /// same revision.
    fn number_revision(&mut self) {
        let Some(new) = self.sets.new.clone() else { return };
        let mut set = ReplicaSet::clone(&new);
        let annotations = set.metadata.annotations.get_or_insert_default();
        annotations.extend(self.annotations());
        sets::note_revision(annotations, self.sets.next_revision());
        if let Some(spec) = &mut set.spec
            && spec.min_ready_seconds.unwrap_or(0) != self.spec.min_ready_seconds.unwrap_or(0)
        {
            spec.min_ready_seconds = self.spec.min_ready_seconds;
        }
        if set != *new {
            self.actions.push(Action::Update(Object::ReplicaSet(set)));
            return;
        }
        let held = sets::revision(&new.metadata).to_string();
        let annotations = self.deployment.metadata.annotations.as_ref();
        if annotations.and_then(|annotations| annotations.get(REVISION)) != Some(&held) {
            let mut deployment = self.deployment.clone();
            let annotations = deployment.metadata.annotations.get_or_insert_default();
            annotations.insert(REVISION.to_owned(), held);
            self.actions.push(Action::Update(Object::Deployment(deployment)));
        }
    }

    /// All old pods first go, then the new ones come.
    fn recreate(&mut self) {
        for old in self.sets.active_old() {
            self.resize(&old, 0);
        }
        if !self.actions.is_empty() || self.old_pods_run() {
            return;
        }
        match self.sets.new.clone() {
            Some(new) => self.resize(&new, self.replicas()),
            None => self.create_set(),
        }
    }

    fn old_pods_run(&self) -> bool {
        self.sets.old.iter().any(|set| {
            let uid = set.metadata.uid.as_deref().unwrap_or_default();
            self.world.dependents_of(uid).filter(|reference| reference.kind == "Pod").any(
                |reference| {
                    let pod = self.world.get::<Pod>(&reference.namespace, &reference.name);
                    pod.is_some_and(|pod| !pod::ended(pod))
                },
            )
        })
    }

    /// Deletes old ReplicaSets without pods, the oldest revisions first, down to the history limit.
    fn tidy(&mut self) {
        let limit = self.spec.revision_history_limit.unwrap_or(10);
        let Ok(limit) = usize::try_from(limit) else { return };
        let mut idle: Vec<_> = self
            .sets
            .old
            .iter()
            .filter(|set| {
                let status = set.status.clone().unwrap_or_default();
                status.replicas == 0
                    && sets::replicas(set) == 0
                    && status.observed_generation >= set.metadata.generation
                    && set.metadata.deletion_timestamp.is_none()
            })
            .cloned()
            .collect();
        idle.sort_by_key(|set| sets::revision(&set.metadata));
        for set in idle.iter().take(idle.len().saturating_sub(limit)) {
            self.actions.push(Action::delete(&**set));
        }
    }

    fn record(&mut self, reason: &'static str, message: String) {
        self.actions.push(Action::normal(self.deployment, COMPONENT, reason, message));
    }
}
