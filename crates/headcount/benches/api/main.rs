//! What the embedded API of `headcount up` costs over its HTTPS socket: creates, gets and lists with 10,000 pods,
//! watch latency, memory, and the time from the `apply` of a StatefulSet to its records.
//!
//! `cargo bench --package headcount --bench api`; `-- --quick` takes a tenth, `-- --idle SECONDS` waits so long before
//! memory is looked at for the last time, `-- memory requests` takes these parts only.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

mod client;
mod load;
#[path = "../../tests/up/support/mod.rs"]
mod support;

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use client::{TOKEN, Target};
use load::{CONNECTIONS, Spread, load};
use serde_json::json;
use support::Up;

const PODS: &str = "/api/v1/namespaces/default/pods";

/// How much is asked.
struct Scale {
    pods: usize,
    gets: usize,
    lists: usize,
    samples: usize,
    sets: usize,
    idle: Duration,
}

/// A part, for a durable store or not.
type Part = fn(bool, &Scale);

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |name: &str| arguments.iter().any(|argument| argument == name);
    let idle = arguments.iter().skip_while(|argument| *argument != "--idle").nth(1);
    let tenth = if has("--quick") { 10 } else { 1 };
    let scale = Scale {
        pods: 10_000 / tenth,
        gets: 50_000 / tenth,
        lists: 200 / tenth,
        samples: 2_000 / tenth,
        sets: if has("--quick") { 3 } else { 11 },
        idle: Duration::from_secs(idle.map_or(10, |seconds| seconds.parse().unwrap())),
    };
    let stores = [("memory", false), ("durable", true)];
    let parts: [(&str, Part); 4] =
        [("requests", requests), ("watches", watches), ("running", running), ("records", records)];
    // Where some are named, the others are left out.
    let is_left_out =
        |name: &str, among: &[&str]| !has(name) && among.iter().any(|other| has(other));
    for (store, durable) in stores {
        if is_left_out(store, &stores.map(|(name, _)| name)) {
            continue;
        }
        println!("{store}:");
        for (name, part) in parts {
            if !is_left_out(name, &parts.map(|(name, _)| name)) {
                part(durable, &scale);
            }
        }
    }
}

fn start(durable: bool, folder: &tempfile::TempDir, more: &[&str]) -> (Up, Target) {
    let data = ["--data-dir", folder.path().to_str().unwrap()];
    let kept: &[&str] = if durable { &data } else { &["--ephemeral"] };
    let up = Up::start(&[kept, &["--token", TOKEN], more].concat());
    let target = Target::of(&up);
    (up, target)
}

/// A pod as people write it. A gated one is accepted, validated, stored and watched as every other, and then left
/// alone: the server of the figures to compare with had no scheduler and no kubelet either.
fn pod(index: usize, gated: bool) -> Vec<u8> {
    let mut pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": format!("pod-{index}"), "labels": { "app": format!("app-{}", index % 100), "tier": "backend" } },
        "spec": { "containers": [{
            "name": "web",
            "image": "registry.example.com/web:1.27",
            "ports": [{ "name": "http", "containerPort": 8080 }],
            "env": [{ "name": "MODE", "value": "production" }],
            "resources": { "requests": { "cpu": "100m", "memory": "64Mi" } },
        }] },
    });
    if gated {
        pod["spec"]["schedulingGates"] = json!([{ "name": "example.com/benchmark" }]);
    }
    pod.to_string().into_bytes()
}

/// Creates, gets and lists, and memory meanwhile.
fn requests(durable: bool, scale: &Scale) {
    let folder = tempfile::tempdir().unwrap();
    let (up, target) = start(durable, &folder, &[]);
    let mut memory = vec![("at the start", up.resident_megabytes())];
    let bodies: Vec<_> = (0..scale.pods).map(|index| pod(index, true)).collect();
    let cost = load(&up, &target, scale.pods, |connection, index| {
        connection.ask("POST", PODS, &bodies[index]);
    });
    println!("  creates of pods: {cost}");
    std::thread::sleep(Duration::from_secs(2));
    memory.push(("after the creates", up.resident_megabytes()));

    let cost = load(&up, &target, scale.gets, |connection, index| {
        // Neighbours in order are far apart.
        let name = index * 7919 % scale.pods;
        connection.ask("GET", &format!("{PODS}/pod-{name}"), b"");
    });
    println!("  gets: {cost}");

    let bytes = AtomicUsize::new(0);
    let cost = load(&up, &target, scale.lists, |connection, _| {
        bytes.store(connection.ask("GET", PODS, b"").len(), Ordering::Relaxed);
    });
    let megabytes = bytes.into_inner() as f64 / 1e6;
    println!("  lists of {} pods ({megabytes:.1} MB each): {cost}", scale.pods);
    memory.push(("after the lists", up.resident_megabytes()));
    std::thread::sleep(scale.idle);
    memory.push(("later", up.resident_megabytes()));
    print_memory(&format!("{} pods", scale.pods), scale, &memory);
}

