//! The pods that are simulated: where each is, and what is to be done next.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Node, Pod, PodStatus};
use manifest::{Object, ObjectRef};

use crate::addresses::Addresses;
use crate::config::Config;
use crate::contents;
use crate::news::{self, News, Report, Told};
use crate::schedule::{Place, schedule};
use crate::status::{Readiness, failed, is_interactive, pending, readiness, running};

/// What is to be done for a pod.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    /// All is as it should be; look again after a time, if one is given.
    Rest(Option<Duration>),
    /// Remove it for good.
    Delete { uid: String },
    /// Bind it to a node, if it is not yet, and then let its worker know that it is like this.
    Run { uid: String, bind: Option<String>, pod: Arc<Object>, place: Box<contents::Place> },
    /// Bind it to a node, if it is not yet, and then write its status, if that changes.
    Write {
        uid: String,
        bind: Option<String>,
        status: Option<Box<PodStatus>>,
        look_again: Option<Duration>,
    },
}

/// All pods and nodes, as far as simulating them needs.
#[derive(Debug)]
pub(crate) struct Pods {
    /// They are processes; else they are simulated.
    run: bool,
    places: BTreeMap<String, Place>,
    addresses: Addresses,
    pods: HashMap<ObjectRef, Entry>,
    /// Pods that wait for a node.
    waiting: HashSet<ObjectRef>,
    /// Pods that are gone, to be told of.
    departed: Vec<(ObjectRef, Report)>,
}

#[derive(Debug)]
struct Entry {
    uid: String,
    revision: Option<u64>,
    /// The node it counts for.
    node: Option<String>,
    /// The addresses it has of that node; none for pods in the node's own network.
    addresses: Vec<IpAddr>,
    started: Option<Timestamp>,
    /// The containers that run, so that their end can be told.
    containers: Box<[String]>,
    /// What was told of its readiness last.
    told: Option<Told>,
    /// The pod, as long as something is to be decided.
    pod: Option<Arc<Object>>,
}

impl Pods {
    pub(crate) fn new(config: &Config, run: bool) -> Self {
        Self {
            run,
            places: BTreeMap::new(),
            addresses: Addresses::new(config),
            pods: HashMap::new(),
            waiting: HashSet::new(),
            departed: Vec::new(),
        }
    }

    /// A node exists like this. Returns the pods that waited for one.
    pub(crate) fn apply_node(&mut self, node: &Node) -> Vec<ObjectRef> {
        let Some(name) = node.metadata.name.as_deref() else { return Vec::new() };
        let place = Place::of(node);
        let pods = self.places.get(name).map_or_else(|| self.count(name), |known| known.pods);
        let spec = node.spec.as_ref();
        let cidrs = spec.and_then(|spec| spec.pod_cidrs.as_deref()).unwrap_or_default();
        let cidrs: Vec<IpNet> = cidrs.iter().filter_map(|cidr| cidr.parse().ok()).collect();
        self.addresses.add_node(name, &cidrs);
        let place = Place { pods, ..place };
        if self.places.insert(name.to_owned(), place.clone()) == Some(place) {
            return Vec::new();
        }
        self.waiting.drain().collect()
    }

    /// A node is gone. Its pods stay as they are.
    pub(crate) fn remove_node(&mut self, name: &str) {
        self.places.remove(name);
    }

    /// A pod exists like this. Whether it is news: then [`decide`](Self::decide) what is to be done.
    ///
    /// The watch tells of own writes after their answers did, perhaps with an older version first; such echoes are
    /// no news.
    pub(crate) fn apply_pod(&mut self, object: Arc<Object>) -> bool {
        let Object::Pod(pod) = &*object else { return false };
        let target = object.reference();
        let metadata = &pod.metadata;
        let uid = metadata.uid.as_deref().unwrap_or_default();
        let revision =
            metadata.resource_version.as_deref().and_then(|version| version.parse().ok());
        if let Some(known) = self.pods.get(&target) {
            if known.uid != uid {
                self.remove_pod(&target, None);
            } else if let (Some(known), Some(revision)) = (known.revision, revision)
                && revision <= known
            {
                return false;
            }
        }
        let entry = self.pods.entry(target.clone()).or_insert_with(|| Entry {
            uid: uid.to_owned(),
            revision,
            node: None,
            addresses: Vec::new(),
            started: None,
            containers: Box::default(),
            told: None,
            pod: None,
        });
        entry.revision = revision;
        if let Some(node) = node_of(pod)
            && entry.node.as_deref() != Some(node)
        {
            leave(&mut self.places, &mut self.addresses, entry);
            entry.node = Some(node.to_owned());
            if let Some(place) = self.places.get_mut(node) {
                place.pods += 1;
            }
        }
        // From an earlier life of this process: the pod keeps the addresses that it has.
        if entry.addresses.is_empty()
            && !is_finished(pod)
            && !host_network(pod)
            && let Some(node) = &entry.node
        {
            entry.addresses = addresses_of(pod);
            if self.run && !self.addresses.are_ours(&entry.addresses) {
                // Nothing leads there: it is given others.
                entry.addresses.clear();
            }
            self.addresses.hold(node, &entry.addresses);
        }
        entry.pod = Some(object);
        true
    }

