//! The directory's map on `papaya`, with the interface of `src/map.rs`.
//!
//! To try it in the server: `cargo add papaya --package directory`, put this file in the place of `src/map.rs`, and run
//! the benchmarks.

use std::hash::{BuildHasher, Hasher};
use std::ops::Deref;

use papaya::HashMap;

/// A concurrent map of values with equal hash semantics chosen by the caller. `ROOM` is what the other candidate wants to
/// know.
pub(crate) struct Map<V, const ROOM: usize> {
    entries: HashMap<u64, Entry<V>, AsItIs>,
}

/// The values of one hash: one, as good as always.
#[derive(Clone)]
struct Entry<V> {
    first: V,
    #[allow(
        clippy::box_collection,
        reason = "so that it takes no more than a pointer where there are none"
    )]
    more: Option<Box<Vec<V>>>,
}

impl<V> Entry<V> {
    fn values(&self) -> impl Iterator<Item = &V> {
        std::iter::once(&self.first).chain(self.more.iter().flat_map(|more| more.iter()))
    }
}

/// A value that was found, by a reference of its own: one borrowed from the map needs the guard that it was found under,
/// which then has to be handed through all that answers.
pub(crate) struct Found<V, const ROOM: usize>(V);

impl<V, const ROOM: usize> Deref for Found<V, ROOM> {
    type Target = V;

    fn deref(&self) -> &V {
        &self.0
    }
}

impl<V: Clone, const ROOM: usize> Map<V, ROOM> {
    /// An empty map. It grows as it needs to; `shards` is for the other candidate, too.
    pub(crate) fn new(_shards: usize) -> Self {
        Self { entries: HashMap::with_hasher(AsItIs) }
    }

    /// The value with this hash that `is_it` takes, as it is now.
    pub(crate) fn get(&self, hash: u64, is_it: impl Fn(&V) -> bool) -> Option<Found<V, ROOM>> {
        self.with(hash, is_it, |value| Found(value.clone()))
    }

    /// What `look` makes of that value, without a reference of its own to it.
    pub(crate) fn with<T>(
        &self,
        hash: u64,
        is_it: impl Fn(&V) -> bool,
        look: impl FnOnce(&V) -> T,
    ) -> Option<T> {
        let guard = self.entries.guard();
        self.entries.get(&hash, &guard)?.values().find(|value| is_it(value)).map(look)
    }

    /// Whether there is such a value.
    pub(crate) fn contains(&self, hash: u64, is_it: impl Fn(&V) -> bool) -> bool {
        self.with(hash, is_it, |_| ()).is_some()
    }

    /// Every value, in no order.
    pub(crate) fn values(&self) -> Vec<V> {
        self.entries.pin().values().flat_map(Entry::values).cloned().collect()
    }

    /// Puts, replaces or removes the value with this hash that `is_it` takes. For the one writer only: concurrent
    /// calls lose changes.
    pub(crate) fn set(&self, hash: u64, is_it: impl Fn(&V) -> bool, value: Option<V>) {
        let entries = self.entries.pin();
        let old = entries.get(&hash).map(Entry::values);
        let mut values: Vec<V> =
            old.into_iter().flatten().filter(|value| !is_it(value)).cloned().collect();
        values.extend(value);
        match values.pop() {
            Some(first) => {
                let more = (!values.is_empty()).then(|| Box::new(values));
                entries.insert(hash, Entry { first, more });
            }
            None => {
                entries.remove(&hash);
            }
        }
    }
}

/// Takes a hash for its own hash.
#[derive(Clone, Copy, Default)]
struct AsItIs;

impl BuildHasher for AsItIs {
    type Hasher = Hash;

    fn build_hasher(&self) -> Hash {
        Hash(0)
    }
}

/// The hash that was put in.
struct Hash(u64);

impl Hasher for Hash {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0 << 8 | u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
