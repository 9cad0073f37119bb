//! The life of one container of a pod.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1 as core;

use super::back_off::{BackOff, BackOffSettings};
use super::{RestartPolicy, after};

/// What a container is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Role {
    /// It ends before the next one starts.
    Init,
    /// It starts in its place among the init containers and runs as long as the pod.
    Sidecar,
    App,
}

/// What a container's status says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) enum State {
    Waiting(Waiting),
    Running {
        since: Timestamp,
        /// When it is killed.
        stopping: Option<Timestamp>,
    },
    Ended(Ended),
}

/// Why a container does not run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Waiting {
    /// None: its turn has not come.
    pub(in super::super) reason: Option<&'static str>,
    pub(in super::super) message: Option<String>,
    /// When it is tried again.
    pub(in super::super) until: Option<Timestamp>,
}

/// How a life of a container ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Ended {
    pub(in super::super) code: i32,
    pub(in super::super) signal: Option<i32>,
    pub(in super::super) reason: String,
    pub(in super::super) message: Option<String>,
    pub(in super::super) started: Option<Timestamp>,
    pub(in super::super) finished: Timestamp,
    /// The id of that life; none when it is not known.
    pub(in super::super) id: Option<Box<str>>,
}

/// A container of a pod.
#[derive(Clone, Debug)]
pub(in super::super) struct Container {
    pub(in super::super) name: String,
    pub(in super::super) image: String,
    /// The host's program that stands for the image, once it is known.
    pub(in super::super) program: Option<String>,
    pub(in super::super) role: Role,
    pub(in super::super) state: State,
    /// The life before.
    pub(in super::super) last: Option<Ended>,
    /// It is being started, or what follows its start is under way.
    pub(in super::super) starting: bool,
    /// How often it was started again, if it was started.
    pub(in super::super) restarts: Option<u32>,
    /// What that will be with its next start.
    pub(super) restarts_next: u32,
    /// Its startup probe has succeeded, or it has none.
    pub(in super::super) started: bool,
    /// Its readiness probe has succeeded, or it has none.
    pub(in super::super) ready: bool,
    has_startup_probe: bool,
    has_readiness_probe: bool,
    back_off: BackOff,
    /// How often something that its start needs was missing, in a row.
    failures: u32,
    /// What its containerID begins with.
    id: String,
}

impl Container {
    /// A container before its start; `known` is what its status says of an earlier life of this process.
    pub(super) fn new(
        container: &core::Container,
        role: Role,
        known: Option<&core::ContainerStatus>,
        uid: &str,
        now: Timestamp,
    ) -> Self {
        let lost = known.and_then(|status| lost(status, now));
        let restarts_next = match known {
            Some(status) if lost.is_some() => {
                u32::try_from(status.restart_count).unwrap_or(0).saturating_add(1)
            }
            _ => 0,
        };
        let state = match lost {
            Some(ended) => State::Ended(ended),
            None => State::Waiting(Waiting::default()),
        };
        Self {
            name: container.name.clone(),
            image: container.image.clone().unwrap_or_default(),
            program: None,
            role,
            state,
            last: None,
            starting: false,
            restarts: restarts_next.checked_sub(1),
            restarts_next,
            started: false,
            ready: false,
            has_startup_probe: container.startup_probe.is_some(),
            has_readiness_probe: container.readiness_probe.is_some(),
            back_off: BackOff::default(),
            failures: 0,
            id: format!("headcount://{uid}/{}", container.name),
        }
    }

    /// Makes it wait for its turn again, as far as its end does not count for good.
    pub(super) fn begin_anew(&mut self, policy: RestartPolicy) {
        let State::Ended(ended) = &self.state else { return };
        let done = self.role == Role::App && policy == RestartPolicy::OnFailure && ended.code == 0;
        if !done {
            self.last = Some(ended.clone());
            self.state = State::Waiting(Waiting::default());
        }
    }

    /// The id of its present life, or its last one.
    pub(in super::super) fn id(&self) -> Option<String> {
        self.restarts.map(|restarts| format!("{}/{restarts}", self.id))
    }

    /// The id that its next life will have.
    pub(super) fn next_id(&self) -> Option<Box<str>> {
        Some(format!("{}/{}", self.id, self.restarts_next).into())
    }

