//! What upstreams have answered, kept for a while in bounded memory. Knows no clock: callers say what time it is.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::config::CacheConfig;
use super::reply::Reply;

/// Threads that look up different names seldom wait for each other.
const SHARDS: usize = 16;

/// A name asked for this often while its answer was kept is fetched anew before the end.
const POPULAR: u32 = 3;

/// An answer is fetched anew when this part of its time is left.
const PREFETCH_PART: u32 = 10;

/// What an entry takes besides its key and reply, in octets: the slot and the map's place for it (both may be half
/// empty after they have grown), reference counts, and what the allocator adds to four allocations.
const ENTRY_OVERHEAD: usize =
    2 * size_of::<Entry>() + 2 * (size_of::<(Arc<[u8]>, usize)>() + 1) + 2 * 16 + 4 * 16;

/// Replies by the key of their question.
pub(super) struct Cache {
    shards: [Mutex<Shard>; SHARDS],
    hasher: RandomState,
    limits: CacheConfig,
}

/// A reply that is kept.
#[derive(Clone, Debug)]
pub(super) struct Hit {
    pub(super) reply: Arc<Reply>,
    /// Since it came, in whole seconds.
    pub(super) age: u32,
    pub(super) freshness: Freshness,
}

/// How old a reply is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Freshness {
    /// Within its time.
    Fresh,
    /// Within its time, which is nearly over, and often asked for. Said once: whoever is told fetches it anew.
    Due,
    /// Past its time: only for when upstreams fail.
    Stale,
    /// Past its time, and upstreams have failed just now.
    StaleHeld,
}

#[derive(Default)]
struct Shard {
    /// Indices of `entries`.
    places: HashMap<Arc<[u8]>, usize, RandomState>,
    entries: Vec<Entry>,
    bytes: usize,
    /// The entry that is looked at first when room is needed.
    hand: usize,
}

struct Entry {
    key: Arc<[u8]>,
    reply: Arc<Reply>,
    came: Instant,
    /// Before this, upstreams are not asked again for what is stale.
    held_until: Option<Instant>,
    hits: u32,
    /// Asked for since the hand came by.
    is_used: bool,
    is_prefetched: bool,
}

impl Cache {
    /// An empty cache.
    pub(super) fn new(limits: CacheConfig) -> Self {
        Self { shards: Default::default(), hasher: RandomState::new(), limits }
    }

    /// What is kept for a key.
    pub(super) fn get(&self, key: &[u8], now: Instant) -> Option<Hit> {
        let mut shard = self.shard(key);
        let index = *shard.places.get(key)?;
        let entry = &mut shard.entries[index];
        let age = now.saturating_duration_since(entry.came);
        let ttl = entry.reply.ttl;
        if age >= ttl + self.stale_max(&entry.reply) {
            shard.remove(index);
            return None;
        }
        entry.is_used = true;
        entry.hits = entry.hits.saturating_add(1);
        let freshness = if age >= ttl {
            match entry.held_until {
                Some(until) if now < until => Freshness::StaleHeld,
                _ => Freshness::Stale,
            }
        } else if self.is_due(entry, age) {
            entry.is_prefetched = true;
            Freshness::Due
        } else {
            Freshness::Fresh
        };
        let age = u32::try_from(age.as_secs()).unwrap_or(u32::MAX);
        Some(Hit { reply: entry.reply.clone(), age, freshness })
    }

    /// Keeps a reply, if it may be kept; what was least asked for makes room.
    pub(super) fn put(&self, key: &[u8], reply: &Arc<Reply>, now: Instant) {
        let mut shard = self.shard(key);
        if let Some(&index) = shard.places.get(key) {
            shard.remove(index);
        }
        let bytes = size(key, reply);
        let bytes_max = self.limits.bytes_max / SHARDS;
        if reply.ttl.is_zero() || bytes > bytes_max {
            return;
        }
        while shard.bytes + bytes > bytes_max {
            shard.evict();
        }
        shard.insert(Entry {
            key: key.into(),
            reply: reply.clone(),
            came: now,
            held_until: None,
            hits: 0,
            is_used: false,
            is_prefetched: false,
        });
    }

    /// Upstreams have failed to answer for a key: what is kept of it stands for a while without asking them again
    /// (RFC 8767 §5, the failure recheck timer). Returns it.
    pub(super) fn hold(&self, key: &[u8], now: Instant) -> Option<Hit> {
        let hit = self.get(key, now)?;
        let mut shard = self.shard(key);
        let index = *shard.places.get(key)?;
        shard.entries[index].held_until = Some(now + self.limits.failure_ttl);
        Some(hit)
    }

    /// Entries, and the octets of memory they count for.
    pub(super) fn usage(&self) -> (usize, usize) {
        self.shards.iter().map(lock).fold((0, 0), |(entries, bytes), shard| {
            (entries + shard.entries.len(), bytes + shard.bytes)
        })
    }

    /// Failures are of no use when they are over.
    fn stale_max(&self, reply: &Reply) -> Duration {
        if reply.is_answer() { self.limits.stale_max } else { Duration::ZERO }
    }

    fn is_due(&self, entry: &Entry, age: Duration) -> bool {
        let left = entry.reply.ttl.saturating_sub(age);
        self.limits.prefetch
            && !entry.is_prefetched
            && entry.hits > POPULAR
            && entry.reply.is_answer()
            && left * PREFETCH_PART <= entry.reply.ttl
    }

    fn shard(&self, key: &[u8]) -> MutexGuard<'_, Shard> {
        lock(&self.shards[self.hasher.hash_one(key) as usize % SHARDS])
    }
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    // No step between the first and the last change of a shard can panic.
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

fn size(key: &[u8], reply: &Reply) -> usize {
    key.len() + reply.size() + ENTRY_OVERHEAD
}

impl Shard {
    /// Puts an entry right behind the hand, so that a whole round is before it.
    fn insert(&mut self, entry: Entry) {
        self.bytes += size(&entry.key, &entry.reply);
        let last = self.entries.len();
        self.hand = self.hand.min(last);
        self.places.insert(entry.key.clone(), self.hand);
        self.entries.push(entry);
        self.entries.swap(self.hand, last);
        if let Some(place) = self.places.get_mut(&self.entries[last].key) {
            *place = last;
        }
        self.hand += 1;
    }

    fn remove(&mut self, index: usize) {
        let entry = self.entries.swap_remove(index);
        self.places.remove(&entry.key);
        self.bytes -= size(&entry.key, &entry.reply);
        if let Some(moved) = self.entries.get(index)
            && let Some(place) = self.places.get_mut(&moved.key)
        {
            *place = index;
        }
    }

    /// Takes out the next entry that nobody has asked for since the hand came by last (the CLOCK algorithm).
    fn evict(&mut self) {
        loop {
            self.hand = if self.hand < self.entries.len() { self.hand } else { 0 };
            match self.entries.get_mut(self.hand) {
                None => return,
                Some(entry) if entry.is_used => entry.is_used = false,
                Some(_) => return self.remove(self.hand),
            }
            self.hand += 1;
        }
    }
}

#[cfg(test)]
mod tests;
