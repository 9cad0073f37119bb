//! etcd: members that know one another by fixed names, and by SRV records.

use std::time::{Duration, Instant};

use hickory_proto::op::ResponseCode;
use serde_json::Value;

use crate::members::{Death, Members, becomes, eventually, without_rights};
use crate::support::who::Who;
use crate::support::{Up, root};

/// What a member says of itself.
#[derive(Clone, Debug, PartialEq)]
struct Status {
    member: u64,
    leader: u64,
}

/// What each member says, by its client URL.
fn statuses(members: &Members) -> Vec<(String, Status)> {
    let text =
        members.exec_in(0, "etcd", &["etcdctl", "endpoint", "status", "--cluster", "-w", "json"]);
    let found: Value = serde_json::from_str(&text).unwrap_or_default();
    let number = |value: &Value| value.as_u64().unwrap_or_default();
    let mut statuses: Vec<_> = found
        .as_array()
        .into_iter()
        .flatten()
        .map(|endpoint| {
            let (status, url) =
                (&endpoint["Status"], endpoint["Endpoint"].as_str().unwrap_or_default());
            let member = number(&status["header"]["member_id"]);
            (url.to_owned(), Status { member, leader: number(&status["leader"]) })
        })
        .collect();
    statuses.sort_by(|a, b| a.0.cmp(&b.0));
    statuses
}

/// The members as they are when all three follow one of them.
#[track_caller]
fn united(members: &Members) -> Vec<(String, Status)> {
    eventually("three members follow one of them", || {
        let statuses = statuses(members);
        let leader = statuses.first().map(|(_, status)| status.leader);
        let is_united = statuses.len() == 3
            && statuses.iter().all(|(_, status)| Some(status.leader) == leader)
            && statuses.iter().any(|(_, status)| Some(status.member) == leader);
        if is_united { Ok(statuses) } else { Err(format!("{statuses:?}")) }
    })
}

/// They form a cluster, and those that are killed are the same members afterwards.
#[track_caller]
fn check(who: Who, set: &'static str, clients: &str, peer_url: impl Fn(&str) -> String) {
    let members = Members::form(who, set, set, set);
    let listed = members.exec(1, &["etcdctl", "member", "list"]);
    for ordinal in 0..3 {
        let pod = members.pod(ordinal);
        let expected = format!(", started, {pod}, {}, ", peer_url(&pod));
        assert!(listed.contains(&expected), "{expected:?} is not in:\n{listed}");
    }
    assert_eq!(listed.lines().count(), 3, "{listed}");
    let ids = |members: &Members| -> Vec<(String, u64)> {
        united(members).into_iter().map(|(url, status)| (url, status.member)).collect()
    };
    let before = ids(&members);

    members.exec(0, &["etcdctl", "put", "motto", "names outlive addresses"]);
    let motto = |ordinal| {
        // From what this member itself has.
        let get = ["etcdctl", "get", "--consistency=s", "--print-value-only", "motto"];
        members.exec(ordinal, &get).trim().to_owned()
    };
    becomes("another member has it", "names outlive addresses".to_owned(), || motto(2));

    members.kill(1, Death::Asked);
    assert_eq!(ids(&members), before);
    assert_eq!(motto(1), "names outlive addresses");

    let (url, _) = united(&members)
        .into_iter()
        .find(|(_, status)| status.member == status.leader)
        .expect("one of them leads");
    let leader = (0..3).find(|ordinal| url.contains(&members.pod(*ordinal))).expect("a pod's URL");
    members.kill(leader, Death::Forced);
    assert_eq!(ids(&members), before);
    assert_eq!(motto(leader), "names outlive addresses");

    // Nobody is where any of them knew another to be.
    members.kill_all(&[0, 1, 2], Death::Forced);
    assert_eq!(ids(&members), before);

    let get = ["etcdctl", "--endpoints", clients, "get", "--print-value-only", "motto"];
    assert_eq!(members.run(&get).trim(), "names outlive addresses");
}

#[test]
fn etcd_forms_by_fixed_names() {
    check(Who::Me, "etcd-names", "http://etcd:2379", |pod| format!("http://{pod}.etcd-names:2380"));
}

#[test]
fn etcd_forms_by_srv_records() {
    check(without_rights(), "etcd-srv", "http://etcd-srv:2379", |pod| {
        format!("https://{pod}.etcd-srv.default.svc.cluster.local:2380")
    });
}

/// The same StatefulSet below a Service that publishes ready pods alone.
#[test]
fn etcd_does_not_form_without_publish_not_ready_addresses() {
    let folder = root().join("examples/peers/etcd-names");
    let manifest = |path: &str| std::fs::read_to_string(folder.join(path)).expect(path);
    let (forms, does_not) = (manifest("etcd.yaml"), manifest("unpublished/etcd.yaml"));
    let resources = |text: &str| text.split_once("apiVersion").expect("a resource").1.to_owned();
    assert_eq!(
        resources(&forms).replace("  publishNotReadyAddresses: true\n", ""),
        resources(&does_not),
        "one line is all the difference"
    );

    let begin = Instant::now();
    // It waits for the pods for ten seconds.
    let up = Up::ephemeral(&["--pods", "process", "-f", "examples/peers/etcd-names/unpublished"]);
    let waited = begin.elapsed();
    assert!(waited >= Duration::from_secs(10), "given up after {waited:?}");
    for ordinal in 0..3 {
        let pod = format!("etcd-names-{ordinal}");
        let told = format!("pod default/{pod}: not ready yet: Readiness probe failed: ");
        assert!(up.printed.contains(&told), "{told:?} is not in:\n{}", up.printed);
        // It runs, and waits.
        let paths = "{.status.phase} {.status.conditions[?(@.type==\"Ready\")].status} \
                     {.status.containerStatuses[0].restartCount}";
        let seen = up.kubectl(&["get", "pod", &pod, "-o", &format!("jsonpath={paths}")]);
        assert_eq!(seen, "Running False 0", "{pod}");
        let name = format!("{pod}.etcd-names.default.svc.cluster.local");
        assert_eq!(up.ask(&name, "A").rcode(), ResponseCode::NXDomain, "{name}");
        // Its peers are what it misses.
        let log = up.kubectl(&["logs", &pod]);
        let peer = format!(
            "lookup etcd-names-{}.etcd-names on 10.96.0.10:53: no such host",
            (ordinal + 1) % 3
        );
        assert!(log.contains(&peer), "{peer:?} is not in:\n{log}");
        assert!(!log.contains("elected leader"), "{log}");
    }
    let events = up.kubectl(&["get", "events", "--field-selector=reason=Unhealthy"]);
    assert!(events.contains("/health"), "{events}");
}
