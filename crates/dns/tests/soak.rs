//! Objects change, endpoints move between slices and the upstream comes and goes, while clients ask: no answer is wrong,
//! and memory does not grow. `just soak-dns SECONDS` runs it for longer. Alone in its binary, for the memory is the
//! process's.

mod churn;
#[path = "support/made.rs"]
mod made;
mod support;
#[path = "support/upstream.rs"]
mod upstream;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use churn::{Cluster, Steady, addresses, ask, client, query, rcode};
use dns::Config;
use dns::forward::{CacheConfig, ForwardConfig, Upstream};
use made::Made;
use support::{config, framed, name, server};
use upstream::{Does, FakeUpstream};

/// Without a wish: as long as everybody's test run may take.
const SECONDS: u64 = 20;

/// The upstream's cache, and what memory may grow by after the first third, or the first minute.
const CACHE: usize = 256 << 10;
const GROWTH: usize = 4 << 20;

const OUTSIDE: [u8; 4] = [192, 0, 2, 1];

struct Soak {
    address: SocketAddr,
    stop: AtomicBool,
    asked: AtomicU64,
    changed: AtomicU64,
}

impl Soak {
    fn is_over(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Changes objects, and asks for each change.
    fn change(&self, cluster: &mut Cluster) {
        let socket = client(self.address).expect("a socket");
        let mut id = 0;
        while !self.is_over() {
            let (name, exists) = match self.changed.fetch_add(1, Ordering::Relaxed) % 4 {
                3 => (cluster.move_endpoint(), true),
                _ => {
                    let seen = cluster.change();
                    (seen.name, seen.exists)
                }
            };
            id += 1;
            let reply = ask(&socket, &query(id as u16, &name)).expect("a reply");
            assert_eq!(rcode(&reply) == 0, exists, "{name}");
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Asks what is known whatever changes.
    fn ask(&self, first: usize) {
        let socket = client(self.address).expect("a socket");
        let mut number = first;
        while !self.is_over() {
            let question = Steady::of(number);
            let reply = ask(&socket, &question.query(number as u16)).expect("a reply");
            assert!(question.is_right(&reply), "an answer is wrong: {reply:?}");
            self.asked.fetch_add(1, Ordering::Relaxed);
            number += 1;
        }
    }

    /// Asks for names outside, new ones and old ones: an address, a failure while the upstream fails, or no reply in time.
    fn ask_outside(&self) {
        let socket = client(self.address).expect("a socket");
        let mut number = 0u64;
        while !self.is_over() {
            number += 1;
            let asked = name(&format!("host-{}.example.com", number % 5_000));
            let Ok(reply) = ask(&socket, &query(number as u16, &asked)) else { continue };
            match rcode(&reply) {
                0 => assert_eq!(addresses(&reply), Some(vec![OUTSIDE])),
                other => assert_eq!(other, 2, "a failure is SERVFAIL"),
            }
            thread::sleep(Duration::from_millis(1));
        }
    }
}

fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<usize>().ok());
    kib.map_or(0, |kib| kib << 10)
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "memory is read from /proc")]
fn nothing_is_wrong_and_nothing_grows() {
    let seconds = std::env::var("HEADCOUNT_SOAK_SECONDS").ok().and_then(|text| text.parse().ok());
    let time = Duration::from_secs(seconds.unwrap_or(SECONDS));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let fails = Arc::new(AtomicBool::new(false));
    let upstream = runtime.block_on(FakeUpstream::start({
        let fails = fails.clone();
        move |query, _| match fails.load(Ordering::Relaxed) {
            true => Does::Nothing,
            false => Does::Send(vec![Made::to(query).a(1, OUTSIDE).octets()]),
        }
    }));
    let forward = ForwardConfig {
        upstreams: vec![Upstream::udp(upstream.address)],
        cache: CacheConfig { bytes_max: CACHE, ..CacheConfig::default() },
        attempt_timeout: Duration::from_millis(100),
        timeout: Duration::from_millis(300),
        ..ForwardConfig::default()
    };
    let (mut cluster, reader) = Cluster::new();
    let server = {
        let _entered = runtime.enter();
        server(reader, Config { forward: Some(forward), ..config() })
    };
    let soak = Soak {
        address: server.local_addresses()[0],
        stop: AtomicBool::new(false),
        asked: AtomicU64::new(0),
        changed: AtomicU64::new(0),
    };
    let (settled, last) = thread::scope(|scope| {
        let threads = [
            scope.spawn(|| soak.change(&mut cluster)),
            scope.spawn(|| soak.ask(0)),
            scope.spawn(|| soak.ask(1_000_003)),
            scope.spawn(|| soak.ask_outside()),
        ];
        let started = Instant::now();
        let mut settled = None;
        while started.elapsed() < time && threads.iter().all(|thread| !thread.is_finished()) {
            thread::sleep(Duration::from_millis(200));
            // A second and a half of each four without an upstream.
            fails.store(started.elapsed().as_millis() % 4_000 > 2_500, Ordering::Relaxed);
            if started.elapsed() > (time / 3).min(Duration::from_secs(60)) {
                settled.get_or_insert_with(resident);
            }
        }
        soak.stop.store(true, Ordering::Relaxed);
        let last = resident();
        for thread in threads {
            thread.join().expect("no answer was wrong");
        }
        (settled.expect("it ran for a third of its time"), last)
    });
    runtime.block_on(server.shutdown());
    let (asked, changed) = (soak.asked.into_inner(), soak.changed.into_inner());
    println!(
        "{time:?}: {asked} answers, {changed} changes; memory {} KiB, then {} KiB",
        settled >> 10,
        last >> 10
    );
    assert!(asked > 100 && changed > 100, "{asked} answers, {changed} changes");
    assert!(last <= settled + GROWTH, "memory grew from {settled} to {last} octets");
}
