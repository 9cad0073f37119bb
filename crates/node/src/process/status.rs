//! What the status of a pod that runs says, as the kubelet computes it.

use std::net::IpAddr;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{
    ContainerState, ContainerStateRunning, ContainerStateTerminated, ContainerStateWaiting,
    ContainerStatus, HostIP, Pod, PodCondition, PodIP, PodStatus,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::life::{Container, Ended, Ending, Life, RestartPolicy, Role, State, Waiting};
use crate::status::set_condition;

/// Where a pod is, and what a person plays with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Circumstances {
    pub(super) addresses: Vec<IpAddr>,
    pub(super) host: Vec<IpAddr>,
    /// The annotation says that it is not ready.
    pub(super) played_unready: bool,
}

/// The status of a pod; conditions and fields that others write stay as they are in `pod`.
pub(super) fn status(
    pod: &Pod,
    life: &Life,
    circumstances: &Circumstances,
    now: Timestamp,
) -> PodStatus {
    let Circumstances { addresses, host, played_unready } = circumstances;
    let mut status = pod.status.clone().unwrap_or_default();
    status.host_ip = host.first().map(IpAddr::to_string);
    status.host_ips = Some(host.iter().map(|address| HostIP { ip: address.to_string() }).collect());
    if life.has_sandbox() || life.has_begun() {
        status.pod_ip = addresses.first().map(IpAddr::to_string);
        let all = addresses.iter().map(|address| PodIP { ip: address.to_string() });
        status.pod_ips = Some(all.collect());
    }
    status.start_time.get_or_insert(time(now));

    let has_init = life.containers.iter().any(|container| container.role != Role::App);
    let of = |app: bool| -> Vec<ContainerStatus> {
        let containers = life.containers.iter().filter(|c| (c.role == Role::App) == app);
        containers
            .map(|container| container_status(container, life, pod, has_init, *played_unready))
            .collect()
    };
    status.container_statuses = Some(of(true));
    let init = of(false);
    status.init_container_statuses = (!init.is_empty()).then_some(init);

    let phase = phase(life);
    status.phase = Some(phase.as_str().to_owned());
    (status.reason, status.message) = match life.ending() {
        Some(Ending::Deadline) => (
            Some("DeadlineExceeded".to_owned()),
            Some("Pod was active on the node longer than the specified deadline".to_owned()),
        ),
        Some(Ending::Deleted) | None => (None, None),
    };
    let generation = status.observed_generation.and(pod.metadata.generation);
    status.observed_generation = generation;
    set_conditions(&mut status, pod, life, phase, now);
    status
}

/// A pod's phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Pending,
    Running,
    Succeeded,
    Failed,
}

impl Phase {
    fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Running => "Running",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
        }
    }
}

pub(super) fn phase(life: &Life) -> Phase {
    if life.is_finished() && life.ending() == Some(Ending::Deadline) {
        return Phase::Failed;
    }
    let terminal = life.is_finished();
    let (mut pending_init, mut pending_sidecars, mut failed_init) = (0, 0, 0);
    let (mut running, mut waiting, mut stopped, mut succeeded) = (0, 0, 0, 0);
    let end = |container: &Container| match (&container.state, &container.last) {
        (State::Ended(ended), _) | (State::Waiting(_), Some(ended)) => Some(ended.code),
        (State::Waiting(_), None) | (State::Running { .. }, _) => None,
    };
    for container in &life.containers {
        let runs = matches!(container.state, State::Running { .. });
        match (container.role, end(container)) {
            (Role::Init, Some(0)) => {}
            (Role::Init, Some(_)) => failed_init += 1,
            (Role::Init, None) => pending_init += 1,
            (Role::Sidecar, None) if runs => {
                running += 1;
                pending_sidecars += usize::from(!container.started);
            }
            (Role::Sidecar, Some(_)) => {}
            (Role::Sidecar, None) => {
                waiting += 1;
                pending_sidecars += 1;
            }
            (Role::App, None) if runs => running += 1,
            (Role::App, None) => waiting += 1,
            (Role::App, Some(code)) => {
                stopped += 1;
                succeeded += usize::from(code == 0);
            }
        }
    }
    if failed_init > 0 && life.policy == RestartPolicy::Never {
        // Not while sidecars still run.
        return if terminal { Phase::Failed } else { Phase::Pending };
    }
    let initializing =
        pending_init > 0 || failed_init > 0 || (pending_sidecars > 0 && !life.has_begun());
    let all = if succeeded == stopped { Phase::Succeeded } else { Phase::Failed };
    if terminal && stopped > 0 {
        return all;
    }
    if initializing || waiting > 0 {
        return if terminal { Phase::Failed } else { Phase::Pending };
    }
    if running > 0 || stopped == 0 {
        return if running > 0 { Phase::Running } else { Phase::Pending };
    }
    // Not before all is put away: who sees the end of a pod finds its address free.
    Phase::Running
}

