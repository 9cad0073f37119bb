use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::process::life::BackOffSettings;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn pod(spec: Value) -> Pod {
    serde_json::from_value(
        json!({"metadata": {"name": "p", "namespace": "n", "uid": "u"}, "spec": spec}),
    )
    .unwrap()
}

fn ended(code: i32) -> Ended {
    let (signal, message, started, id) = (None, None, Some(at(1)), None);
    Ended { code, signal, reason: "Error".into(), message, started, finished: at(2), id }
}

/// Each condition with its status, reason and message.
fn conditions(status: &PodStatus) -> Vec<String> {
    let conditions = status.conditions.iter().flatten();
    conditions
        .map(|condition| {
            let words = [&condition.type_, &condition.status].into_iter();
            let more = condition.reason.iter().chain(&condition.message);
            words.chain(more).map(String::as_str).collect::<Vec<_>>().join(" ")
        })
        .collect()
}

#[test]
fn conditions_follow_the_containers() {
    let pod = pod(json!({
        "initContainers": [{"name": "i"}],
        "containers": [{"name": "c", "readinessProbe": {}}, {"name": "d"}],
        "readinessGates": [{"conditionType": "gate"}],
    }));
    let mut life = Life::new(&pod, BackOffSettings::default(), at(0));
    let circumstances = Circumstances::default();
    let check = |life: &Life, phase: Phase, expected: &[&str]| {
        let status = status(&pod, life, &circumstances, at(5));
        assert_eq!(super::phase(life), phase);
        assert_eq!(conditions(&status), expected);
    };
    let unready = "False ContainersNotReady containers with unready status: [c d]";
    let (ready_no, containers_no) =
        (format!("Ready {unready}"), format!("ContainersReady {unready}"));
    let incomplete =
        "Initialized False ContainersNotInitialized containers with incomplete status: [i]";
    check(
        &life,
        Phase::Pending,
        &[
            "PodReadyToStartContainers False",
            incomplete,
            &ready_no,
            &containers_no,
            "PodScheduled True",
        ],
    );
    life.acts(at(0));
    life.prepared();
    life.acts(at(0));
    life.started(0, at(0));
    life.settled(0);
    check(
        &life,
        Phase::Pending,
        &[
            "PodReadyToStartContainers True",
            incomplete,
            &ready_no,
            &containers_no,
            "PodScheduled True",
        ],
    );
    life.ended(0, ended(0), None, at(2));
    for container in [1, 2] {
        life.acts(at(2));
        life.started(container, at(2));
        life.settled(container);
    }
    let unready = "False ContainersNotReady containers with unready status: [c]";
    check(
        &life,
        Phase::Running,
        &[
            "PodReadyToStartContainers True",
            "Initialized True",
            &format!("Ready {unready}"),
            &format!("ContainersReady {unready}"),
            "PodScheduled True",
        ],
    );
    life.containers[1].ready = true;
    check(
        &life,
        Phase::Running,
        &[
            "PodReadyToStartContainers True",
            "Initialized True",
            "Ready False ReadinessGatesNotReady corresponding condition of pod readiness gate \"gate\" does not exist.",
            "ContainersReady True",
            "PodScheduled True",
        ],
    );
}

#[test]
fn pods_that_have_ended() {
    let check = |policy: &str, code: i32, deleted: bool, phase: Phase, ready: &str| {
        let pod = pod(json!({"restartPolicy": policy, "containers": [{"name": "c"}]}));
        let mut life = Life::new(&pod, BackOffSettings::default(), at(0));
        life.acts(at(0));
        life.prepared();
        life.acts(at(0));
        life.started(0, at(1));
        life.settled(0);
        if deleted {
            life.delete(Duration::from_secs(30), at(1));
        }
        life.ended(0, ended(code), None, at(2));
        assert_eq!(super::phase(&life), Phase::Running, "before its network is gone");
        life.acts(at(2));
        life.dismantled();
        assert_eq!(super::phase(&life), phase);
        let status = status(&pod, &life, &Circumstances::default(), at(3));
        assert_eq!(conditions(&status)[2], ready);
    };
    check("Never", 0, false, Phase::Succeeded, "Ready False PodCompleted");
    check("Never", 3, false, Phase::Failed, "Ready False PodFailed");
    check("Always", 0, true, Phase::Succeeded, "Ready False PodCompleted");
    check("Always", 143, true, Phase::Failed, "Ready False PodFailed");
}

#[test]
fn times_are_of_whole_seconds() {
    let pod = pod(json!({"containers": [{"name": "c"}]}));
    let mut life = Life::new(&pod, BackOffSettings::default(), at(0));
    life.acts(at(0));
    life.prepared();
    life.acts(at(0));
    let now = Timestamp::from_millisecond(1_500).unwrap();
    life.started(0, now);
    let status = status(&pod, &life, &Circumstances::default(), now);
    let read: PodStatus = serde_json::from_value(serde_json::to_value(&status).unwrap()).unwrap();
    assert_eq!(read, status);
    assert_eq!(status.start_time, Some(Time(at(1))));
}

#[test]
fn seconds_as_go_has_them() {
    let check = |seconds, expected: &str| assert_eq!(go_duration(seconds), expected);
    check(10, "10s");
    check(80, "1m20s");
    check(300, "5m0s");
}

#[test]
fn a_pod_has_not_failed_while_its_sidecars_run() {
    let pod = pod(json!({
        "restartPolicy": "Never",
        "initContainers": [{"name": "s", "restartPolicy": "Always"}, {"name": "i"}],
        "containers": [{"name": "c"}],
    }));
    let mut life = Life::new(&pod, BackOffSettings::default(), at(0));
    life.acts(at(0));
    life.prepared();
    for container in [0, 1] {
        life.acts(at(0));
        life.started(container, at(1));
        life.settled(container);
    }
    life.ended(1, ended(1), None, at(2));
    assert_eq!(phase(&life), Phase::Pending);
    life.acts(at(2));
    life.ended(0, ended(0), None, at(2));
    life.acts(at(2));
    assert_eq!(phase(&life), Phase::Pending, "before its network is gone");
    life.dismantled();
    assert_eq!(phase(&life), Phase::Failed);
}
