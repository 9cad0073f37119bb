//! When the API was last heard of.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use manifest::KindId;
use tokio::time::Instant;

/// What one kind's watch has heard.
#[derive(Clone, Debug)]
pub(super) struct Heard(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    kind: KindId,
    start: Instant,
    /// Milliseconds from the start to the last list, event or bookmark; 0 before the first.
    last_millis: AtomicU64,
    lists: AtomicU64,
    failures: AtomicU64,
}

/// How the watches of all kinds fare, for whoever wants to know later.
#[derive(Clone, Debug)]
pub struct Hearings(pub(super) Vec<Heard>);

impl Hearings {
    /// How each kind's watch fares now.
    pub fn now(&self) -> Vec<Hearing> {
        self.0.iter().map(Heard::hearing).collect()
    }
}

/// How one kind's watch fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hearing {
    /// The kind.
    pub kind: KindId,
    /// The time since the last list, event or bookmark: so old may be what is known. `None` before the first.
    pub silent: Option<Duration>,
    /// How often everything has been listed.
    pub lists: u64,
    /// How often a list or a watch failed.
    pub failures: u64,
}

impl Heard {
    pub(super) fn new(kind: KindId) -> Self {
        let (last_millis, lists, failures) = Default::default();
        Self(Arc::new(Inner { kind, start: Instant::now(), last_millis, lists, failures }))
    }

    /// The API has told something.
    pub(super) fn mark(&self) {
        let millis = u64::try_from(self.0.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.last_millis.store(millis.max(1), Ordering::Relaxed);
    }

    /// The API has told everything.
    pub(super) fn mark_list(&self) {
        self.mark();
        self.0.lists.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn mark_failure(&self) {
        self.0.failures.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn hearing(&self) -> Hearing {
        let Inner { kind, start, last_millis, lists, failures } = &*self.0;
        let silent = match last_millis.load(Ordering::Relaxed) {
            0 => None,
            last => Some(start.elapsed().saturating_sub(Duration::from_millis(last))),
        };
        Hearing {
            kind: *kind,
            silent,
            lists: lists.load(Ordering::Relaxed),
            failures: failures.load(Ordering::Relaxed),
        }
    }
}