fn container_status(
    container: &Container,
    life: &Life,
    pod: &Pod,
    has_init: bool,
    played_unready: bool,
) -> ContainerStatus {
    let runs = matches!(container.state, State::Running { .. });
    let done = matches!(&container.state, State::Ended(ended) if ended.code == 0);
    let ready = match container.role {
        Role::Init => done,
        Role::Sidecar | Role::App => {
            runs && container.started && container.ready && !played_unready
        }
    };
    let creating = if has_init { "PodInitializing" } else { "ContainerCreating" };
    let (state, last) = match &container.state {
        State::Running { since, stopping: _ } => {
            let running = ContainerStateRunning { started_at: Some(time(*since)) };
            let state = ContainerState { running: Some(running), ..ContainerState::default() };
            (state, container.last.as_ref())
        }
        State::Ended(ended) => (terminated(ended), container.last.as_ref()),
        State::Waiting(Waiting { reason: Some(reason), message, until: _ }) => {
            let message = match *reason {
                "CrashLoopBackOff" => Some(crash_loop(container, life, pod)),
                _ => message.clone(),
            };
            (waiting(reason, message), container.last.as_ref())
        }
        // It starts again in a moment.
        State::Waiting(_) if container.restarts.is_some() && life.has_sandbox() => {
            (container.last.as_ref().map(terminated).unwrap_or_default(), None)
        }
        State::Waiting(_) => (waiting(creating, None), container.last.as_ref()),
    };
    ContainerStatus {
        name: container.name.clone(),
        image: container.image.clone(),
        image_id: container.program.clone().unwrap_or_default(),
        container_id: container.id(),
        restart_count: i32::try_from(container.restarts.unwrap_or(0)).unwrap_or(i32::MAX),
        ready,
        started: Some(runs && container.started),
        state: Some(state),
        last_state: last.map(terminated).or(Some(ContainerState::default())),
        ..ContainerStatus::default()
    }
}

fn crash_loop(container: &Container, life: &Life, pod: &Pod) -> String {
    let delay = container.back_off(life.back_off_settings());
    let name = &container.name;
    format!(
        "back-off {} restarting failed container={name} pod={}",
        go_duration(delay.as_secs()),
        full_name(pod)
    )
}

/// A pod as the kubelet's messages name it.
pub(super) fn full_name(pod: &Pod) -> String {
    let metadata = &pod.metadata;
    let [name, namespace, uid] = [&metadata.name, &metadata.namespace, &metadata.uid]
        .map(|field| field.as_deref().unwrap_or_default());
    format!("{name}_{namespace}({uid})")
}

/// Seconds as Go writes them: `10s`, `2m40s`.
fn go_duration(seconds: u64) -> String {
    match (seconds / 60, seconds % 60) {
        (0, seconds) => format!("{seconds}s"),
        (minutes, seconds) => format!("{minutes}m{seconds}s"),
    }
}

/// Kubernetes' times are of whole seconds: what is read again is what was written.
fn time(at: Timestamp) -> Time {
    Time(Timestamp::from_second(at.as_second()).unwrap_or(at))
}

fn waiting(reason: &str, message: Option<String>) -> ContainerState {
    let waiting = ContainerStateWaiting { reason: Some(reason.to_owned()), message };
    ContainerState { waiting: Some(waiting), ..ContainerState::default() }
}