    /// A pod, as long as something is to be decided for it.
    pub(crate) fn pod(&self, target: &ObjectRef) -> Option<&Arc<Object>> {
        self.pods.get(target)?.pod.as_ref()
    }

    /// The UIDs of all pods.
    pub(crate) fn uids(&self) -> BTreeSet<String> {
        self.pods.values().map(|entry| entry.uid.clone()).collect()
    }

    /// Whether a node takes no pods, if it is known.
    pub(crate) fn is_unschedulable(&self, node: &str) -> Option<bool> {
        self.places.get(node).map(|place| place.unschedulable)
    }

    /// The pods that have gone since this was asked last.
    pub(crate) fn take_departed(&mut self) -> Vec<(ObjectRef, Report)> {
        std::mem::take(&mut self.departed)
    }

    /// Notes that people were told this of a pod.
    pub(crate) fn told(&mut self, target: &ObjectRef, report: &Report) {
        if let Some(entry) = self.pods.get_mut(target)
            && entry.uid == report.uid
            && let Some(told) = report.readiness()
        {
            entry.told = Some(told);
        }
    }

    /// A pod is gone, if it is the one with this UID.
    pub(crate) fn remove_pod(&mut self, target: &ObjectRef, uid: Option<&str>) {
        if let Some(uid) = uid
            && self.pods.get(target).is_some_and(|entry| entry.uid != uid)
        {
            return;
        }
        let Some(mut entry) = self.pods.remove(target) else { return };
        self.waiting.remove(target);
        let containers = std::mem::take(&mut entry.containers).into_vec();
        let news = containers.into_iter().map(|container| News::Stopping { container }).collect();
        let report = Report { uid: entry.uid.clone(), node: entry.node.clone(), news };
        self.departed.push((target.clone(), report));
        leave(&mut self.places, &mut self.addresses, &mut entry);
    }

    /// What is to be done for a pod now, and what is news once that is done. A node and addresses are taken for it here,
    /// and stay its own from then on.
    pub(crate) fn decide(&mut self, target: &ObjectRef, now: Timestamp) -> (Step, Option<Report>) {
        let mut news = Vec::new();
        let step = self.step(target, now, &mut news);
        let entry = self.pods.get(target).filter(|_| !news.is_empty());
        let report =
            entry.map(|entry| Report { uid: entry.uid.clone(), node: entry.node.clone(), news });
        (step, report)
    }

