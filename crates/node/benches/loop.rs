//! How fast the whole loop is, in one process over a store in memory: from an acknowledged write to the directory's
//! answer, and from manifests to settled.
//!
//! `cargo bench -p node --bench loop`

#![allow(clippy::print_stdout, clippy::unwrap_used)]

// The tests use more of it.
#[allow(dead_code)]
#[path = "../tests/end_to_end/fixture.rs"]
mod fixture;

use std::time::{Duration, Instant};

use directory::RecordType;
use fixture::{Cluster, stateful};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

const ROUNDS: usize = 2000;

fn main() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        start_to_settled().await;
        slice_to_answer().await;
        annotation_to_answer().await;
        for (services, pods) in [(100, 1), (1000, 1), (2000, 1), (10, 10), (100, 10), (200, 10)] {
            manifests_to_settled(services, pods).await;
        }
    });
}

/// Resident memory in MiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) / 1024
}

async fn start_to_settled() {
    let begun = Instant::now();
    let cluster = Cluster::start().await;
    let started = begun.elapsed();
    cluster.apply_all(&stateful("redis", "redis-headless", 3, json!({}))).await;
    cluster.idle().await;
    let settled = begun.elapsed();
    assert_eq!(cluster.ask("redis-headless.default.svc.cluster.local", RecordType::A).len(), 3);
    println!(
        "redis: started {started:.1?}, settled {settled:.1?} after the beginning, {} MiB resident",
        resident()
    );
    cluster.shutdown().await;
}

/// A slice of a Service without selector is written again and again; how long after each acknowledgement does the
/// answer hold the new address?
async fn slice_to_answer() {
    let cluster = Cluster::start().await;
    cluster
        .apply(&json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"},
            "spec": {"clusterIP": "None", "ports": [{"port": 1}]}}))
        .await;
    let slice = |address: &str| {
        json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {"name": "s", "labels": {"kubernetes.io/service-name": "s"}},
            "addressType": "IPv4", "ports": [{"port": 1}], "endpoints": [{"addresses": [address]}]})
    };
    cluster.apply(&slice("10.0.0.0")).await;
    cluster.idle().await;
    let slices = Api::<EndpointSlice>::namespaced(cluster.client.clone(), "default");
    let mut waits = Vec::new();
    for round in 1..=ROUNDS {
        let address = format!("10.0.{}.{}", round / 256, round % 256);
        let patch = Patch::Merge(json!({"endpoints": [{"addresses": [address]}]}));
        slices.patch("s", &PatchParams::default(), &patch).await.unwrap();
        waits.push(wait_for(&cluster, "s.default.svc.cluster.local", &[&address]).await);
    }
    report("slice written -> answer", waits);
    cluster.shutdown().await;
}

/// A pod is annotated as not ready, and ready again: through node, controllers and feed.
async fn annotation_to_answer() {
    let cluster = Cluster::start().await;
    cluster.apply_all(&stateful("redis", "redis", 3, json!({}))).await;
    cluster.idle().await;
    let name = "redis-0.redis.default.svc.cluster.local";
    let address = cluster.ask(name, RecordType::A);
    let mut waits = Vec::new();
    for round in 0..ROUNDS / 2 {
        let ready = round % 2 == 1;
        let patch: Value =
            json!({"metadata": {"annotations": {node::READY_ANNOTATION: ready.to_string()}}});
        let patch = Patch::Merge(patch);
        cluster.pods("default").patch("redis-0", &PatchParams::default(), &patch).await.unwrap();
        let expected = if ready { address[0].as_str() } else { "NXDOMAIN" };
        waits.push(wait_for(&cluster, name, &[expected]).await);
    }
    report("annotation written -> answer", waits);
    cluster.shutdown().await;
}

async fn wait_for(cluster: &Cluster, name: &str, expected: &[&str]) -> Duration {
    let acknowledged = Instant::now();
    loop {
        if cluster.ask(name, RecordType::A) == expected {
            return acknowledged.elapsed();
        }
        assert!(
            acknowledged.elapsed() < Duration::from_secs(10),
            "{name} never answers {expected:?}"
        );
        tokio::task::yield_now().await;
    }
}

fn report(what: &str, mut waits: Vec<Duration>) {
    waits.sort();
    let at = |share: f64| waits[((waits.len() - 1) as f64 * share) as usize];
    println!(
        "{what}: p50 {:.1?}, p99 {:.1?}, most {:.1?} of {}",
        at(0.5),
        at(0.99),
        at(1.0),
        waits.len()
    );
}

async fn manifests_to_settled(services: usize, pods: usize) {
    let cluster = Cluster::start().await;
    let begun = Instant::now();
    for number in 0..services {
        let name = format!("app-{number}");
        let parallel = json!({"podManagementPolicy": "Parallel"});
        cluster.apply_all(&stateful(&name, &name, pods, parallel)).await;
    }
    let applied = begun.elapsed();
    cluster.idle().await;
    let settled = begun.elapsed();
    let last = format!("app-{}.default.svc.cluster.local", services - 1);
    assert_eq!(cluster.ask(&last, RecordType::A).len(), pods);
    println!(
        "{services} Services x {pods} pods: applied {applied:.1?}, settled {settled:.1?}, {:.2} ms a pod, {} MiB resident",
        settled.as_secs_f64() * 1000.0 / (services * pods) as f64,
        resident()
    );
    cluster.shutdown().await;
}
