//! What the workers of all pods share, and what is known of the pods that they work for.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::PodStatus;
use sandbox::{ContainerId, Exit, ProcessSpec};
use tokio::sync::{Mutex as AsyncMutex, Semaphore, watch};

use super::furnish::Furnish;
use super::life::BackOffSettings;
use super::output::Output;
use super::runtime::{Process, Runtime};
use super::stdio::Writing;
use super::terminal::Terminal;

/// So many pods and containers are started at once.
const STARTS: usize = 8;

/// What the workers of all pods share.
pub(super) struct Shared {
    pub(super) runtime: Arc<dyn Runtime>,
    /// Needs the API, which needs this to be there; so it comes later.
    pub(super) contents: OnceLock<Box<dyn Furnish>>,
    pub(super) folder: PathBuf,
    pub(super) back_off: BackOffSettings,
    pub(super) starts: Semaphore,
    /// Whether what an earlier life of this process left of pods that are gone was removed: before, nothing is written.
    pub(super) swept: watch::Sender<bool>,
    pub(super) clock: Box<dyn Fn() -> Timestamp + Send + Sync>,
    /// By UID; those of which the API knows.
    pods: Mutex<HashMap<String, Known>>,
}

/// What is known of a pod.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    pub(super) status: Arc<PodStatus>,
    /// The present life of each container, or its last one.
    pub(super) lives: HashMap<String, Arc<Live>>,
}

/// One life of a container.
pub(super) struct Live {
    pub(super) id: ContainerId,
    pub(super) process: Arc<dyn Process>,
    /// How it was started: processes beside it have its environment, folder and user.
    pub(super) spec: ProcessSpec,
    pub(super) output: Arc<Output>,
    /// Hears of new lines of its log, and closes with the last one.
    pub(super) written: watch::Receiver<u64>,
    /// None when it has none, or no longer.
    pub(super) stdin: AsyncMutex<Option<Writing>>,
    pub(super) stdin_once: bool,
    pub(super) terminal: Option<Terminal>,
    /// How it ended, when all that it wrote is there.
    pub(super) end: watch::Receiver<Option<Exit>>,
}

impl fmt::Debug for Live {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Live").field("id", &self.id).finish_non_exhaustive()
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Shared").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl Shared {
    pub(super) fn new(
        runtime: Arc<dyn Runtime>,
        folder: PathBuf,
        back_off: BackOffSettings,
        clock: Box<dyn Fn() -> Timestamp + Send + Sync>,
    ) -> Self {
        Self {
            runtime,
            contents: OnceLock::new(),
            folder,
            back_off,
            starts: Semaphore::new(STARTS),
            swept: watch::Sender::new(false),
            clock,
            pods: Mutex::default(),
        }
    }

    pub(super) fn contents(&self) -> &dyn Furnish {
        self.contents.get().expect("no pod is known before the API is").as_ref()
    }

    pub(super) fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// What is known of the pod with this UID.
    pub(super) fn known(&self, uid: &str) -> Option<Known> {
        self.pods().get(uid).cloned()
    }

    /// There is such a pod.
    pub(super) fn note(&self, uid: &str) {
        self.pods().entry(uid.to_owned()).or_default();
    }

    /// A pod's status is like this.
    pub(super) fn note_status(&self, uid: &str, status: &PodStatus) {
        let status = Arc::new(status.clone());
        self.pods().entry(uid.to_owned()).or_default().status = status;
    }

    /// A container has a new life.
    pub(super) fn note_life(&self, uid: &str, container: &str, live: Arc<Live>) {
        let mut pods = self.pods();
        pods.entry(uid.to_owned()).or_default().lives.insert(container.to_owned(), live);
    }

    /// The pod is gone.
    pub(super) fn forget(&self, uid: &str) {
        self.pods().remove(uid);
    }

    fn pods(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        // Each change of it is one call.
        self.pods.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
