//! What stock kubectl tells people about what happens: events, descriptions, logs; and what it says about what simulated
//! pods cannot do.

use std::io::{BufRead as _, BufReader};
use std::time::Instant;

use crate::support::{PATIENCE, Up};

/// Runs kubectl until what it prints has all of `expected`.
#[track_caller]
fn until(up: &Up, arguments: &[&str], expected: &[&str]) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let output = up.kubectl(arguments);
        // Columns are as wide as their widest cell.
        let words = output.split_whitespace().collect::<Vec<_>>().join(" ");
        if expected.iter().all(|expected| words.contains(expected)) {
            return output;
        }
        assert!(
            Instant::now() < deadline,
            "kubectl {arguments:?}: {expected:#?} is not in\n{output}"
        );
    }
}

/// Runs kubectl, which must fail and say this on stderr.
#[track_caller]
fn refused(up: &Up, arguments: &[&str], expected: &str) {
    let output = up.kubectl_output(arguments, "");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "kubectl {arguments:?}: {output:?}");
    assert!(stderr.contains(expected), "kubectl {arguments:?}: {stderr}\nexpected {expected}");
}

#[test]
fn kubectl_shows_what_happened_to_pods_and_by_whom() {
    let up = Up::ephemeral(&["-f", "examples/redis"]);
    let created = "Normal SuccessfulCreate statefulset/redis create Pod redis-0 in StatefulSet redis successful";
    let started = "Started container redis (simulated: no image is pulled and no process runs)";
    until(
        &up,
        &["get", "events"],
        &[created, "Successfully assigned default/redis-2 to node-", started],
    );
    until(&up, &["get", "events", "-A"], &["kube-system", "Started container headcount", created]);
    let selector = "involvedObject.name=redis-1,involvedObject.kind=Pod,reason=Started";
    let one = up.kubectl(&["get", "events", "--field-selector", selector, "-o", "wide"]);
    assert_eq!(one.lines().count(), 2, "{one}");
    assert!(one.contains("pod/redis-1") && one.contains("spec.containers{redis}"), "{one}");
    assert!(one.contains("kubelet, node-"), "{one}");
    let of_pod = up.kubectl(&["events", "--for", "pod/redis-1"]);
    assert_eq!(of_pod.lines().count(), 3, "{of_pod}");
    until(
        &up,
        &["describe", "pod", "redis-0"],
        &[
            "Normal Scheduled",
            "default-scheduler Successfully assigned default/redis-0 to node-",
            "Started container redis",
        ],
    );
    until(
        &up,
        &["describe", "sts", "redis"],
        &["statefulset-controller create Pod redis-2 in StatefulSet redis successful"],
    );

    // The same objects in their other version.
    let newer = until(
        &up,
        &["get", "events.v1.events.k8s.io", "-o", "yaml"],
        &["reportingController: kubelet"],
    );
    assert!(newer.contains("apiVersion: events.k8s.io/v1") && newer.contains("note: "), "{newer}");
    assert!(!newer.contains("involvedObject:"), "{newer}");
    let table =
        up.kubectl(&["get", "events.events.k8s.io", "--field-selector", "regarding.name=redis-1"]);
    assert!(table.starts_with("LAST SEEN") && table.contains("pod/redis-1"), "{table}");
}

#[test]
fn kubectl_shows_why_a_pod_is_not_ready() {
    let up = Up::ephemeral(&["-f", "examples/redis"]);
    let play = |ready: &str| {
        up.kubectl(&[
            "annotate",
            "--overwrite",
            "pod",
            "redis-1",
            &format!("headcount.dev/ready={ready}"),
        ]);
        let condition = if ready == "true" { "condition=Ready" } else { "condition=Ready=false" };
        up.kubectl(&["wait", &format!("--for={condition}"), "pod/redis-1", "--timeout=30s"]);
    };
    for ready in ["false", "true", "false"] {
        play(ready);
    }
    let unhealthy = "kubelet Readiness probe failed: annotation headcount.dev/ready is \"false\"";
    until(
        &up,
        &["describe", "pod", "redis-1"],
        &["Warning Unhealthy", "(x2 over", unhealthy, "kubelet Readiness probe succeeded"],
    );
    let warnings = up.kubectl(&["events", "--types=Warning"]);
    assert_eq!(warnings.lines().count(), 2, "{warnings}");

    up.kubectl(&["cordon", "node-1", "node-2", "node-3"]);
    up.kubectl(&["run", "late", "--image=busybox"]);
    let unschedulable = "0/3 nodes are available: 3 node(s) were unschedulable.";
    until(
        &up,
        &["describe", "pod", "late"],
        &["Status: Pending", &format!("default-scheduler {unschedulable}")],
    );
    assert_eq!(up.kubectl(&["logs", "late"]), format!("not scheduled: {unschedulable}\n"));
    until(
        &up,
        &["describe", "node", "node-1"],
        &["Unschedulable: true", "Node node-1 status is now: NodeNotSchedulable"],
    );
    up.kubectl(&["delete", "pod", "redis-1"]);
    until(&up, &["get", "events"], &["Normal Killing pod/redis-1 Stopping container redis"]);
}

