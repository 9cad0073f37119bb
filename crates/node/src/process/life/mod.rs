//! The life of a pod, as a pure state machine: what happened goes in, what is to be done comes out. The clock is an
//! argument; nothing here does any I/O.

mod back_off;
mod container;

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;

pub(super) use back_off::BackOffSettings;
pub(super) use container::{Container, Ended, Role, State, Waiting};

/// When containers that ended start again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RestartPolicy {
    Always,
    OnFailure,
    Never,
}

/// Something to be done; what becomes of it comes back as one of the `Life`'s methods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// Write what the pod's processes find, and make its network.
    Prepare,
    /// Start a container, which was started so often before.
    Start { container: usize, restarts: u32 },
    /// End a container: by its hook and SIGTERM, if there is time, and at that moment by SIGKILL.
    Stop { container: usize, by: Timestamp },
    /// End the pod's network.
    Dismantle,
}

/// Whether the pod's network is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sandbox {
    /// Not yet; to be tried at that moment.
    Missing(Option<Timestamp>),
    Preparing,
    Ready,
    Dismantling,
    /// No longer.
    Gone,
}

/// Why a pod ends before its containers do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// Somebody deletes it.
    Deleted,
    /// `activeDeadlineSeconds` are over.
    Deadline,
}

/// A pod, from its node's side.
#[derive(Clone, Debug)]
pub(super) struct Life {
    /// Init containers in order, then the others.
    pub(super) containers: Vec<Container>,
    pub(super) policy: RestartPolicy,
    settings: BackOffSettings,
    sandbox: Sandbox,
    /// How often preparing failed in a row.
    failures: u32,
    /// The containers that are no init containers may start, or have.
    initialized: bool,
    /// Why it ends, and when SIGKILL is due.
    ending: Option<(Ending, Timestamp)>,
    /// `terminationGracePeriodSeconds`.
    grace: Duration,
    /// When `activeDeadlineSeconds` are over.
    deadline: Option<Timestamp>,
}

impl Life {
    /// A pod that nothing was done for yet in this life of the process; `pod` may tell of an earlier one.
    pub(super) fn new(pod: &Pod, settings: BackOffSettings, now: Timestamp) -> Self {
        let spec = pod.spec.clone().unwrap_or_default();
        let policy = match spec.restart_policy.as_deref() {
            Some("Never") => RestartPolicy::Never,
            Some("OnFailure") => RestartPolicy::OnFailure,
            _ => RestartPolicy::Always,
        };
        let status = pod.status.as_ref();
        let init = spec.init_containers.iter().flatten().map(|container| {
            let sidecar = container.restart_policy.as_deref() == Some("Always");
            let role = if sidecar { Role::Sidecar } else { Role::Init };
            (container, role, status.and_then(|status| status.init_container_statuses.as_deref()))
        });
        let apps = spec.containers.iter().map(|container| {
            let known = status.and_then(|status| status.container_statuses.as_deref());
            (container, Role::App, known)
        });
        let mut containers: Vec<Container> = init
            .chain(apps)
            .map(|(container, role, known)| {
                let known = known.unwrap_or_default();
                let known = known.iter().find(|status| status.name == container.name);
                let uid = pod.metadata.uid.as_deref().unwrap_or_default();
                Container::new(container, role, known, uid, now)
            })
            .collect();
        if policy != RestartPolicy::Never {
            // A pod that is set up anew goes through its init containers anew.
            for container in &mut containers {
                container.begin_anew(policy);
            }
        }
        let started = status.and_then(|status| status.start_time.as_ref()).map_or(now, |at| at.0);
        let deadline = spec
            .active_deadline_seconds
            .and_then(|seconds| started.checked_add(jiff::SignedDuration::from_secs(seconds)).ok());
        Self {
            containers,
            policy,
            settings,
            sandbox: Sandbox::Missing(None),
            failures: 0,
            initialized: false,
            ending: None,
            grace: seconds(spec.termination_grace_period_seconds.unwrap_or(30)),
            deadline,
        }
    }

    /// An earlier life of this process ran it.
    pub(super) fn is_known(&self) -> bool {
        self.containers.iter().any(|container| container.restarts_next > 0)
    }

    /// What is to be done now. What is said here counts as begun.
    pub(super) fn acts(&mut self, now: Timestamp) -> Vec<Act> {
        if !self.is_over() && self.deadline.is_some_and(|deadline| deadline <= now) {
            self.ending = Some((Ending::Deadline, after(now, self.grace)));
        }
        if self.is_over() {
            return self.end(now);
        }
        match self.sandbox {
            Sandbox::Missing(at) if at.is_none_or(|at| at <= now) => {
                self.sandbox = Sandbox::Preparing;
                vec![Act::Prepare]
            }
            Sandbox::Ready => self.start(now).into_iter().collect(),
            Sandbox::Missing(_) | Sandbox::Preparing | Sandbox::Dismantling | Sandbox::Gone => {
                Vec::new()
            }
        }
    }

