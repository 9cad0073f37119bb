//! Numbers of which each is taken or free.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

/// A source of random numbers.
pub(super) type Random = Box<dyn FnMut() -> u64 + Send>;

/// The system's random numbers. Where there are none, zeros: allocation then goes in order.
pub(super) fn system() -> Random {
    Box::new(|| getrandom::u64().unwrap_or(0))
}

pub(super) struct Pool {
    taken: BTreeSet<u128>,
    /// All numbers there are.
    range: RangeInclusive<u128>,
    /// The first number above the static band; past the range if the band is all of it.
    dynamic: u128,
    random: Random,
}

impl Pool {
    pub(super) fn new(range: RangeInclusive<u128>, dynamic: u128, random: Random) -> Self {
        Self { taken: BTreeSet::new(), range, dynamic, random }
    }

    pub(super) fn contains(&self, number: u128) -> bool {
        self.range.contains(&number)
    }

    /// Takes a number of the range; false if it was taken before.
    pub(super) fn take(&mut self, number: u128) -> bool {
        debug_assert!(self.contains(number));
        self.taken.insert(number)
    }

    /// Takes a free number, from above the static band if there is one; `None` when all are taken.
    pub(super) fn allocate(&mut self) -> Option<u128> {
        let (first, last) = (*self.range.start(), *self.range.end());
        let number = self.free_in(self.dynamic.max(first)..=last).or_else(|| {
            let end = self.dynamic.min(last.saturating_add(1));
            (end > first).then(|| self.free_in(first..=end - 1)).flatten()
        })?;
        self.taken.insert(number);
        Some(number)
    }

    pub(super) fn release(&mut self, number: u128) {
        self.taken.remove(&number);
    }

    /// A free number: the next one at or after a random place, going round at the end.
    fn free_in(&mut self, range: RangeInclusive<u128>) -> Option<u128> {
        if range.is_empty() {
            return None;
        }
        let (first, last) = (*range.start(), *range.end());
        let random = u128::from((self.random)()) << 64 | u128::from((self.random)());
        // The width of everything (`::/0`) does not fit, and needs no reduction.
        let start = match (last - first).checked_add(1) {
            Some(width) => first + random % width,
            None => random,
        };
        self.gap(start..=last).or_else(|| (start > first).then(|| self.gap(first..=start - 1))?)
    }

    /// The first free number of a range that is not empty.
    fn gap(&self, range: RangeInclusive<u128>) -> Option<u128> {
        let (mut candidate, last) = (*range.start(), *range.end());
        for &taken in self.taken.range(range) {
            if taken != candidate {
                break;
            }
            candidate = candidate.checked_add(1)?;
        }
        (candidate <= last).then_some(candidate)
    }
}