#[test]
fn kubectl_logs_tells_what_the_simulated_node_did() {
    let up = Up::ephemeral(&["-f", "examples/redis"]);
    let log = up.kubectl(&["logs", "redis-0"]);
    let lines: Vec<&str> = log.lines().collect();
    assert_eq!(lines.len(), 4, "{log}");
    assert!(
        lines[0].starts_with("scheduled: runs on node-")
            && lines[1].starts_with("addresses: 10.244."),
        "{log}"
    );
    assert!(
        lines[2].starts_with("started container redis (redis:") && lines[3] == "ready",
        "{log}"
    );

    let part = |arguments: &[&str], expected: &str| {
        let printed = up.kubectl(&[&["logs"], arguments].concat());
        assert_eq!(printed, expected, "{arguments:?}");
    };
    part(&["redis-0", "--tail=1"], "ready\n");
    part(&["redis-0", "--tail=0"], "");
    part(&["redis-0", "--limit-bytes=5"], &log[..5]);
    part(&["redis-0", "--since=1h"], &log);
    part(&["redis-0", "--since-time=2999-01-01T00:00:00Z"], "");
    part(&["redis-0", "-c", "redis", "--tail=1"], "ready\n");
    part(&["redis-0", "--all-containers", "--tail=1"], "ready\n");
    part(&["statefulset/redis", "--tail=1"], "ready\n");
    part(&["sts/redis", "--tail=1", "--pod-running-timeout=5s"], "ready\n");
    let stamped = up.kubectl(&["logs", "redis-0", "--timestamps", "--tail=1"]);
    assert!(
        stamped.len() > 30 && stamped[10..].starts_with('T') && stamped.ends_with("Z ready\n"),
        "{stamped}"
    );
    let all = up.kubectl(&["logs", "-l", "app=redis", "--prefix", "--tail=1"]);
    assert_eq!(all.matches("/redis] ready").count(), 3, "{all}");

    refused(&up, &["logs", "redis-0", "-c", "x"], "container x is not valid for pod redis-0");
    refused(&up, &["logs", "absent"], "pods \"absent\" not found");
    refused(
        &up,
        &["logs", "redis-0", "--previous"],
        "previous terminated container \"redis\" in pod \"redis-0\" not found",
    );

    // It is followed until the pod ends.
    let mut following = up.kubectl_spawn(&["logs", "redis-2", "--follow"]);
    let mut lines = BufReader::new(following.stdout.take().expect("piped")).lines();
    let mut until_line = |wanted: &str| {
        let found = lines.by_ref().map_while(Result::ok).any(|line| line == wanted);
        assert!(found, "the log ended without {wanted}");
    };
    until_line("ready");
    up.kubectl(&["annotate", "pod", "redis-2", "headcount.dev/ready=false"]);
    until_line("not ready: annotation headcount.dev/ready is \"false\"");
    up.kubectl(&["delete", "pod", "redis-2"]);
    until_line("stopping container redis");
    assert_eq!(lines.count(), 0, "the pod's log ends with the pod");
    assert!(following.wait().expect("a child of ours").success());
}

