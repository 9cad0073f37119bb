//! The server's settings.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use directory::Cidr;

use crate::QueryLog;
use crate::forward::ForwardConfig;

/// How queries are answered and served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Whether negative answers say why.
    pub ede: EdeMode,
    /// The longest reply over UDP, in octets, whatever a client offers. 1232 fits the least IPv6 path without
    /// fragments (DNS Flag Day 2020). Less than 512 counts as 512.
    pub max_udp_size: u16,
    /// How many threads, each with its socket, serve UDP for each address. `None`: one per core.
    pub udp_threads: Option<NonZeroUsize>,
    /// How many datagrams one system call takes or sends, at most. With 1, and on systems other than Linux, each
    /// has its own. docs/performance.md has the figures behind the default.
    pub udp_batch: NonZeroUsize,
    /// Bounds for TCP.
    pub tcp: TcpLimits,
    /// Who may have whole zones (AXFR), by address. Others are REFUSED.
    pub transfer_to: Vec<Cidr>,
    /// Whom names outside our zones are asked of. `None`: nobody, they are REFUSED.
    pub forward: Option<ForwardConfig>,
    /// Listeners for DNS over TLS and HTTPS. `None`: there are none.
    pub encrypted: Option<EncryptedConfig>,
    /// Which queries are marked to be written down, where samples are taken at all ([`crate::Counters::sampled`]).
    pub log: QueryLog,
}

/// Listeners whose clients are shown a certificate. [`TcpLimits`] hold for them as well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncryptedConfig {
    /// Addresses for DNS over TLS (RFC 7858); the usual port is 853.
    pub tls: Vec<SocketAddr>,
    /// Addresses for DNS over HTTPS (RFC 8484), at `/dns-query`; the usual port is 443.
    pub https: Vec<SocketAddr>,
    /// The certificate and those that it hangs on, in PEM.
    pub certificate: PathBuf,
    /// The certificate's key, in PEM.
    pub key: PathBuf,
}

/// How much an Extended DNS Error (RFC 8914) of a negative answer says. Clients without EDNS never get one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EdeMode {
    /// No Extended DNS Error.
    Off,
    /// The INFO-CODE alone: nothing of the objects leaks.
    #[default]
    Code,
    /// The INFO-CODE and the reason as text.
    Text,
}

/// [`Config::udp_batch`] by default.
const BATCH: NonZeroUsize = NonZeroUsize::new(32).expect("it is not 0");

/// Bounds for TCP connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpLimits {
    /// Connections served at once, over all addresses. More wait in the listener's backlog.
    pub connections: usize,
    /// Connections of one client address served at once. More are closed.
    pub connections_per_client: usize,
    /// How long a connection may take to bring its next whole message, or to take in our replies, before it
    /// is closed (RFC 7766 §6.2.3).
    pub idle_timeout: Duration,
    /// How long shutting down waits for replies that are under way.
    pub shutdown_grace: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            ede: EdeMode::default(),
            max_udp_size: 1232,
            udp_threads: None,
            udp_batch: BATCH,
            tcp: TcpLimits::default(),
            transfer_to: Vec::new(),
            forward: None,
            encrypted: None,
            log: QueryLog::default(),
        }
    }
}

impl Default for TcpLimits {
    fn default() -> Self {
        Self {
            connections: 1024,
            connections_per_client: 128,
            idle_timeout: Duration::from_secs(10),
            shutdown_grace: Duration::from_secs(2),
        }
    }
}
