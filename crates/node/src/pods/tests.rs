use serde_json::{Value, json};

use super::*;

struct Fixture {
    pods: Pods,
    revision: u64,
    /// Lines that were told.
    told: Vec<String>,
}

impl Fixture {
    fn new() -> Self {
        let config = Config { nodes: 2, pod_ranges: vec!["10.244.0.0/16".parse().unwrap()] };
        let mut fixture = Self { pods: Pods::new(&config, false), revision: 0, told: Vec::new() };
        for (name, address) in [("node-1", "172.18.0.2"), ("node-2", "172.18.0.3")] {
            fixture.node(json!({
                "metadata": {"name": name, "labels": {"name": name}},
                "status": {"addresses": [{"type": "InternalIP", "address": address}]},
            }));
        }
        fixture
    }

    fn node(&mut self, node: Value) -> Vec<String> {
        let waiting = self.pods.apply_node(&serde_json::from_value(node).unwrap());
        waiting.into_iter().map(|target| target.name).collect()
    }

    /// Applies a pod and says what is to be done, in few words.
    fn pod(&mut self, name: &str, uid: &str, mut pod: Value) -> String {
        self.revision += 1;
        pod["metadata"]["name"] = name.into();
        pod["metadata"]["namespace"] = "default".into();
        pod["metadata"]["uid"] = uid.into();
        pod["metadata"]["resourceVersion"] = self.revision.to_string().into();
        if pod["spec"]["containers"].is_null() {
            pod["spec"]["containers"] = json!([]);
        }
        let pod: Pod = serde_json::from_value(pod).unwrap();
        if !self.pods.apply_pod(Arc::new(pod.into())) {
            return "echo".to_owned();
        }
        self.decide(name)
    }

    fn decide(&mut self, name: &str) -> String {
        let (step, report) = self.pods.decide(&target(name), Timestamp::UNIX_EPOCH);
        if let Some(report) = report {
            self.pods.told(&target(name), &report);
            self.told.extend(report.news.iter().map(|news| news.line().1));
        }
        match step {
            Step::Rest(None) => "rest".to_owned(),
            Step::Rest(Some(delay)) => format!("rest {delay:?}"),
            Step::Delete { uid } => format!("delete {uid}"),
            Step::Run { uid, bind, pod: _, place } => {
                let bind = bind.map(|node| format!("bind {node}, ")).unwrap_or_default();
                let addresses = place.addresses.iter();
                let addresses: Vec<String> = addresses
                    .map(|address| format!("{} by {}", address.address, address.gateway))
                    .collect();
                format!("{bind}run {uid} on {} at {}", place.node_name, addresses.join(" "))
            }
            Step::Write { uid: _, bind, status, look_again } => {
                let mut words = Vec::new();
                words.extend(bind.map(|node| format!("bind {node}")));
                if let Some(status) = status {
                    words.extend(status.phase);
                    words.extend(status.pod_ip);
                    let conditions = status.conditions.into_iter().flatten();
                    let untrue = conditions.filter(|condition| condition.status != "True");
                    words.extend(untrue.map(|condition| format!("not {}", condition.type_)));
                }
                words.extend(look_again.map(|delay| format!("again {delay:?}")));
                words.join(", ")
            }
        }
    }

    fn gone(&mut self, name: &str, uid: &str) {
        self.pods.remove_pod(&target(name), Some(uid));
    }
}

fn target(name: &str) -> ObjectRef {
    ObjectRef { kind: "Pod", namespace: "default".into(), name: name.into() }
}

fn on(node: &str, address: &str) -> Value {
    json!({"spec": {"nodeName": node}, "status": {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]}})
}

#[test]
fn pods_spread_over_nodes_with_addresses_of_their_own() {
    let mut f = Fixture::new();
    assert_eq!(f.pod("a", "1", json!({})), "bind node-1, Running, 10.244.1.2");
    assert_eq!(f.pod("b", "2", json!({})), "bind node-2, Running, 10.244.2.2");
    assert_eq!(f.pod("c", "3", json!({})), "bind node-1, Running, 10.244.1.3");
    // Deciding again, after a failure, gives the same.
    assert_eq!(f.decide("a"), "bind node-1, Running, 10.244.1.2");
    // Bound, it needs no more than its status.
    assert_eq!(f.pod("a", "1", json!({"spec": {"nodeName": "node-1"}})), "Running, 10.244.1.2");
}

#[test]
fn pods_of_an_earlier_life_keep_what_they_have() {
    let mut f = Fixture::new();
    let decided = f.pod("a", "1", on("node-1", "10.244.1.2"));
    assert_eq!(decided, "Running, 10.244.1.2");
    assert_eq!(f.pod("b", "2", json!({"spec": {"nodeName": "node-1"}})), "Running, 10.244.1.3");
    assert_eq!(f.pod("c", "3", json!({})), "bind node-2, Running, 10.244.2.2");
}

#[test]
fn what_a_pod_had_is_free_when_it_is_gone() {
    let mut f = Fixture::new();
    f.pod("a", "1", json!({}));
    f.gone("a", "another");
    assert_eq!(f.decide("a"), "bind node-1, Running, 10.244.1.2", "another of its name is gone");
    f.gone("a", "1");
    assert_eq!(f.decide("a"), "rest");
    assert_eq!(f.pod("a", "2", json!({})), "bind node-1, Running, 10.244.1.3");
    // A pod whose end was missed.
    assert_eq!(f.pod("a", "3", json!({})), "bind node-1, Running, 10.244.1.4");
    let finished =
        f.pod("a", "3", json!({"spec": {"nodeName": "node-1"}, "status": {"phase": "Succeeded"}}));
    assert_eq!(finished, "rest");
    assert_eq!(
        f.pod("b", "4", json!({})),
        "bind node-1, Running, 10.244.1.5",
        "the finished pod does not count"
    );
}

