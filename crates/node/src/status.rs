//! What a simulated pod's status says.

use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{
    Container, ContainerState, ContainerStateRunning, ContainerStateTerminated, ContainerStatus,
    HostIP, Pod, PodCondition, PodIP, PodSpec, PodStatus,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

/// The annotation by which a person plays "not ready": `"false"`.
pub use manifest::labels::READY as READY_ANNOTATION;

/// Whether a pod's containers are ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readiness {
    Ready,
    /// Not ready until something changes.
    NotReady,
    /// Ready after this time.
    ReadyIn(Duration),
}

/// Ready at once, or when the longest `initialDelaySeconds` of its readiness probes has passed since its start;
/// not ready while [`READY_ANNOTATION`] says so.
pub(crate) fn readiness(pod: &Pod, started: Timestamp, now: Timestamp) -> Readiness {
    let annotation = pod.metadata.annotations.as_ref().and_then(|has| has.get(READY_ANNOTATION));
    if annotation.is_some_and(|value| value.eq_ignore_ascii_case("false")) {
        return Readiness::NotReady;
    }
    let passed = Duration::try_from(now.duration_since(started)).unwrap_or(Duration::ZERO);
    match initial_delay(pod).checked_sub(passed) {
        Some(left) if !left.is_zero() => Readiness::ReadyIn(left),
        _ => Readiness::Ready,
    }
}

/// The longest `initialDelaySeconds` of a pod's readiness probes.
pub(crate) fn initial_delay(pod: &Pod) -> Duration {
    let probes = containers(pod).iter().filter_map(|container| container.readiness_probe.as_ref());
    let delay = probes.filter_map(|probe| probe.initial_delay_seconds).max().unwrap_or(0);
    Duration::from_secs(u64::try_from(delay).unwrap_or(0))
}

/// The condition of this type, if the pod has one.
pub(crate) fn condition<'p>(pod: &'p Pod, kind: &str) -> Option<&'p PodCondition> {
    let mut conditions = pod.status.as_ref()?.conditions.iter().flatten();
    conditions.find(|condition| condition.type_ == kind)
}

/// The status of a pod that runs with these addresses on a node with those. What it says already stays, so that
/// the answer equals the status that is there when nothing has changed.
pub(crate) fn running(
    pod: &Pod,
    addresses: &[IpAddr],
    host: &[IpAddr],
    ready: bool,
    now: Timestamp,
) -> PodStatus {
    let mut status = pod.status.clone().unwrap_or_default();
    status.phase = Some("Running".to_owned());
    (status.reason, status.message) = (None, None);
    status.pod_ip = addresses.first().map(IpAddr::to_string);
    status.pod_ips =
        Some(addresses.iter().map(|address| PodIP { ip: address.to_string() }).collect());
    status.host_ip = host.first().map(IpAddr::to_string);
    status.host_ips = Some(host.iter().map(|address| HostIP { ip: address.to_string() }).collect());
    let started = status.start_time.get_or_insert(Time(now)).clone();

    let uid = pod.metadata.uid.as_deref().unwrap_or_default();
    status.container_statuses = Some(
        containers(pod)
            .iter()
            .map(|container| ContainerStatus {
                ready,
                started: Some(true),
                state: Some(ContainerState {
                    running: Some(ContainerStateRunning { started_at: Some(started.clone()) }),
                    ..ContainerState::default()
                }),
                ..container_status(container, uid)
            })
            .collect(),
    );
    let init =
        pod.spec.as_ref().and_then(|spec| spec.init_containers.as_deref()).unwrap_or_default();
    if !init.is_empty() {
        let init = init.iter().map(|container| init_container_status(container, uid, &started));
        status.init_container_statuses = Some(init.collect());
    }

    let gates: Vec<&str> = pod
        .spec
        .iter()
        .flat_map(|spec| spec.readiness_gates.iter().flatten())
        .map(|gate| gate.condition_type.as_str())
        .collect();
    let conditions = status.conditions.get_or_insert_default();
    let open =
        |gate: &&str| conditions.iter().any(|has| has.type_ == *gate && has.status == "True");
    let gates_open = gates.iter().all(open);
    set(conditions, "PodScheduled", Verdict::Yes, now);
    set(conditions, "PodReadyToStartContainers", Verdict::Yes, now);
    set(conditions, "Initialized", Verdict::Yes, now);
    let unready = || {
        let names: Vec<&str> =
            containers(pod).iter().map(|container| container.name.as_str()).collect();
        Verdict::No(
            "ContainersNotReady",
            format!("containers with unready status: [{}]", names.join(" ")),
        )
    };
    let containers_ready = if ready { Verdict::Yes } else { unready() };
    set(conditions, "ContainersReady", containers_ready, now);
    let ready = match (ready, gates_open) {
        (true, true) => Verdict::Yes,
        (true, false) => Verdict::No(
            "ReadinessGatesNotReady",
            "a condition of the readiness gates is not True".to_owned(),
        ),
        (false, _) => unready(),
    };
    set(conditions, "Ready", ready, now);
    status
}

