//! StatefulSets: pods with a lasting name, one by one (K: `pkg/controller/statefulset`).
//!
//! OrderedReady makes the pods from the lowest ordinal up, each when all below it are available, and removes them
//! from the highest down; Parallel does not wait. A rolling update deletes pods of another revision from the
//! highest ordinal down to the partition, each when all above it are available, and they come back renewed. A pod
//! below the partition that must be made again is made from the current revision.

mod claims;
mod identity;
mod revisions;
mod status;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::apps::v1::{
    ControllerRevision, RollingUpdateStatefulSetStrategy, StatefulSet, StatefulSetSpec,
};
use k8s_openapi::api::core::v1::PodTemplateSpec;
use manifest::labels::REVISION_HASH;
use manifest::{Object, StoredObject};

use crate::world::{Pod, Refusal, names};
use crate::{Action, Context, Decision, Key, Work, World, claim, number, pod};
use identity::{identify, new_pod, ordinal};
use revisions::{NameTaken, Revisions};

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
    let orphans = world.orphan_revisions(&key.namespace);
    let history = claim::objects::<_, ControllerRevision>(world, &**set, &spec.selector, orphans);
    let actions: Vec<_> = history.actions.into_iter().chain(claim.actions).collect();
    if !actions.is_empty() {
        return actions.into();
    }
    let revisions = match Revisions::new(world, set, spec, history.owned) {
        Ok(revisions) => revisions,
        Err(NameTaken) => return vec![status::collided(set)].into(),
    };
    let mut look = Look::new(world, set, spec, revisions, claim.owned, context);
    if set.metadata.deletion_timestamp.is_none() {
        look.first.extend(look.revisions.action.take());
        look.act();
        if look.refusal().is_some() {
            // While a pod cannot be made there is always something to do: the status is told all the same.
            look.first.extend(status::update(&look));
        }
    }
    let mut actions = std::mem::take(&mut look.first);
    actions.append(&mut look.actions);
    actions.append(&mut look.told);
    if actions.is_empty() {
        // What was done changes the pods, and so brings this work back; the status is told when all is done.
        actions.extend(status::update(&look));
        actions.extend(look.revisions.surplus(spec, &look.pods));
    }
    Decision { actions, retry_after: look.wait() }
}

/// One look at a set and its pods.
struct Look<'a> {
    world: &'a World,
    set: &'a StatefulSet,
    spec: &'a StatefulSetSpec,
    /// All pods of the set.
    pods: Vec<Arc<Pod>>,
    /// The pods within the set's range, by place (the ordinal less the first ordinal).
    replicas: BTreeMap<usize, Arc<Pod>>,
    /// How many pods the range has; a person may ask for two thousand million.
    wanted: usize,
    /// The pods beyond it, highest ordinal first.
    condemned: Vec<(i64, Arc<Pod>)>,
    min_ready_seconds: i32,
    context_now: jiff::Timestamp,
    revisions: Revisions,
    /// What pods rest on: revisions and claims.
    first: Vec<Action>,
    actions: Vec<Action>,
    /// Events, told after all that they report.
    told: Vec<Action>,
}

impl<'a> Look<'a> {
    fn new(
        world: &'a World,
        set: &'a StatefulSet,
        spec: &'a StatefulSetSpec,
        revisions: Revisions,
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
        Self {
            world,
            set,
            spec,
            pods,
            replicas,
            wanted,
            condemned,
            min_ready_seconds: spec.min_ready_seconds.unwrap_or(0),
            context_now: context.now,
            revisions,
            first: Vec::new(),
            actions: Vec::new(),
            told: Vec::new(),
        }
    }

    fn act(&mut self) {
        self.own_claims();
        let ordered = self.spec.pod_management_policy.as_deref() != Some("Parallel");
        if self.fill(ordered) || self.shrink(ordered) {
            return;
        }
        // One that is missing still waits for a claim of its predecessor to go.
        if self.actions.is_empty() && self.replicas.len() == self.wanted {
            self.renew();
        }
    }

