//! The forwarder's settings.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use directory::Name;

use super::Upstream;

/// Where names outside our zones are asked for, and what is kept of the answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForwardConfig {
    /// Servers for the names that no stub zone covers. When there are none, those names are REFUSED.
    pub upstreams: Vec<Upstream>,
    /// Zones that have servers of their own; of several that cover a name, the longest counts.
    pub stub_zones: Vec<StubZone>,
    /// Which of several servers is asked first.
    pub order: Order,
    /// Who signs the certificates of `tls://` upstreams.
    pub authorities: Authorities,
    /// How long a query may take in all, however many servers are tried. Stub resolvers give up after 5 s: less
    /// than that, and they learn what became of their query.
    pub timeout: Duration,
    /// How long one server has to answer before the next is tried.
    pub attempt_timeout: Duration,
    /// Queries that wait for upstreams at once; one more is answered SERVFAIL at once.
    pub waiting_max: usize,
    /// Queries of one client address that wait at once: what one asks about slow names leaves room for others.
    pub waiting_per_client_max: usize,
    /// Questions put to upstreams at once. Those that wait for the same answer share one.
    pub concurrent_max: usize,
    /// Questions put to one upstream at once, so that one that is slow does not take the turn of others.
    pub concurrent_per_upstream_max: usize,
    /// Failures in a row after which an upstream is passed over until it has answered a health check.
    pub failures_max: u32,
    /// How often an upstream that is passed over is checked.
    pub health_check_interval: Duration,
    /// What is kept.
    pub cache: CacheConfig,
}

/// A zone with servers of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StubZone {
    /// This name and all below it.
    pub zone: Name,
    /// The servers asked, instead of [`ForwardConfig::upstreams`].
    pub upstreams: Vec<Upstream>,
}

/// Which of several upstreams is asked first. Those that are passed over for failures come last in either order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Any, so that they share the load.
    #[default]
    Random,
    /// The one listed first; the others stand in for it.
    AsListed,
}

/// The authorities trusted to sign upstreams' certificates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Authorities {
    /// Those that the operating system trusts.
    #[default]
    System,
    /// Those in a file of PEM certificates.
    File(PathBuf),
}

/// Bounds of the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheConfig {
    /// Octets of memory, keys and bookkeeping included. 0: nothing is kept.
    pub bytes_max: usize,
    /// Records are kept for their TTL, but no longer than this.
    pub ttl_max: Duration,
    /// Negative answers are kept for what their SOA record says (RFC 2308 §5), but no longer than this.
    pub negative_ttl_max: Duration,
    /// How long an upstream's SERVFAIL is kept; RFC 2308 §7.1 allows 5 minutes at most, we allow 5 s.
    pub failure_ttl: Duration,
    /// How long after their end answers may still be given when upstreams fail (RFC 8767). 0: not at all.
    pub stale_max: Duration,
    /// Whether what is asked for often is fetched anew shortly before its end.
    pub prefetch: bool,
}

impl Default for ForwardConfig {
    fn default() -> Self {
        Self {
            upstreams: Vec::new(),
            stub_zones: Vec::new(),
            order: Order::default(),
            authorities: Authorities::default(),
            timeout: Duration::from_secs(4),
            attempt_timeout: Duration::from_millis(1300),
            waiting_max: 4096,
            waiting_per_client_max: 256,
            concurrent_max: 1000,
            concurrent_per_upstream_max: 500,
            failures_max: 2,
            health_check_interval: Duration::from_millis(500),
            cache: CacheConfig::default(),
        }
    }
}

impl Default for CacheConfig {
    fn default() -> Self {
        Self {
            bytes_max: 16 << 20,
            ttl_max: Duration::from_secs(60 * 60),
            negative_ttl_max: Duration::from_secs(30),
            failure_ttl: Duration::from_secs(5),
            stale_max: Duration::from_secs(60 * 60),
            prefetch: true,
        }
    }
}

impl ForwardConfig {
    /// Takes out the upstreams that are this server itself, for a query forwarded to ourselves comes to nothing.
    /// Returns those that were taken out.
    pub fn take_out_own(&mut self, own: &[SocketAddr]) -> Vec<Upstream> {
        let mut taken = Vec::new();
        let groups = self.stub_zones.iter_mut().map(|stub| &mut stub.upstreams);
        for upstreams in groups.chain([&mut self.upstreams]) {
            taken.extend(upstreams.extract_if(.., |one| is_own(one.address, own)));
        }
        taken
    }
}

/// Whether an address is one that we listen on. What a wildcard address stands for is known for loopback alone.
pub(super) fn is_own(address: SocketAddr, own: &[SocketAddr]) -> bool {
    own.iter().any(|own| {
        let same = match own.ip() {
            IpAddr::V4(Ipv4Addr::UNSPECIFIED) => address.is_ipv4() && is_here(address.ip()),
            IpAddr::V6(Ipv6Addr::UNSPECIFIED) => address.is_ipv6() && is_here(address.ip()),
            ip => ip == address.ip(),
        };
        same && own.port() == address.port()
    })
}

fn is_here(ip: IpAddr) -> bool {
    ip.is_loopback() || ip.is_unspecified()
}
