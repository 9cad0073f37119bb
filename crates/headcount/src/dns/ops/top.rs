//! The most frequent of any number of things, in little memory.

use std::collections::HashMap;
use std::hash::Hash;

/// Space-saving (Metwally, Agrawal and El Abbadi 2005): so many things are counted at once; one more takes the place of the
/// least frequent, and inherits its count as what it may be too high by. Whatever makes up more than one part in
/// [`Top::KEPT`] of all is among them.
#[derive(Debug)]
pub(super) struct Top<K> {
    counts: HashMap<K, Count>,
}

/// How often a thing was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Count {
    /// At most so often.
    pub(super) most: u64,
    /// The part of it that may be of others.
    pub(super) doubt: u64,
}

impl<K: Hash + Eq + Clone + Ord> Top<K> {
    /// How many are counted at once.
    pub(super) const KEPT: usize = 256;

    pub(super) fn new() -> Self {
        Self { counts: HashMap::with_capacity(Self::KEPT) }
    }

    /// Counts a thing so many times.
    pub(super) fn add(&mut self, key: K, times: u64) {
        if let Some(count) = self.counts.get_mut(&key) {
            count.most += times;
            return;
        }
        let mut doubt = 0;
        if self.counts.len() == Self::KEPT {
            let least = self.counts.iter().min_by_key(|(_, count)| count.most);
            if let Some((least, count)) = least.map(|(key, count)| (key.clone(), *count)) {
                self.counts.remove(&least);
                doubt = count.most;
            }
        }
        self.counts.insert(key, Count { most: doubt + times, doubt });
    }

    /// The most frequent, each at least so often as it is said without its doubt.
    pub(super) fn first(&self, wanted: usize) -> Vec<(K, Count)> {
        let mut all: Vec<_> =
            self.counts.iter().map(|(key, count)| (key.clone(), *count)).collect();
        all.sort_by(|(a, a_count), (b, b_count)| b_count.most.cmp(&a_count.most).then(a.cmp(b)));
        all.truncate(wanted);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_frequent_are_kept_among_any_number_of_others() {
        let mut top = Top::new();
        for turn in 0..100_000_u64 {
            top.add(1_000_000 + turn, 1);
            if turn % 10 == 0 {
                top.add(turn / 10 % 3, 2);
            }
        }
        assert_eq!(top.counts.len(), Top::<u64>::KEPT);
        let first = top.first(3);
        let mut keys: Vec<_> = first.iter().map(|(key, _)| *key).collect();
        keys.sort_unstable();
        assert_eq!(keys, [0, 1, 2]);
        for (key, Count { most, doubt }) in first {
            let exact = 2 * (10_000 / 3 + u64::from(key == 0));
            assert!(most - doubt <= exact && exact <= most, "{key}: {most} less {doubt}, {exact}");
        }
    }
}