fn print_memory(what: &str, scale: &Scale, memory: &[(&str, f64)]) {
    let figures: Vec<_> =
        memory.iter().map(|(when, megabytes)| format!("{megabytes:.0} MB {when}")).collect();
    println!("  resident, {what}: {} ({} s)", figures.join(", "), scale.idle.as_secs());
}

/// The time from a write's acknowledgement to its event at a watcher.
fn watches(durable: bool, scale: &Scale) {
    let folder = tempfile::tempdir().unwrap();
    let (_up, target) = start(durable, &folder, &[]);
    let mut connection = target.connect();
    for index in 0..100 {
        connection.ask("POST", PODS, &pod(index, true));
    }
    for (name, connections, pause) in [
        ("idle", 1, Duration::from_millis(2)),
        ("at 1,000 writes a second", CONNECTIONS, Duration::from_millis(8)),
    ] {
        let times = latency(&target, connections, pause, scale.samples);
        println!("  acknowledged write to event, {name}: {}", Spread(&times));
    }
}

/// Patches pods from some connections, each with a pause after each, and watches them. An event that came before the
/// acknowledgement counts as none at all.
fn latency(target: &Target, connections: usize, pause: Duration, samples: usize) -> Vec<Duration> {
    let mut watcher = target.connect();
    watcher.watch(&format!("{PODS}?watch=true"));
    let done = AtomicBool::new(false);
    let (acknowledged, mut arrived) = std::thread::scope(|scope| {
        let arrivals = scope.spawn(|| {
            let mut arrivals = HashMap::new();
            while !done.load(Ordering::Relaxed) {
                let events = watcher.events();
                let now = Instant::now();
                for line in events.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                    arrivals.insert(revision(line), now);
                }
            }
            arrivals
        });
        let write = |writer: usize| {
            let mut connection = target.connect();
            scope.spawn(move || {
                let mut acknowledged = Vec::new();
                // The writers take turns, so that their writes come evenly.
                let mut due = Instant::now() + pause * writer as u32 / connections as u32;
                for sample in 0..samples / connections {
                    std::thread::sleep(due.saturating_duration_since(Instant::now()));
                    due += pause;
                    let patch =
                        json!({ "metadata": { "labels": { "sample": sample.to_string() } } });
                    let path = format!("{PODS}/pod-{}", writer * 10);
                    let answer =
                        revision(connection.ask("PATCH", &path, patch.to_string().as_bytes()));
                    acknowledged.push((answer, Instant::now()));
                }
                acknowledged
            })
        };
        let writers: Vec<_> = (0..connections).map(write).collect();
        let acknowledged: Vec<_> =
            writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect();
        std::thread::sleep(Duration::from_millis(500));
        done.store(true, Ordering::Relaxed);
        // One more event ends the watcher's wait.
        let patch = json!({ "metadata": { "labels": { "writers": connections.to_string() } } });
        let path = format!("{PODS}/pod-99");
        target.connect().ask("PATCH", &path, patch.to_string().as_bytes());
        (acknowledged, arrivals.join().unwrap())
    });
    acknowledged
        .into_iter()
        .map(|(revision, at)| {
            let arrived = arrived.remove(&revision).expect("every write is told");
            arrived.saturating_duration_since(at)
        })
        .collect()
}

/// The `resourceVersion` in an object's JSON.
fn revision(json: &[u8]) -> u64 {
    let text = std::str::from_utf8(json).unwrap();
    let (_, rest) = text.split_once("\"resourceVersion\":\"").unwrap();
    rest.split_once('"').unwrap().0.parse().unwrap()
}

