//! A hash map with one writer and readers that never wait.
//!
//! Entries are spread over many small shards, each an immutable list in hash order behind an atomic pointer.
//! A change copies its shard. Keys live in the values: a look-up brings the hash and says which value it means.

use std::ops::Deref;
use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use smallvec::SmallVec;

/// A concurrent map of values with equal hash semantics chosen by the caller. A shard has room for so many entries beside
/// its count of references: one place in memory less to look at.
pub(crate) struct Map<V, const ROOM: usize> {
    shards: Box<[Shard<V, ROOM>]>,
}

type Entries<V, const ROOM: usize> = SmallVec<[(u32, V); ROOM]>;
type Shard<V, const ROOM: usize> = ArcSwap<Entries<V, ROOM>>;

/// A value that was found. It stays as it was, whatever the writer does meanwhile; no reference is counted.
pub(crate) struct Found<V, const ROOM: usize> {
    entries: Guard<Arc<Entries<V, ROOM>>>,
    at: usize,
}

impl<V, const ROOM: usize> Deref for Found<V, ROOM> {
    type Target = V;

    fn deref(&self) -> &V {
        &self.entries[self.at].1
    }
}

impl<V: Clone, const ROOM: usize> Map<V, ROOM> {
    /// An empty map. A shard holds a few dozen entries at most when `shards`, a power of two, is right.
    pub(crate) fn new(shards: usize) -> Self {
        debug_assert!(shards.is_power_of_two());
        let empty = Arc::new(Entries::new());
        Self { shards: (0..shards).map(|_| ArcSwap::new(Arc::clone(&empty))).collect() }
    }

    /// The shard by the low bits, the place in it by the high ones.
    fn shard(&self, hash: u64) -> (&Shard<V, ROOM>, u32) {
        let low = hash as usize & (self.shards.len() - 1);
        (&self.shards[low], (hash >> 32) as u32)
    }

    /// The value with this hash that `is_it` takes, as it is now.
    pub(crate) fn get(&self, hash: u64, is_it: impl Fn(&V) -> bool) -> Option<Found<V, ROOM>> {
        let (shard, key) = self.shard(hash);
        let entries = shard.load();
        find(&entries, key, is_it).ok().map(|at| Found { entries, at })
    }

    /// Whether there is such a value.
    pub(crate) fn contains(&self, hash: u64, is_it: impl Fn(&V) -> bool) -> bool {
        let (shard, key) = self.shard(hash);
        find(&shard.load(), key, is_it).is_ok()
    }

    /// Every value, in no order.
    pub(crate) fn values(&self) -> Vec<V> {
        let mut values = Vec::new();
        for shard in &self.shards {
            values.extend(shard.load().iter().map(|(_, value)| value.clone()));
        }
        values
    }

    /// Puts, replaces or removes the value with this hash that `is_it` takes. For the one writer only: concurrent
    /// calls lose changes.
    pub(crate) fn set(&self, hash: u64, is_it: impl Fn(&V) -> bool, value: Option<V>) {
        let (shard, key) = self.shard(hash);
        let old = shard.load();
        let mut new = Entries::with_capacity(old.len() + 1);
        new.extend(old.iter().cloned());
        match (find(&old, key, is_it), value) {
            (Ok(at), Some(value)) => new[at].1 = value,
            (Ok(at), None) => drop(new.remove(at)),
            (Err(at), Some(value)) => new.insert(at, (key, value)),
            (Err(_), None) => return,
        }
        new.shrink_to_fit();
        shard.store(Arc::new(new));
    }
}

/// The entry's index, or where it belongs.
fn find<V>(entries: &[(u32, V)], key: u32, is_it: impl Fn(&V) -> bool) -> Result<usize, usize> {
    let start = entries.partition_point(|entry| entry.0 < key);
    for (at, (hash, value)) in entries.iter().enumerate().skip(start) {
        if *hash != key {
            return Err(at);
        }
        if is_it(value) {
            return Ok(at);
        }
    }
    Err(entries.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_replaced_and_removed_even_where_hashes_collide() {
        let map: Map<_, 4> = Map::new(2);
        let hash = |value: u64| ((value % 3) << 32) | (value % 2);
        for round in 0..2 {
            for value in 0..20 {
                map.set(hash(value), |&(key, _)| key == value, Some((value, round)));
            }
        }
        for value in (0..20).step_by(3) {
            map.set(hash(value), |&(key, _)| key == value, None);
        }
        map.set(hash(77), |&(key, _)| key == 77, None);
        for value in 0..25 {
            let expected = (value < 20 && value % 3 != 0).then_some((value, 1));
            let found = map.get(hash(value), |&(key, _)| key == value);
            assert_eq!(found.as_deref().copied(), expected, "{value}");
            assert_eq!(map.contains(hash(value), |&(key, _)| key == value), expected.is_some());
        }
        let mut values = map.values();
        values.sort_unstable();
        let expected: Vec<_> =
            (0..20).filter(|value| value % 3 != 0).map(|value| (value, 1)).collect();
        assert_eq!(values, expected);
    }
}
