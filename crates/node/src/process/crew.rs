//! The workers of all pods.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use cluster::{Busy, Recorder};
use k8s_openapi::api::core::v1::Pod;
use manifest::{Object, ObjectRef};
use sandbox::PodId;
use tokio::sync::watch;
use tokio::task::{Id, JoinSet};
use tracing::{error, warn};

use super::Processes;
use super::acts;
use super::shared::Shared;
use super::worker::{self, Order, Wish};
use crate::contents::Place;
use crate::hands::Hands;

/// A worker has ended.
pub(crate) struct WorkDone {
    pub(crate) target: ObjectRef,
    pub(crate) uid: String,
    pub(crate) left: Left,
}

/// What a worker leaves.
pub(crate) enum Left {
    /// Its pod, which is like this now.
    Pod(Box<Pod>),
    /// The API does not have its pod any more.
    Nothing,
    /// Its pod is to be looked at again.
    Pieces,
}

/// The workers of all pods; dropped, they stop where they are.
#[derive(Debug)]
pub(crate) struct Crew {
    shared: Arc<Shared>,
    recorder: Recorder,
    /// By the pods' UIDs.
    workers: HashMap<String, watch::Sender<Wish>>,
    tasks: JoinSet<Option<Pod>>,
    /// Whose task it is, and the pod's UID.
    of_task: HashMap<Id, (ObjectRef, String)>,
}

impl Crew {
    pub(crate) fn new(processes: &Processes, recorder: Recorder) -> Self {
        let shared = processes.shared.clone();
        let (workers, of_task) = (HashMap::new(), HashMap::new());
        Self { shared, recorder, workers, tasks: JoinSet::new(), of_task }
    }

    /// A pod that has its place is like this now. It gets a worker if it has none.
    pub(crate) fn tell(&mut self, pod: Arc<Object>, place: Place, hands: Hands, busy: Busy) {
        let uid = pod.metadata().uid.clone().unwrap_or_default();
        let target = pod.reference();
        let wish = Wish { pod, gone: false };
        if let Some(worker) = self.workers.get(&uid) {
            worker.send_replace(wish);
            return;
        }
        self.shared.note(&uid);
        let (sender, wishes) = watch::channel(wish);
        self.workers.insert(uid.clone(), sender);
        let order = Order {
            shared: self.shared.clone(),
            hands,
            recorder: self.recorder.clone(),
            target: target.clone(),
            uid: uid.clone(),
            place,
            wishes,
            busy,
        };
        let task = self.tasks.spawn(worker::work(order));
        self.of_task.insert(task.id(), (target, uid));
    }

    /// Tells a worker that its pod is like this, if there is one; whether there is.
    pub(crate) fn tell_worker(&self, pod: &Arc<Object>) -> bool {
        let uid = pod.metadata().uid.as_deref().unwrap_or_default();
        let Some(worker) = self.workers.get(uid) else { return false };
        worker.send_replace(Wish { pod: pod.clone(), gone: false });
        true
    }

    /// The API does not have a pod any more.
    pub(crate) fn gone(&mut self, target: &ObjectRef, uid: &str) {
        self.shared.forget(uid);
        match self.workers.get(uid) {
            Some(worker) => worker.send_modify(|wish| wish.gone = true),
            None => self.clear_away(target, uid, false),
        }
    }

    /// What a worker leaves of a pod that the API does not have any more, which it may not have heard in time.
    fn left_of_gone(&self, target: &ObjectRef, uid: &str, left: Left) -> Left {
        match left {
            Left::Nothing => {}
            Left::Pod(_) => self.clear_away(target, uid, false),
            Left::Pieces => self.clear_away(target, uid, true),
        }
        Left::Nothing
    }

    /// Removes the folder of a pod that is gone, and with `runs` before that what runs of it.
    fn clear_away(&self, target: &ObjectRef, uid: &str, runs: bool) {
        let (shared, target, uid) = (self.shared.clone(), target.clone(), uid.to_owned());
        tokio::spawn(async move {
            if runs && let Err(error) = acts::dismantle(&shared, PodId(uid.clone())).await {
                warn!(?target, %error, "what the pod's containers shared was not removed");
            }
            if let Err(error) = shared.contents().remove(&uid).await {
                warn!(?target, %error, "the pod's folder was not removed");
            }
        });
    }

    /// These are all pods that there are: what lies about of others is removed.
    pub(crate) fn sweep(&self, pods: BTreeSet<String>) {
        let shared = self.shared.clone();
        tokio::spawn(async move {
            if let Err(error) = shared.contents().sweep(pods).await {
                warn!(%error, "folders of pods that are gone were not removed");
            }
            shared.swept.send_replace(true);
        });
    }

    /// Waits until a worker has done its work, and gives what its pod is like now; for ever if there is no worker.
    pub(crate) async fn end(&mut self) -> WorkDone {
        loop {
            let (task, left) = match self.tasks.join_next_with_id().await {
                Some(Ok((task, Some(pod)))) => (task, Left::Pod(Box::new(pod))),
                Some(Ok((task, None))) => (task, Left::Nothing),
                Some(Err(error)) => {
                    error!(%error, "a pod's worker broke off");
                    (error.id(), Left::Pieces)
                }
                None => std::future::pending().await,
            };
            if let Some((target, uid)) = self.of_task.remove(&task) {
                let worker = self.workers.remove(&uid);
                let left = match worker.is_some_and(|wish| wish.borrow().gone) {
                    true => self.left_of_gone(&target, &uid, left),
                    false => left,
                };
                if matches!(left, Left::Nothing) {
                    // The worker may have noted something after its pod was forgotten.
                    self.shared.forget(&uid);
                }
                return WorkDone { target, uid, left };
            }
        }
    }
}
