//! What a server grants its clients, so that none of them can take all of it.

use std::time::Duration;

/// The bounds of a [`super::Server`]. Each is on something that a client could otherwise take for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at a time. One more is answered 429, and told to come again.
    pub connections: usize,
    /// Watches (and logs that are followed) at a time, on all connections together. One more is answered 429. What is
    /// refused for want of the token, or for another reason, does not count.
    pub watches: usize,
    /// Sessions (exec, attach, port-forward) at a time. One more is answered 429.
    pub sessions: usize,
    /// Requests about resources worked on at a time; more wait for their turn. A request whose body is still to come
    /// does not count, nor does a watch that has begun. Health, version and discovery are answered out of turn.
    pub requests: usize,
    /// Bytes of request bodies held at a time, from their arrival until their requests are answered. A request whose
    /// body finds no room is answered 429. It should be several times the largest body, which has 3 MiB.
    pub bodies: usize,
    /// From the connection to the first request, the TLS handshake included.
    pub greeting: Duration,
    /// A connection on which no request is under way is closed after this long.
    pub idle: Duration,
    /// A connection is closed when its client has taken nothing for this long, of all that waits for it or, with HTTP/2,
    /// of one answer: there, each has a window, and a client that leaves one shut would keep the answer for good.
    pub stall: Duration,
    /// The same for a session, whose client may well be a person who has stopped a terminal's output for lunch.
    pub session_stall: Duration,
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
    /// with Kubernetes (`IdleTimeout` of its server), and a session that its client does not read from (the kubelet's
    /// `streamingConnectionIdleTimeout`).
    fn default() -> Self {
        Self {
            connections: 16_384,
            watches: 20_000,
            sessions: 512,
            requests: 256,
            bodies: 256 * 1024 * 1024,
            greeting: Duration::from_secs(10),
            idle: Duration::from_secs(90),
            stall: Duration::from_secs(60),
            session_stall: Duration::from_secs(4 * 60 * 60),
        }
    }
}
