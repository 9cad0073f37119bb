//! The task that simulates nodes and pods against the API.

use std::sync::Arc;
use std::time::Duration;

use cluster::queue::{Ended, Queue};
use cluster::{Activity, Busy, Change, Delivery, Subscription, Watches};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Node;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client};
use manifest::{KindId, Object, ObjectRef};
use serde_json::json;
use thiserror::Error;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{debug, error, warn};

use crate::config::{Config, ConfigError};
use crate::contents::Place;
use crate::hands::{Answer, Hands};
use crate::leases::{Known, Leases};
use crate::news::{self, Report};
use crate::nodes::node;
use crate::outlets::Outlets;
use crate::pods::{Pods, Step};
use crate::process::{Crew, Left, Processes, WorkDone};

const KINDS: &[KindId] = &[KindId::Node, KindId::Pod];

/// How many pods have requests under way at once.
const IN_FLIGHT: usize = 32;

/// How many changes are taken before pods are looked at.
const BATCH: usize = 64;

/// How long requests may take to end at shutdown.
const GRACE: Duration = Duration::from_secs(5);

/// Why the simulation did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// It cannot be as configured.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A node could not be created.
    #[error("could not create {node}")]
    Node {
        /// The node's name.
        node: String,
        /// Why.
        #[source]
        error: kube::Error,
    },
}

/// The running simulation; dropped, it stops at once.
#[derive(Debug)]
pub struct Simulation {
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Simulation {
    /// Creates the nodes that are missing, and simulates all nodes and pods of these watches once they are started; with
    /// `processes`, pods are run as such.
    ///
    /// # Errors
    ///
    /// [`StartError`]: the configuration cannot be, or the API refuses a node.
    pub async fn start(
        watches: &mut Watches,
        config: &Config,
        outlets: Outlets,
        processes: Option<Processes>,
    ) -> Result<Self, StartError> {
        config.validate()?;
        let client = watches.client().clone();
        let crew = processes.map(|processes| {
            processes.connect(client.clone());
            Crew::new(&processes, outlets.recorder.clone())
        });
        create_nodes(&client, config).await?;
        let subscription = watches.subscribe(KINDS);
        let activity = watches.activity().clone();
        let (stop, stopped) = oneshot::channel();
        let actor = Actor {
            leases: Leases::start(client.clone(), activity.clone()),
            outlets,
            hands: Hands { client, activity: activity.clone() },
            activity,
            pods: Pods::new(config, crew.is_some()),
            crew,
            unsynced: KINDS.to_vec(),
            queue: Queue::default(),
            in_flight: JoinSet::new(),
        };
        let task = tokio::spawn(actor.run(subscription, stopped));
        Ok(Self { stop: Some(stop), task })
    }

    /// Takes up no more pods and waits for the requests under way, for five seconds at most.
    pub async fn shutdown(mut self) {
        drop(self.stop.take());
        if timeout(GRACE, &mut self.task).await.is_err() {
            warn!("requests were still under way at the end");
        }
    }
}

impl Drop for Simulation {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn create_nodes(client: &Client, config: &Config) -> Result<(), StartError> {
    let now = Timestamp::now();
    let nodes = (1..=config.nodes).map(|number| create_node(client, node(number, config, now)));
    for created in futures::future::join_all(nodes).await {
        created?;
    }
    Ok(())
}

async fn create_node(client: &Client, node: Node) -> Result<(), StartError> {
    let nodes = Api::<Node>::all(client.clone());
    let name = node.metadata.name.clone().unwrap_or_default();
    let failed = |error| StartError::Node { node: name.clone(), error };
    let created = match nodes.create(&PostParams::default(), &node).await {
        Ok(created) => created,
        // From an earlier start; perhaps one that broke off before the status was written.
        Err(kube::Error::Api(status)) if status.is_already_exists() => {
            nodes.get(&name).await.map_err(failed)?
        }
        Err(error) => return Err(failed(error)),
    };
    let has_conditions = |status: &k8s_openapi::api::core::v1::NodeStatus| {
        status.conditions.as_ref().is_some_and(|conditions| !conditions.is_empty())
    };
    if !created.status.as_ref().is_some_and(has_conditions) {
        let patch = Patch::Merge(json!({ "status": node.status }));
        nodes.patch_status(&name, &PatchParams::default(), &patch).await.map_err(failed)?;
    }
    Ok(())
}

struct Actor {
    leases: Leases,
    outlets: Outlets,
    hands: Hands,
    activity: Activity,
    pods: Pods,
    /// The workers of pods that are processes; none when all are simulated.
    crew: Option<Crew>,
    unsynced: Vec<KindId>,
    queue: Queue<ObjectRef>,
    in_flight: JoinSet<Finished>,
}

/// A pod whose requests have ended.
struct Finished {
    target: ObjectRef,
    result: kube::Result<Answer>,
    /// What has come true if that succeeded.
    report: Option<Report>,
    look_again: Option<Duration>,
    /// The pod's worker is to know that it has its place.
    run: Option<(Arc<Object>, Box<Place>)>,
    busy: Busy,
}

impl Actor {
    async fn run(mut self, mut subscription: Subscription, mut stopped: oneshot::Receiver<()>) {
        loop {
            let next_wake = self.queue.next_wake();
            tokio::select! {
                biased;
                _ = &mut stopped => break,
                Some(finished) = self.in_flight.join_next() => {
                    match finished {
                        Ok(finished) => self.finish(finished),
                        Err(error) => error!(%error, "a pod's step broke off"),
                    }
                }
                done = end_of_work(&mut self.crew) => self.take_over(done),
                delivery = subscription.next() => {
                    let Some(delivery) = delivery else { break };
                    self.take_in(delivery);
                    for _ in 1..BATCH {
                        let Some(delivery) = subscription.try_next() else { break };
                        self.take_in(delivery);
                    }
                }
                () = sleep_until(next_wake.unwrap_or_else(Instant::now)), if next_wake.is_some() => {
                    let activity = &self.activity;
                    self.queue.wake(Instant::now(), |_| 0, || activity.busy());
                }
            }
            // Before all pods are known, an address that looks free may be another pod's.
            if self.unsynced.is_empty() {
                self.work();
            }
        }
        while self.in_flight.join_next().await.is_some() {}
    }

