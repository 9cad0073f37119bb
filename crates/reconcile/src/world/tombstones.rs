//! The UIDs of objects removed lately.

use std::collections::{HashSet, VecDeque};

/// How many are remembered. An echo arrives within the watch's delay, so this covers thousands of deletions in flight.
const CAPACITY: usize = 8192;

/// A bounded memory of removed UIDs, oldest forgotten first. An API never gives a UID twice.
#[derive(Clone, Debug, Default)]
pub(super) struct Tombstones {
    order: VecDeque<String>,
    uids: HashSet<String>,
}

impl Tombstones {
    pub(super) fn contains(&self, uid: &str) -> bool {
        self.uids.contains(uid)
    }

    pub(super) fn insert(&mut self, uid: &str) {
        if uid.is_empty() || !self.uids.insert(uid.to_owned()) {
            return;
        }
        self.order.push_back(uid.to_owned());
        if self.order.len() > CAPACITY
            && let Some(oldest) = self.order.pop_front()
        {
            self.uids.remove(&oldest);
        }
    }
}