#[test]
fn kubectl_says_that_pods_are_simulated() {
    let up = Up::ephemeral(&["-f", "examples/redis"]);
    let simulated = "pods of headcount are simulated: ";
    let check = |arguments: &[&str], what: &str| {
        refused(
            &up,
            arguments,
            &format!(
                "{simulated}{what}; kubectl logs redis-0 -n default tells what the simulated node did\n"
            ),
        );
    };
    let process =
        "there is no process to run a command in, as there is with headcount up --pods process";
    let port = "nothing listens on a port of theirs, as it does with headcount up --pods process";
    check(&["exec", "redis-0", "--", "ls"], process);
    check(
        &["attach", "redis-0"],
        "there is no process to attach to, as there is with headcount up --pods process",
    );
    check(&["port-forward", "redis-0", "0:6379"], port);
    check(&["port-forward", "svc/redis-headless", "0:6379"], port);
    check(&["debug", "redis-0", "--image=busybox"], "there is no process to debug");
    check(&["cp", "redis-0:/etc/hosts", "target/hosts"], process);
    for path in ["services/redis-headless:6379/proxy/", "pods/redis-0/proxy/x"] {
        let path = format!("/api/v1/namespaces/default/{path}");
        refused(&up, &["get", "--raw", &path], &format!("{simulated}nothing answers requests"));
    }
    refused(&up, &["get", "--raw", "/api/v1/nodes/node-1/proxy/metrics"], simulated);
    refused(&up, &["exec", "absent", "--", "ls"], "pods \"absent\" not found");
    refused(
        &up,
        &["exec", "redis-0", "-c", "x", "--", "ls"],
        "container x is not valid for pod redis-0",
    );
    refused(&up, &["port-forward", "absent", "0:1"], "pods \"absent\" not found");
}

#[test]
fn kubectl_drains_a_node() {
    let up = Up::ephemeral(&["-f", "examples/redis"]);
    // The one that the DNS server's own pod is on, which stays.
    let on_node = ["get", "pods", "--field-selector", "spec.nodeName=node-1", "-o", "name"];
    assert!(up.kubectl(&on_node).contains("pod/redis-"));
    let drained = up.kubectl(&["drain", "node-1", "--ignore-daemonsets", "--timeout=30s"]);
    assert!(drained.contains("evicted") && drained.contains("node/node-1 drained"), "{drained}");
    assert_eq!(up.kubectl(&on_node), "");
    up.kubectl(&["rollout", "status", "sts/redis", "--timeout=30s"]);
    up.until("redis-headless.default.svc.cluster.local.", "A", |reply| reply.data("A").len() == 3);

    // A budget that allows nothing holds a drain up.
    up.kubectl(&["uncordon", "node-1"]);
    up.kubectl(&["create", "pdb", "redis", "--selector=app=redis", "--min-available=3"]);
    refused(
        &up,
        &["drain", "node-3", "--ignore-daemonsets", "--timeout=1s"],
        "Cannot evict pod as it would violate the pod's disruption budget.",
    );
    assert_eq!(up.kubectl(&["get", "pods", "-l", "app=redis", "-o", "name"]).lines().count(), 3);

    // A node's lease goes with it.
    until(&up, &["get", "leases", "-n", "kube-node-lease"], &["node-2 node-2"]);
    up.kubectl(&["delete", "node", "node-2"]);
    up.kubectl(&["wait", "--for=delete", "-n", "kube-node-lease", "lease/node-2", "--timeout=30s"]);
}

#[test]
fn kubectl_describes_everything_around_a_service() {
    let up = Up::ephemeral(&["-f", "examples/redis"]);
    let check = |arguments: &[&str], expected: &[&str]| {
        until(&up, &[&["describe"], arguments].concat(), expected);
    };
    check(
        &["svc", "redis-headless"],
        &[
            "Type: ClusterIP",
            "IP: None",
            "TargetPort: 6379/TCP",
            "Endpoints: 10.244.",
            "Selector: app=redis",
            "Events: <none>",
        ],
    );
    check(
        &["pod", "redis-0"],
        &[
            "Node: node-",
            "Status: Running",
            "IP: 10.244.",
            "Controlled By: StatefulSet/redis",
            "State: Running Started: ",
            "Container ID: headcount://",
            "Ready: True",
            "PodReadyToStartContainers True Initialized True",
            "QoS Class: BestEffort",
        ],
    );
    check(
        &["sts", "redis"],
        &[
            "Replicas: 3 desired | 3 total",
            "Pods Status: 3 Running / 0 Waiting / 0 Succeeded / 0 Failed",
        ],
    );
    check(
        &["node", "node-1"],
        &[
            "HolderIdentity: node-1",
            "Ready True",
            "InternalIP: 172.18.0.2",
            "Capacity: cpu: 64",
            "OS Image: simulated",
            "PodCIDR: 10.244.1.0/24",
            "Non-terminated Pods:",
            "default redis-",
            "Allocated resources:",
        ],
    );
    check(
        &["endpointslice", "-l", "kubernetes.io/service-name=redis-headless"],
        &["AddressType: IPv4", "TargetRef: Pod/redis-0", "Hostname: redis-1"],
    );
    check(&["endpoints", "redis-headless"], &["NotReadyAddresses: <none>", "6379 TCP"]);
    check(&["ns", "default"], &["Status: Active", "No resource quota."]);
}
