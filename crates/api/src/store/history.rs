//! The recent events of one resource, which its watchers read.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Event, Revision, TooOld};

/// How much history a store keeps. An event stays until it is older than `age`, or until one of the other
/// two bounds pushes it out sooner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Events older than this are dropped.
    pub age: Duration,
    /// Events kept for one resource.
    pub events: usize,
    /// Bytes of JSON kept for all resources together. (An event also shares the object's state before it,
    /// which mostly is another event's or a living object's; at worst the true figure is twice this.)
    pub bytes: usize,
}

impl Limits {
    /// Five minutes: the time after which a Kubernetes API server compacts its storage, so clients expect
    /// to resume within it.
    pub const AGE: Duration = Duration::from_secs(5 * 60);
    /// 65,536: ten thousand pods that each go through creation, binding, status and deletion in five
    /// minutes. At some 200 bytes of bookkeeping each, 13 MB at worst.
    pub const EVENTS: usize = 1 << 16;
    /// 64 MiB: some 30,000 events of pods of 2 kB; a quiet laptop holds far less.
    pub const BYTES: usize = 64 << 20;
    /// Events handed out by one call of [`super::Watch::next`], so that a watcher which is far behind
    /// does not hold the reader's lock, or a large answer, for long.
    pub(super) const BATCH: usize = 512;
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

struct Kept {
    event: Arc<Event>,
    at: Instant,
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
        self.events.back().map(|kept| kept.event.entry.revision)
    }

    /// Adds the next event; its revision is above all before it.
    pub(super) fn push(&mut self, event: Arc<Event>, at: Instant) {
        debug_assert!(self.newest().is_none_or(|newest| newest < event.entry.revision));
        self.bytes += event.entry.json.len();
        self.events.push_back(Kept { event, at });
    }

    /// Drops what is too old or too much, into `retired` (so that memory is freed outside of the lock).
    pub(super) fn trim(&mut self, limits: &Limits, now: Instant, retired: &mut Vec<Arc<Event>>) {
        while let Some(first) = self.events.front() {
            let expired = now.saturating_duration_since(first.at) > limits.age;
            if !expired && self.events.len() <= limits.events {
                break;
            }
            retired.extend(self.pop());
        }
    }

    /// Drops the oldest event.
    pub(super) fn pop(&mut self) -> Option<Arc<Event>> {
        let kept = self.events.pop_front()?;
        self.bytes -= kept.event.entry.json.len();
        self.oldest = kept.event.entry.revision;
        Some(kept.event)
    }

    /// The events after `seen`, at most [`Limits::BATCH`].
    pub(super) fn after(&self, seen: Revision) -> Result<Vec<Arc<Event>>, TooOld> {
        self.resumes(seen)?;
        let start = self.events.partition_point(|kept| kept.event.entry.revision <= seen);
        Ok(self.events.range(start..).take(Limits::BATCH).map(|kept| kept.event.clone()).collect())
    }

    /// Whether a watch can resume from `from`.
    pub(super) fn resumes(&self, from: Revision) -> Result<(), TooOld> {
        if from < self.oldest {
            return Err(TooOld { asked: from, oldest: self.oldest });
        }
        Ok(())
    }
}
