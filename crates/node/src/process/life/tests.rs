use serde_json::{Value, json};

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn life(spec: Value, status: Value) -> Life {
    let pod = json!({"metadata": {"uid": "u"}, "spec": spec, "status": status});
    Life::new(&serde_json::from_value(pod).unwrap(), BackOffSettings::default(), at(0))
}

fn ended(code: i32, finished: i64) -> Ended {
    let reason = if code == 0 { "Completed" } else { "Error" }.to_owned();
    let (signal, message, started, id) = (None, None, None, None);
    Ended { code, signal, reason, message, started, finished: at(finished), id }
}

/// A pod whose network is there.
fn prepared(spec: Value) -> Life {
    let mut life = life(spec, Value::Null);
    assert_eq!(life.acts(at(0)), [Act::Prepare]);
    assert_eq!(life.acts(at(0)), [], "once");
    life.prepared();
    life
}

/// Starts what is due, in order; the containers' names.
fn start(life: &mut Life, now: i64) -> Vec<String> {
    let mut names = Vec::new();
    loop {
        let acts = life.acts(at(now));
        let [Act::Start { container, restarts: _ }] = acts[..] else {
            assert_eq!(acts, []);
            return names;
        };
        names.push(life.containers[container].name.clone());
        life.started(container, at(now));
        life.settled(container);
    }
}

#[test]
fn what_waits_for_another_start_wakes_nobody() {
    let mut life = prepared(json!({"containers": [{"name": "a"}, {"name": "b"}]}));
    assert_eq!(start(&mut life, 0), ["a", "b"]);
    life.ended(0, ended(1, 1), None, at(1));
    life.ended(1, ended(1, 1), None, at(1));
    assert_eq!(life.acts(at(1)).len(), 1, "one at a time");
    assert_eq!(life.wake(at(1)), None);
}

#[test]
fn a_container_that_fails_waits() {
    let mut life = prepared(json!({"containers": [{"name": "c"}]}));
    let mut now = 0;
    let mut waits = Vec::new();
    for _ in 0..9 {
        assert_eq!(start(&mut life, now), ["c"]);
        life.ended(0, ended(1, now + 1), None, at(now + 1));
        let until = life.wake(at(-1)).unwrap();
        waits.push(until.as_second() - now - 1);
        now = until.as_second();
    }
    assert_eq!(waits, [0, 10, 20, 40, 80, 160, 300, 300, 300]);
    // After ten minutes it counts as well.
    assert_eq!(start(&mut life, now), ["c"]);
    life.ended(0, ended(1, now + 601), None, at(now + 601));
    assert_eq!(life.wake(at(-1)), Some(at(now + 601)));
}

#[test]
fn containers_start_one_by_one() {
    let spec = json!({
        "initContainers": [
            {"name": "a"},
            {"name": "s", "restartPolicy": "Always", "startupProbe": {}},
            {"name": "b"},
        ],
        "containers": [{"name": "c"}, {"name": "d"}],
    });
    let mut life = prepared(spec);
    assert_eq!(start(&mut life, 0), ["a"]);
    life.ended(0, ended(0, 1), None, at(1));
    assert_eq!(start(&mut life, 1), ["s"]);
    life.containers[1].start_up();
    assert_eq!(start(&mut life, 2), ["b"]);
    // A sidecar that ends starts again beside what is at work.
    life.ended(1, ended(1, 3), None, at(3));
    life.containers[1].started = true;
    assert_eq!(start(&mut life, 3), ["s"]);
    life.containers[1].start_up();
    life.ended(2, ended(0, 4), None, at(4));
    assert_eq!(start(&mut life, 4), ["c", "d"]);
    // Those that have been through are not asked again.
    life.ended(1, ended(1, 5), None, at(5));
    life.ended(3, ended(1, 5), None, at(5));
    assert_eq!(start(&mut life, 5), ["c"]);
    assert_eq!(start(&mut life, 15), ["s"]);
}

