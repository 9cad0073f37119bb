//! How many queries were forwarded, and what came of it.

use std::sync::atomic::{AtomicU64, Ordering};

/// What can become of a query that is not answered from our own zone alone, or of a question to upstreams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForwardEvent {
    /// A query was answered from the cache.
    Hit,
    /// A query was answered from the cache with what is past its time.
    Stale,
    /// A query waited for an upstream.
    Miss,
    /// Of those, one that shared the question of another.
    Joined,
    /// A query was answered SERVFAIL at once: too many wait.
    Busy,
    /// A query was answered SERVFAIL: upstreams failed.
    Failed,
    /// An answer was fetched anew before its time was over.
    Prefetched,
}

impl ForwardEvent {
    /// Every event, in order of declaration.
    pub const ALL: [Self; 7] = [
        Self::Hit,
        Self::Stale,
        Self::Miss,
        Self::Joined,
        Self::Busy,
        Self::Failed,
        Self::Prefetched,
    ];
}

/// Events since the server started.
#[derive(Debug, Default)]
pub struct ForwardCounters([AtomicU64; ForwardEvent::ALL.len()]);

impl ForwardCounters {
    /// How often this came about.
    pub fn get(&self, event: ForwardEvent) -> u64 {
        self.0[event as usize].load(Ordering::Relaxed)
    }

    pub(super) fn count(&self, event: ForwardEvent) {
        self.0[event as usize].fetch_add(1, Ordering::Relaxed);
    }
}
