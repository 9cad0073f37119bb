//! How many queries came to what end.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::respond::{Outcome, Transport};

/// Queries by transport and outcome, and truncated replies, since the server started.
#[derive(Debug, Default)]
pub struct Counters {
    outcomes: [[AtomicU64; Outcome::ALL.len()]; 2],
    truncated: AtomicU64,
    refused_connections: AtomicU64,
}

impl Counters {
    /// Queries that came over `transport` and ended as `outcome`.
    pub fn queries(&self, transport: Transport, outcome: Outcome) -> u64 {
        self.outcomes[transport as usize][outcome as usize].load(Ordering::Relaxed)
    }

    /// Replies with the TC flag.
    pub fn truncated(&self) -> u64 {
        self.truncated.load(Ordering::Relaxed)
    }

    /// TCP connections closed at once because their client had too many.
    pub fn refused_connections(&self) -> u64 {
        self.refused_connections.load(Ordering::Relaxed)
    }

    pub(crate) fn count(&self, transport: Transport, outcome: Outcome, reply: &[u8]) {
        self.outcomes[transport as usize][outcome as usize].fetch_add(1, Ordering::Relaxed);
        if crate::wire::is_truncated(reply) {
            self.truncated.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn count_refused_connection(&self) {
        self.refused_connections.fetch_add(1, Ordering::Relaxed);
    }
}
