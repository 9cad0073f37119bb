//! How fast the stores write: `cargo bench -p api --bench store`. The durable store works in the folder
//! named by `HEADCOUNT_BENCH_DIR`, else in the system's temporary folder; the disk decides its figures.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints; it may stop at an error"
)]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use api::store::{Change, Expect, Key, Memory, Revision, Sqlite, Store};

/// A simulated pod's JSON is about as long.
const JSON_BYTES: usize = 2000;

fn key(task: usize, name: usize) -> Key {
    Key { resource: "pods", namespace: task.to_string(), name: name.to_string() }
}

/// Each task writes its own hundred keys in turn; returns the time of each write.
async fn write(store: Arc<dyn Store>, task: usize, writes: usize) -> Vec<Duration> {
    let mut times = Vec::with_capacity(writes);
    let mut revisions = [None; 100];
    for n in 0..writes {
        let slot: &mut Option<Revision> = &mut revisions[n % 100];
        let expect = slot.map_or(Expect::Absent, Expect::At);
        let start = Instant::now();
        let change = Change::Put(Box::new(|revision| {
            let mut json = format!(r#"{{"resourceVersion":"{revision}","fill":""#).into_bytes();
            json.resize(JSON_BYTES - 2, b'x');
            json.extend(b"\"}");
            json
        }));
        let entry = store.write(key(task, n % 100), expect, change).await.unwrap();
        times.push(start.elapsed());
        *slot = Some(entry.revision);
    }
    times
}

async fn measure(what: &str, store: Arc<dyn Store>, tasks: usize, writes: usize) {
    let start = Instant::now();
    let running: Vec<_> =
        (0..tasks).map(|task| tokio::spawn(write(store.clone(), task, writes))).collect();
    let mut times = Vec::new();
    for task in running {
        times.extend(task.await.unwrap());
    }
    let rate = times.len() as f64 / start.elapsed().as_secs_f64();
    times.sort();
    let at = |share: f64| times[(times.len() as f64 * share) as usize].as_secs_f64() * 1e3;
    let (p50, p99) = (at(0.5), at(0.99));
    println!("{what:8} {tasks:3} writers {rate:9.0} writes/s  p50 {p50:.4} ms  p99 {p99:.4} ms");
}

#[tokio::main]
async fn main() {
    for tasks in [1, 8, 64] {
        measure("memory", Arc::new(Memory::new()), tasks, 100_000 / tasks).await;
    }
    let parent =
        std::env::var_os("HEADCOUNT_BENCH_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    for tasks in [1, 8, 64] {
        let folder = tempfile::tempdir_in(&parent).unwrap();
        let store: Arc<dyn Store> = Arc::new(Sqlite::open(folder.path()).unwrap());
        measure("durable", store, tasks, 6400 / tasks).await;
        let start = Instant::now();
        let store = Sqlite::open(folder.path()).unwrap();
        let objects = store.list("pods", None).entries.len();
        println!("         opened again with {objects} objects in {:?}", start.elapsed());
    }
}
