//! StatefulSets: pods with a lasting name, one by one (K: `pkg/controller/statefulset`).
//!
//! OrderedReady makes the pods from the lowest ordinal up, each when all below it are available, and removes them
//! from the highest down; Parallel does not wait. A rolling update deletes pods of another revision from the
//! highest ordinal down to the partition, each when all above it are available, and they come back renewed.
//!
//! Revisions have names but no ControllerRevision objects yet, so no earlier template is kept: a pod below the
//! partition that must be made again is made from the template of today, and labelled so.

mod identity;
mod status;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::apps::v1::{RollingUpdateStatefulSetStrategy, StatefulSet, StatefulSetSpec};
use manifest::Object;
use manifest::labels::REVISION_HASH;

use crate::world::{Pod, names};
use crate::{Action, Context, Decision, Key, World, claim, hash, number, pod};
use identity::{identify, new_pod, ordinal};

const COMPONENT: &str = "statefulset-controller";

/// The most pods made in one decision.
const BURST_MAX: usize = 500;

pub(crate) fn decide(world: &World, key: &Key, context: &Context<'_>) -> Decision {
    let Some(set) = world.get::<StatefulSet>(&key.namespace, &key.name) else {
        return Decision::default();
    };
    let Some(spec) = &set.spec else { return Decision::default() };
    let member = |pod: &Pod| ordinal(&key.name, names(pod).1).is_some();
    let claim = claim::pods(world, &**set, &spec.selector, member);
    if !claim.actions.is_empty() {
        return claim.actions.into();
    }
    let mut look = Look::new(set, spec, claim.owned, context);
    if set.metadata.deletion_timestamp.is_none() {
        look.act();
    }
    let Look { actions, told, .. } = &mut look;
    actions.append(told);
    let mut decision = Decision { actions: std::mem::take(actions), retry_after: look.wait() };
    if decision.actions.is_empty() {
        // What was done changes the pods, and so brings this work back; the status is told when all is done.
        decision.actions.extend(status::update(&look));
    }
    decision
}

/// One look at a set and its pods.
struct Look<'a> {
    set: &'a StatefulSet,
    spec: &'a StatefulSetSpec,
    /// All pods of the set.
    pods: Vec<Arc<Pod>>,
    /// The pods within the set's range, by place (the ordinal less the first ordinal).
    replicas: BTreeMap<usize, Arc<Pod>>,
    /// How many pods the range has; a person may ask for two thousand million.
    wanted: usize,
    /// The pods beyond it, highest ordinal first.
    condemned: Vec<Arc<Pod>>,
    min_ready_seconds: i32,
    context_now: jiff::Timestamp,
    /// The revision of the pods before the update that is under way.
    current: String,
    /// The revision of the template.
    update: String,
    actions: Vec<Action>,
    /// Events, told after all that they report.
    told: Vec<Action>,
}

impl<'a> Look<'a> {
    fn new(
        set: &'a StatefulSet,
        spec: &'a StatefulSetSpec,
        pods: Vec<Arc<Pod>>,
        context: &Context<'_>,
    ) -> Self {
        let (_, name) = names(set);
        let wanted = usize::try_from(spec.replicas.unwrap_or(1)).unwrap_or(0);
        let start = first_ordinal(spec);
        let mut replicas = BTreeMap::new();
        let mut condemned = Vec::new();
        for pod in &pods {
            let Some(ordinal) = ordinal(name, names(&**pod).1) else { continue };
            let place = ordinal.checked_sub(start).and_then(|place| usize::try_from(place).ok());
            match place.filter(|place| *place < wanted) {
                Some(place) => {
                    replicas.insert(place, pod.clone());
                }
                None => condemned.push((ordinal, pod.clone())),
            }
        }
        condemned.sort_by_key(|(ordinal, _)| std::cmp::Reverse(*ordinal));
        let collisions = set.status.as_ref().and_then(|status| status.collision_count).unwrap_or(0);
        let update = format!("{name}-{}", hash::template(&spec.template, collisions));
        let current = set
            .status
            .as_ref()
            .and_then(|status| status.current_revision.clone())
            .filter(|revision| !revision.is_empty())
            .unwrap_or_else(|| update.clone());
        Self {
            set,
            spec,
            pods,
            replicas,
            wanted,
            condemned: condemned.into_iter().map(|(_, pod)| pod).collect(),
            min_ready_seconds: spec.min_ready_seconds.unwrap_or(0),
            context_now: context.now,
            current,
            update,
            actions: Vec::new(),
            told: Vec::new(),
        }
    }

    fn act(&mut self) {
        let ordered = self.spec.pod_management_policy.as_deref() != Some("Parallel");
        if self.fill(ordered) || self.shrink(ordered) {
            return;
        }
        if self.actions.is_empty() {
            self.renew();
        }
    }