    /// When [`acts`](Self::acts), which was asked now, will have more to say if nothing happens before. What was due already and
    /// was not begun waits for something to happen.
    pub(super) fn wake(&self, now: Timestamp) -> Option<Timestamp> {
        if self.is_over() {
            return None;
        }
        let containers = self.containers.iter().filter_map(|container| match &container.state {
            State::Waiting(Waiting { until, .. }) if !container.starting => *until,
            _ => None,
        });
        let sandbox = match self.sandbox {
            Sandbox::Missing(at) => at,
            _ => None,
        };
        containers.chain(sandbox).chain(self.deadline).filter(|at| *at > now).min()
    }

    /// Something of it is just beginning: its status will soon say more.
    pub(super) fn is_settling(&self) -> bool {
        matches!(self.sandbox, Sandbox::Preparing | Sandbox::Dismantling)
            || self.containers.iter().any(|container| container.starting)
    }

    /// All has ended, and nothing will start any more.
    pub(super) fn is_finished(&self) -> bool {
        self.is_over()
            && self.sandbox == Sandbox::Gone
            && self.containers.iter().all(|container| !container.is_alive())
    }

    /// Its network is there.
    pub(super) fn has_sandbox(&self) -> bool {
        self.sandbox == Sandbox::Ready
    }

    pub(super) fn back_off_settings(&self) -> BackOffSettings {
        self.settings
    }

    /// Why it ends before its containers do, if it does.
    pub(super) fn ending(&self) -> Option<Ending> {
        self.ending.map(|(ending, _)| ending)
    }

    /// At least one container that is no init container was started.
    pub(super) fn has_begun(&self) -> bool {
        let mut apps = self.containers.iter().filter(|container| container.role == Role::App);
        apps.any(|container| container.was_started())
    }

    /// Somebody deletes it, with so much time. A second time counts if it is shorter.
    pub(super) fn delete(&mut self, grace: Duration, now: Timestamp) {
        let by = after(now, grace);
        let by = match self.ending {
            Some((_, before)) => before.min(by),
            None => by,
        };
        self.ending = Some((Ending::Deleted, by));
    }

    /// The network is there.
    pub(super) fn prepared(&mut self) {
        self.failures = 0;
        if self.sandbox == Sandbox::Preparing {
            self.sandbox = Sandbox::Ready;
        }
    }

    /// It could not be made, or what processes find could not.
    pub(super) fn not_prepared(&mut self, now: Timestamp) {
        let delay = self.settings.retry(self.failures);
        self.failures = self.failures.saturating_add(1);
        if self.sandbox == Sandbox::Preparing {
            self.sandbox = Sandbox::Missing(Some(after(now, delay)));
        }
    }

    /// The network is gone.
    pub(super) fn dismantled(&mut self) {
        self.sandbox = Sandbox::Gone;
    }

    /// A container runs.
    pub(super) fn started(&mut self, container: usize, now: Timestamp) {
        self.containers[container].run(now);
    }

    /// What follows a container's start (its `postStart` hook) is done.
    pub(super) fn settled(&mut self, container: usize) {
        self.containers[container].starting = false;
    }

    /// A container could not be started for now: there is something missing.
    pub(super) fn not_started(
        &mut self,
        container: usize,
        reason: &'static str,
        message: String,
        now: Timestamp,
    ) {
        let settings = self.settings;
        self.containers[container].wait(reason, message, settings, now);
    }

    /// A container's process could not be started.
    pub(super) fn failed_to_start(&mut self, container: usize, message: String, now: Timestamp) {
        let ended = Ended {
            code: 128,
            signal: None,
            reason: "StartError".to_owned(),
            message: Some(message.clone()),
            started: Some(Timestamp::UNIX_EPOCH),
            finished: now,
            id: self.containers[container].next_id(),
        };
        self.containers[container].count_start();
        self.ended(container, ended, Some(message), now);
    }

    /// A container has ended, or (with `error`) has not begun.
    pub(super) fn ended(
        &mut self,
        index: usize,
        ended: Ended,
        error: Option<String>,
        now: Timestamp,
    ) {
        let restarts = !self.is_ending() && self.restarts(index, ended.code);
        let (settings, over) = (self.settings, self.is_over());
        self.containers[index].end(ended, error, restarts && !over, settings, now);
    }

    /// Whether a container that ended so starts again.
    fn restarts(&self, container: usize, code: i32) -> bool {
        match (self.containers[container].role, self.policy) {
            (Role::Sidecar, _) => true,
            (Role::App, RestartPolicy::Always) => true,
            (Role::App | Role::Init, RestartPolicy::OnFailure) => code != 0,
            (Role::Init, RestartPolicy::Always) => code != 0,
            (Role::App | Role::Init, RestartPolicy::Never) => false,
        }
    }

