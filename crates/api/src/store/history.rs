//! The recent events of one resource, which its watchers read.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::past::Past;
use super::{Entry, Event, EventKind, Revision, TooOld};

/// How much history a store keeps. An event stays until it is older than `age`, or until one of the other
/// two bounds pushes it out sooner; a watcher that needs one that is gone is told [`TooOld`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Events older than this are dropped.
    pub age: Duration,
    /// Events kept for one resource.
    pub events: usize,
    /// Bytes of JSON kept for all resources together: what is past as it is packed, the newest in full (of an
    /// object that lives it is the object's own, and takes nothing more).
    pub bytes: usize,
}

impl Limits {
    /// Five minutes: the time after which a Kubernetes API server compacts its storage, so clients expect
    /// to resume within it.
    pub const AGE: Duration = Duration::from_secs(5 * 60);
    /// 65,536: ten thousand pods that each go through creation, binding, status and deletion in five
    /// minutes. At some 200 bytes of bookkeeping each, 13 MB at worst.
    pub const EVENTS: usize = 1 << 16;
    /// 64 MiB: some 30,000 pods of 2 kB that live or have just gone, or hundreds of thousands of their past
    /// versions; a quiet laptop holds far less.
    pub const BYTES: usize = 64 << 20;
    /// Events handed out by one call of [`super::Watch::next`], so that a watcher which is far behind
    /// does not hold the reader's lock, or a large answer, for long, and unpacks few events twice when a
    /// frame is full.
    pub(super) const BATCH: usize = 64;
}

impl Default for Limits {
    fn default() -> Self {
        Self { age: Self::AGE, events: Self::EVENTS, bytes: Self::BYTES }
    }
}

/// Invariant: every event of the resource with a revision above `oldest` is here, in order of revision.
pub(super) struct History {
    events: VecDeque<Kept>,
    bytes: usize,
    oldest: Revision,
}

/// An event as it is kept.
#[derive(Clone)]
pub(super) struct Kept {
    kind: EventKind,
    version: Version,
    previous: Option<Arc<Past>>,
    at: Instant,
}

/// An object after an event.
#[derive(Clone)]
enum Version {
    /// Nothing has happened to it since.
    Newest(Arc<Entry>),
    /// Another event has; that one's `previous` is this.
    Past(Arc<Past>),
}

impl Version {
    fn revision(&self) -> Revision {
        match self {
            Self::Newest(entry) => entry.revision,
            Self::Past(past) => past.revision(),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Newest(entry) => entry.json.len(),
            Self::Past(past) => past.bytes(),
        }
    }
}

impl From<Kept> for Event {
    fn from(kept: Kept) -> Self {
        let Kept { kind, version, previous, at: _ } = kept;
        let entry = match version {
            Version::Newest(entry) => entry,
            Version::Past(past) => Arc::new(past.entry()),
        };
        Self { kind, entry, previous }
    }
}

impl History {
    pub(super) fn new(oldest: Revision) -> Self {
        Self { events: VecDeque::new(), bytes: 0, oldest }
    }

    /// The bytes of JSON held.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The revision of the newest event held.
    pub(super) fn newest(&self) -> Option<Revision> {
        self.events.back().map(|kept| kept.version.revision())
    }

    /// Adds the next event; its revision is above all before it. What it replaces is in the past from now on.
    pub(super) fn push(&mut self, event: Event, at: Instant) {
        let Event { kind, entry, previous } = event;
        debug_assert!(self.newest().is_none_or(|newest| newest < entry.revision));
        if let Some(past) = &previous
            && let Ok(index) =
                self.events.binary_search_by_key(&past.revision(), |kept| kept.version.revision())
        {
            let version = &mut self.events[index].version;
            self.bytes -= version.bytes();
            *version = Version::Past(past.clone());
            self.bytes += version.bytes();
        }
        self.bytes += entry.json.len();
        self.events.push_back(Kept { kind, version: Version::Newest(entry), previous, at });
    }

    /// Drops what is too old or too much, into `retired` (so that memory is freed outside of the lock).
    pub(super) fn trim(&mut self, limits: &Limits, now: Instant, retired: &mut Vec<Kept>) {
        while let Some(first) = self.events.front() {
            let expired = now.saturating_duration_since(first.at) > limits.age;
            if !expired && self.events.len() <= limits.events {
                break;
            }
            retired.extend(self.pop());
        }
        // A burst's room is given back when the burst has passed.
        if self.events.len() < self.events.capacity() / 4 {
            self.events.shrink_to(self.events.capacity() / 2);
        }
    }

    /// Drops the oldest event.
    pub(super) fn pop(&mut self) -> Option<Kept> {
        let kept = self.events.pop_front()?;
        self.bytes -= kept.version.bytes();
        self.oldest = kept.version.revision();
        Some(kept)
    }

    /// The events after `seen`, at most [`Limits::BATCH`].
    pub(super) fn after(&self, seen: Revision) -> Result<Vec<Kept>, TooOld> {
        self.resumes(seen)?;
        let start = self.events.partition_point(|kept| kept.version.revision() <= seen);
        Ok(self.events.range(start..).take(Limits::BATCH).cloned().collect())
    }

    /// Whether a watch can resume from `from`.
    pub(super) fn resumes(&self, from: Revision) -> Result<(), TooOld> {
        if from < self.oldest {
            return Err(TooOld { asked: from, oldest: self.oldest });
        }
        Ok(())
    }
}
