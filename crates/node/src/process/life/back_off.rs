//! How long a container that fails again and again waits for its next start.

use std::time::Duration;

use jiff::Timestamp;

use super::after;

/// How long containers wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct BackOffSettings {
    /// After the second end; doubled after each further one.
    pub(in super::super) first: Duration,
    /// At most. A container that ran for twice this long begins anew.
    pub(in super::super) longest: Duration,
}

impl Default for BackOffSettings {
    /// As Kubernetes has it.
    fn default() -> Self {
        Self { first: Duration::from_secs(10), longest: Duration::from_secs(300) }
    }
}

impl BackOffSettings {
    /// After how long something that was missing is looked for again, after so many failures.
    pub(super) fn retry(&self, failures: u32) -> Duration {
        let factor = 1_u32 << failures.min(10);
        (self.first / 10).saturating_mul(factor).min(self.longest / 10)
    }
}

/// Of one container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct BackOff(Option<(Duration, Timestamp)>);

impl BackOff {
    /// How long a container waits that ended at that moment; nothing the first time.
    pub(super) fn delay(self, settings: BackOffSettings, finished: Timestamp) -> Duration {
        self.kept(settings, finished).unwrap_or(Duration::ZERO)
    }

    /// A container that ended at that moment begins again.
    pub(super) fn count(&mut self, settings: BackOffSettings, finished: Timestamp, now: Timestamp) {
        let next = match self.kept(settings, finished) {
            Some(delay) => delay.saturating_mul(2).min(settings.longest),
            None => settings.first,
        };
        self.0 = Some((next, now));
    }

    fn kept(self, settings: BackOffSettings, finished: Timestamp) -> Option<Duration> {
        let (delay, updated) = self.0?;
        (finished <= after(updated, settings.longest.saturating_mul(2))).then_some(delay)
    }
}
