//! An ordered map with one writer and readers that never wait.
//!
//! Sorted chunks behind atomic pointers, under a sorted root. A change copies the chunk it falls in; the root is
//! copied only when a chunk splits or goes away.

use std::sync::Arc;

use arc_swap::ArcSwap;

/// A chunk that grows beyond this is split.
const CHUNK_MAX: usize = 96;

/// A concurrent ordered map.
pub(crate) struct Ordered<K, V> {
    root: ArcSwap<Vec<Slot<K, V>>>,
}

/// A chunk and a lower bound of its keys (of the first chunk: any key at all).
struct Slot<K, V> {
    bound: K,
    chunk: Arc<ArcSwap<Vec<(K, V)>>>,
}

impl<K: Copy, V> Clone for Slot<K, V> {
    fn clone(&self) -> Self {
        Self { bound: self.bound, chunk: Arc::clone(&self.chunk) }
    }
}

impl<K: Ord + Copy, V: Clone> Ordered<K, V> {
    pub(crate) fn new() -> Self {
        Self { root: ArcSwap::from_pointee(Vec::new()) }
    }

    /// The value of a key.
    pub(crate) fn get(&self, key: K) -> Option<V> {
        let root = self.root.load();
        let chunk = root.get(index(&root, key))?.chunk.load();
        let at = chunk.binary_search_by(|entry| entry.0.cmp(&key)).ok()?;
        Some(chunk[at].1.clone())
    }

    /// Every key, in order.
    pub(crate) fn keys(&self) -> Vec<K> {
        let root = self.root.load();
        let mut keys = Vec::new();
        for slot in root.iter() {
            keys.extend(slot.chunk.load().iter().map(|(key, _)| *key));
        }
        keys
    }

    /// Whether a key lies between `first` and `last`, both included.
    pub(crate) fn any_between(&self, first: K, last: K) -> bool {
        let root = self.root.load();
        for slot in root.iter().skip(index(&root, first)) {
            let chunk = slot.chunk.load();
            let at = chunk.partition_point(|entry| entry.0 < first);
            // A chunk without such a key may be one that emptied since the root was read.
            if let Some((key, _)) = chunk.get(at) {
                return *key <= last;
            }
        }
        false
    }

    /// Replaces the values of `keys`, in order and each once, by what `change` makes of them. For the one writer
    /// only: concurrent calls lose changes.
    pub(crate) fn update(&self, keys: &[K], mut change: impl FnMut(K, Option<&V>) -> Option<V>) {
        let mut rest = keys;
        while let Some(&first) = rest.first() {
            let root = self.root.load_full();
            let at = index(&root, first);
            let count = match root.get(at + 1) {
                Some(next) => rest.partition_point(|&key| key < next.bound),
                None => rest.len(),
            };
            let (batch, tail) = rest.split_at(count);
            rest = tail;
            let old = root.get(at).map(|slot| slot.chunk.load_full()).unwrap_or_default();
            self.put(&root, at, merge(&old, batch, &mut change));
        }
    }

    /// Publishes a new content of the chunk at `at`, splitting or dropping it where needed.
    fn put(&self, root: &[Slot<K, V>], at: usize, entries: Vec<(K, V)>) {
        let old = root.get(at);
        match old {
            Some(slot) if !entries.is_empty() && entries.len() <= CHUNK_MAX => {
                slot.chunk.store(Arc::new(entries));
                return;
            }
            // A reader with the old root must not find what is gone.
            Some(slot) if entries.is_empty() => slot.chunk.store(Arc::default()),
            Some(_) | None => {}
        }
        let mut new = root[..at.min(root.len())].to_vec();
        let pieces = entries.len().div_ceil(CHUNK_MAX / 2 + 1).max(1);
        let length = entries.len().div_ceil(pieces);
        let mut entries = entries.into_iter();
        loop {
            let piece: Vec<_> = entries.by_ref().take(length).collect();
            let Some(&(bound, _)) = piece.first() else { break };
            new.push(Slot { bound, chunk: Arc::new(ArcSwap::from_pointee(piece)) });
        }
        new.extend_from_slice(root.get(at + 1..).unwrap_or_default());
        self.root.store(Arc::new(new));
    }
}

/// The chunk that a key belongs to.
fn index<K: Ord, V>(root: &[Slot<K, V>], key: K) -> usize {
    root.partition_point(|slot| slot.bound <= key).saturating_sub(1)
}

/// The entries with `keys` changed; both are in order.
fn merge<K: Ord + Copy, V: Clone>(
    entries: &[(K, V)],
    keys: &[K],
    mut change: impl FnMut(K, Option<&V>) -> Option<V>,
) -> Vec<(K, V)> {
    let mut merged = Vec::with_capacity(entries.len() + keys.len());
    let mut rest = entries;
    for &key in keys {
        let (before, from) = rest.split_at(rest.partition_point(|entry| entry.0 < key));
        merged.extend_from_slice(before);
        let old = from.first().filter(|entry| entry.0 == key);
        rest = &from[usize::from(old.is_some())..];
        merged.extend(change(key, old.map(|(_, value)| value)).map(|value| (key, value)));
    }
    merged.extend_from_slice(rest);
    merged.shrink_to_fit();
    merged
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn it_behaves_like_an_ordered_map() {
        let map = Ordered::new();
        let mut model = BTreeMap::new();
        // A fixed walk through the keys: steps of a generator of the multiplicative group modulo 1009.
        let mut key = 1u32;
        for round in 0..3000u32 {
            key = key * 11 % 1009;
            let keys: Vec<u32> = (0..round % 40).map(|step| key + step * 7).collect();
            let remove = round % 5 == 4;
            map.update(&keys, |key, old: Option<&u32>| {
                assert_eq!(old, model.get(&key));
                (!remove).then_some(round)
            });
            for key in keys {
                match remove {
                    true => model.remove(&key),
                    false => model.insert(key, round),
                };
            }
            assert_eq!(map.get(key), model.get(&key).copied());
            let (first, last) = (key / 2, key / 2 + round % 9);
            assert_eq!(
                map.any_between(first, last),
                model.range(first..=last).next().is_some(),
                "round {round}: {first}..={last}"
            );
        }
        assert!(map.root.load().len() > 5, "the walk splits chunks");
        let all: Vec<u32> = model.keys().copied().collect();
        assert_eq!(map.keys(), all);
        for &key in &all {
            assert_eq!(map.get(key), model.get(&key).copied());
        }
        map.update(&all, |_, _| None);
        assert!(map.root.load().is_empty(), "empty chunks go away");
        assert!(!map.any_between(0, u32::MAX));
    }
}
