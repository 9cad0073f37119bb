//! What `headcount up` costs: start to ready, memory, growth with the number of objects, and the time from
//! the API's acknowledgement of a change to the new DNS answer.
//!
//! `cargo bench --package headcount --bench up`; `-- --quick` takes fewer samples.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

#[path = "../tests/up/support/mod.rs"]
mod support;

use std::fmt::Write as _;
use std::net::UdpSocket;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;
use support::Up;

fn main() {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let samples = if quick { 200 } else { 2000 };
    start(if quick { 5 } else { 21 });
    growth();
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(change_to_answer(samples));
}

/// Start to `ready` with the redis example, and resident memory then.
fn start(runs: usize) {
    for (name, data) in [("in memory", false), ("durable", true)] {
        let mut times = Vec::new();
        let mut memory = Vec::new();
        for _ in 0..runs {
            let folder = tempfile::tempdir().unwrap();
            let started = Instant::now();
            let up = if data {
                Up::start(&["--data-dir", folder.path().to_str().unwrap(), "-f", "examples/redis"])
            } else {
                Up::ephemeral(&["-f", "examples/redis"])
            };
            times.push(started.elapsed());
            memory.push(up.resident_megabytes());
        }
        times.sort();
        memory.sort_by(f64::total_cmp);
        println!(
            "redis example, {name}: start to ready {} median, {} worst of {runs}; {:.1} MB resident",
            ms(times[runs / 2]),
            ms(times[runs - 1]),
            memory[runs / 2],
        );
    }
}

/// Whether the time per object grows with their number.
fn growth() {
    for (services, replicas) in [(10, 10), (100, 10), (100, 1), (1000, 1)] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("many.yaml");
        std::fs::write(&file, manifests(services, replicas)).unwrap();
        let started = Instant::now();
        let up = Up::ephemeral(&["-f", file.to_str().unwrap()]);
        let elapsed = started.elapsed();
        let last = format!("s{}.default.svc.cluster.local.", services - 1);
        assert_eq!(up.records(&last, "A").len(), replicas);
        println!(
            "{services} Services with {replicas} pods each: ready after {}, {:.2} ms a pod; {:.1} MB resident",
            ms(elapsed),
            elapsed.as_secs_f64() * 1e3 / (services * replicas) as f64,
            up.resident_megabytes(),
        );
    }
}

fn manifests(services: usize, replicas: usize) -> String {
    let mut text = String::new();
    for n in 0..services {
        write!(
            text,
            "---\n\
             {{apiVersion: v1, kind: Service, metadata: {{name: s{n}}}, spec: {{clusterIP: None, selector: {{app: a{n}}}, ports: [{{name: http, port: 80}}]}}}}\n\
             ---\n\
             {{apiVersion: apps/v1, kind: StatefulSet, metadata: {{name: w{n}}}, spec: {{serviceName: s{n}, replicas: {replicas}, podManagementPolicy: Parallel, \
             selector: {{matchLabels: {{app: a{n}}}}}, template: {{metadata: {{labels: {{app: a{n}}}}}, spec: {{containers: [{{name: c, image: web}}]}}}}}}}}\n",
        )
        .unwrap();
    }
    text
}

/// A headless Service whose slice is kept by hand.
const HAND_MADE: &str = "\
apiVersion: v1
kind: Service
metadata: {name: hand-made}
spec: {clusterIP: None, ports: [{name: http, port: 80}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: hand-made-1, labels: {kubernetes.io/service-name: hand-made}}
addressType: IPv4
ports: [{name: http, port: 80}]
endpoints: [{addresses: [203.0.113.9]}]
";

/// The time from the API's acknowledgement (over HTTPS) to the first new answer (over UDP).
async fn change_to_answer(samples: usize) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hand-made.yaml");
    std::fs::write(&file, HAND_MADE).unwrap();
    let files = ["-f", "examples/redis", "-f", file.to_str().unwrap()];
    for (name, arguments) in [("in memory", &["--ephemeral"][..]), ("durable", &[])] {
        let up = Up::start(&[arguments, &files].concat());
        let client = up.client().await;
        let slices: Api<EndpointSlice> = Api::default_namespaced(client.clone());
        let hand_made = slices.get("hand-made-1").await.unwrap();
        let probe = Probe::new(&up);

        let mut times = Vec::with_capacity(samples);
        for n in 0..samples {
            let mut endpoints = hand_made.endpoints.clone().unwrap_or_default();
            endpoints[0].addresses = vec![format!("203.0.113.{}", 20 + n % 200)];
            let expected = [203, 0, 113, 20 + (n % 200) as u8];
            let patch = json!({ "endpoints": endpoints });
            slices
                .patch("hand-made-1", &PatchParams::default(), &Patch::Merge(patch))
                .await
                .unwrap();
            let acknowledged = Instant::now();
            probe.until_address("hand-made.default.svc.cluster.local.", expected);
            times.push(acknowledged.elapsed());
        }
        report(&format!("an EndpointSlice changed, {name}"), &mut times);

        let pods: Api<Pod> = Api::default_namespaced(client);
        let mut times = Vec::with_capacity(samples / 4);
        for n in 0..samples / 4 {
            let ready = n % 2 == 1;
            let patch = json!({ "metadata": { "annotations": { "headcount.dev/ready": ready.to_string() } } });
            pods.patch("redis-1", &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
            let acknowledged = Instant::now();
            probe.until_count(
                "redis-headless.default.svc.cluster.local.",
                if ready { 3 } else { 2 },
            );
            times.push(acknowledged.elapsed());
        }
        report(&format!("a pod's readiness changed (pod status, then slice), {name}"), &mut times);
    }
}

fn report(what: &str, times: &mut [Duration]) {
    times.sort();
    println!(
        "{what}: acknowledged to answered p50 {}, p99 {}, worst {} of {}",
        ms(times[times.len() / 2]),
        ms(times[times.len() * 99 / 100]),
        ms(times[times.len() - 1]),
        times.len(),
    );
}

/// A socket that asks the same question over and over, as cheaply as it can.
struct Probe(UdpSocket);

impl Probe {
    fn new(up: &Up) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(up.dns).unwrap();
        socket.set_read_timeout(Some(support::PATIENCE)).unwrap();
        Self(socket)
    }

    fn ask(&self, name: &str) -> Vec<[u8; 4]> {
        let mut query = vec![0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in name.trim_end_matches('.').split('.') {
            query.push(label.len() as u8);
            query.extend_from_slice(label.as_bytes());
        }
        query.extend_from_slice(&[0, 0, 1, 0, 1]);
        self.0.send(&query).unwrap();
        let mut buffer = [0; 1500];
        let length = self.0.recv(&mut buffer).unwrap();
        let answers = usize::from(u16::from_be_bytes([buffer[6], buffer[7]]));
        // Each A record is 16 octets: a pointer to the question, then fixed fields and the address.
        (0..answers)
            .map(|n| buffer[query.len() + 16 * n + 12..][..4].try_into().unwrap())
            .inspect(|_| assert!(length > 12))
            .collect()
    }

    fn until_address(&self, name: &str, address: [u8; 4]) {
        self.until(|| self.ask(name) == [address]);
    }

    fn until_count(&self, name: &str, count: usize) {
        self.until(|| self.ask(name).len() == count);
    }

    fn until(&self, done: impl Fn() -> bool) {
        let deadline = Instant::now() + support::PATIENCE;
        while !done() {
            assert!(Instant::now() < deadline, "the answer never changed");
            // Asking without a pause would take a core from the server.
            std::thread::sleep(Duration::from_micros(20));
        }
    }
}

fn ms(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}
