//! The clock and chance, which decisions take as arguments, and what a decision is.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use manifest::generate;

use crate::Action;

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
    /// A generated name: `base`, cut where too long, and five letters, such that it is not `taken`.
    pub(crate) fn name(&mut self, base: &str, taken: impl Fn(&str) -> bool) -> String {
        let mut generated =
            || format!("{}{}", generate::prefix(base), generate::suffix((self.random)()));
        // Bounded: with 14 million suffixes a collision twice in a row is rare, and the API refuses one that
        // remains.
        let mut name = generated();
        for _ in 0..8 {
            if !taken(&name) {
                break;
            }
            name = generated();
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