    fn take_in(&mut self, Delivery { change, busy }: Delivery) {
        match change {
            Change::Applied(object) => match &*object {
                Object::Pod(_) => {
                    let target = object.reference();
                    if self.pods.apply_pod(object) {
                        self.queue.add(target, 0, busy);
                    }
                }
                Object::Node(node) => {
                    self.note_node(node);
                    for target in self.pods.apply_node(node) {
                        self.queue.add(target, 0, busy.clone());
                    }
                }
                _ => {}
            },
            Change::Gone { target, uid } if target.kind == "Pod" => {
                self.pods.remove_pod(&target, Some(&uid));
                if let Some(crew) = &mut self.crew {
                    crew.gone(&target, &uid);
                }
            }
            Change::Gone { target, uid: _ } => {
                self.pods.remove_node(&target.name);
                self.leases.note(Known::Gone { node: target.name });
            }
            Change::Listed { kind, revision: _ } => {
                self.unsynced.retain(|waiting| *waiting != kind);
                if let (Some(crew), KindId::Pod) = (&self.crew, kind) {
                    crew.sweep(self.pods.uids());
                }
            }
        }
        self.tell_departed();
    }

    /// A worker has ended: what is left of its pod is not its own any more.
    fn take_over(&mut self, WorkDone { target, uid, left }: WorkDone) {
        match left {
            Left::Pod(pod) => {
                self.pods.apply_pod(Arc::new(Object::Pod(*pod)));
            }
            Left::Nothing => self.pods.remove_pod(&target, Some(&uid)),
            Left::Pieces => {}
        }
        self.queue.add(target, 0, self.activity.busy());
        self.tell_departed();
    }

    /// Tells what a node's new state means beyond its pods.
    fn note_node(&self, node: &Node) {
        let name = node.metadata.name.as_deref().unwrap_or_default();
        let uid = node.metadata.uid.clone().unwrap_or_default();
        self.leases.note(Known::Here { node: name.to_owned(), uid });
        let unschedulable = node.spec.as_ref().and_then(|spec| spec.unschedulable).unwrap_or(false);
        if self.pods.is_unschedulable(name).is_some_and(|before| before != unschedulable) {
            self.outlets.recorder.record(news::cordoned(node, unschedulable));
        }
    }

