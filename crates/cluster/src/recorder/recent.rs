//! What was used lately, and no more of it than a bound.

use std::collections::{BTreeMap, HashMap};

/// Values by a hash of what they are about; the one that was not used for longest goes first.
///
/// Keys are hashes, so that what is remembered takes little room. That two of some thousand things have one hash, and
/// would be taken for one another, is not to be expected.
#[derive(Debug)]
pub(super) struct Recent<V> {
    most: usize,
    values: HashMap<u64, (u64, V)>,
    /// Keys by their last use.
    order: BTreeMap<u64, u64>,
    uses: u64,
}

impl<V> Recent<V> {
    /// Remembers so many values at most.
    pub(super) fn new(most: usize) -> Self {
        Self { most, values: HashMap::new(), order: BTreeMap::new(), uses: 0 }
    }

    /// The value of a key, which is used by that; a new one where there is none.
    pub(super) fn get_or_insert(&mut self, key: u64, new: impl FnOnce() -> V) -> &mut V {
        match self.values.get(&key) {
            Some((used, _)) => _ = self.order.remove(used),
            None if self.values.len() >= self.most => {
                if let Some((_, oldest)) = self.order.pop_first() {
                    self.values.remove(&oldest);
                }
            }
            None => {}
        }
        self.uses += 1;
        self.order.insert(self.uses, key);
        let (used, value) = self.values.entry(key).or_insert_with(|| (0, new()));
        *used = self.uses;
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_used_for_longest_goes() {
        let mut recent = Recent::new(2);
        *recent.get_or_insert(1, || 0) += 1;
        *recent.get_or_insert(2, || 0) += 1;
        *recent.get_or_insert(1, || 0) += 1;
        *recent.get_or_insert(3, || 0) += 1;
        assert_eq!((recent.values.len(), recent.order.len()), (2, 2));
        assert_eq!(*recent.get_or_insert(1, || 0), 2);
        assert_eq!(*recent.get_or_insert(2, || 0), 0, "forgotten");
        assert_eq!(*recent.get_or_insert(3, || 0), 0, "forgotten for 2");
    }
}
