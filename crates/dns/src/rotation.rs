//! Which record comes first.

use std::cell::Cell;

/// Spreads clients over the records of an answer by where the answer starts. One per thread, so that threads
/// share nothing.
///
/// Each turn adds the golden ratio to a fraction, and the fraction picks the start. A plain counter would go
/// wrong for clients that ask in a pattern: one that always asks A, then AAAA, would find every A answer of
/// two addresses to start with the same one. With an irrational step, every n-th turn is as evenly spread as
/// all of them.
#[derive(Debug)]
pub struct Rotation(Cell<u64>);

/// The fractional part of the golden ratio, as a fraction of 2^64; odd, so that the period is 2^64.
const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

impl Rotation {
    /// A rotation that starts at its own place: threads get different numbers.
    pub fn new(thread: usize) -> Self {
        // Any odd factor other than STEP keeps neighbouring threads from following each other.
        Self(Cell::new((thread as u64).wrapping_mul(0xD1B5_4A32_D192_ED03)))
    }

    /// The index at which an answer of `count` records starts: 0 when there are none.
    pub fn start(&self, count: usize) -> usize {
        if count < 2 {
            return 0;
        }
        let fraction = self.0.get();
        self.0.set(fraction.wrapping_add(STEP));
        ((u128::from(fraction) * count as u128) >> 64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts the starts of every `every`-th turn.
    fn starts(count: usize, every: usize) -> Vec<usize> {
        let rotation = Rotation::new(1);
        let mut starts = vec![0; count];
        for turn in 0..count * every * 1000 {
            let start = rotation.start(count);
            if turn % every == 0 {
                starts[start] += 1;
            }
        }
        starts
    }

    #[test]
    fn every_record_comes_first_equally_often_whatever_the_pattern_of_queries() {
        for count in [1, 2, 3, 7, 100] {
            for every in [1, 2, 3, 4] {
                let starts = starts(count, every);
                assert!(
                    starts.iter().all(|times| (950..=1050).contains(times)),
                    "{count} records, every {every}: {starts:?}"
                );
            }
        }
    }
}
