//! Plans that are right, and what is told of them.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use advisor::design::{Backends, Expected, Targets, WhileNotReady};
use serde_json::json;

use super::plans::{self, Case, expect, pods};
use crate::error::Error;
use crate::trial::{Outcome, Report, run, verify_within};

async fn check_passes(name: &str, case: &Case) -> Report {
    let report = case.verify().await;
    assert_eq!(report.outcome, Outcome::Passed, "{name}:\n{}", report.lines().join("\n"));
    report
}

/// The times at which something was asked.
fn whens(report: &Report) -> Vec<&str> {
    let mut whens: Vec<&str> = report.checks.iter().map(|check| check.when.as_str()).collect();
    whens.dedup();
    whens
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_shape_passes() {
    for (name, case) in plans::all() {
        check_passes(name, &case).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peers_are_tried_through_all_that_happens_to_them() {
    let case = plans::stateful().with(
        "image: etcd",
        "image: etcd\n          readinessProbe: {tcpSocket: {port: client}, initialDelaySeconds: 600}",
    );
    let report = check_passes("stateful", &case).await;
    assert_eq!(
        whens(&report),
        [
            "at first",
            "while db-0 is not ready",
            "once db-0 is ready again",
            "while db-2 is not ready",
            "once db-2 is ready again",
            "after db-0 was deleted",
            "before db-0, db-1 and db-2 were ever ready",
            "once all are ready",
        ]
    );
    let answered = |when: &str, asked: &str| {
        let check = report.checks.iter().find(|it| it.when == when && it.asked.contains(asked));
        check.expect("it was asked").answered.clone()
    };
    let name = "A db-0.db-peers.prod.";
    let (before, after) = (answered("at first", name), answered("after db-0 was deleted", name));
    assert_eq!((before.len(), after.len()), (1, 1));
    assert_ne!(before, after, "the pod that came back has an address of its own");
    let peers = "A db-peers.prod.";
    assert_eq!(answered("while db-2 is not ready", peers), answered("at first", peers));
    let clients = "EndpointSlices of Service db";
    // Two addresses, and the port.
    assert_eq!(answered("while db-2 is not ready", clients).len(), 3);
    assert_eq!(
        report.notes,
        [
            "initialDelaySeconds of readiness probes is left out: pods of the trial are ready at once",
            "the namespace prod was made for the trial; the manifests do not make it",
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pods_made_one_by_one_find_those_before_them() {
    let case = plans::stateful().with("Parallel", "OrderedReady");
    let report = check_passes("published, one by one", &case).await;
    let beginnings: Vec<&str> =
        whens(&report).into_iter().filter(|when| when.starts_with("before")).collect();
    assert_eq!(
        beginnings,
        ["before db-0 was ever ready", "before db-1 was ever ready", "before db-2 was ever ready",]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_families() {
    let case = plans::stateful()
        .with("clusterIP: None", "clusterIP: None\n  ipFamilyPolicy: RequireDualStack");
    let report = check_passes("dual-stack", &case).await;
    let first = report.checks.iter().find(|check| check.asked.contains(" db-0.db-peers."));
    let first = first.expect("it was asked");
    assert_eq!(first.asked, "A, AAAA db-0.db-peers.prod.svc.cluster.local.");
    assert_eq!(first.answered.len(), 2);
    // The Service for clients says nothing of families, and has the first one.
    assert!(report.checks.iter().any(|check| check.asked == "A db.prod.svc.cluster.local."));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_replicas_some_are_tried() {
    let mut case = plans::stateful().with("replicas: 3", "replicas: 1000");
    for expectation in &mut case.expectations {
        if let Expected::Each(Backends::Pods(names)) = &mut expectation.answer
            && names.len() > 1
        {
            let Backends::Pods(all) = pods("db", 1000) else { unreachable!() };
            *names = all;
        }
    }
    case.expectations
        .retain(|it| !matches!(it.answer, Expected::Virtual { .. } | Expected::Ports { .. }));
    case.expectations.push(expect(
        "db-999.db-peers.prod",
        Expected::Each(Backends::Pods(vec!["db-999".to_owned()])),
        WhileNotReady::Stays,
    ));
    let report = check_passes("many", &case).await;
    assert!(
        report.notes.contains(&"tried with 12 of the 1000 replicas of StatefulSet db".to_owned()),
        "{:?}",
        report.notes
    );
    let line =
        report.checks.iter().find(|it| it.asked.starts_with("A db-peers.")).map(|it| it.line());
    assert!(line.is_some_and(|line| line.ends_with("(db-5) and 6 more")));
}

/// More addresses than fit a datagram: the resolver asks again over TCP.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_answer_comes_whole() {
    let addresses: Vec<Ipv4Addr> = (0..250).map(|host| [198, 51, 100, host].into()).collect();
    let endpoints: Vec<_> = addresses.iter().map(|it| json!({ "addresses": [it] })).collect();
    let mut case = plans::by_hand_headless().with(
        "endpoints: [{addresses: [192.0.2.10]}, {addresses: [192.0.2.11]}]",
        &format!("endpoints: {}", json!(endpoints)),
    );
    let backends = Backends::Addresses(addresses.iter().map(|it| (*it).into()).collect());
    let answer = Expected::Each(backends);
    case.expectations = vec![expect("orders.default", answer, WhileNotReady::Unaffected)];
    let report = check_passes("long", &case).await;
    assert_eq!(report.checks[0].answered.len(), 250);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn json_says_what_was_asked_and_answered() {
    let report = check_passes("external name", &plans::external_name()).await;
    let summary = report.summary();
    assert!(
        summary.starts_with("Tried in a cluster in this process: 1 answer as expected, in"),
        "{summary}"
    );
    let mut told = json!(report);
    assert!(told["milliseconds"].take().is_u64());
    assert_eq!(
        told,
        json!({
            "where": "trial",
            "outcome": "passed",
            "checks": [{
                "when": "at first",
                "asked": "CNAME billing.shop.svc.cluster.local.",
                "purpose": "a test",
                "expected": ["billing.example.com."],
                "answered": ["billing.example.com."],
                "ok": true,
            }],
            "notes": [
                "that billing.shop.svc.cluster.local. stands for billing.example.com. was asked; whether billing.example.com. is there was not",
                "the namespace shop was made for the trial; the manifests do not make it",
            ],
            "milliseconds": null,
        })
    );
}

/// A plan of which nothing is expected is not verified by having nothing against it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_asked_is_nothing_verified() {
    let mut case = plans::external_name();
    case.expectations.clear();
    assert_eq!(case.verify().await.outcome, Outcome::Incomplete);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trial_ends_in_time() {
    let case = plans::stateful();
    let (started, time) = (Instant::now(), Duration::from_millis(5));
    let report = case.plan(async |plan| verify_within(plan, time).await.expect("a report")).await;
    // That a machine is slow says nothing of the plan.
    assert_eq!(report.outcome, Outcome::Incomplete);
    assert!(report.summary().contains("0 answers as expected; not all could be asked"));
    assert_eq!(
        report.notes.last().map(String::as_str),
        Some(
            "the trial was stopped after 0.005 s, before all was asked; it had come to \"its beginning\". This machine may be busy: try again when it has less to do"
        )
    );
    assert!(started.elapsed() < Duration::from_secs(5));
}

/// Whoever waits for a trial can stop it.
#[cfg(unix)]
#[test]
fn a_signal_ends_what_a_verb_waits_for() {
    use rustix::process::{Signal, getpid, kill_process};

    assert_eq!(run(async { Ok(1) }).expect("it is over at once"), 1);
    let stopped = run(async {
        kill_process(getpid(), Signal::TERM).expect("a signal");
        std::future::pending::<Result<(), Error>>().await
    });
    let text = format!("{:?}", stopped.expect_err("it never ends by itself"));
    assert!(text.contains("terminated before the verification was over"), "{text}");
}

/// The trial labels pods as the software would, and the Service for clients follows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_follows_the_leader() {
    let report = check_passes("leader", &plans::leader()).await;
    let behind = |when: &str| {
        let slices = report.checks.iter().filter(|it| it.asked == "EndpointSlices of Service db");
        let check = slices.into_iter().find(|check| check.when == when);
        check.unwrap_or_else(|| panic!("not looked at {when}")).line()
    };
    let check = |when: &str, told: &str| {
        let line = behind(when);
        assert!(line.contains(told) && !line.contains(','), "{when}: {line}");
    };
    check("at first", "→ no ready endpoint");
    check("while db-2 is not ready", "→ no ready endpoint");
    let check = |when: &str, pod: &str| {
        let line = behind(when);
        assert!(line.ends_with(&format!("({pod}), port 2379")), "{when}: {line}");
        assert_eq!(line.matches('(').count(), 1, "{when}: {line}");
    };
    check("while db-0 leads (role=leader)", "db-0");
    check("once db-2 leads instead of db-0", "db-2");
    check("once db-2 is ready again", "db-2");
    check("after db-0 was deleted", "db-2");
}

/// A pod that leads takes its label with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_alone() {
    let mut case = plans::leader().with("replicas: 3", "replicas: 1");
    let only = vec!["db-0".to_owned()];
    case.expectations.retain(|it| !it.name.starts_with("db-1") && !it.name.starts_with("db-2"));
    for expectation in &mut case.expectations {
        if let Expected::Each(Backends::Pods(pods))
        | Expected::Virtual { behind: Backends::Leader { pods, .. }, .. }
        | Expected::Ports { targets: Targets::Each { of: Backends::Pods(pods), .. }, .. } =
            &mut expectation.answer
        {
            pods.clone_from(&only);
        }
    }
    let report = check_passes("one leader", &case).await;
    let lines = |when: &str| report.checks.iter().any(|check| check.when == when);
    assert!(lines("while db-0 leads (role=leader)") && lines("after db-0 was deleted"));
}
