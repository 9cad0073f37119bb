//! The API, its nodes and its kubelets, in memory: what controllers ask for is there at once, and pods run.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::IpAddr;

use directory::view::ObjectName;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{Node, Pod, PodCondition, PodIP, PodStatus, Service};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use manifest::field::{FieldError, FieldPath};
use manifest::labels::READY;
use manifest::rules::service::{allocation, prepare};
use manifest::{IpFamily, KindId, Object, ObjectRef};
use reconcile::world::kinds;
use reconcile::{Action, Context, Owner, Work, World, reconcile};
use serde_json::Value;

use super::addresses::{Addresses, Holder};
use super::{PODS_MAX, STEPS_MAX, SettleError, chance};

/// The node of every pod that names none.
const NODE: &str = "node";

pub(super) struct Api {
    /// What there is.
    pub(super) objects: BTreeMap<ObjectRef, Object>,
    /// The same, as controllers look at it.
    pub(super) world: World,
    pub(super) addresses: Addresses,
    /// The families that pods have addresses of; the first is the Services' default.
    families: Vec<IpFamily>,
    queue: BTreeSet<Work>,
    later: BTreeSet<(Timestamp, Work)>,
    now: Timestamp,
    revision: u64,
    pods: usize,
    /// The addresses of the Services that there are.
    cluster_ips: HashSet<IpAddr>,
    /// How many random numbers each piece of work has drawn.
    drawn: HashMap<Work, u64>,
    steps: usize,
}

/// What an action came to.
type Done = Result<(), Failure>;

enum Failure {
    /// The work is to be looked at again.
    Conflict,
    /// Nothing helps.
    Stop(SettleError),
}

impl Api {
    pub(super) fn new(families: Vec<IpFamily>, addresses: Addresses) -> Self {
        let mut world = World::new();
        for kind in kinds() {
            world.set_synced(kind);
        }
        Self {
            objects: BTreeMap::new(),
            world,
            addresses,
            families,
            queue: BTreeSet::new(),
            later: BTreeSet::new(),
            now: Timestamp::UNIX_EPOCH,
            revision: 0,
            pods: 0,
            cluster_ips: HashSet::new(),
            drawn: HashMap::new(),
            steps: 0,
        }
    }

    /// Makes a Service as its author wrote it, with the cluster IPs that it needs.
    ///
    /// # Errors
    ///
    /// What a cluster would refuse it for.
    pub(super) fn create_service(
        &mut self,
        mut value: Value,
    ) -> Result<Result<(), Vec<FieldError>>, SettleError> {
        let errors = prepare(&mut value, None, &self.families);
        if !errors.is_empty() {
            return Ok(Err(errors));
        }
        let id = ObjectName::new(
            value["metadata"]["namespace"].as_str().unwrap_or_default(),
            value["metadata"]["name"].as_str().unwrap_or_default(),
        );
        let plan = allocation(Some(&value), None);
        let mut addresses: Vec<IpAddr> = Vec::new();
        for request in &plan.cluster_ips {
            let address = match request.address {
                Some(chosen) if self.cluster_ips.contains(&chosen) => {
                    let given = value["spec"]["clusterIPs"].clone();
                    let text =
                        format!("failed to allocate IP {chosen}: provided IP is already allocated");
                    let spec = FieldPath::new("spec");
                    let path = spec.child("clusterIPs");
                    return Ok(Err(vec![FieldError::invalid(&path, given, text)]));
                }
                Some(chosen) => Some(chosen),
                None => self.addresses.of(&Holder::Service(id.clone()), request.family),
            };
            addresses.push(address.ok_or(SettleError::NoAddress)?);
        }
        // No name depends on node ports.
        plan.fill(&mut value, &addresses, &[]);
        match Object::from_value(KindId::Service, &value) {
            Ok(service) => self.create(service).map(Ok),
            Err(error) => Ok(Err(vec![FieldError::internal(&FieldPath::ROOT, error.to_string())])),
        }
    }

