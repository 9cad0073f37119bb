//! A server with an upstream, an honest client, and an attacker.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use directory::view::{EndpointView, ObjectName, ServiceShape, ServiceView, SliceView};
use directory::{Change, Reader, ZoneConfig};
use dns::forward::{CacheConfig, ForwardConfig, Upstream};
use dns::{Config, Server, TcpLimits};
use tokio::runtime::Runtime;

use crate::attack::{self, Attack, Pace};
use crate::honest::{self, Seen, Until};
use crate::made::Made;
use crate::support::{config, name, server};
use crate::upstream::{Does, FakeUpstream};

/// Connections that the server takes in all, and of one address.
pub(crate) const CONNECTIONS: usize = 96;
pub(crate) const CONNECTIONS_PER_CLIENT: usize = 32;

/// What the upstream says of every name, and what forgers say.
pub(crate) const TRUE: [u8; 4] = [192, 0, 2, 1];
pub(crate) const FORGED: [u8; 4] = [203, 0, 113, 66];

/// The server and its upstream.
pub(crate) struct Scene {
    runtime: Runtime,
    server: Server,
    _upstream: FakeUpstream,
}

/// What came of an attack.
pub(crate) struct Outcome {
    /// Datagrams, or octets of streams.
    pub(crate) attacks: u64,
    pub(crate) honest: Seen,
}

impl Scene {
    pub(crate) fn start() -> Self {
        let runtime = Runtime::new().expect("a runtime");
        // Someone who knows port and address guesses ids and questions, too, before each reply.
        let upstream = runtime.block_on(FakeUpstream::start(|query, _| {
            let mut wrong_id = Made::to(query).a(600, FORGED).octets();
            wrong_id[0] ^= 0xFF;
            let mut wrong_name = Made::to(query).a(600, FORGED).octets();
            wrong_name[13] ^= 1;
            let answer = Made::to(query).a(0, TRUE).octets();
            Does::Send(vec![wrong_id, wrong_name, answer])
        }));
        let forward = ForwardConfig {
            upstreams: vec![Upstream::udp(upstream.address)],
            // Each question goes to the upstream: there is that much to forge.
            cache: CacheConfig { bytes_max: 0, ..CacheConfig::default() },
            ..ForwardConfig::default()
        };
        let tcp = TcpLimits {
            connections: CONNECTIONS,
            connections_per_client: CONNECTIONS_PER_CLIENT,
            idle_timeout: Duration::from_secs(2),
            ..TcpLimits::default()
        };
        let config = Config { forward: Some(forward), tcp, ..config() };
        let server = {
            let _entered = runtime.enter();
            server(objects(), config)
        };
        Self { runtime, server, _upstream: upstream }
    }

    fn address(&self) -> SocketAddr {
        self.server.local_addresses()[0]
    }

    /// Attacks while the honest client asks.
    pub(crate) fn run(&self, attack: Option<Attack>, pace: Pace, until: Until) -> Outcome {
        let (stop, attacks) = (AtomicBool::new(false), AtomicU64::new(0));
        let address = self.address();
        let honest = std::thread::scope(|scope| {
            if let Some(attack) = attack {
                let (stop, attacks) = (&stop, &attacks);
                scope.spawn(move || attack::run(attack, pace, address, stop, attacks));
            }
            let client = scope.spawn(|| honest::run(address, until));
            let seen = client.join();
            stop.store(true, Ordering::Relaxed);
            seen.expect("every answer is right")
        });
        Outcome { attacks: attacks.into_inner(), honest }
    }

    pub(crate) fn stop(self) {
        self.runtime.block_on(self.server.shutdown());
    }
}

/// A headless Service of 5,000 endpoints, one of three, and one with a cluster IP.
fn objects() -> Reader {
    let (mut writer, reader) = directory::new(ZoneConfig::new(name("cluster.local")));
    let id = |name: &str| ObjectName::new("prod", name);
    let service =
        |name, shape| Change::Service(ServiceView { id: id(name), shape, ports: Vec::new() });
    let endpoint = |third: u8, number: u16| {
        let [high, low] = number.to_be_bytes();
        EndpointView {
            addresses: vec![IpAddr::from([10, third, high, low])],
            hostname: None,
            ready: true,
            serving: true,
            terminating: false,
            pod: None,
            zone: None,
        }
    };
    let slice = |service: &str, net: u8, count: u16| {
        Change::Slice(SliceView {
            id: id(&format!("{service}-1")),
            service: Some(service.into()),
            import: None,
            ports: Vec::new(),
            endpoints: (0..count).map(|number| endpoint(net, number)).collect(),
        })
    };
    writer.apply_all([
        Change::Namespace("prod".into()),
        service("big", ServiceShape::Headless),
        slice("big", 244, 5_000),
        service("db", ServiceShape::Headless),
        slice("db", 245, 3),
        service("web", ServiceShape::ClusterIp(vec![IpAddr::from([10, 96, 0, 20])])),
    ]);
    writer.set_synced();
    reader
}

/// The most memory that the process has had so far, in octets, as the system counts it.
pub(crate) fn memory_peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<usize>().ok());
    kilobytes.map_or(0, |kilobytes| kilobytes * 1024)
}
