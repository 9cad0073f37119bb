//! A small API with its nodes, in memory: carries out decisions and tells the world, late and in any order if asked.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{Pod, PodCondition, PodIP, PodStatus, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use manifest::{Kind, KindId, Object, ObjectRef, StoredObject};
use reconcile::world::{Refusal, kinds};
use reconcile::{Action, Context, Decision, Owner, Propagation, Work, World, reconcile};
use serde_json::{Value, json};

/// An object from JSON.
pub(crate) fn object(value: Value) -> Object {
    fn read<T: serde::de::DeserializeOwned + Into<Object>>(value: Value) -> Object {
        serde_json::from_value::<T>(value).unwrap().into()
    }
    use k8s_openapi::api::apps::v1 as apps;
    use k8s_openapi::api::core::v1 as core;
    match value["kind"].as_str().unwrap() {
        "Namespace" => read::<core::Namespace>(value),
        "Node" => read::<core::Node>(value),
        "Pod" => read::<Pod>(value),
        "Service" => read::<Service>(value),
        "Endpoints" => read::<core::Endpoints>(value),
        "EndpointSlice" => read::<EndpointSlice>(value),
        "StatefulSet" => read::<apps::StatefulSet>(value),
        "Deployment" => read::<apps::Deployment>(value),
        "ReplicaSet" => read::<apps::ReplicaSet>(value),
        "ControllerRevision" => read::<apps::ControllerRevision>(value),
        other => {
            let KindId::Stored(kind) = Kind::by_name(other).unwrap().id else { panic!("{other}") };
            let metadata = serde_json::from_value(value["metadata"].clone()).unwrap();
            let Value::Object(mut content) = value else { panic!("no object") };
            content
                .retain(|field, _| !matches!(field.as_str(), "apiVersion" | "kind" | "metadata"));
            StoredObject { kind, metadata, content }.into()
        }
    }
}

/// What controllers are told of an object.
pub(crate) fn told_of(object: &Object) -> Object {
    let mut object = object.clone();
    if let Object::Stored(StoredObject { metadata, content, .. }) = &mut object {
        content.clear();
        metadata.labels = None;
        metadata.annotations = None;
    }
    object
}

/// A reference in the namespace `default`.
pub(crate) fn reference(kind: &'static str, name: &str) -> ObjectRef {
    ObjectRef { kind, namespace: "default".to_owned(), name: name.to_owned() }
}

enum Event {
    Applied(Box<Object>),
    Gone(ObjectRef, String),
}

pub(crate) struct Model {
    /// What the API holds.
    pub(crate) objects: BTreeMap<ObjectRef, Object>,
    /// What the controllers know.
    pub(crate) world: World,
    pub(crate) now: Timestamp,
    /// Every action carried out.
    pub(crate) log: Vec<Action>,
    /// Whether events and work come in random order.
    pub(crate) shuffled: bool,
    /// The kind whose new objects the API refuses, and how it says so.
    pub(crate) refuses: Option<(&'static str, &'static str)>,
    events: BTreeMap<&'static str, VecDeque<Event>>,
    queue: BTreeSet<Work>,
    later: BTreeSet<(Timestamp, Work)>,
    revision: u64,
    serial: u64,
    chance: u64,
}

impl Model {
    /// A cluster with three nodes and the namespace `default`.
    pub(crate) fn new() -> Self {
        let mut model = Self {
            objects: BTreeMap::new(),
            world: World::new(),
            now: "2026-01-01T00:00:00Z".parse().unwrap(),
            log: Vec::new(),
            shuffled: false,
            refuses: None,
            events: BTreeMap::new(),
            queue: BTreeSet::new(),
            later: BTreeSet::new(),
            revision: 0,
            serial: 0,
            chance: 0x9e37_79b9_7f4a_7c15,
        };
        for kind in kinds() {
            model.world.set_synced(kind);
        }
        model.apply(json!({"kind": "Namespace", "metadata": {"name": "default"}, "spec": {"finalizers": ["kubernetes"]}}));
        for node in 1..=3 {
            model.apply(json!({"kind": "Node", "metadata": {
                "name": format!("node-{node}"),
                "labels": {"topology.kubernetes.io/zone": format!("zone-{node}")},
            }}));
        }
        model
    }

