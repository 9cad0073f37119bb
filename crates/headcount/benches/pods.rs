//! Pods that run: how long a hundred take, what each costs, and what goes through a Service beside what goes there directly.
//!
//! `cargo bench --package headcount --bench pods`; it needs Debian's packages busybox, redis-server, redis-tools and nftables.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

#[path = "../tests/up/support/mod.rs"]
mod support;

use std::path::Path;
use std::time::{Duration, Instant};

use support::Up;

const PODS: usize = 100;

/// Starts that are measured.
const RUNS: usize = 5;

/// Turns of direct and through a Service, one after the other.
const TURNS: usize = 5;

fn main() {
    let folder = tempfile::tempdir().unwrap();
    starts(folder.path());
    throughput(folder.path());
}

fn peers(replicas: usize) -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: peers}}\nspec: {{clusterIP: None, selector: {{app: peer}}, ports: [{{port: 80}}]}}\n\
         ---\napiVersion: apps/v1\nkind: StatefulSet\nmetadata: {{name: peer}}\nspec:\n  serviceName: peers\n  replicas: {replicas}\n  \
         podManagementPolicy: Parallel\n  selector: {{matchLabels: {{app: peer}}}}\n  template:\n    metadata: {{labels: {{app: peer}}}}\n    \
         spec:\n      containers: [{{name: c, image: busybox, command: [sleep, infinity]}}]\n"
    )
}

/// From the start of the program to the answer with all pods, and what is resident then.
fn starts(folder: &Path) {
    let manifest = folder.join("peers.yaml");
    std::fs::write(&manifest, peers(PODS)).unwrap();
    let mut taken = Vec::new();
    let mut each = Vec::new();
    for _ in 0..RUNS {
        let empty = Up::ephemeral(&["--pods", "process"]);
        let before = resident(&empty);
        drop(empty);
        let started = Instant::now();
        let up = Up::ephemeral(&["--pods", "process", "-f", manifest.to_str().unwrap()]);
        let deadline = started + Duration::from_secs(60);
        while up.records("peers.default.svc.cluster.local.", "A").len() < PODS {
            assert!(Instant::now() < deadline, "{}", up.stderr());
            std::thread::sleep(Duration::from_millis(2));
        }
        taken.push(started.elapsed());
        let after = resident(&up);
        each.push((
            (after.0 - before.0) as f64 / PODS as f64,
            (after.1 - before.1) as f64 / PODS as f64,
        ));
    }
    taken.sort();
    println!(
        "{PODS} pods, process start to all answered, {RUNS} runs: median {:?}, {:?} to {:?}",
        taken[RUNS / 2],
        taken[0],
        taken[RUNS - 1]
    );
    each.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (up, engine) = each[RUNS / 2];
    println!(
        "memory for each: {up:.0} kiB in up, {engine:.1} kiB in its engine, besides what the pod's own processes take"
    );
}

/// The memory of `up`, and of its engine, in KiB; that of pods is not in it.
fn resident(up: &Up) -> (i64, i64) {
    let engine: u64 = children(up.pid())
        .into_iter()
        .flat_map(|guard| children(guard).into_iter().chain([guard]))
        .map(private_kib)
        .sum();
    (up.resident_kib() as i64, engine as i64)
}

fn children(process: u32) -> Vec<u32> {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).unwrap();
    let of_task = |task: std::fs::DirEntry| {
        std::fs::read_to_string(task.path().join("children")).unwrap_or_default()
    };
    let texts: Vec<String> = tasks.map(|task| of_task(task.unwrap())).collect();
    texts.iter().flat_map(|text| text.split_whitespace()).map(|id| id.parse().unwrap()).collect()
}

fn private_kib(process: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{process}/smaps_rollup")).unwrap_or_default();
    let lines = text.lines().filter(|line| line.starts_with("Private_"));
    lines.map(|line| line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()).sum()
}

const REDIS: &str = "apiVersion: v1
kind: Service
metadata: {name: redis}
spec: {selector: {app: redis}, ports: [{port: 6379}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: redis}
spec:
  serviceName: redis
  replicas: 1
  selector: {matchLabels: {app: redis}}
  template:
    metadata: {labels: {app: redis}}
    spec:
      containers:
      - {name: redis, image: redis, command: [redis-server, --protected-mode, 'no', --save, ''], readinessProbe: {tcpSocket: {port: 6379}, periodSeconds: 1}}
---
apiVersion: v1
kind: Pod
metadata: {name: client}
spec:
  containers: [{name: c, image: debian, command: [sleep, infinity]}]
";

/// What a pod gets of another, directly and through a Service: requests, connections, octets.
fn throughput(folder: &Path) {
    let manifest = folder.join("redis.yaml");
    std::fs::write(&manifest, REDIS).unwrap();
    let up = Up::ephemeral(&["--pods", "process", "-f", manifest.to_str().unwrap()]);
    up.kubectl(&["wait", "--for=condition=Ready", "pod", "--all", "--timeout=30s"]);
    let direct = up.kubectl(&["get", "pod", "redis-0", "-o", "jsonpath={.status.podIP}"]);
    let service = up.kubectl(&["get", "service", "redis", "-o", "jsonpath={.spec.clusterIP}"]);
    let tasks: [(&str, &[&str]); 3] = [
        ("requests a second, 50 connections", &["-t", "get", "-n", "200000"]),
        ("connections a second, a request each", &["-t", "get", "-n", "4000", "-k", "0"]),
        (
            "SETs of 64 KiB a second, 8 connections",
            &["-t", "set", "-n", "20000", "-d", "65536", "-c", "8"],
        ),
    ];
    for (what, arguments) in tasks {
        let mut rates = [Vec::new(), Vec::new()];
        for _ in 0..TURNS {
            for (address, rates) in [&direct, &service].into_iter().zip(&mut rates) {
                rates.push(rate(&up, address, arguments));
            }
        }
        for rates in &mut rates {
            rates.sort_by(f64::total_cmp);
        }
        let [direct, service] = rates.map(|rates| rates[TURNS / 2]);
        println!(
            "{what}: direct {direct:.0}, by the Service {service:.0}: {:.2} of it",
            service / direct
        );
    }
}

/// What redis-benchmark says from inside of the client's pod.
fn rate(up: &Up, address: &str, arguments: &[&str]) -> f64 {
    let command = ["exec", "client", "--", "redis-benchmark", "-h", address, "--csv"];
    let text = up.kubectl(&[&command, arguments].concat());
    let row = text.lines().last().unwrap_or_default();
    let field = row.split(',').nth(1).unwrap_or_else(|| panic!("{text}"));
    field.trim_matches('"').parse().unwrap_or_else(|_| panic!("{text}"))
}