/// Whether a pod is there for one person at a terminal, and ends with what that person runs in it, as those of
/// `kubectl run -it --restart=Never` do.
pub(crate) fn is_interactive(pod: &Pod) -> bool {
    let Some(spec) = &pod.spec else { return false };
    let ends = spec.restart_policy.as_deref().is_some_and(|policy| policy != "Always");
    ends && spec.containers.iter().any(|container| container.stdin_once == Some(true))
}

/// Why an interactive pod fails.
pub(crate) const NO_TERMINAL: &str = "pods of headcount are simulated: there is no process to attach to, as there is with headcount \
     up --pods process; ask the cluster's DNS from here with dig, as headcount up shows";

/// The status of an interactive pod. Nobody can attach to it, and who waits for its end must not wait for ever.
pub(crate) fn failed(pod: &Pod, host: &[IpAddr], now: Timestamp) -> PodStatus {
    let mut status = running(pod, &[], host, false, now);
    status.phase = Some("Failed".to_owned());
    (status.pod_ip, status.pod_ips) = (None, None);
    for container in status.container_statuses.iter_mut().flatten() {
        container.started = Some(false);
        let terminated = ContainerStateTerminated {
            container_id: container.container_id.clone(),
            exit_code: 1,
            reason: Some("Error".to_owned()),
            message: Some(NO_TERMINAL.to_owned()),
            started_at: Some(Time(now)),
            finished_at: Some(Time(now)),
            ..ContainerStateTerminated::default()
        };
        let state = ContainerState { terminated: Some(terminated), ..ContainerState::default() };
        container.state = Some(state);
    }
    status
}

/// The status of a pod that no node takes, or that has no address.
pub(crate) fn pending(pod: &Pod, scheduled: bool, message: String, now: Timestamp) -> PodStatus {
    let mut status = pod.status.clone().unwrap_or_default();
    status.phase = Some("Pending".to_owned());
    let conditions = status.conditions.get_or_insert_default();
    if scheduled {
        set(conditions, "PodScheduled", Verdict::Yes, now);
        set(conditions, "PodReadyToStartContainers", Verdict::No("NetworkNotReady", message), now);
    } else {
        set(conditions, "PodScheduled", Verdict::No("Unschedulable", message), now);
    }
    status
}

fn containers(pod: &Pod) -> &[Container] {
    pod.spec.as_ref().map_or(&[], |PodSpec { containers, .. }| containers)
}

fn container_status(container: &Container, uid: &str) -> ContainerStatus {
    let Container { name, image, .. } = container;
    let image = image.clone().unwrap_or_default();
    ContainerStatus {
        name: name.clone(),
        image_id: image.clone(),
        image,
        container_id: Some(format!("headcount://{uid}/{name}")),
        ..ContainerStatus::default()
    }
}