    /// Makes the claims of all pods belong to whom they should.
    fn own_claims(&mut self) {
        if self.spec.volume_claim_templates.iter().flatten().next().is_none() {
            return;
        }
        let (world, set, spec) = (self.world, self.set, self.spec);
        let start = first_ordinal(spec);
        for (place, pod) in &self.replicas {
            let ordinal = start + *place as i64;
            self.first.extend(claims::owned(world, set, spec, pod, ordinal, false));
        }
        for (ordinal, pod) in &self.condemned {
            self.first.extend(claims::owned(world, set, spec, pod, *ordinal, true));
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
        let condemned: Vec<_> = self.condemned.iter().map(|(_, pod)| pod.clone()).collect();
        let unhealthy = condemned.iter().rev().find(|pod| !self.available(pod)).cloned();
        for condemned in condemned {
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
        if self.on_delete() {
            return;
        }
        let strategy = self.spec.update_strategy.as_ref();
        let rolling = strategy.and_then(|strategy| strategy.rolling_update.as_ref());
        let most = rolling
            .and_then(|RollingUpdateStatefulSetStrategy { max_unavailable, .. }| {
                max_unavailable.as_ref()
            })
            .map_or(1, |most| number::scaled(most, self.wanted, false).max(1));
        let partition = self.partition();
        let mut unavailable = 0;
        for (_, replica) in self.replicas.clone().range(partition..).rev() {
            if unavailable >= most {
                return;
            }
            if revision(replica) != Some(&self.revisions.update) && !pod::terminating(replica) {
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

    /// Makes a pod with its claims, unless a claim of an earlier one is still on its way out.
    fn create(&mut self, place: usize) {
        let (set, spec) = (self.set, self.spec);
        let (_, set_name) = names(set);
        let ordinal = first_ordinal(spec) + place as i64;
        let Some(missing) = claims::missing(self.world, set, spec, ordinal) else { return };
        let pod = new_pod(set, spec, self.template(place), ordinal);
        let name = pod.metadata.name.clone().unwrap_or_default();
        self.tell_refused(&name, &missing);
        for claim in missing {
            self.record("SuccessfulCreate", claims::told(&claim, &name, set_name));
            self.first.push(Action::Create(claim.into()));
        }
        self.actions.push(Action::Create(Object::Pod(pod)));
        self.record(
            "SuccessfulCreate",
            format!("create Pod {name} in StatefulSet {set_name} successful"),
        );
    }

    /// The revision that a new pod is made from: below the partition the current one, else that of the template.
    fn template(&self, place: usize) -> (&str, &PodTemplateSpec) {
        let Revisions { current, update, current_template, .. } = &self.revisions;
        match current_template {
            Some(template) if !self.on_delete() && place < self.partition() => (current, template),
            _ => (update, &self.spec.template),
        }
    }

    /// Whether people delete the pods that are to be renewed.
    fn on_delete(&self) -> bool {
        let strategy = self.spec.update_strategy.as_ref();
        strategy.and_then(|strategy| strategy.type_.as_deref()) == Some("OnDelete")
    }

    /// Tells what the API refused of a pod and its claims when they were last tried.
    fn tell_refused(&mut self, pod: &str, claims: &[StoredObject]) {
        let (_, set) = names(self.set);
        let Some(Refusal { target, message }) = self.refusal() else { return };
        let mut tell = |text| {
            self.first.push(Action::warning(self.set, COMPONENT, "FailedCreate", text));
        };
        let claim = &target.name;
        let failed = format!("create Pod {pod} in StatefulSet {set} failed error");
        if target.kind == "Pod" && target.name == pod {
            tell(format!("{failed}: {message}"));
        } else if claims.iter().any(|held| held.metadata.name.as_ref() == Some(claim)) {
            tell(format!(
                "create Claim {claim} for Pod {pod} in StatefulSet {set} failed error: {message}"
            ));
            tell(format!("{failed}: failed to create PVC {claim}: {message}"));
        }
    }

    /// What the API refused when this set was last looked at.
    fn refusal(&self) -> Option<&'a Refusal> {
        let (namespace, name) = names(self.set);
        self.world.refusal(&Work::StatefulSet(Key::new(namespace, name)))
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
