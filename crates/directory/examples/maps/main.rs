//! The directory's map beside another candidate: what a look-up, a change and an entry cost, and whether readers wait.
//!
//! `cargo run --release --package directory --example maps`; with `instructions` it counts those of a look-up (needs
//! valgrind). The map of the product is compiled in from its own file; the other one has the same interface.

#![allow(clippy::print_stdout, reason = "what a benchmark is for")]
#![allow(dead_code, reason = "the maps' whole interface is here")]

#[path = "../../src/map.rs"]
mod map;
mod papaya;

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::hash_map::DefaultHasher;
use std::error::Error;
use std::hash::{BuildHasher, Hash, Hasher};
use std::hint::black_box;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use foldhash::fast::FixedState;

/// Counts what is allocated, as glibc rounds it.
struct Counting;

static LIVE: AtomicI64 = AtomicI64::new(0);

fn rounded(layout: Layout) -> i64 {
    ((layout.size() + 8).next_multiple_of(16)).max(32) as i64
}

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(rounded(layout), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(rounded(layout), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What the directory holds by name: an immutable page that knows its own key.
struct Page {
    key: Box<[u8]>,
    version: usize,
}

type Value = Arc<Page>;

/// What both maps can do.
trait Candidate: Sync {
    const NAME: &str;

    fn new(shards: usize) -> Self;
    /// The version of the page of a key.
    fn version(&self, hash: u64, key: &[u8]) -> Option<usize>;
    fn set(&self, hash: u64, key: &[u8], value: Option<Value>);
}

/// With room as the directory's map of pages has.
struct Sharded(map::Map<Value, 4>);

impl Candidate for Sharded {
    const NAME: &str = "sharded arc-swap";

    fn new(shards: usize) -> Self {
        Self(map::Map::new(shards))
    }

    fn version(&self, hash: u64, key: &[u8]) -> Option<usize> {
        self.0.get(hash, |page| *page.key == *key).map(|page| page.version)
    }

    fn set(&self, hash: u64, key: &[u8], value: Option<Value>) {
        self.0.set(hash, |page| *page.key == *key, value);
    }
}

/// With a reference of its own to what was found.
struct Counted(papaya::Map<Value, 0>);

impl Candidate for Counted {
    const NAME: &str = "papaya, reference counted";

    fn new(shards: usize) -> Self {
        Self(papaya::Map::new(shards))
    }

    fn version(&self, hash: u64, key: &[u8]) -> Option<usize> {
        self.0.get(hash, |page| *page.key == *key).map(|page| page.version)
    }

    fn set(&self, hash: u64, key: &[u8], value: Option<Value>) {
        self.0.set(hash, |page| *page.key == *key, value);
    }
}

/// With what was found borrowed under a guard.
struct Guarded(papaya::Map<Value, 0>);

impl Candidate for Guarded {
    const NAME: &str = "papaya, under its guard";

    fn new(shards: usize) -> Self {
        Self(papaya::Map::new(shards))
    }

    fn version(&self, hash: u64, key: &[u8]) -> Option<usize> {
        self.0.with(hash, |page| *page.key == *key, |page| page.version)
    }

    fn set(&self, hash: u64, key: &[u8], value: Option<Value>) {
        self.0.set(hash, |page| *page.key == *key, value);
    }
}

/// How many entries there are, and how many shards the directory has for as many.
const SIZES: [(usize, usize); 2] = [(10_000, 4096), (100_000, 16384)];

/// How long each part is measured.
const TIME: Duration = Duration::from_secs(2);

/// How often is looked up in one run more than in the other, where instructions are counted.
const TIMES: usize = 20_000;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => {
            println!(
                "| map | entries | look-up, ns | a miss, ns | octets an entry | after a change of all | \
                      change p50 / p99, µs | look-up while all changes: median, p99.9 / worst, ns |"
            );
            println!("|---|---|---|---|---|---|---|---|");
            for (entries, shards) in SIZES {
                measure::<Sharded>(entries, shards);
                measure::<Counted>(entries, shards);
                measure::<Guarded>(entries, shards);
            }
        }
        ["instructions"] => {
            println!("| map | instructions a look-up |\n|---|---|");
            for name in [Sharded::NAME, Counted::NAME, Guarded::NAME] {
                let [more, less] = [2 * TIMES, TIMES].map(|times| collected(name, times));
                println!("| {name} | {} |", (more? - less?) / TIMES as u64);
            }
        }
        ["run", name, times] => {
            let times = times.parse()?;
            match *name {
                Sharded::NAME => ask::<Sharded>(times),
                Counted::NAME => ask::<Counted>(times),
                _ => ask::<Guarded>(times),
            }
        }
        _ => return Err("usage: maps [instructions]".into()),
    }
    Ok(())
}

/// The keys, each with its hash: `svc-7.ns-7` in wire form. Those of odd numbers are of no entry.
struct Keys(Vec<(u64, Box<[u8]>)>);