    fn tell(&mut self, target: &ObjectRef, report: Option<Report>) {
        if let Some(report) = report {
            self.outlets.tell(target, &report);
            self.pods.told(target, &report);
        }
    }

    fn tell_departed(&mut self) {
        for (target, report) in self.pods.take_departed() {
            self.outlets.tell(&target, &report);
            self.outlets.logs.end(&report.uid);
        }
    }

    fn finish(&mut self, Finished { target, result, report, look_again, run, busy }: Finished) {
        let now = Instant::now();
        let told = report.as_ref().map(|report| report.uid.clone());
        match result {
            Ok(answer) => {
                if matches!(answer, Answer::Wrote(_)) || run.is_some() {
                    self.tell(&target, report);
                }
                if let (Some(crew), Some((pod, place))) = (&mut self.crew, run) {
                    crew.tell(pod, *place, self.hands.clone(), busy.clone());
                }
                let news = match answer {
                    Answer::Wrote(pod) => self.pods.apply_pod(Arc::new(Object::Pod(*pod))),
                    Answer::Gone { uid } => {
                        self.pods.remove_pod(&target, Some(&uid));
                        false
                    }
                    Answer::Nothing => false,
                };
                self.queue.end(target.clone(), 0, Ended::Done(look_again), now, busy.clone());
                if news {
                    self.queue.add(target, 0, busy);
                }
            }
            Err(error) => {
                match &error {
                    kube::Error::Api(status) if status.is_conflict() => {
                        debug!(?target, %error, "looking again")
                    }
                    _ => warn!(?target, %error, "trying again"),
                }
                self.queue.end(target, 0, Ended::Failed, now, busy);
            }
        }
        if let Some(uid) = told {
            self.outlets.logs.settle(&uid);
        }
        self.tell_departed();
    }

    /// Decides what pods are in line for until all hands are full.
    fn work(&mut self) {
        while self.in_flight.len() < IN_FLIGHT {
            let Some((target, busy)) = self.queue.take() else { return };
            if let (Some(crew), Some(pod)) = (&self.crew, self.pods.pod(&target))
                && crew.tell_worker(pod)
            {
                // It has its place; all else is its worker's.
                self.queue.end(target, 0, Ended::Done(None), Instant::now(), busy);
                continue;
            }
            let hands = self.hands.clone();
            let (step, report) = self.pods.decide(&target, Timestamp::now());
            match step {
                Step::Rest(look_again) => {
                    self.tell(&target, report);
                    self.queue.end(target, 0, Ended::Done(look_again), Instant::now(), busy);
                }
                Step::Delete { uid } => {
                    self.in_flight.spawn(async move {
                        let result = hands.delete(&target, uid).await;
                        let (report, look_again, run) = (None, None, None);
                        Finished { target, result, report, look_again, run, busy }
                    });
                }
                Step::Run { uid: _, bind: None, pod, place } => {
                    self.tell(&target, report);
                    if let Some(crew) = &mut self.crew {
                        crew.tell(pod, *place, hands, busy.clone());
                    }
                    self.queue.end(target, 0, Ended::Done(None), Instant::now(), busy);
                }
                Step::Run { uid, bind, pod, place } => {
                    self.in_flight.spawn(async move {
                        let result = hands.write(&target, &uid, bind, None).await;
                        let (look_again, run) = (None, Some((pod, place)));
                        Finished { target, result, report, look_again, run, busy }
                    });
                }
                Step::Write { uid, bind, status, look_again } => {
                    if let Some(report) = &report {
                        self.outlets.logs.begin(&report.uid);
                    }
                    self.in_flight.spawn(async move {
                        let result = hands.write(&target, &uid, bind, status.as_deref()).await;
                        let run = None;
                        Finished { target, result, report, look_again, run, busy }
                    });
                }
            }
        }
    }
}

/// Waits for the end of a worker; for ever where there are none.
async fn end_of_work(crew: &mut Option<Crew>) -> WorkDone {
    match crew {
        Some(crew) => crew.end().await,
        None => std::future::pending().await,
    }
}