    /// Makes any other object. What an author says of what only the API decides is dropped, as there.
    pub(super) fn create(&mut self, mut object: Object) -> Result<(), SettleError> {
        let reference = object.reference();
        let ObjectRef { kind, namespace, name } = &reference;
        // Another of the same name is another object.
        let uid = format!("{kind} {namespace}/{name} {}", self.revision);
        let metadata = object.metadata_mut();
        metadata.uid = Some(uid);
        metadata.creation_timestamp = Some(Time(self.now));
        metadata.deletion_timestamp = None;
        metadata.generation = Some(1);
        match &mut object {
            Object::Pod(pod) => {
                self.pods += 1;
                if self.pods > PODS_MAX {
                    return Err(SettleError::TooManyPods);
                }
                self.start(pod)?;
            }
            Object::Service(service) => self.cluster_ips.extend(cluster_ips(service)),
            Object::StatefulSet(set) => set.status = None,
            Object::Deployment(deployment) => deployment.status = None,
            Object::ReplicaSet(set) => set.status = None,
            _ => {}
        }
        self.commit(object);
        Ok(())
    }

    /// What the scheduler and the kubelet do: the pod gets a node and addresses, and runs.
    fn start(&mut self, pod: &mut Pod) -> Result<(), SettleError> {
        let gated = |pod: &Pod| {
            let gates = pod.spec.as_ref().and_then(|spec| spec.scheduling_gates.as_ref());
            gates.is_some_and(|gates| !gates.is_empty())
        };
        if gated(pod) {
            pod.status =
                Some(PodStatus { phase: Some("Pending".to_owned()), ..PodStatus::default() });
            return Ok(());
        }
        let spec = pod.spec.get_or_insert_default();
        let node = spec.node_name.get_or_insert_with(|| NODE.to_owned()).clone();
        let holder = Holder::Pod(crate::views::object_name(&pod.metadata));
        let mut addresses = Vec::new();
        for family in self.families.clone() {
            let address = self.addresses.of(&holder, family).ok_or(SettleError::NoAddress)?;
            addresses.push(PodIP { ip: address.to_string() });
        }
        let ready =
            pod.metadata.annotations.as_ref().and_then(|annotations| annotations.get(READY));
        let ready = !ready.is_some_and(|ready| ready.eq_ignore_ascii_case("false"));
        pod.status = Some(PodStatus {
            phase: Some("Running".to_owned()),
            pod_ip: addresses.first().map(|first| first.ip.clone()),
            pod_ips: Some(addresses),
            conditions: Some(vec![ready_condition(ready, self.now)]),
            ..PodStatus::default()
        });
        let node = ObjectRef { kind: "Node", namespace: String::new(), name: node };
        if !self.objects.contains_key(&node) {
            let metadata = ObjectMeta { name: Some(node.name), ..ObjectMeta::default() };
            self.create(Object::Node(Node { metadata, ..Node::default() }))?;
        }
        Ok(())
    }

    /// A pod that runs is not ready any more.
    pub(super) fn set_not_ready(&mut self, pod: &ObjectRef) {
        let Some(Object::Pod(held)) = self.objects.get(pod) else { return };
        let mut changed = held.clone();
        if let Some(status) = &mut changed.status {
            status.conditions = Some(vec![ready_condition(false, self.now)]);
        }
        self.commit(Object::Pod(changed));
    }

    fn commit(&mut self, mut object: Object) {
        self.revision += 1;
        object.metadata_mut().resource_version = Some(self.revision.to_string());
        let work = self.world.apply(object.clone());
        self.queue.extend(work);
        self.objects.insert(object.reference(), object);
    }

    fn remove(&mut self, target: &ObjectRef, uid: &str) {
        let held = self.objects.get(target).and_then(|held| held.metadata().uid.as_deref());
        if held != Some(uid) {
            return;
        }
        match self.objects.remove(target) {
            Some(Object::Pod(_)) => self.pods -= 1,
            Some(Object::Service(service)) => {
                for address in cluster_ips(&service) {
                    self.cluster_ips.remove(&address);
                }
            }
            _ => {}
        }
        let work = self.world.remove(target, Some(uid));
        self.queue.extend(work);
    }

    fn is_absent(&self, owners: &[Owner]) -> bool {
        owners.iter().all(|owner| {
            let held = self.objects.get(&owner.target);
            held.is_none_or(|held| held.metadata().uid.as_ref() != Some(&owner.uid))
        })
    }

