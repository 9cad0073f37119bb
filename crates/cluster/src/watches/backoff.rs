//! Waiting longer after each failure.

use std::time::Duration;

/// Delays that double from a first to a longest, each shortened at random by up to half, so that those who
/// failed together do not try again together.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    first: Duration,
    longest: Duration,
    failures: u32,
}

impl Backoff {
    pub(crate) fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, failures: 0 }
    }

    /// The delay after one more failure.
    pub(crate) fn failed(&mut self) -> Duration {
        let delay = delay(self.first, self.longest, self.failures);
        self.failures = self.failures.saturating_add(1);
        delay
    }

    /// It worked.
    pub(crate) fn succeeded(&mut self) {
        self.failures = 0;
    }
}

/// The delay after this many earlier failures in a row.
pub(crate) fn delay(first: Duration, longest: Duration, failures: u32) -> Duration {
    let whole = first.saturating_mul(2_u32.saturating_pow(failures.min(20))).min(longest);
    whole - whole.mul_f64(0.5 * random_fraction())
}

/// A random number from 0 to 1.
fn random_fraction() -> f64 {
    f64::from((crate::random() >> 32) as u32) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_longest() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
        let mut check = |most: u64| {
            let delay = backoff.failed().as_millis() as u64;
            assert!(
                most / 2 <= delay && delay <= most,
                "{delay} is not within {} to {most}",
                most / 2
            );
        };
        for most in [100, 200, 400, 800, 1000, 1000] {
            check(most);
        }
        for _ in 0..100 {
            check(1000);
        }
    }
}
