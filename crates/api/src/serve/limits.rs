//! What a server grants its clients, so that none of them can take all of it.

use std::time::Duration;

/// The bounds of a [`super::Server`]. Each is on something that a client could otherwise take for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at a time. One more is answered 429, and told to come again.
    pub connections: usize,
    /// Watches (and logs that are followed) at a time, on all connections together. One more is answered 429.
    pub watches: usize,
    /// Requests worked on at a time; more wait, with their bodies unread. A watch counts until it has begun.
    pub requests: usize,
    /// From the connection to the first request, the TLS handshake included.
    pub greeting: Duration,
    /// A connection on which no request is under way is closed after this long.
    pub idle: Duration,
    /// A connection is closed when its client has taken nothing of what waits for it for this long.
    pub stall: Duration,
}

impl Limits {
    /// Streams of one HTTP/2 connection: a client of many watches needs few connections. (200 is what clients count
    /// on when they are told nothing, and kube-rs waits where Go's clients open another connection.)
    pub(super) const STREAMS: u32 = 1000;

    /// Connections beyond [`Self::connections`] that are told so at a time.
    pub(super) const REFUSALS: usize = 64;
}

impl Default for Limits {
    /// Ten thousand watches fit, on one connection each or on ten together. An idle connection stays for as long as
    /// with Kubernetes (`IdleTimeout` of its server).
    fn default() -> Self {
        Self {
            connections: 16_384,
            watches: 20_000,
            requests: 256,
            greeting: Duration::from_secs(10),
            idle: Duration::from_secs(90),
            stall: Duration::from_secs(60),
        }
    }
}