    /// Lets controllers act and time pass until nothing is left to do.
    pub(super) fn rest(&mut self) -> Result<(), SettleError> {
        loop {
            // From the last: slices are made once, when all pods are there.
            let Some(work) = self.queue.pop_last() else {
                let Some((at, work)) = self.later.pop_first() else { return Ok(()) };
                self.now = self.now.max(at);
                self.queue.insert(work);
                continue;
            };
            self.steps += 1;
            if self.steps > STEPS_MAX {
                return Err(SettleError::NoRest { busy: title(&work) });
            }
            match self.work(&work) {
                Ok(()) => {}
                Err(Failure::Conflict) => drop(self.queue.insert(work)),
                Err(Failure::Stop(error)) => return Err(error),
            }
        }
    }

    fn work(&mut self, work: &Work) -> Done {
        // No name depends on them: what people wrote into Endpoints, slices mirror.
        if matches!(work, Work::Endpoints(_)) {
            return Ok(());
        }
        let text = title(work);
        let mut drawn = self.drawn.get(work).copied().unwrap_or(0);
        let mut random = || {
            drawn += 1;
            chance::number(&text, drawn)
        };
        let mut context = Context { now: self.now, random: &mut random };
        let decision = reconcile(&self.world, work, &mut context);
        if drawn > 0 {
            self.drawn.insert(work.clone(), drawn);
        }
        if let Some(wait) = decision.retry_after {
            let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX);
            let wait = wait.max(SignedDuration::from_millis(1));
            self.later
                .insert((self.now.saturating_add(wait).unwrap_or(Timestamp::MAX), work.clone()));
        }
        decision.actions.into_iter().try_for_each(|action| self.perform(action))
    }

    fn perform(&mut self, action: Action) -> Done {
        match action {
            Action::Create(object) => {
                if self.objects.contains_key(&object.reference()) {
                    return Err(Failure::Conflict);
                }
                self.create(object).map_err(Failure::Stop)
            }
            Action::Update(object) => self.replace(object, false),
            Action::UpdateStatus(object) => self.replace(object, true),
            Action::Release { object, absent } => match self.is_absent(&absent) {
                true => self.replace(object, false),
                false => Ok(()),
            },
            Action::Delete { target, uid, propagation: _ } => {
                self.remove(&target, &uid);
                Ok(())
            }
            Action::Collect { target, uid, propagation: _, absent } => {
                if self.is_absent(&absent) {
                    self.remove(&target, &uid);
                }
                Ok(())
            }
            // Namespaces do not go here, and nobody reads Events.
            Action::DeleteAll { .. } | Action::Finalize { .. } | Action::Record { .. } => Ok(()),
        }
    }

    fn replace(&mut self, mut object: Object, of_status: bool) -> Done {
        let held = self.objects.get(&object.reference()).ok_or(Failure::Conflict)?;
        match (held, &mut object) {
            // Controllers hold little of a pod, and change its metadata alone.
            (Object::Pod(held), Object::Pod(new)) => {
                new.spec = held.spec.clone();
                new.status = held.status.clone();
            }
            (held, new) if !of_status && held.to_value()["spec"] != new.to_value()["spec"] => {
                let generation = held.metadata().generation.unwrap_or(0) + 1;
                new.metadata_mut().generation = Some(generation);
            }
            _ => {}
        }
        self.commit(object);
        Ok(())
    }
}

/// The addresses that a Service has been given.
fn cluster_ips(service: &Service) -> impl Iterator<Item = IpAddr> {
    let texts = service.spec.iter().flat_map(|spec| spec.cluster_ips.iter().flatten());
    texts.filter_map(|text| text.parse().ok())
}

fn ready_condition(ready: bool, now: Timestamp) -> PodCondition {
    PodCondition {
        type_: "Ready".to_owned(),
        status: if ready { "True" } else { "False" }.to_owned(),
        last_transition_time: Some(Time(now)),
        ..PodCondition::default()
    }
}

/// What a piece of work is about, for people and for chance: the same in every version.
fn title(work: &Work) -> String {
    let (what, key) = match work {
        Work::EndpointSlices(key) => ("EndpointSlices of Service", key),
        Work::Mirror(key) => ("mirrored Endpoints", key),
        Work::Endpoints(key) => ("Endpoints of Service", key),
        Work::StatefulSet(key) => ("StatefulSet", key),
        Work::Deployment(key) => ("Deployment", key),
        Work::ReplicaSet(key) => ("ReplicaSet", key),
        Work::Garbage(ObjectRef { kind, namespace, name }) => {
            return format!("{kind} {namespace}/{name}");
        }
        Work::Namespace(name) => return format!("Namespace {name}"),
    };
    format!("{what} {}/{}", key.namespace, key.name)
}
