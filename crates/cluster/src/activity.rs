//! What is still under way: events not yet handled, work queued, requests in flight, writes that the watches
//! have not delivered yet.
//!
//! Credit counting: whoever hands something on creates its [`Busy`] before dropping the one it holds. So the
//! count reaches zero only when nothing is left to do, and [`Activity::idle`] is not fooled by the gap between
//! a write's acknowledgement and its event. Work that waits for its time (a readiness delay, a long backoff)
//! holds no `Busy`.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use manifest::KindId;

/// The shared count of what is under way; clones count together.
#[derive(Clone, Debug, Default)]
pub struct Activity(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    count: Count,
    watched: Mutex<HashMap<KindId, Watched>>,
}

#[derive(Clone, Debug, Default)]
struct Count(Arc<CountInner>);

#[derive(Debug, Default)]
struct CountInner {
    busy: AtomicUsize,
    zero: Notify,
}

/// One thing under way, until dropped.
#[derive(Debug)]
pub struct Busy(Count);

impl Clone for Busy {
    fn clone(&self) -> Self {
        self.0.busy()
    }
}

impl Count {
    fn busy(&self) -> Busy {
        self.0.busy.fetch_add(1, Ordering::AcqRel);
        Busy(self.clone())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        if self.0.0.busy.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.0.zero.notify_waiters();
        }
    }
}

/// How far the watch of one kind is, and what it is expected to deliver.
#[derive(Debug, Default)]
struct Watched {
    /// The newest revision handed to all subscribers.
    delivered: u64,
    /// The newest revision that we were told of and that is not delivered yet.
    awaited: Option<(u64, Busy)>,
    /// UIDs of objects that we deleted and whose end is not delivered yet.
    ending: HashMap<String, Busy>,
}

impl Activity {
    /// Marks one more thing as under way.
    pub fn busy(&self) -> Busy {
        self.0.count.busy()
    }

    /// Waits until nothing is under way.
    pub async fn idle(&self) {
        let count = &self.0.count.0;
        loop {
            let zero = count.zero.notified();
            tokio::pin!(zero);
            zero.as_mut().enable();
            if count.busy.load(Ordering::Acquire) == 0 {
                return;
            }
            zero.await;
        }
    }

    /// How many things are under way.
    pub fn count(&self) -> usize {
        self.0.count.0.busy.load(Ordering::Acquire)
    }

    /// Tells that an object of this kind was written, so that [`idle`](Self::idle) waits until the watch has
    /// delivered it. Of no effect for kinds that nobody watches and for versions that are not numbers.
    pub fn wrote(&self, kind: KindId, resource_version: Option<&str>) {
        let Some(revision) = resource_version.and_then(|version| version.parse().ok()) else {
            return;
        };
        let mut watched = self.watched();
        let Some(watched) = watched.get_mut(&kind) else { return };
        let newest = watched.awaited.as_ref().map_or(watched.delivered, |(awaited, _)| *awaited);
        if revision > newest {
            let busy = self.busy();
            watched.awaited = Some((revision, busy));
        }
    }

    /// Tells that this object is about to be deleted, so that [`idle`](Self::idle) waits until the watch has
    /// delivered its end. To be called before the request; call [`not_ending`](Self::not_ending) after it if the
    /// object stays or was gone already.
    pub fn ending(&self, kind: KindId, uid: &str) {
        if let Some(watched) = self.watched().get_mut(&kind) {
            watched.ending.insert(uid.to_owned(), self.busy());
        }
    }

    /// Takes [`ending`](Self::ending) back.
    pub fn not_ending(&self, kind: KindId, uid: &str) {
        if let Some(watched) = self.watched().get_mut(&kind) {
            watched.ending.remove(uid);
        }
    }

    /// The kind has a watch from now on.
    pub(crate) fn watch(&self, kind: KindId) {
        self.watched().entry(kind).or_default();
    }

    /// All subscribers have been handed what happened up to this revision.
    pub(crate) fn delivered(&self, kind: KindId, revision: u64) {
        if let Some(watched) = self.watched().get_mut(&kind) {
            watched.delivered = watched.delivered.max(revision);
            if watched.awaited.as_ref().is_some_and(|(awaited, _)| *awaited <= revision) {
                watched.awaited = None;
            }
        }
    }

    /// All subscribers have been handed the end of this object.
    pub(crate) fn ended(&self, kind: KindId, uid: &str) {
        self.not_ending(kind, uid);
    }

    /// All subscribers have been handed a whole list: what was to end and is not in it has ended.
    pub(crate) fn listed(&self, kind: KindId, holds: impl Fn(&str) -> bool) {
        if let Some(watched) = self.watched().get_mut(&kind) {
            watched.ending.retain(|uid, _| holds(uid));
        }
    }

    fn watched(&self) -> MutexGuard<'_, HashMap<KindId, Watched>> {
        // The map is whole after every statement, so a panic elsewhere while it was locked does no harm.
        self.0.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POD: KindId = KindId::Pod;

    fn check(steps: impl FnOnce(&Activity), under_way: usize) {
        let activity = Activity::default();
        activity.watch(POD);
        steps(&activity);
        assert_eq!(activity.count(), under_way);
    }

    #[test]
    fn writes_are_awaited_until_delivered() {
        check(|a| a.wrote(POD, Some("5")), 1);
        check(
            |a| {
                a.wrote(POD, Some("5"));
                a.wrote(POD, Some("7"));
                a.wrote(POD, Some("6"))
            },
            1,
        );
        check(
            |a| {
                a.wrote(POD, Some("7"));
                a.delivered(POD, 6)
            },
            1,
        );
        check(
            |a| {
                a.wrote(POD, Some("7"));
                a.delivered(POD, 7)
            },
            0,
        );
        check(
            |a| {
                a.delivered(POD, 8);
                a.wrote(POD, Some("7"))
            },
            0,
        );
        check(|a| a.wrote(KindId::Node, Some("5")), 0);
        check(|a| a.wrote(POD, Some("opaque")), 0);
        check(|a| a.wrote(POD, None), 0);
    }

    #[test]
    fn ends_are_awaited_until_delivered() {
        check(|a| a.ending(POD, "u"), 1);
        check(
            |a| {
                a.ending(POD, "u");
                a.ended(POD, "v")
            },
            1,
        );
        check(
            |a| {
                a.ending(POD, "u");
                a.ended(POD, "u")
            },
            0,
        );
        check(
            |a| {
                a.ending(POD, "u");
                a.not_ending(POD, "u")
            },
            0,
        );
        check(
            |a| {
                a.ending(POD, "u");
                a.ending(POD, "v");
                a.listed(POD, |uid| uid == "v")
            },
            1,
        );
    }

    #[tokio::test]
    async fn idle_waits_for_the_last() {
        let activity = Activity::default();
        activity.idle().await;
        let busy = activity.busy();
        let second = busy.clone();
        drop(busy);
        let idle = activity.idle();
        tokio::pin!(idle);
        assert!(futures::poll!(&mut idle).is_pending());
        drop(second);
        idle.await;
    }
}
