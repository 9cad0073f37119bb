//! A cluster whose objects change, with its database on disk, `headcount dns` that serves it, and an upstream that fails
//! and returns, while clients ask: no answer is wrong, and neither memory nor database grows.
//!
//! `HEADCOUNT_DNS_SOAK_SECONDS` is for how long: `just soak-dns` ten minutes, `.ci/run` one.

#[path = "../../../dns/tests/churn/mod.rs"]
mod churn;
mod objects;
#[path = "../up/support/mod.rs"]
mod support;

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use churn::{Cluster, Seen, Steady, addresses, ask, client, query, rcode};
use directory::{Change, Name};
use objects::Objects;
use support::server::{Dns, folder};
use support::{PATIENCE, Up, resident_kib, signal};

/// Without a wish: as long as everybody's test run may take.
const SECONDS: u64 = 15;

/// The upstream is silent for the last part of each round.
const ROUND: Duration = Duration::from_secs(10);
const SILENT: Duration = Duration::from_millis(4_500);

/// The names outside that one client asks for again and again; another asks for ever new ones.
const POPULAR: u16 = 64;

/// The changes whose state is looked at again and again, lest something comes back.
const REMEMBERED: usize = 200;

/// What memory may grow by after the first third, or the first minute: of the DNS server, and of the cluster beside its
/// history of changes, which has a bound of its own.
const DNS_GROWTH_KIB: u64 = 4 << 10;
const CLUSTER_GROWTH_KIB: u64 = (64 + 16) << 10;

/// What the database may grow by: a log that is not yet in it, twice.
const DATABASE_GROWTH: u64 = 8 << 20;

struct Soak {
    server: SocketAddr,
    stop: AtomicBool,
    asked: AtomicU64,
    changed: AtomicU64,
    outside: AtomicU64,
}

/// What is measured.
#[derive(Clone, Copy, Debug)]
struct Size {
    dns_kib: u64,
    cluster_kib: u64,
    database: u64,
}

impl Size {
    fn of(dns: &Dns, cluster: &Up, data: &Path) -> Self {
        Self {
            dns_kib: resident_kib(dns.pid()),
            cluster_kib: resident_kib(cluster.pid()),
            database: octets_in(data),
        }
    }
}

fn octets_in(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).expect("the data folder");
    let metadata = entries.filter_map(|entry| entry.ok()?.metadata().ok());
    metadata.filter(std::fs::Metadata::is_file).map(|file| file.len()).sum()
}

