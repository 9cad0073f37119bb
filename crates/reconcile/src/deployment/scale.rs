//! New sizes of ReplicaSets.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::apps::v1::{ReplicaSet, ReplicaSetSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use manifest::Object;
use manifest::labels::{
    DESIRED_REPLICAS, LAST_APPLIED, MAX_REPLICAS, REVISION, REVISION_HISTORY, TEMPLATE_HASH,
};

use super::{COMPONENT, Look, sets, status};
use crate::owner::{controlled_by, owns};
use crate::world::{Refusal, names};
use crate::{Action, Key, Work, hash, number};

impl Look<'_> {
    /// How many pods a rolling update may add, and how many it may take out.
    pub(super) fn paces(&self) -> (i32, i32) {
        if self.recreates() {
            return (0, 0);
        }
        let rolling =
            self.spec.strategy.as_ref().and_then(|strategy| strategy.rolling_update.as_ref());
        let total = usize::try_from(self.replicas()).unwrap_or(0);
        let quarter = total.div_ceil(4);
        let surge = rolling
            .and_then(|rolling| rolling.max_surge.as_ref())
            .map_or(quarter, |surge| number::scaled(surge, total, true));
        let unavailable = rolling
            .and_then(|rolling| rolling.max_unavailable.as_ref())
            .map_or(total / 4, |unavailable| number::scaled(unavailable, total, false));
        // Both nought would never move: Kubernetes then takes one out.
        let unavailable = if surge == 0 && unavailable == 0 { 1 } else { unavailable.min(total) };
        let count = |number: usize| i32::try_from(number).unwrap_or(i32::MAX);
        (count(surge), count(unavailable))
    }

    fn annotate(&self, metadata: &mut ObjectMeta) {
        let annotations = metadata.annotations.get_or_insert_default();
        annotations.insert(DESIRED_REPLICAS.to_owned(), self.replicas().to_string());
        let most = self.replicas().saturating_add(self.paces().0);
        annotations.insert(MAX_REPLICAS.to_owned(), most.to_string());
    }

    /// Gives a ReplicaSet a size, if it has another.
    pub(super) fn resize(&mut self, set: &Arc<ReplicaSet>, size: i32) {
        let held = sets::replicas(set);
        let mut resized = ReplicaSet::clone(set);
        self.annotate(&mut resized.metadata);
        if held == size && resized.metadata == set.metadata {
            return;
        }
        if let Some(spec) = &mut resized.spec {
            spec.replicas = Some(size);
        }
        self.actions.push(Action::Update(Object::ReplicaSet(resized)));
        self.tell_scaled(names(&**set).1, held, size);
    }

    fn tell_scaled(&mut self, name: &str, from: i32, to: i32) {
        if from != to {
            let way = if to > from { "up" } else { "down" };
            self.record(
                "ScalingReplicaSet",
                format!("Scaled {way} replica set {name} from {from} to {to}"),
            );
        }
    }

    /// How large the new ReplicaSet may be now, with the old ones at their sizes.
    pub(super) fn new_size(&self) -> i32 {
        let wanted = self.replicas();
        if self.recreates() {
            return wanted;
        }
        let held = self.sets.new.as_ref().map_or(0, |set| sets::replicas(set));
        // Pods that an old ReplicaSet is about to lose still count: so the surge holds for pods, not only for plans.
        let all =
            sets::sum(self.sets.all().map(|set| sets::replicas(set).max(sets::observed(set))));
        let room = wanted.saturating_add(self.paces().0).saturating_sub(all);
        if room <= 0 { held.min(wanted) } else { held.saturating_add(room).min(wanted) }
    }

    /// The Deployment's annotations that its new ReplicaSet has too, the cause of a change for one.
    pub(super) fn annotations(&self) -> BTreeMap<String, String> {
        let mut annotations = self.deployment.metadata.annotations.clone().unwrap_or_default();
        for skipped in [LAST_APPLIED, REVISION, REVISION_HISTORY, DESIRED_REPLICAS, MAX_REPLICAS] {
            annotations.remove(skipped);
        }
        annotations
    }

    /// Makes the ReplicaSet of the template.
    pub(super) fn create_set(&mut self) {
        let (namespace, deployment) = names(self.deployment);
        let collisions =
            self.deployment.status.as_ref().and_then(|status| status.collision_count).unwrap_or(0);
        let hash = hash::template(&self.spec.template, collisions);
        let name = format!("{deployment}-{hash}");
        if let Some(other) = self.world.get::<ReplicaSet>(namespace, &name) {
            // Another template has this name. If it is ours it would have been found: so take another name.
            if !owns(self.deployment, &other.metadata)
                || other.metadata.deletion_timestamp.is_none()
            {
                self.actions.push(status::collided(self.deployment, collisions));
            }
            return;
        }
        let mut template = self.spec.template.clone();
        let labels = template.metadata.get_or_insert_default().labels.get_or_insert_default();
        labels.insert(TEMPLATE_HASH.to_owned(), hash.clone());
        let labels = labels.clone();
        let mut selector = self.spec.selector.clone();
        selector.match_labels.get_or_insert_default().insert(TEMPLATE_HASH.to_owned(), hash);
        let mut annotations = self.annotations();
        annotations.insert(REVISION.to_owned(), self.sets.next_revision().to_string());
        let mut metadata = ObjectMeta {
            annotations: Some(annotations),
            labels: Some(labels),
            name: Some(name.clone()),
            namespace: Some(namespace.to_owned()),
            owner_references: Some(vec![controlled_by(self.deployment)]),
            ..ObjectMeta::default()
        };
        self.annotate(&mut metadata);
        self.tell_refused(&name);
        let size = self.new_size();
        let set = ReplicaSet {
            metadata,
            spec: Some(ReplicaSetSpec {
                min_ready_seconds: self.spec.min_ready_seconds,
                replicas: Some(size),
                selector,
                template: Some(template),
            }),
            status: None,
        };
        self.actions.push(Action::Create(Object::ReplicaSet(set)));
        self.tell_scaled(&name, 0, size);
        let told = status::created(self, &name);
        self.actions.extend(told);
    }

    /// Tells that the API refused the ReplicaSet when it was last tried.
    fn tell_refused(&mut self, set: &str) {
        let (namespace, name) = names(self.deployment);
        let refusal = self.world.refusal(&Work::Deployment(Key::new(namespace, name)));
        let Some(Refusal { message, .. }) = refusal.filter(|refusal| refusal.target.name == set)
        else {
            return;
        };
        let text = format!("Failed to create new replica set \"{set}\": {message}");
        self.actions.extend(status::not_created(self, &text));
        self.actions.push(Action::warning(self.deployment, COMPONENT, status::NOT_CREATED, text));
    }

    /// Whether the Deployment was scaled since its ReplicaSets were.
    pub(super) fn was_scaled(&self) -> bool {
        self.sets.all().filter(|set| sets::replicas(set) > 0).any(|set| {
            let annotations = set.metadata.annotations.as_ref();
            let noted = annotations.and_then(|annotations| annotations.get(DESIRED_REPLICAS));
            noted.is_some_and(|noted| *noted != self.replicas().to_string())
        })
    }

    /// Follows a change of `replicas`: one active ReplicaSet takes it all, several take it in proportion.
    pub(super) fn scale(&mut self) {
        let mut active: Vec<Arc<ReplicaSet>> =
            self.sets.all().filter(|set| sets::replicas(set) > 0).cloned().collect();
        match active.as_slice() {
            [] => {
                if let Some(latest) =
                    self.sets.new.clone().or_else(|| self.sets.old.last().cloned())
                {
                    self.resize(&latest, self.replicas());
                }
                return;
            }
            [only] => {
                let only = only.clone();
                self.resize(&only, self.replicas());
                return;
            }
            _ => {}
        }
        if self.recreates() {
            return;
        }
        let all = sets::sum(active.iter().map(|set| sets::replicas(set)));
        let most =
            if self.replicas() > 0 { self.replicas().saturating_add(self.paces().0) } else { 0 };
        let change = most.saturating_sub(all);
        // Growing favours the newer among equals, shrinking the older.
        active.sort_by_key(|set| std::cmp::Reverse(sets::replicas(set)));
        if change > 0 {
            let newer = |set: &Arc<ReplicaSet>| {
                std::cmp::Reverse(set.metadata.creation_timestamp.as_ref().map(|t| t.0))
            };
            active.sort_by_key(|set| (std::cmp::Reverse(sets::replicas(set)), newer(set)));
        }
        let mut left = change;
        let mut sizes: Vec<i32> = active
            .iter()
            .map(|set| {
                let held = sets::replicas(set);
                let noted = set.metadata.annotations.as_ref().and_then(|has| has.get(MAX_REPLICAS));
                let before =
                    noted.and_then(|noted| noted.parse::<i32>().ok()).filter(|before| *before > 0);
                let share = if self.replicas() == 0 {
                    -held
                } else {
                    let size = f64::from(held) * f64::from(most) / f64::from(before.unwrap_or(all));
                    (size.round() as i32).saturating_sub(held)
                };
                let share = if change > 0 {
                    share.clamp(0, left.max(0))
                } else {
                    share.clamp(left.min(0), 0)
                };
                left = left.saturating_sub(share);
                held.saturating_add(share)
            })
            .collect();
        // What rounding left goes to the largest.
        if let Some(largest) = sizes.first_mut() {
            *largest = largest.saturating_add(left).max(0);
        }
        for (set, size) in active.iter().zip(sizes) {
            self.resize(set, size);
        }
    }
}