impl Keys {
    fn new(entries: usize) -> Self {
        let key = |number: usize| {
            let (service, namespace) = (format!("svc-{number}"), format!("ns-{}", number % 20));
            let mut key = vec![service.len() as u8];
            key.extend(service.bytes());
            key.push(namespace.len() as u8);
            key.extend(namespace.bytes());
            (FixedState::with_seed(7).hash_one(&key), key.into())
        };
        Self((0..2 * entries).map(key).collect())
    }

    /// Numbers in an order that no cache foresees.
    fn shuffled(&self, parity: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (parity..self.0.len()).step_by(2).collect();
        order.sort_by_key(|number| {
            let mut hasher = DefaultHasher::new();
            number.hash(&mut hasher);
            hasher.finish()
        });
        order
    }

    fn put<M: Candidate>(&self, map: &M, number: usize, version: usize) {
        let (hash, key) = &self.0[number];
        map.set(*hash, key, Some(Arc::new(Page { key: key.clone(), version })));
    }
}

fn measure<M: Candidate>(entries: usize, shards: usize) {
    let keys = Keys::new(entries);
    let (hits, misses) = (keys.shuffled(0), keys.shuffled(1));
    let live = || LIVE.load(Ordering::Relaxed);
    let before = live();
    let map = M::new(shards);
    for number in &hits {
        keys.put(&map, *number, 0);
    }
    let octets = || (live() - before) as f64 / entries as f64;
    let loaded = octets();

    let (hit, miss) = (time(&map, &keys, &hits), time(&map, &keys, &misses));
    let mut changes: Vec<Duration> = hits
        .iter()
        .map(|number| {
            let started = Instant::now();
            keys.put(&map, *number, 1);
            started.elapsed()
        })
        .collect();
    // The times take memory, too.
    let changed = octets() - rounded(Layout::for_value(&*changes)) as f64 / entries as f64;
    let (median, p99) = (at(&mut changes, 0.5), at(&mut changes, 0.99));
    let mut waits = while_changing(&map, &keys, &hits);
    println!(
        "| {} | {entries} | {hit:.0} | {miss:.0} | {loaded:.0} | {changed:.0} | {:.2} / {:.2} | {} | {} / {} |",
        M::NAME,
        median.as_secs_f64() * 1e6,
        p99.as_secs_f64() * 1e6,
        at(&mut waits, 0.5).as_nanos(),
        at(&mut waits, 0.999).as_nanos(),
        at(&mut waits, 1.0).as_nanos(),
    );
}

/// The value at a part of the way through.
fn at(times: &mut [Duration], part: f64) -> Duration {
    times.sort_unstable();
    times[((times.len() - 1) as f64 * part) as usize]
}

/// Nanoseconds of a look-up, of the fastest of many runs of all keys: what other processes take away is not its cost.
fn time(map: &impl Candidate, keys: &Keys, order: &[usize]) -> f64 {
    let mut fastest = f64::INFINITY;
    let end = Instant::now() + TIME;
    while Instant::now() < end {
        let started = Instant::now();
        for number in order {
            let (hash, key) = &keys.0[*number];
            black_box(map.version(*hash, key));
        }
        fastest = fastest.min(started.elapsed().as_nanos() as f64 / order.len() as f64);
    }
    fastest
}

/// How long each look-up takes while another thread changes one entry after the other.
fn while_changing(map: &impl Candidate, keys: &Keys, order: &[usize]) -> Vec<Duration> {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for (version, number) in order.iter().cycle().enumerate() {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                keys.put(map, *number, version);
            }
        });
        let end = Instant::now() + TIME;
        let mut times = Vec::new();
        for number in order.iter().rev().cycle() {
            let (hash, key) = &keys.0[*number];
            let started = Instant::now();
            if black_box(map.version(*hash, key)).is_none() {
                println!("an entry that was only replaced was not found");
            }
            let now = Instant::now();
            times.push(now - started);
            if now > end {
                break;
            }
        }
        stop.store(true, Ordering::Relaxed);
        times
    })
}

/// Looks up so often.
fn ask<M: Candidate>(times: usize) {
    let (entries, shards) = SIZES[0];
    let keys = Keys::new(entries);
    let map = M::new(shards);
    let order = keys.shuffled(0);
    for number in &order {
        keys.put(&map, *number, 0);
    }
    for number in order.iter().cycle().take(times) {
        let (hash, key) = &keys.0[*number];
        black_box(map.version(*hash, key));
    }
}

/// Instructions of a whole run.
fn collected(name: &str, times: usize) -> Result<u64, Box<dyn Error>> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe()?)
        .args(["run", name, &times.to_string()])
        .output()
        .map_err(|error| format!("valgrind could not be run: {error}"))?;
    let text = String::from_utf8_lossy(&output.stderr);
    let figure = text.lines().find_map(|line| line.split_once("Collected : ").map(|(_, it)| it));
    match (output.status.success(), figure) {
        (true, Some(figure)) => Ok(figure.trim().parse()?),
        _ => Err(text.into()),
    }
}