impl Soak {
    fn is_over(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Changes objects, and waits until each change is answered; what is answered stays so.
    fn change(&self, cluster: &mut Cluster<impl FnMut(Vec<Change>)>) {
        let socket = client(self.server).expect("a socket");
        let mut remembered: VecDeque<Seen> = VecDeque::new();
        let mut id = 0u16;
        let mut exists = |name: &Name| {
            id = id.wrapping_add(1);
            let reply = ask(&socket, &query(id, name)).expect("a reply");
            match rcode(&reply) {
                0 => true,
                3 => false,
                other => panic!("{name}: rcode {other}"),
            }
        };
        while !self.is_over() {
            let turn = self.changed.fetch_add(1, Ordering::Relaxed);
            let seen = match turn % 4 {
                3 => Seen { name: cluster.move_endpoint(), exists: true },
                _ => cluster.change(),
            };
            let deadline = Instant::now() + PATIENCE;
            while exists(&seen.name) != seen.exists {
                assert!(Instant::now() < deadline, "{} is not answered as it is", seen.name);
                thread::sleep(Duration::from_micros(200));
            }
            remembered.retain(|other| other.name != seen.name);
            remembered.push_back(seen);
            if remembered.len() > REMEMBERED {
                remembered.pop_front();
            }
            let again = &remembered[turn as usize * 31 % remembered.len()];
            assert_eq!(exists(&again.name), again.exists, "{} has changed by itself", again.name);
        }
    }

    /// Asks what is known whatever changes.
    fn ask(&self, first: usize) {
        let socket = client(self.server).expect("a socket");
        let mut number = first;
        while !self.is_over() {
            let question = Steady::of(number);
            let reply = ask(&socket, &question.query(number as u16)).expect("a reply");
            assert!(question.is_right(&reply), "an answer is wrong: {reply:?}");
            self.asked.fetch_add(1, Ordering::Relaxed);
            number += 1;
        }
    }

    /// Asks for so many names outside: the address that the name says, or while the upstream is silent a failure,
    /// or no reply in time.
    fn ask_outside(&self, names: u16) {
        let socket = client(self.server).expect("a socket");
        let mut number = 0u16;
        while !self.is_over() {
            number = number.wrapping_add(1);
            let [high, low] = (number % names).to_be_bytes();
            let name = format!("198-18-{high}-{low}.default.pod.corp.example");
            let asked = Name::parse(&name).expect("a name");
            match ask(&socket, &query(number, &asked)) {
                Ok(reply) if rcode(&reply) == 0 => {
                    assert_eq!(addresses(&reply), Some(vec![[198, 18, high, low]]), "{name}");
                    self.outside.fetch_add(1, Ordering::Relaxed);
                }
                Ok(reply) => assert_eq!(rcode(&reply), 2, "a failure is SERVFAIL"),
                Err(_) => {}
            }
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// A server for `corp.example` that answers every address in a namespace that exists.
fn upstream() -> Dns {
    let service =
        "apiVersion: v1\nkind: Service\nmetadata: { name: web }\nspec: { ports: [{ port: 80 }] }\n";
    let settings = "clusterDomain: corp.example\npods: insecure\nttl: { pod: 1 }\n";
    let files = [("web.yaml", service), ("dns.conf", settings)];
    let listen = ["-f", "manifests", "--listen", "127.0.0.1:0"];
    Dns::start(folder(&files), &[&listen[..], &["--config", "manifests/dns.conf"]].concat())
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "memory is read from /proc")]
fn nothing_is_wrong_and_nothing_grows() {
    let seconds = std::env::var("HEADCOUNT_DNS_SOAK_SECONDS").ok();
    let seconds = seconds.map_or(SECONDS, |text| text.parse().expect("a number of seconds"));
    let time = Duration::from_secs(seconds);
    let data = tempfile::tempdir().expect("a temporary folder");
    let up = Up::start(&["--data-dir", data.path().to_str().expect("a UTF-8 path")]);
    let upstream = upstream();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let kube = runtime.block_on(up.client());
    let mut objects = Objects::new(kube, runtime.handle().clone());
    let mut cluster = Cluster::new(|changes| objects.write(changes));
    let settings = format!(
        "forward: {{ upstreams: ['{}'], cache: {{ bytes: 262144 }} }}\n",
        upstream.addresses[0]
    );
    let dns = Dns::start(
        folder(&[("dns.conf", &settings)]),
        &[
            &["--kubeconfig", up.kubeconfig.to_str().expect("a UTF-8 path")][..],
            &["--listen", "127.0.0.1:0", "--config", "manifests/dns.conf"],
            &["--metrics-listen", "127.0.0.1:0"],
        ]
        .concat(),
    );
    let soak = Soak {
        server: dns.addresses[0],
        stop: AtomicBool::new(false),
        asked: AtomicU64::new(0),
        changed: AtomicU64::new(0),
        outside: AtomicU64::new(0),
    };
    let size = || Size::of(&dns, &up, data.path());
    let (settled, last) = thread::scope(|scope| {
        let threads = [
            scope.spawn(|| soak.change(&mut cluster)),
            scope.spawn(|| soak.ask(0)),
            scope.spawn(|| soak.ask(1_000_003)),
            scope.spawn(|| soak.ask_outside(POPULAR)),
            scope.spawn(|| soak.ask_outside(u16::MAX)),
        ];
        let started = Instant::now();
        let (mut settled, mut is_silent) = (None, false);
        while started.elapsed() < time && threads.iter().all(|thread| !thread.is_finished()) {
            thread::sleep(Duration::from_millis(100));
            let in_round = started.elapsed().as_millis() % ROUND.as_millis();
            let silent = in_round > (ROUND - SILENT).as_millis();
            if silent != is_silent {
                signal(upstream.pid(), if silent { "STOP" } else { "CONT" });
                is_silent = silent;
            }
            if started.elapsed() > (time / 3).min(Duration::from_secs(60)) {
                settled.get_or_insert_with(size);
            }
        }
        signal(upstream.pid(), "CONT");
        soak.stop.store(true, Ordering::Relaxed);
        let last = size();
        for thread in threads {
            thread.join().expect("no answer was wrong");
        }
        (settled.expect("it ran for a third of its time"), last)
    });
    let name = "192-0-2-1.default.pod.corp.example.";
    let back = Ipv4Addr::new(192, 0, 2, 1).to_string();
    dns.until("the upstream is back", |dns| dns.ask(name, "A").data("A") == [back.clone()]);
    let counts = [&soak.asked, &soak.changed, &soak.outside];
    let [asked, changed, outside] = counts.map(|count| count.load(Ordering::Relaxed));
    let event = |name: &str| {
        let metric = format!(r#"headcount_dns_forward_events_total{{event="{name}"}}"#);
        dns.metric(&metric).expect("a metric")
    };
    let [hit, miss, stale] = ["hit", "miss", "stale"].map(event);
    println!(
        "{time:?}: {asked} answers of the cluster, {changed} changes, {outside} answers from outside, of which {hit} \
         were kept, and {stale} longer than they last; {settled:?}, then {last:?}"
    );
    assert!(asked > 1_000 && changed > 100 && outside > 100, "hardly anything was done");
    assert!(hit > 0.0 && miss > 0.0 && stale > 0.0, "the upstream was always or never there");
    assert!(last.dns_kib <= settled.dns_kib + DNS_GROWTH_KIB, "memory of the DNS server grew");
    assert!(
        last.cluster_kib <= settled.cluster_kib + CLUSTER_GROWTH_KIB,
        "memory of the cluster grew"
    );
    assert!(last.database <= settled.database + DATABASE_GROWTH, "the database grew");
    for (stderr, who) in [(dns.stderr(), "dns"), (up.stderr(), "up")] {
        assert!(!stderr.contains("panicked"), "{who}: {stderr}");
    }
}