    /// It runs, or is about to.
    pub(super) fn is_alive(&self) -> bool {
        self.starting || matches!(self.state, State::Running { .. })
    }

    pub(super) fn was_started(&self) -> bool {
        self.restarts.is_some()
    }

    /// Begins with it if that is due, and says how often it was started before.
    pub(super) fn begin(&mut self, settings: BackOffSettings, now: Timestamp) -> Option<u32> {
        match &self.state {
            State::Waiting(Waiting { until, .. })
                if !self.starting && until.is_none_or(|until| until <= now) => {}
            _ => return None,
        }
        if let Some(last) = &self.last
            && self.restarts.is_some()
        {
            self.back_off.count(settings, last.finished, now);
        }
        self.starting = true;
        Some(self.restarts_next)
    }

    /// It counts as started once more.
    pub(super) fn count_start(&mut self) {
        self.failures = 0;
        self.restarts = Some(self.restarts_next);
        self.restarts_next = self.restarts_next.saturating_add(1);
    }

    pub(super) fn run(&mut self, now: Timestamp) {
        self.count_start();
        self.state = State::Running { since: now, stopping: None };
        self.started = !self.has_startup_probe;
        self.ready = self.started && !self.has_readiness_probe;
    }

    /// Its startup probe has succeeded.
    pub(in super::super) fn start_up(&mut self) {
        self.started = true;
        self.ready = !self.has_readiness_probe;
    }

    /// It waits for something that is missing.
    pub(super) fn wait(
        &mut self,
        reason: &'static str,
        message: String,
        settings: BackOffSettings,
        now: Timestamp,
    ) {
        self.starting = false;
        let delay = settings.retry(self.failures);
        self.failures = self.failures.saturating_add(1);
        let until = Some(after(now, delay));
        self.state =
            State::Waiting(Waiting { reason: Some(reason), message: Some(message), until });
    }

    /// How often its image's program was missing, in a row.
    pub(in super::super) fn failures(&self) -> u32 {
        self.failures
    }

    /// It has ended; if it starts again, it waits for that.
    pub(super) fn end(
        &mut self,
        ended: Ended,
        error: Option<String>,
        restarts: bool,
        settings: BackOffSettings,
        now: Timestamp,
    ) {
        (self.starting, self.started, self.ready) = (false, false, false);
        if !restarts {
            self.state = State::Ended(ended);
            return;
        }
        let delay = self.back_off.delay(settings, ended.finished);
        let until = after(ended.finished, delay);
        let (reason, message) = match error {
            Some(error) if until <= now => (Some("RunContainerError"), Some(error)),
            _ if until > now => (Some("CrashLoopBackOff"), None),
            _ => (None, None),
        };
        self.last = Some(ended);
        self.state = State::Waiting(Waiting { reason, message, until: Some(until.max(now)) });
    }

    /// How long it waits in a crash loop.
    pub(in super::super) fn back_off(&self, settings: BackOffSettings) -> Duration {
        self.last
            .as_ref()
            .map_or(Duration::ZERO, |last| self.back_off.delay(settings, last.finished))
    }
}

/// How a container counts that an earlier life of this process knew, and that is nowhere now.
fn lost(status: &core::ContainerStatus, now: Timestamp) -> Option<Ended> {
    let id = status.container_id.clone()?;
    let state = status.state.as_ref();
    if let Some(terminated) = state.and_then(|state| state.terminated.as_ref()) {
        return Some(Ended {
            code: terminated.exit_code,
            signal: terminated.signal,
            reason: terminated.reason.clone().unwrap_or_default(),
            message: terminated.message.clone(),
            started: terminated.started_at.as_ref().map(|at| at.0),
            finished: terminated.finished_at.as_ref().map_or(now, |at| at.0),
            id: terminated.container_id.clone().map(Into::into),
        });
    }
    let running = state.and_then(|state| state.running.as_ref());
    let was = if running.is_some() { "Running" } else { "Waiting" };
    Some(Ended {
        code: 137,
        signal: None,
        reason: "ContainerStatusUnknown".to_owned(),
        message: Some(format!(
            "The container could not be located when the pod was deleted.  The container used to be {was}"
        )),
        started: running.and_then(|running| running.started_at.as_ref()).map(|at| at.0),
        finished: now,
        id: Some(id.into()),
    })
}