#[test]
fn deleted_pods_go_at_once() {
    let mut f = Fixture::new();
    let deleted = |grace: i64, finalizers: &[&str]| {
        json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z", "deletionGracePeriodSeconds": grace,
            "finalizers": finalizers}})
    };
    assert_eq!(f.pod("a", "1", deleted(30, &[])), "delete 1");
    assert_eq!(f.pod("a", "1", deleted(30, &["x"])), "delete 1");
    assert_eq!(f.pod("a", "1", deleted(0, &["x"])), "rest");
}

#[test]
fn pods_wait_for_a_node() {
    let mut f = Fixture::new();
    let picky = json!({"spec": {"nodeSelector": {"name": "node-3"}}});
    assert_eq!(f.pod("a", "1", picky), "Pending, not PodScheduled");
    assert_eq!(f.pod("b", "2", json!({"spec": {"nodeName": "node-3"}})), "rest");
    let mut waiting = f.node(json!({"metadata": {"name": "node-3", "labels": {"name": "node-3"}}}));
    waiting.sort();
    assert_eq!(waiting, ["a", "b"]);
    assert_eq!(f.decide("a"), "bind node-3, Running, 10.244.3.2");
    assert_eq!(f.decide("b"), "Running, 10.244.3.3");
    let gated = json!({"spec": {"schedulingGates": [{"name": "wait"}]}});
    assert_eq!(f.pod("c", "3", gated), "rest");
}

#[test]
fn readiness_comes_late_or_not() {
    let mut f = Fixture::new();
    let slow = json!({"spec": {"containers": [{"name": "c", "readinessProbe": {"initialDelaySeconds": 20}}]}});
    assert_eq!(
        f.pod("a", "1", slow),
        "bind node-1, Running, 10.244.1.2, not ContainersReady, not Ready, again 20s"
    );
    let played = json!({"metadata": {"annotations": {"headcount.dev/ready": "false"}}});
    assert_eq!(
        f.pod("b", "2", played),
        "bind node-2, Running, 10.244.2.2, not ContainersReady, not Ready"
    );
}

#[test]
fn host_network_pods_have_the_address_of_the_node() {
    let mut f = Fixture::new();
    let host = json!({"spec": {"hostNetwork": true, "nodeName": "node-2"}});
    assert_eq!(f.pod("a", "1", host), "Running, 172.18.0.3");
    assert_eq!(f.pod("b", "2", json!({"spec": {"nodeName": "node-2"}})), "Running, 10.244.2.2");
}

#[test]
fn what_happens_is_told_once() {
    let mut f = Fixture::new();
    let check = |f: &mut Fixture, expected: &[&str]| {
        assert_eq!(std::mem::take(&mut f.told), expected);
    };
    let containers = json!([{"name": "c", "image": "i"}]);
    f.pod("a", "1", json!({"spec": {"containers": containers}}));
    let started =
        "started container c (i); it is simulated: no image is pulled and no process runs";
    check(&mut f, &["scheduled: runs on node-1", "addresses: 10.244.1.2", started, "ready"]);
    let mut live = on("node-1", "10.244.1.2");
    live["spec"]["containers"] = containers;
    live["status"]["conditions"] = json!([{"type": "ContainersReady", "status": "True"}]);
    f.pod("a", "1", live.clone());
    check(&mut f, &[]);
    live["metadata"] = json!({"annotations": {"headcount.dev/ready": "false"}});
    f.pod("a", "1", live.clone());
    f.decide("a");
    check(&mut f, &["not ready: annotation headcount.dev/ready is \"false\""]);

    f.gone("a", "1");
    let departed = f.pods.take_departed();
    let [(_, report)] = &departed[..] else { panic!("{departed:?}") };
    assert_eq!((report.uid.as_str(), report.node.as_deref()), ("1", Some("node-1")));
    assert_eq!(report.news, [News::Stopping { container: "c".into() }]);
    assert_eq!(f.pods.take_departed(), []);

    f.pod("b", "2", json!({"spec": {"nodeSelector": {"name": "node-3"}}}));
    assert_eq!(f.told.len(), 1, "{:?}", f.told);
    assert!(f.told[0].starts_with("not scheduled: 0/2 nodes are available: "), "{:?}", f.told);
}

#[test]
fn echoes_are_no_news() {
    let mut f = Fixture::new();
    f.pod("a", "1", json!({}));
    f.revision -= 1;
    assert_eq!(f.pod("a", "1", json!({})), "echo");
}

#[test]
fn an_interactive_pod_fails_for_nobody_can_attach_to_it() {
    let mut f = Fixture::new();
    let container = json!({"name": "c", "image": "busybox", "stdin": true, "stdinOnce": true});
    let interactive =
        |policy: &str| json!({"spec": {"restartPolicy": policy, "containers": [container]}});
    let decided = f.pod("a", "1", interactive("Never"));
    assert_eq!(decided, "bind node-1, Failed, not ContainersReady, not Ready");
    assert_eq!(
        f.told,
        ["scheduled: runs on node-1", &format!("failed: {}", crate::status::NO_TERMINAL)]
    );
    // Others wait for somebody at a terminal, too, and go on when he is gone.
    assert!(f.pod("b", "2", interactive("Always")).contains("Running"));
}
