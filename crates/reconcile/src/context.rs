//! The clock and chance, which decisions take as arguments, and what a decision is.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

use crate::Action;

/// The letters of generated names (K: apimachinery `util/rand`): no vowels, nothing easily misread.
const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// What the world does not hold: the clock and chance.
pub struct Context<'a> {
    /// The time of the decision.
    pub now: Timestamp,
    /// A source of random numbers, uniform over all 64 bits.
    pub random: &'a mut dyn FnMut() -> u64,
}

impl fmt::Debug for Context<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Context").field("now", &self.now).finish_non_exhaustive()
    }
}

impl Context<'_> {
    /// Five random letters for the end of a generated name.
    pub fn suffix(&mut self) -> String {
        let mut number = (self.random)();
        (0..5)
            .map(|_| {
                let letter = LETTERS[(number % LETTERS.len() as u64) as usize];
                number /= LETTERS.len() as u64;
                char::from(letter)
            })
            .collect()
    }

    /// A generated name: the prefix and five letters, such that it is not `taken`.
    pub(crate) fn name(&mut self, prefix: &str, taken: impl Fn(&str) -> bool) -> String {
        // Bounded: with 14 million suffixes a collision twice in a row is rare, and the API refuses one that
        // remains.
        let mut name = format!("{prefix}{}", self.suffix());
        for _ in 0..8 {
            if !taken(&name) {
                break;
            }
            name = format!("{prefix}{}", self.suffix());
        }
        name
    }
}

/// What to do now, and when to look again even if nothing changes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decision {
    /// What to ask of the API, in this order; empty when all is as it should be.
    pub actions: Vec<Action>,
    /// Look at the same work again after this time (a pod becomes available by waiting, a deadline passes).
    pub retry_after: Option<Duration>,
}

impl From<Vec<Action>> for Decision {
    fn from(actions: Vec<Action>) -> Self {
        Self { actions, retry_after: None }
    }
}
