//! Forwarding under load: this server, and hickory's resolver behind a socket, which was the other candidate.
//!
//! `cargo bench --package dns --bench forward`
//!
//! A client keeps a number of queries in flight, an upstream answers each after a fixed time. CPU is what all threads
//! take but the client's and the upstream's.

#![allow(clippy::print_stdout, reason = "what a benchmark is for")]

use std::collections::{HashSet, VecDeque};
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use directory::{Name, ZoneConfig};
use dns::forward::{CacheConfig, ForwardConfig, Upstream};
use dns::{Config, Server};
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::RecordType;
use tokio::runtime::Runtime;

/// After this long without any reply, what is in flight counts as lost.
const LOST_AFTER: Duration = Duration::from_secs(6);

type Run = (&'static str, usize, usize, usize, Duration);

/// Its name, how many queries, over how many names, how many in flight, and the upstream's time.
const RUNS: [Run; 3] = [
    ("misses, upstream at once", 60_000, 60_000, 100, Duration::ZERO),
    ("misses, upstream after 20 ms", 30_000, 30_000, 800, Duration::from_millis(20)),
    ("hits", 200_000, 1_000, 100, Duration::ZERO),
];

fn main() {
    // Each measurement is a process of its own, so that its threads are all there are.
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [candidate, run] = &arguments[..]
        && let Some(run) = run.parse().ok().and_then(|run: usize| RUNS.get(run))
    {
        return measure(candidate, *run);
    }
    println!("{:<30} {:<10} {:>10} {:>8} {:>8}", "", "", "queries/s", "µs CPU", "failed");
    let program = std::env::current_exe().expect("this program");
    for run in 0..RUNS.len() {
        for candidate in ["headcount", "hickory"].repeat(3) {
            let status = Command::new(&program).arg(candidate).arg(run.to_string()).status();
            assert!(status.expect("it starts").success());
        }
    }
}

fn measure(candidate: &str, (what, count, names, in_flight, delay): Run) {
    let upstream = start_upstream(delay);
    let runtime = Runtime::new().expect("a runtime");
    let (front, _held) = match candidate {
        "headcount" => headcount(&runtime, upstream),
        _ => (hickory(&runtime, upstream), None),
    };
    // Every name once, so that those that are asked for again are kept.
    if names < count {
        load(front, names, names, in_flight);
    }
    let (cpu_before, begin) = (cpu(), Instant::now());
    let failed = load(front, count, names, in_flight);
    let seconds = begin.elapsed().as_secs_f64();
    let (rate, each) = (count as f64 / seconds, (cpu() - cpu_before) as f64 / 1e3 / count as f64);
    println!("{what:<30} {candidate:<10} {rate:>10.0} {each:>8.1} {failed:>8}");
}

/// This server with nothing of its own.
fn headcount(runtime: &Runtime, upstream: SocketAddr) -> (SocketAddr, Option<Server>) {
    let _entered = runtime.enter();
    let domain = Name::parse("cluster.local").expect("a name");
    let (_, reader) = directory::new(ZoneConfig::new(domain));
    let forward = ForwardConfig {
        upstreams: vec![Upstream::udp(upstream)],
        concurrent_per_upstream_max: 1000,
        cache: CacheConfig::default(),
        ..ForwardConfig::default()
    };
    let config = Config { forward: Some(forward), ..Config::default() };
    let server = Server::bind(&[(Ipv4Addr::LOCALHOST, 0).into()], config, reader).expect("bound");
    (server.local_addresses()[0], Some(server))
}

/// Hickory's resolver behind a socket. Its replies are the question alone: what it takes to write records is left out.
fn hickory(runtime: &Runtime, upstream: SocketAddr) -> SocketAddr {
    let on_port = |mut connection: ConnectionConfig| {
        connection.port = upstream.port();
        connection
    };
    let connections = vec![on_port(ConnectionConfig::udp()), on_port(ConnectionConfig::tcp())];
    let name_server = NameServerConfig::new(upstream.ip(), true, connections);
    let config = ResolverConfig::from_parts(None, Vec::new(), vec![name_server]);
    let mut options = ResolverOpts::default();
    options.cache_size = 65_536;
    options.use_hosts_file = ResolveHosts::Never;
    options.timeout = Duration::from_millis(1300);
    options.max_active_requests = 1000;
    options.os_port_selection = true;
    options.case_randomization = true;
    options.edns0 = true;
    runtime.block_on(async {
        let resolver = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
            .with_options(options)
            .build()
            .expect("a resolver");
        let socket = tokio::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a socket");
        let address = socket.local_addr().expect("an address");
        let socket = Arc::new(socket);
        tokio::spawn(async move {
            let mut query = vec![0; 512];
            loop {
                let Ok((length, client)) = socket.recv_from(&mut query).await else { continue };
                let mut reply = query[..length].to_vec();
                let (resolver, socket) = (resolver.clone(), socket.clone());
                tokio::spawn(async move {
                    let name = Name::from_wire(&reply[12..length - 4]).expect("a name").to_string();
                    reply[2] = 0x80;
                    if resolver.lookup(name, RecordType::A).await.is_err() {
                        reply[3] = 2;
                    }
                    let _ = socket.send_to(&reply, client).await;
                });
            }
        });
        address
    })
}

/// What the upstream's thread is called.
const UPSTREAM: &str = "upstream";

/// An upstream on a thread of its own.
fn start_upstream(delay: Duration) -> SocketAddr {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
    socket2::SockRef::from(&socket).set_recv_buffer_size(4 << 20).expect("a buffer");
    let address = socket.local_addr().expect("an address");
    let serve = move || {
        let mut due: VecDeque<(Instant, Vec<u8>, SocketAddr)> = VecDeque::new();
        let mut buffer = [0; 512];
        loop {
            let next = due.front().map(|(at, _, _)| at.saturating_duration_since(Instant::now()));
            let wait = next.unwrap_or(Duration::from_millis(100)).max(Duration::from_micros(50));
            socket.set_read_timeout(Some(wait)).expect("a timeout");
            if let Ok((length, from)) = socket.recv_from(&mut buffer) {
                due.push_back((Instant::now() + delay, answer(&buffer[..length]), from));
            }
            while due.front().is_some_and(|(at, _, _)| *at <= Instant::now()) {
                let Some((_, reply, to)) = due.pop_front() else { break };
                let _ = socket.send_to(&reply, to);
            }
        }
    };
    thread::Builder::new().name(UPSTREAM.to_owned()).spawn(serve).expect("a thread");
    address
}

/// An address, an hour long.
fn answer(query: &[u8]) -> Vec<u8> {
    let end = 12 + query[12..].iter().position(|octet| *octet == 0).expect("a name") + 5;
    let mut reply = query[..end].to_vec();
    reply[2..12].copy_from_slice(&[0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
    reply.extend([0xC0, 12, 0, 1, 0, 1, 0, 0, 14, 16, 0, 4, 192, 0, 2, 1]);
    reply
}

/// Asks, and says how many queries failed or were lost.
fn load(front: SocketAddr, count: usize, names: usize, in_flight: usize) -> usize {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
    socket2::SockRef::from(&socket).set_recv_buffer_size(4 << 20).expect("a buffer");
    socket.connect(front).expect("connected");
    socket.set_read_timeout(Some(LOST_AFTER)).expect("a timeout");
    let mut waiting: HashSet<u16> = HashSet::new();
    let (mut sent, mut failed) = (0, 0);
    let mut reply = [0; 512];
    while sent < count || !waiting.is_empty() {
        while sent < count && waiting.len() < in_flight {
            let id = sent as u16;
            let name = Name::parse(&format!("host-{}.example.com", sent % names)).expect("a name");
            let mut query = id.to_be_bytes().to_vec();
            query.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
            query.extend(name.wire());
            query.extend([0, 1, 0, 1]);
            if socket.send(&query).is_ok() {
                waiting.insert(id);
            }
            sent += 1;
        }
        match socket.recv(&mut reply) {
            Ok(_) => {
                if waiting.remove(&u16::from_be_bytes([reply[0], reply[1]])) && reply[3] & 0xF != 0
                {
                    failed += 1;
                }
            }
            Err(_) => {
                failed += waiting.len();
                waiting.clear();
            }
        }
    }
    failed
}

/// Nanoseconds on a core of all threads but this one and the upstream's.
fn cpu() -> u64 {
    let read = |path: std::path::PathBuf| fs::read_to_string(path).unwrap_or_default();
    let own = fs::read_link("/proc/thread-self").expect("Linux");
    let tasks = fs::read_dir("/proc/self/task").expect("Linux").flatten();
    tasks
        .filter(|task| own.file_name() != Some(&task.file_name()))
        .filter(|task| read(task.path().join("comm")).trim() != UPSTREAM)
        .filter_map(|task| {
            read(task.path().join("schedstat")).split(' ').next()?.parse::<u64>().ok()
        })
        .sum()
}