#[test]
fn a_pod_ends_with_its_containers() {
    fn check(policy: &str, codes: [i32; 2], over: bool) {
        let mut life = prepared(json!({
            "restartPolicy": policy,
            "initContainers": [{"name": "s", "restartPolicy": "Always"}],
            "containers": [{"name": "c"}, {"name": "d"}],
        }));
        assert_eq!(start(&mut life, 0), ["s", "c", "d"]);
        life.ended(1, ended(codes[0], 1), None, at(1));
        assert!(!life.is_over());
        life.ended(2, ended(codes[1], 1), None, at(1));
        assert_eq!(life.is_over(), over, "{policy} {codes:?}");
        if over {
            assert_eq!(life.acts(at(1)), [Act::Stop { container: 0, by: at(31) }]);
            assert_eq!(life.acts(at(2)), [], "once");
            life.ended(0, ended(143, 3), None, at(3));
            assert_eq!(life.acts(at(3)), [Act::Dismantle]);
            life.dismantled();
            assert!(life.is_finished());
            assert_eq!(life.wake(at(-1)), None);
        }
    }
    check("Never", [0, 0], true);
    check("Never", [0, 1], true);
    check("OnFailure", [0, 0], true);
    check("OnFailure", [0, 1], false);
    check("Always", [0, 0], false);
}

#[test]
fn a_deleted_pod_ends_at_any_time() {
    let spec = || json!({"containers": [{"name": "c"}], "terminationGracePeriodSeconds": 60});
    let seconds = Duration::from_secs;
    // Before anything is there.
    let mut pod = life(spec(), Value::Null);
    pod.delete(seconds(30), at(0));
    assert_eq!(pod.acts(at(0)), []);
    assert!(pod.is_finished());
    // While its network is being made.
    let mut pod = life(spec(), Value::Null);
    pod.acts(at(0));
    pod.delete(seconds(30), at(0));
    assert_eq!(pod.acts(at(0)), []);
    pod.prepared();
    assert_eq!(pod.acts(at(1)), [Act::Dismantle]);
    // While a container is being started.
    let mut pod = prepared(spec());
    assert_eq!(pod.acts(at(0)), [Act::Start { container: 0, restarts: 0 }]);
    pod.delete(seconds(30), at(0));
    assert_eq!(pod.acts(at(0)), []);
    pod.started(0, at(1));
    assert_eq!(pod.acts(at(1)), [Act::Stop { container: 0, by: at(30) }]);
    // And sooner, when somebody is in a hurry; not later.
    pod.delete(seconds(90), at(2));
    assert_eq!(pod.acts(at(2)), []);
    pod.delete(seconds(5), at(2));
    assert_eq!(pod.acts(at(2)), [Act::Stop { container: 0, by: at(7) }]);
}

#[test]
fn what_is_missing_is_tried_again() {
    let mut life = life(json!({"containers": [{"name": "c"}]}), Value::Null);
    let mut now = 0;
    for delay in [1, 2, 4, 8, 16, 30, 30] {
        assert_eq!(life.acts(at(now)), [Act::Prepare]);
        life.not_prepared(at(now));
        assert_eq!(life.acts(at(now)), []);
        now += delay;
        assert_eq!(life.wake(at(-1)), Some(at(now)));
    }
    life.acts(at(now));
    life.prepared();
    assert_eq!(life.acts(at(now)), [Act::Start { container: 0, restarts: 0 }]);
    life.not_started(0, "ErrImagePull", "why".into(), at(now));
    assert_eq!(life.acts(at(now)), []);
    assert_eq!(life.wake(at(-1)), Some(at(now + 1)));
    assert_eq!(life.acts(at(now + 1)), [Act::Start { container: 0, restarts: 0 }]);
}

#[test]
fn pods_of_an_earlier_life() {
    let status = |state: Value| {
        json!({"phase": "Running", "containerStatuses": [
            {"name": "c", "containerID": "headcount://u/c/2", "restartCount": 2, "image": "", "imageID": "", "ready": true, "state": state},
        ]})
    };
    let check = |policy: &str, state: Value, expected: Option<u32>| {
        let spec = json!({"restartPolicy": policy, "containers": [{"name": "c"}]});
        let mut life = life(spec, status(state));
        assert!(life.is_known());
        let acts = life.acts(at(0));
        if acts == [Act::Prepare] {
            life.prepared();
        }
        let restarts = life.acts(at(0)).into_iter().find_map(|act| match act {
            Act::Start { restarts, .. } => Some(restarts),
            _ => None,
        });
        assert_eq!(restarts, expected, "{policy}");
        assert_eq!(life.is_finished(), expected.is_none(), "{policy}");
    };
    let running = || json!({"running": {"startedAt": "2026-01-01T00:00:00Z"}});
    let done = || json!({"terminated": {"exitCode": 0}});
    check("Always", running(), Some(3));
    check("OnFailure", running(), Some(3));
    check("Never", running(), None);
    check("OnFailure", done(), None);
    check("Always", done(), Some(3));
}