/// Memory with pods that all run: each is written three times (created, bound, its status) and has a record.
fn running(durable: bool, scale: &Scale) {
    let folder = tempfile::tempdir().unwrap();
    let (up, target) = start(durable, &folder, &["--nodes", "50", "--pod-cidr", "10.200.0.0/13"]);
    let mut connection = target.connect();
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": { "name": "app-7" },
        "spec": { "clusterIP": "None", "selector": { "app": "app-7" } },
    });
    connection.ask("POST", "/api/v1/namespaces/default/services", service.to_string().as_bytes());
    let bodies: Vec<_> = (0..scale.pods).map(|index| pod(index, false)).collect();
    let started = Instant::now();
    load(&up, &target, scale.pods, |connection, index| {
        connection.ask("POST", PODS, &bodies[index]);
    });
    let pending = format!("{PODS}?fieldSelector=status.phase%3DPending&limit=1");
    let is_empty = |list: &[u8]| list.ends_with(b"\"items\":[]}");
    // A new connection: an idle one has been closed by now.
    let mut connection = target.connect();
    while !is_empty(connection.ask("GET", &pending, b"")) {
        std::thread::sleep(Duration::from_millis(100));
    }
    let elapsed = started.elapsed();
    println!("  {} pods created and run: {:.1} s", scale.pods, elapsed.as_secs_f64());
    std::thread::sleep(Duration::from_secs(2));
    let mut memory = vec![("after", up.resident_megabytes())];
    assert_eq!(count(&up, "app-7.default.svc.cluster.local."), scale.pods / 100);
    std::thread::sleep(scale.idle);
    memory.push(("later", up.resident_megabytes()));
    print_memory(&format!("{} running pods", scale.pods), scale, &memory);
}

/// From the request that applies a StatefulSet of 100 replicas to 100 records.
fn records(durable: bool, scale: &Scale) {
    let runs = scale.sets;
    let mut times: Vec<_> = (0..runs)
        .map(|_| {
            let folder = tempfile::tempdir().unwrap();
            let (up, target) = start(durable, &folder, &[]);
            let mut connection = target.connect();
            let labels = json!({ "app": "web" });
            let service = json!({
                "apiVersion": "v1", "kind": "Service", "metadata": { "name": "web" },
                "spec": { "clusterIP": "None", "selector": labels, "ports": [{ "name": "http", "port": 80 }] },
            });
            let set = json!({
                "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": { "name": "web" },
                "spec": {
                    "serviceName": "web", "replicas": 100, "podManagementPolicy": "Parallel",
                    "selector": { "matchLabels": labels },
                    "template": { "metadata": { "labels": labels },
                        "spec": { "containers": [{ "name": "web", "image": "registry.example.com/web:1.27" }] } },
                },
            });
            let apply = "?fieldManager=benchmark";
            let path = format!("/api/v1/namespaces/default/services/web{apply}");
            connection.ask("PATCH", &path, service.to_string().as_bytes());
            let path = format!("/apis/apps/v1/namespaces/default/statefulsets/web{apply}");
            let started = Instant::now();
            connection.ask("PATCH", &path, set.to_string().as_bytes());
            while count(&up, "web.default.svc.cluster.local.") < 100 {
                assert!(started.elapsed() < support::PATIENCE, "{}", up.stderr());
                std::thread::sleep(Duration::from_millis(1));
            }
            started.elapsed()
        })
        .collect();
    times.sort();
    println!(
        "  apply of a StatefulSet of 100 replicas to 100 records: {:.1} ms median, {:.1} ms worst of {runs}",
        times[runs / 2].as_secs_f64() * 1e3,
        times[runs - 1].as_secs_f64() * 1e3,
    );
}

/// How many addresses a name has, asked over TCP, where the answer is whole.
fn count(up: &Up, name: &str) -> usize {
    let mut query = vec![0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.trim_end_matches('.').split('.') {
        query.push(label.len() as u8);
        query.extend_from_slice(label.as_bytes());
    }
    query.extend_from_slice(&[0, 0, 1, 0, 1]);
    let mut stream = TcpStream::connect(up.dns).unwrap();
    stream.set_read_timeout(Some(support::PATIENCE)).unwrap();
    stream.write_all(&[&(query.len() as u16).to_be_bytes()[..], &query].concat()).unwrap();
    let mut head = [0; 14];
    stream.read_exact(&mut head).unwrap();
    u16::from_be_bytes([head[8], head[9]]).into()
}