/// A container that ran before the others and has succeeded; one that restarts always (a sidecar) still runs.
fn init_container_status(container: &Container, uid: &str, started: &Time) -> ContainerStatus {
    let sidecar = container.restart_policy.as_deref() == Some("Always");
    let status = container_status(container, uid);
    let running = ContainerStateRunning { started_at: Some(started.clone()) };
    let terminated = ContainerStateTerminated {
        container_id: status.container_id.clone(),
        exit_code: 0,
        reason: Some("Completed".to_owned()),
        started_at: Some(started.clone()),
        finished_at: Some(started.clone()),
        ..ContainerStateTerminated::default()
    };
    ContainerStatus {
        ready: true,
        started: Some(sidecar),
        state: Some(ContainerState {
            running: sidecar.then_some(running),
            terminated: (!sidecar).then_some(terminated),
            waiting: None,
        }),
        ..status
    }
}

/// Whether a condition holds, or the reason and message why not.
enum Verdict {
    Yes,
    No(&'static str, String),
}

/// Sets a condition.
fn set(conditions: &mut Vec<PodCondition>, kind: &str, verdict: Verdict, now: Timestamp) {
    let (holds, reason, message) = match verdict {
        Verdict::Yes => (true, None, None),
        Verdict::No(reason, message) => (false, Some(reason), Some(message)),
    };
    let condition = set_condition(conditions, kind, holds, Time(now));
    (condition.reason, condition.message) = (reason.map(str::to_owned), message);
}

/// Says whether a condition holds, and gives it, to be explained; the time of its transition changes only with its status.
pub(crate) fn set_condition<'c>(
    conditions: &'c mut Vec<PodCondition>,
    kind: &str,
    holds: bool,
    now: Time,
) -> &'c mut PodCondition {
    let status = if holds { "True" } else { "False" };
    let at = match conditions.iter().position(|condition| condition.type_ == kind) {
        Some(at) => at,
        None => {
            conditions.push(PodCondition { type_: kind.to_owned(), ..PodCondition::default() });
            conditions.len() - 1
        }
    };
    let condition = &mut conditions[at];
    if condition.status != status {
        condition.status = status.to_owned();
        condition.last_transition_time = Some(now);
    }
    condition
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(value: Value) -> Pod {
        serde_json::from_value(value).unwrap()
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn pods_become_ready() {
        fn check(
            annotation: Option<&str>,
            delays: &[Option<i32>],
            after: i64,
            expected: Readiness,
        ) {
            let containers: Vec<Value> = delays
                .iter()
                .map(|delay| json!({"name": "c", "readinessProbe": {"initialDelaySeconds": delay}}))
                .collect();
            let annotations = annotation.map(|value| json!({READY_ANNOTATION: value}));
            let pod = pod(
                json!({"metadata": {"annotations": annotations}, "spec": {"containers": containers}}),
            );
            assert_eq!(
                readiness(&pod, at(100), at(100 + after)),
                expected,
                "{annotation:?} {delays:?} {after}"
            );
        }
        check(None, &[], 0, Readiness::Ready);
        check(None, &[None], 0, Readiness::Ready);
        check(None, &[Some(0)], 0, Readiness::Ready);
        check(None, &[Some(-5)], 0, Readiness::Ready);
        check(None, &[Some(5), Some(10)], 0, Readiness::ReadyIn(Duration::from_secs(10)));
        check(None, &[Some(10)], 7, Readiness::ReadyIn(Duration::from_secs(3)));
        check(None, &[Some(10)], 10, Readiness::Ready);
        check(None, &[Some(10)], -5, Readiness::ReadyIn(Duration::from_secs(10)));
        check(Some("false"), &[], 0, Readiness::NotReady);
        check(Some("false"), &[Some(10)], 20, Readiness::NotReady);
        check(Some("true"), &[], 0, Readiness::Ready);
    }

    fn summary(status: &PodStatus) -> Value {
        let conditions: Vec<String> = status
            .conditions
            .iter()
            .flatten()
            .map(|condition| {
                let since =
                    condition.last_transition_time.as_ref().map_or(-1, |time| time.0.as_second());
                format!("{} {} {since}", condition.type_, condition.status)
            })
            .collect();
        let ready: Vec<bool> =
            status.container_statuses.iter().flatten().map(|status| status.ready).collect();
        json!({
            "phase": status.phase,
            "ip": status.pod_ip,
            "ips": status.pod_ips.iter().flatten().map(|ip| &ip.ip).collect::<Vec<_>>(),
            "host": status.host_ip,
            "conditions": conditions,
            "ready": ready,
        })
    }

    #[test]
    fn a_pod_runs_turns_not_ready_and_ready_again() {
        let mut pod = pod(
            json!({"metadata": {"name": "p", "uid": "u"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}),
        );
        let addresses = ["10.244.1.2".parse().unwrap(), "fd00::2".parse().unwrap()];
        let host = ["172.18.0.2".parse().unwrap()];
        let mut check =
            |ready: bool, now: i64, changed: bool, ready_condition: &str, containers: &str| {
                let status = running(&pod, &addresses, &host, ready, at(now));
                assert_eq!(pod.status.as_ref() != Some(&status), changed, "changed at {now}");
                assert_eq!(
                    summary(&status),
                    json!({
                        "phase": "Running",
                        "ip": "10.244.1.2",
                        "ips": ["10.244.1.2", "fd00::2"],
                        "host": "172.18.0.2",
                        "conditions": [
                            "PodScheduled True 1",
                            "PodReadyToStartContainers True 1",
                            "Initialized True 1",
                            containers,
                            ready_condition,
                        ],
                        "ready": [ready],
                    })
                );
                assert_eq!(status.start_time, Some(Time(at(1))));
                pod.status = Some(status);
            };
        check(true, 1, true, "Ready True 1", "ContainersReady True 1");
        check(true, 2, false, "Ready True 1", "ContainersReady True 1");
        check(false, 3, true, "Ready False 3", "ContainersReady False 3");
        check(true, 4, true, "Ready True 4", "ContainersReady True 4");
    }

    #[test]
    fn readiness_gates_hold_a_pod_back() {
        let check = |gate: &str, expected: &str| {
            let pod = pod(json!({
                "spec": {"containers": [], "readinessGates": [{"conditionType": "example.com/gate"}]},
                "status": {"conditions": [{"type": "example.com/gate", "status": gate}]},
            }));
            let status = running(&pod, &[], &[], true, at(1));
            let ready =
                status.conditions.unwrap().into_iter().find(|condition| condition.type_ == "Ready");
            assert_eq!(ready.unwrap().status, expected);
        };
        check("True", "True");
        check("False", "False");
    }

    #[test]
    fn init_containers_have_run() {
        let pod = pod(json!({"spec": {"containers": [{"name": "c"}], "initContainers": [
            {"name": "prepare"}, {"name": "proxy", "restartPolicy": "Always"}]}}));
        let status = running(&pod, &[], &[], true, at(1));
        let seen: Vec<_> = status
            .init_container_statuses
            .unwrap()
            .into_iter()
            .map(|status| (status.name, status.state.unwrap().terminated.is_some()))
            .collect();
        assert_eq!(seen, [("prepare".to_owned(), true), ("proxy".to_owned(), false)]);
    }

    #[test]
    fn a_pod_without_a_place_says_why() {
        let pod = pod(json!({}));
        let conditions = |scheduled| {
            let status = pending(&pod, scheduled, "why".into(), at(1));
            assert_eq!(status.phase.as_deref(), Some("Pending"));
            let conditions = status.conditions.unwrap().into_iter();
            conditions
                .map(|c| format!("{} {} {}", c.type_, c.status, c.message.unwrap_or_default()))
                .collect::<Vec<_>>()
        };
        assert_eq!(conditions(false), ["PodScheduled False why"]);
        assert_eq!(conditions(true), ["PodScheduled True ", "PodReadyToStartContainers False why"]);
    }
}