    pub(crate) fn shuffled(seed: u64) -> Self {
        let mut model = Self::new();
        model.shuffled = true;
        model.chance ^= seed.wrapping_mul(0x2545_f491_4f6c_dd1d) | 1;
        model
    }

    pub(crate) fn random(&mut self) -> u64 {
        // xorshift64*
        self.chance ^= self.chance >> 12;
        self.chance ^= self.chance << 25;
        self.chance ^= self.chance >> 27;
        self.chance.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Creates or replaces an object as a person does: what the API fills in is kept.
    pub(crate) fn apply(&mut self, value: Value) {
        let mut object = object(value);
        let kind = object.kind();
        if Kind::by_name(kind).unwrap().namespaced {
            object.metadata_mut().namespace.get_or_insert("default".to_owned());
        }
        if let Some(old) = self.objects.get(&object.reference()).cloned() {
            let mut merged = old.to_value();
            let new = object.to_value();
            merged["spec"] = new["spec"].clone();
            for part in ["labels", "annotations"] {
                merged["metadata"][part] = new["metadata"][part].clone();
            }
            let mut merged = self::object(merged);
            bump(&old, &mut merged);
            self.commit(merged);
        } else {
            self.create(object);
        }
    }

    /// Changes an object as another program does.
    pub(crate) fn change(&mut self, target: &ObjectRef, change: impl FnOnce(&mut Object)) {
        let old = self.objects[target].clone();
        let mut new = old.clone();
        change(&mut new);
        bump(&old, &mut new);
        self.commit(new);
    }

    /// Deletes an object as a person does.
    pub(crate) fn delete(&mut self, target: &ObjectRef, propagation: Propagation) {
        let Some(object) = self.objects.get(target).cloned() else { return };
        self.remove(object, propagation);
    }

    fn create(&mut self, mut object: Object) -> Object {
        self.serial += 1;
        let metadata = object.metadata_mut();
        metadata.uid = Some(format!("uid-{}", self.serial));
        metadata.creation_timestamp = Some(Time(self.now));
        metadata.generation = Some(1);
        if let Object::Pod(pod) = &mut object {
            pod.status = Some(PodStatus { phase: Some("Pending".into()), ..PodStatus::default() });
        }
        self.commit(object)
    }

    fn commit(&mut self, mut object: Object) -> Object {
        self.revision += 1;
        object.metadata_mut().resource_version = Some(self.revision.to_string());
        let metadata = object.metadata();
        if metadata.deletion_timestamp.is_some()
            && metadata.finalizers.iter().flatten().next().is_none()
            && !matches!(object, Object::Namespace(_))
        {
            self.drop(&object);
            return object;
        }
        self.objects.insert(object.reference(), object.clone());
        self.events
            .entry(object.kind())
            .or_default()
            .push_back(Event::Applied(object.clone().into()));
        object
    }

    fn drop(&mut self, object: &Object) {
        self.revision += 1;
        let reference = object.reference();
        let uid = object.metadata().uid.clone().unwrap();
        self.objects.remove(&reference);
        self.events.entry(object.kind()).or_default().push_back(Event::Gone(reference, uid));
    }

    /// What is left of the object, if its finalizers hold it.
    fn remove(&mut self, mut object: Object, propagation: Propagation) -> Option<Object> {
        let finalizer = match propagation {
            Propagation::Background => None,
            Propagation::Foreground => Some("foregroundDeletion"),
            Propagation::Orphan => Some("orphan"),
        };
        let namespace = matches!(object, Object::Namespace(_));
        let metadata = object.metadata_mut();
        let finalizers = metadata.finalizers.get_or_insert_default();
        if let Some(finalizer) = finalizer
            && !finalizers.iter().any(|held| held == finalizer)
        {
            finalizers.push(finalizer.to_owned());
        }
        if finalizers.is_empty() && !namespace {
            self.drop(&object);
            return None;
        }
        metadata.deletion_timestamp.get_or_insert(Time(self.now));
        Some(self.commit(object))
    }

    fn wrote(&mut self, object: Object) {
        let gone = !self.objects.contains_key(&object.reference());
        let work = if gone {
            self.world.remove(&object.reference(), object.metadata().uid.as_deref())
        } else {
            self.world.apply(told_of(&object))
        };
        self.queue.extend(work);
    }

    fn is_absent(&self, owners: &[Owner]) -> bool {
        owners.iter().all(|owner| {
            let held = self.objects.get(&owner.target);
            held.is_none_or(|held| held.metadata().uid.as_ref() != Some(&owner.uid))
        })
    }

    /// Carries out one action. An error when the API refuses, with what it refused to create.
    fn perform(&mut self, action: Action) -> Result<(), Option<Refusal>> {
        self.log.push(action.clone());
        let written = match action {
            Action::Create(object) => {
                let namespace = object.metadata().namespace.clone().unwrap();
                let home =
                    ObjectRef { kind: "Namespace", namespace: String::new(), name: namespace };
                let terminating = self
                    .objects
                    .get(&home)
                    .is_none_or(|home| home.metadata().deletion_timestamp.is_some());
                if terminating || self.objects.contains_key(&object.reference()) {
                    return Err(None);
                }
                if let Some((_, message)) = self.refuses.filter(|(kind, _)| *kind == object.kind())
                {
                    let (target, message) = (object.reference(), message.to_owned());
                    return Err(Some(Refusal { target, message }));
                }
                let object = self.create(object);
                self.wrote(object);
                true
            }
            Action::Update(object) => self.replace(object, false),
            Action::UpdateStatus(object) => self.replace(object, true),
            Action::Release { object, absent } => {
                self.is_absent(&absent) && self.replace(object, false)
            }
            Action::Delete { target, uid, propagation } => {
                self.end(&target, &uid, propagation);
                true
            }
            Action::Collect { target, uid, propagation, absent } => {
                assert!(!absent.is_empty());
                if self.is_absent(&absent) {
                    self.end(&target, &uid, propagation);
                }
                true
            }
            Action::DeleteAll { kind, .. } => {
                assert_eq!(kind, "Event", "all else is known");
                true
            }
            Action::Record { .. } => true,
            Action::Finalize { namespace, uid } => {
                let target =
                    ObjectRef { kind: "Namespace", namespace: String::new(), name: namespace };
                assert!(self.objects.keys().all(|held| held.namespace != target.name), "not empty");
                if let Some(object) = self.objects.get(&target).cloned() {
                    assert_eq!(object.metadata().uid.as_ref(), Some(&uid));
                    self.drop(&object);
                    let work = self.world.remove(&target, Some(&uid));
                    self.queue.extend(work);
                }
                true
            }
        };
        if written { Ok(()) } else { Err(None) }
    }

    fn end(&mut self, target: &ObjectRef, uid: &str, propagation: Propagation) {
        let held = self
            .objects
            .get(target)
            .filter(|held| held.metadata().uid.as_deref() == Some(uid))
            .cloned();
        let left = held.and_then(|held| self.remove(held, propagation));
        match left {
            Some(left) => self.wrote(left),
            None => {
                let work = self.world.remove(target, Some(uid));
                self.queue.extend(work);
            }
        }
    }

    fn replace(&mut self, object: Object, status: bool) -> bool {
        let Some(old) = self.objects.get(&object.reference()).cloned() else { return false };
        if old.metadata().resource_version != object.metadata().resource_version {
            return false;
        }
        if let (Object::Stored(mut merged), Object::Stored(new)) = (old.clone(), &object) {
            // A patch: what controllers do not know stays.
            merged.metadata.owner_references = new.metadata.owner_references.clone();
            merged.metadata.finalizers = new.metadata.finalizers.clone();
            let written = self.commit(merged.into());
            self.wrote(written);
            return true;
        }
        let mut merged = object.to_value();
        let held = old.to_value();
        if let Object::Pod(_) = object {
            // Controllers hold little of a pod; it is patched by the difference in that.
            let metadata = merged["metadata"].take();
            merged = held;
            merged["metadata"] = metadata;
        } else if status {
            let status = merged["status"].clone();
            merged = held;
            merged["status"] = status;
        } else if held.get("status").is_some() {
            merged["status"] = held["status"].clone();
        }
        let mut merged = self::object(merged);
        bump(&old, &mut merged);
        let written = self.commit(merged);
        self.wrote(written);
        true
    }

    /// What nodes do: a new pod gets a node and an address and runs; `headcount.dev/ready` plays its readiness.
    fn kubelet(&mut self) -> bool {
        let due: Vec<Pod> = self
            .objects
            .values()
            .filter_map(|object| match object {
                Object::Pod(pod) if pod_is_due(pod) => Some(pod.clone()),
                _ => None,
            })
            .collect();
        let busy = !due.is_empty();
        for mut pod in due {
            if pod.status.as_ref().unwrap().phase.as_deref() == Some("Pending") {
                self.serial += 1;
                let node = self.serial % 3 + 1;
                let [_, high, middle, low] = (self.serial as u32).to_be_bytes();
                let address = format!("10.{high}.{middle}.{low}");
                pod.spec.as_mut().unwrap().node_name = Some(format!("node-{node}"));
                let status = pod.status.as_mut().unwrap();
                status.phase = Some("Running".into());
                status.pod_ip = Some(address.clone());
                status.pod_ips = Some(vec![PodIP { ip: address }]);
            }
            let ready = annotated(&pod).unwrap_or(true);
            set_ready(&mut pod, ready, self.now);
            self.commit(pod.into());
        }
        busy
    }

    fn deliver(&mut self) -> bool {
        let waiting: Vec<&'static str> = self
            .events
            .iter()
            .filter(|(_, events)| !events.is_empty())
            .map(|(kind, _)| *kind)
            .collect();
        if waiting.is_empty() {
            return false;
        }
        let at = if self.shuffled { self.random() as usize % waiting.len() } else { 0 };
        let event = self.events.get_mut(waiting[at]).unwrap().pop_front().unwrap();
        let work = match event {
            Event::Applied(object) => self.world.apply(told_of(&object)),
            Event::Gone(target, uid) => self.world.remove(&target, Some(&uid)),
        };
        self.queue.extend(work);
        true
    }

    fn work(&mut self) -> bool {
        if self.queue.is_empty() {
            return false;
        }
        let at = if self.shuffled { self.random() as usize % self.queue.len() } else { 0 };
        let work = self.queue.iter().nth(at).unwrap().clone();
        self.queue.remove(&work);
        let mut chance = self.random();
        let mut random = || {
            chance = chance.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            chance ^ (chance >> 29)
        };
        let mut context = Context { now: self.now, random: &mut random };
        let decision = reconcile(&self.world, &work, &mut context);
        if let Some(wait) = decision.retry_after {
            let at =
                self.now + SignedDuration::try_from(wait.max(Duration::from_millis(1))).unwrap();
            self.later.insert((at, work.clone()));
        }
        for action in decision.actions {
            match self.perform(action) {
                Ok(()) => {}
                Err(None) => {
                    self.queue.insert(work);
                    return true;
                }
                Err(refusal) => {
                    self.world.note_refusal(&work, refusal);
                    self.later.insert((self.now + SignedDuration::from_secs(1), work));
                    return true;
                }
            }
        }
        self.world.note_refusal(&work, None);
        true
    }

    /// Lets everyone act until nothing more happens now, then lets one waiting piece of work come.
    pub(crate) fn settle_once(&mut self) {
        while self.step() {}
        if let Some((at, work)) = self.later.pop_first() {
            self.now = self.now.max(at);
            self.queue.insert(work);
        }
        while self.step() {}
    }

    /// The Events of one component so far: reason and message.
    pub(crate) fn told_by(&self, by: &str) -> Vec<(&'static str, String)> {
        let told = |action: &Action| match action {
            Action::Record { reason, message, component, .. } if *component == by => {
                Some((*reason, message.clone()))
            }
            _ => None,
        };
        self.log.iter().filter_map(told).collect()
    }

    /// One step of someone. `false` when nobody has anything to do before time passes.
    pub(crate) fn step(&mut self) -> bool {
        if !self.shuffled {
            return self.deliver() || self.work() || self.kubelet();
        }
        match self.random() % 4 {
            0 | 1 => self.deliver() || self.work() || self.kubelet(),
            2 => self.work() || self.kubelet() || self.deliver(),
            _ => self.kubelet() || self.work() || self.deliver(),
        }
    }

    /// Lets everyone act, and time pass, until nothing more happens; then no decision is left to be made.
    pub(crate) fn settle(&mut self) {
        self.settle_watched(|_, _| {});
    }

    /// The same, with a look after every step at what was done in it.
    pub(crate) fn settle_watched(&mut self, watch: impl Fn(&Self, &[Action])) {
        for _ in 0..200_000 {
            let before = self.log.len();
            if self.step() {
                watch(self, &self.log[before..]);
                continue;
            }
            let Some((at, work)) = self.later.pop_first() else {
                self.assert_idle();
                return;
            };
            self.now = self.now.max(at);
            self.queue.insert(work);
        }
        panic!(
            "still busy: {:?}, last {:?}",
            self.queue,
            &self.log[self.log.len().saturating_sub(4)..]
        );
    }

    fn assert_idle(&self) {
        let mut random = || 0;
        let mut context = Context { now: self.now, random: &mut random };
        for work in self.world.all_work() {
            let Decision { actions, .. } = reconcile(&self.world, &work, &mut context);
            assert_eq!(actions, [], "{work:?} decides again what was done");
        }
    }

    pub(crate) fn pods(&self) -> Vec<&Pod> {
        self.objects
            .values()
            .filter_map(|object| if let Object::Pod(pod) = object { Some(pod) } else { None })
            .collect()
    }

    pub(crate) fn slices(&self) -> Vec<&EndpointSlice> {
        self.objects
            .values()
            .filter_map(
                |object| if let Object::EndpointSlice(slice) = object { Some(slice) } else { None },
            )
            .collect()
    }

    /// The names of all objects of a kind.
    pub(crate) fn names(&self, kind: &str) -> Vec<&str> {
        self.objects
            .keys()
            .filter(|held| held.kind == kind)
            .map(|held| held.name.as_str())
            .collect()
    }

    pub(crate) fn value(&self, kind: &'static str, name: &str) -> Value {
        self.objects[&reference(kind, name)].to_value()
    }

    /// Plays the readiness of a pod.
    pub(crate) fn set_ready(&mut self, pod: &str, ready: bool) {
        self.change(&reference("Pod", pod), |object| {
            let annotations = object.metadata_mut().annotations.get_or_insert_default();
            annotations.insert("headcount.dev/ready".to_owned(), ready.to_string());
        });
    }
}

fn bump(old: &Object, new: &mut Object) {
    if old.to_value()["spec"] != new.to_value()["spec"] {
        let generation = old.metadata().generation.unwrap_or(0) + 1;
        new.metadata_mut().generation = Some(generation);
    }
}

fn annotated(pod: &Pod) -> Option<bool> {
    pod.metadata.annotations.as_ref()?.get("headcount.dev/ready").map(|value| value == "true")
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

fn pod_is_due(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    pod.metadata.deletion_timestamp.is_none()
        && match phase {
            Some("Pending") => true,
            Some("Running") => annotated(pod).is_some_and(|wanted| is_ready(pod) != wanted),
            _ => false,
        }
}

fn set_ready(pod: &mut Pod, ready: bool, now: Timestamp) {
    let status = pod.status.get_or_insert_default();
    status.conditions = Some(vec![PodCondition {
        type_: "Ready".into(),
        status: if ready { "True" } else { "False" }.into(),
        last_transition_time: Some(Time(now)),
        ..PodCondition::default()
    }]);
}