    fn is_ending(&self) -> bool {
        self.ending.is_some()
    }

    /// Nothing of it will start any more, though something may still run.
    pub(super) fn is_over(&self) -> bool {
        self.is_ending() || self.has_failed_to_initialize() || self.is_complete()
    }

    /// An init container has failed for good.
    fn has_failed_to_initialize(&self) -> bool {
        self.containers.iter().any(|container| {
            container.role == Role::Init
                && matches!(&container.state, State::Ended(ended) if ended.code != 0)
                && self.policy == RestartPolicy::Never
        })
    }

    /// All containers beside sidecars have ended for good.
    fn is_complete(&self) -> bool {
        let mut apps = self.containers.iter().enumerate().filter(|(_, c)| c.role == Role::App);
        apps.all(|(index, container)| match &container.state {
            State::Ended(ended) => !container.starting && !self.restarts(index, ended.code),
            State::Waiting(_) | State::Running { .. } => false,
        })
    }

    /// What ends next: sidecars after the others, the last one first.
    fn end(&mut self, now: Timestamp) -> Vec<Act> {
        let by = self.ending.map_or_else(|| after(now, self.grace), |(_, by)| by);
        let alive = |container: &Container| container.is_alive();
        let others = |container: &Container| container.role != Role::Sidecar && alive(container);
        let last: Vec<usize> = if self.containers.iter().any(others) {
            (0..self.containers.len()).filter(|index| others(&self.containers[*index])).collect()
        } else {
            (0..self.containers.len())
                .rev()
                .find(|index| alive(&self.containers[*index]))
                .into_iter()
                .collect()
        };
        if !last.is_empty() {
            return last.into_iter().filter_map(|index| self.stop(index, by)).collect();
        }
        match self.sandbox {
            Sandbox::Ready => {
                self.sandbox = Sandbox::Dismantling;
                vec![Act::Dismantle]
            }
            Sandbox::Missing(_) => {
                self.sandbox = Sandbox::Gone;
                Vec::new()
            }
            Sandbox::Preparing | Sandbox::Dismantling | Sandbox::Gone => Vec::new(),
        }
    }

    /// Ends one container, unless it is ending as soon already.
    pub(super) fn stop(&mut self, container: usize, by: Timestamp) -> Option<Act> {
        match &mut self.containers[container].state {
            State::Running { stopping, .. } if stopping.is_none_or(|before| by < before) => {
                *stopping = Some(by);
                Some(Act::Stop { container, by })
            }
            _ => None,
        }
    }

    /// Ends one container before its time, with this much of it (else the pod's grace).
    pub(super) fn cut_short(
        &mut self,
        container: usize,
        grace: Option<Duration>,
        now: Timestamp,
    ) -> Option<Act> {
        let by = after(now, grace.unwrap_or(self.grace));
        self.stop(container, by)
    }

    /// The next container to start: one at a time, in order.
    fn start(&mut self, now: Timestamp) -> Option<Act> {
        if self.containers.iter().any(|container| container.starting) {
            return None;
        }
        let first = self.containers.iter().position(|c| c.role == Role::App).unwrap_or(0);
        if !self.initialized {
            for index in 0..first {
                let container = &self.containers[index];
                let passed = match container.role {
                    Role::Init => {
                        matches!(&container.state, State::Ended(ended) if ended.code == 0)
                    }
                    _ => matches!(container.state, State::Running { .. }) && container.started,
                };
                if passed {
                    continue;
                }
                // A sidecar that was passed before and ended may start beside the one that is at work.
                let started = self.begin(index, now);
                return started.or_else(|| {
                    (0..index).find_map(|earlier| {
                        let sidecar = self.containers[earlier].role == Role::Sidecar;
                        sidecar.then(|| self.begin(earlier, now)).flatten()
                    })
                });
            }
            self.initialized = true;
        }
        (0..self.containers.len())
            .filter(|index| *index >= first || self.containers[*index].role == Role::Sidecar)
            .collect::<Vec<_>>()
            .into_iter()
            .find_map(|index| self.begin(index, now))
    }

    /// Begins with a container that is due.
    fn begin(&mut self, container: usize, now: Timestamp) -> Option<Act> {
        let restarts = self.containers[container].begin(self.settings, now)?;
        Some(Act::Start { container, restarts })
    }
}

/// This moment and so much more.
pub(super) fn after(now: Timestamp, time: Duration) -> Timestamp {
    let time = jiff::SignedDuration::try_from(time).unwrap_or(jiff::SignedDuration::MAX);
    now.checked_add(time).unwrap_or(Timestamp::MAX)
}

/// A number of seconds of a manifest.
pub(super) fn seconds(number: i64) -> Duration {
    Duration::from_secs(u64::try_from(number).unwrap_or(0))
}

#[cfg(test)]
mod tests;