    fn step(&mut self, target: &ObjectRef, now: Timestamp, news: &mut Vec<News>) -> Step {
        let Some(entry) = self.pods.get_mut(target) else { return Step::Rest(None) };
        let Some(object) = entry.pod.clone() else { return Step::Rest(None) };
        let Object::Pod(pod) = &*object else { return Step::Rest(None) };
        let metadata = &pod.metadata;
        let runs = self.run && !is_mirror(pod);
        if metadata.deletion_timestamp.is_some() {
            entry.pod = None;
            // With no time of grace left, it only waits for its finalizers.
            let waits = metadata.deletion_grace_period_seconds == Some(0)
                && metadata.finalizers.iter().flatten().next().is_some();
            return if waits { Step::Rest(None) } else { Step::Delete { uid: entry.uid.clone() } };
        }
        if is_finished(pod) {
            entry.pod = None;
            leave(&mut self.places, &mut self.addresses, entry);
            return Step::Rest(None);
        }
        let gated = pod
            .spec
            .iter()
            .flat_map(|spec| spec.scheduling_gates.iter().flatten())
            .next()
            .is_some();
        if gated {
            entry.pod = None;
            return Step::Rest(None);
        }

        let write = |entry: &Entry,
                     bind: Option<String>,
                     status: PodStatus,
                     look_again: Option<Duration>| {
            let status = (pod.status.as_ref() != Some(&status)).then(|| Box::new(status));
            match (&bind, &status) {
                (None, None) => Step::Rest(look_again),
                _ => Step::Write { uid: entry.uid.clone(), bind, status, look_again },
            }
        };
        let bind = match (node_of(pod), &entry.node) {
            (Some(_), _) => None,
            // Chosen before, but the binding has not happened.
            (None, Some(chosen)) => Some(chosen.clone()),
            (None, None) => {
                let none = BTreeMap::new();
                let selector = pod.spec.as_ref().and_then(|spec| spec.node_selector.as_ref());
                match schedule(&self.places, selector.unwrap_or(&none)) {
                    Ok(node) => {
                        let node = node.to_owned();
                        entry.node = Some(node.clone());
                        if let Some(place) = self.places.get_mut(&node) {
                            place.pods += 1;
                        }
                        Some(node)
                    }
                    Err(unschedulable) => {
                        self.waiting.insert(target.clone());
                        let why = unschedulable.to_string();
                        *news = news::pending(pod, None, false, &why);
                        return write(entry, None, pending(pod, false, why, now), None);
                    }
                }
            }
        };
        let Some(place) = entry.node.as_ref().and_then(|node| self.places.get(node)) else {
            // It was put on a node that does not exist (yet): nobody runs it.
            self.waiting.insert(target.clone());
            return Step::Rest(None);
        };
        let host = place.addresses.clone();
        if !runs && is_interactive(pod) {
            *news = news::failed(bind.as_deref());
            return write(entry, bind, failed(pod, &host, now), None);
        }
        if !host_network(pod)
            && entry.addresses.is_empty()
            && let Some(node) = &entry.node
        {
            match self.addresses.take(node) {
                Ok(addresses) => entry.addresses = addresses,
                Err(exhausted) => {
                    self.waiting.insert(target.clone());
                    let retry = Some(Duration::from_secs(5));
                    let why = exhausted.to_string();
                    *news = news::pending(pod, bind.as_deref(), true, &why);
                    return write(entry, bind, pending(pod, true, why, now), retry);
                }
            }
        }
        let addresses = if host_network(pod) { &host } else { &entry.addresses };
        if runs {
            let addresses = self.addresses.interfaces(addresses);
            let node_name = entry.node.clone().unwrap_or_default();
            let place = contents::Place { addresses, node_name, host_ips: host };
            news.extend(bind.iter().map(|node| News::Scheduled { node: node.clone() }));
            let uid = entry.uid.clone();
            return Step::Run { uid, bind, pod: object, place: Box::new(place) };
        }
        let found = entry.started.is_none();
        let first_start = pod.status.as_ref().and_then(|status| status.start_time.as_ref());
        let started = *entry.started.get_or_insert(first_start.map_or(now, |time| time.0));
        if entry.containers.is_empty() {
            let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
            entry.containers = containers.map(|container| container.name.clone()).collect();
        }
        let readiness = readiness(pod, started, now);
        *news = news::running(pod, bind.as_deref(), addresses, found, entry.told, readiness);
        let (ready, look_again) = match readiness {
            Readiness::Ready => (true, None),
            Readiness::NotReady => (false, None),
            Readiness::ReadyIn(delay) => (false, Some(delay)),
        };
        let step = write(entry, bind, running(pod, addresses, &host, ready, now), look_again);
        if step == Step::Rest(None) {
            entry.pod = None;
        }
        step
    }

    fn count(&self, node: &str) -> usize {
        self.pods.values().filter(|entry| entry.node.as_deref() == Some(node)).count()
    }
}

/// The pod no longer takes part: its place and addresses are free.
fn leave(places: &mut BTreeMap<String, Place>, addresses: &mut Addresses, entry: &mut Entry) {
    addresses.release(&std::mem::take(&mut entry.addresses));
    if let Some(place) = entry.node.take().and_then(|node| places.get_mut(&node)) {
        place.pods = place.pods.saturating_sub(1);
    }
}

fn node_of(pod: &Pod) -> Option<&str> {
    pod.spec.as_ref()?.node_name.as_deref().filter(|node| !node.is_empty())
}

/// Whether a pod is one that its node has by itself: the cluster's DNS, which is this process.
pub fn is_mirror(pod: &Pod) -> bool {
    let annotations = pod.metadata.annotations.as_ref();
    annotations.is_some_and(|annotations| annotations.contains_key("kubernetes.io/config.mirror"))
}

pub(crate) fn host_network(pod: &Pod) -> bool {
    pod.spec.as_ref().and_then(|spec| spec.host_network).unwrap_or(false)
}

fn is_finished(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed"))
}

fn addresses_of(pod: &Pod) -> Vec<IpAddr> {
    let Some(status) = &pod.status else { return Vec::new() };
    let mut addresses: Vec<IpAddr> =
        status.pod_ips.iter().flatten().filter_map(|ip| ip.ip.parse().ok()).collect();
    if addresses.is_empty() {
        addresses.extend(status.pod_ip.iter().filter_map(|ip| ip.parse::<IpAddr>().ok()));
    }
    addresses
}

#[cfg(test)]
mod tests;