fn terminated(ended: &Ended) -> ContainerState {
    let Ended { code, signal, reason, message, started, finished, id } = ended;
    let terminated = ContainerStateTerminated {
        container_id: id.as_deref().map(str::to_owned),
        exit_code: *code,
        signal: *signal,
        reason: Some(reason.clone()),
        message: message.clone(),
        started_at: started.map(time),
        finished_at: Some(time(*finished)),
    };
    ContainerState { terminated: Some(terminated), ..ContainerState::default() }
}

/// Whether a condition holds, or the reason and message why not.
enum Verdict {
    Yes(Option<&'static str>),
    No(Option<&'static str>, Option<String>),
}

fn set_conditions(status: &mut PodStatus, pod: &Pod, life: &Life, phase: Phase, now: Timestamp) {
    let statuses: Vec<&ContainerStatus> = status
        .init_container_statuses
        .iter()
        .flatten()
        .chain(status.container_statuses.iter().flatten())
        .collect();
    let names = |unfit: &dyn Fn(&Container, &ContainerStatus) -> bool| -> Vec<&str> {
        let pairs = life.containers.iter().zip(&statuses);
        pairs.filter(|(c, s)| unfit(c, s)).map(|(c, _)| c.name.as_str()).collect()
    };
    let unready = names(&|container, status| container.role != Role::Init && !status.ready);
    let incomplete = names(&|container, status| match container.role {
        Role::Init => !status.ready,
        Role::Sidecar => status.started != Some(true),
        Role::App => false,
    });
    let initialized = if phase == Phase::Succeeded {
        Verdict::Yes(Some("PodCompleted"))
    } else if life.has_begun() || incomplete.is_empty() {
        Verdict::Yes(None)
    } else {
        let message = format!("containers with incomplete status: [{}]", incomplete.join(" "));
        Verdict::No(Some("ContainersNotInitialized"), Some(message))
    };
    let containers_ready = || match phase {
        Phase::Succeeded => Verdict::No(Some("PodCompleted"), None),
        Phase::Failed => Verdict::No(Some("PodFailed"), None),
        Phase::Pending | Phase::Running if unready.is_empty() => Verdict::Yes(None),
        Phase::Pending | Phase::Running => {
            let message = format!("containers with unready status: [{}]", unready.join(" "));
            Verdict::No(Some("ContainersNotReady"), Some(message))
        }
    };
    let ready = match containers_ready() {
        Verdict::Yes(_) => gates(pod),
        no @ Verdict::No(..) => no,
    };
    let sandbox = if life.has_sandbox() { Verdict::Yes(None) } else { Verdict::No(None, None) };
    let containers_ready = containers_ready();
    let conditions = status.conditions.get_or_insert_default();
    set(conditions, "PodReadyToStartContainers", sandbox, now);
    set(conditions, "Initialized", initialized, now);
    set(conditions, "Ready", ready, now);
    set(conditions, "ContainersReady", containers_ready, now);
    set(conditions, "PodScheduled", Verdict::Yes(None), now);
}

/// Whether all readiness gates are open.
fn gates(pod: &Pod) -> Verdict {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_deref());
    let gates = pod.spec.iter().flat_map(|spec| spec.readiness_gates.iter().flatten());
    let closed: Vec<String> = gates
        .filter_map(|gate| {
            let gate = &gate.condition_type;
            let mut has = conditions.unwrap_or_default().iter();
            match has.find(|condition| condition.type_ == *gate) {
                None => Some(format!(
                    "corresponding condition of pod readiness gate \"{gate}\" does not exist."
                )),
                Some(condition) if condition.status != "True" => Some(format!(
                    "the status of pod readiness gate \"{gate}\" is not \"True\", but {}",
                    condition.status
                )),
                Some(_) => None,
            }
        })
        .collect();
    if closed.is_empty() {
        Verdict::Yes(None)
    } else {
        Verdict::No(Some("ReadinessGatesNotReady"), Some(closed.join(", ")))
    }
}

/// Sets a condition.
fn set(conditions: &mut Vec<PodCondition>, kind: &str, verdict: Verdict, now: Timestamp) {
    let (holds, reason, message) = match verdict {
        Verdict::Yes(reason) => (true, reason, None),
        Verdict::No(reason, message) => (false, reason, message),
    };
    let condition = set_condition(conditions, kind, holds, time(now));
    (condition.reason, condition.message) = (reason.map(str::to_owned), message);
}

#[cfg(test)]
mod tests;