    /// Makes and replaces the pods of the range. Whether to stop here.
    fn fill(&mut self, ordered: bool) -> bool {
        for place in 0..self.wanted {
            let Some(replica) = self.replicas.get(&place).cloned() else {
                self.create(place);
                if ordered || self.actions.len() >= BURST_MAX {
                    return true;
                }
                continue;
            };
            if pod::ended(&replica) {
                if !pod::terminating(&replica) {
                    self.delete(&replica);
                }
                if ordered {
                    return true;
                }
                continue;
            }
            if ordered && !self.available(&replica) {
                return true;
            }
            if let Some(identified) = identify(self.set, &replica) {
                self.actions.push(Action::Update(identified.into()));
            }
        }
        false
    }

    /// Removes the pods beyond the range. Whether to stop here.
    fn shrink(&mut self, ordered: bool) -> bool {
        let unhealthy = self.condemned.iter().rev().find(|pod| !self.available(pod)).cloned();
        for condemned in self.condemned.clone() {
            if pod::terminating(&condemned) {
                if ordered {
                    return true;
                }
                continue;
            }
            // The lowest unhealthy one may go; another unhealthy one first has to become healthy.
            if ordered
                && !self.available(&condemned)
                && unhealthy.as_ref().is_some_and(|unhealthy| !Arc::ptr_eq(unhealthy, &condemned))
            {
                return true;
            }
            self.delete(&condemned);
            if ordered {
                return true;
            }
        }
        false
    }

    /// The rolling update.
    fn renew(&mut self) {
        let strategy = self.spec.update_strategy.as_ref();
        if strategy.and_then(|strategy| strategy.type_.as_deref()) == Some("OnDelete") {
            return;
        }
        let rolling = strategy.and_then(|strategy| strategy.rolling_update.as_ref());
        let most = rolling
            .and_then(|RollingUpdateStatefulSetStrategy { max_unavailable, .. }| {
                max_unavailable.as_ref()
            })
            .map_or(1, |most| number::scaled(most, self.wanted, false).max(1));
        let partition = self.partition();
        let mut unavailable = 0;
        // All are there: whoever is not would have been made.
        for (_, replica) in self.replicas.clone().range(partition..).rev() {
            if unavailable >= most {
                return;
            }
            if revision(replica) != Some(&self.update) && !pod::terminating(replica) {
                self.delete(replica);
                unavailable += 1;
            } else if !self.available(replica) {
                unavailable += 1;
            }
        }
    }

    /// How many pods, from the lowest, keep the current revision.
    fn partition(&self) -> usize {
        let strategy = self.spec.update_strategy.as_ref();
        let rolling = strategy.and_then(|strategy| strategy.rolling_update.as_ref());
        rolling
            .and_then(|rolling| rolling.partition)
            .and_then(|number| usize::try_from(number).ok())
            .unwrap_or(0)
    }

    fn create(&mut self, place: usize) {
        let ordinal = first_ordinal(self.spec) + place as i64;
        let pod = new_pod(self.set, self.spec, &self.update, ordinal);
        let name = pod.metadata.name.clone().unwrap_or_default();
        self.actions.push(Action::Create(Object::Pod(pod)));
        self.record(
            "SuccessfulCreate",
            format!("create Pod {name} in StatefulSet {} successful", names(self.set).1),
        );
    }

    fn delete(&mut self, pod: &Pod) {
        self.actions.push(Action::delete(pod));
        self.record(
            "SuccessfulDelete",
            format!("delete Pod {} in StatefulSet {} successful", names(pod).1, names(self.set).1),
        );
    }

    fn record(&mut self, reason: &'static str, message: String) {
        self.told.push(Action::normal(self.set, COMPONENT, reason, message));
    }

    /// Running, ready for long enough, and not on its way out.
    fn available(&self, pod: &Pod) -> bool {
        !pod::terminating(pod)
            && pod::phase(pod) == "Running"
            && pod::available_in(pod, self.min_ready_seconds, self.context_now)
                == Some(Duration::ZERO)
    }

    /// When the next pod becomes available by waiting.
    fn wait(&self) -> Option<Duration> {
        self.pods
            .iter()
            .filter_map(|pod| pod::available_in(pod, self.min_ready_seconds, self.context_now))
            .filter(|wait| !wait.is_zero())
            .min()
    }
}

fn first_ordinal(spec: &StatefulSetSpec) -> i64 {
    spec.ordinals.as_ref().and_then(|ordinals| ordinals.start).unwrap_or(0).into()
}

fn revision(pod: &Pod) -> Option<&String> {
    pod.metadata.labels.as_ref()?.get(REVISION_HASH)
}
