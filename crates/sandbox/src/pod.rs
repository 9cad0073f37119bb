//! A pod in the engine: its network and what runs in it.

use std::collections::HashMap;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Signal, pidfd_send_signal};

use crate::failure::Failure;
use crate::network::PodNetwork;
use crate::spec::{ContainerId, Limits, PodId};

/// What has been killed takes no longer to be gone, unless a device does not answer it.
const END: Duration = Duration::from_secs(20);

/// A pod.
#[derive(Debug)]
pub(crate) struct Pod {
    id: PodId,
    /// That of the nodes, where there is none.
    pub(crate) network: Option<PodNetwork>,
    state: Mutex<State>,
    fewer: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Nothing more starts.
    removed: bool,
    /// As many are about to run.
    starting: usize,
    running: HashMap<u64, Running>,
}

/// A process of a pod.
#[derive(Clone, Debug)]
pub(crate) struct Running {
    /// It, for as long as this is held.
    pub(crate) process: Arc<OwnedFd>,
    /// The container whose first process it is, and what limits the others in it have.
    pub(crate) first_of: Option<(ContainerId, Limits)>,
}

/// That a process is about to run in a pod.
#[derive(Debug)]
pub(crate) struct Starting(Arc<Pod>);

impl Pod {
    pub(crate) fn new(id: PodId, network: Option<PodNetwork>) -> Self {
        Self { id, network, state: Mutex::default(), fewer: Condvar::new() }
    }

    /// The first process of a container.
    pub(crate) fn container(&self, id: &ContainerId) -> Result<(Arc<OwnedFd>, Limits), Failure> {
        self.lock()
            .running
            .values()
            .find_map(|running| match &running.first_of {
                Some((of, limits)) if of == id => Some((Arc::clone(&running.process), *limits)),
                _ => None,
            })
            .ok_or_else(|| Failure::Gone(format!("container {}", id.name)))
    }

    /// Something is about to run in it.
    pub(crate) fn begin(self: &Arc<Self>) -> Result<Starting, Failure> {
        let mut state = self.lock();
        if state.removed {
            return Err(Failure::Gone(format!("pod {}", self.id.0)));
        }
        state.starting += 1;
        Ok(Starting(Arc::clone(self)))
    }

    /// A process has ended.
    pub(crate) fn ended(&self, number: u64) {
        self.lock().running.remove(&number);
        self.fewer.notify_all();
    }

    /// Ends all that runs in it, and returns when it is gone.
    pub(crate) fn end(&self) -> Result<(), Failure> {
        let mut state = self.lock();
        state.removed = true;
        for running in state.running.values() {
            // An error means that it has ended.
            let _ = pidfd_send_signal(running.process.as_fd(), Signal::KILL);
        }
        let (state, waited) = self
            .fewer
            .wait_timeout_while(state, END, |state| state.starting + state.running.len() > 0)
            .unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() {
            let left = state.running.len();
            return Err(Failure::system(
                format!("remove pod {}", self.id.0),
                format!("{left} of its processes did not end when they were killed"),
            ));
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Starting {
    /// It runs, unless the pod was removed meanwhile.
    pub(crate) fn runs(&self, number: u64, running: Running) -> Result<(), Failure> {
        let mut state = self.0.lock();
        if state.removed {
            return Err(Failure::Gone(format!("pod {}", self.0.id.0)));
        }
        state.running.insert(number, running);
        Ok(())
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        self.0.lock().starting -= 1;
        self.0.fewer.notify_all();
    }
}
