//! The queue of work: each piece at most once, never twice at the same time, later again after failures.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;
use std::time::Duration;

use tokio::time::Instant;

use crate::activity::Busy;
use crate::watches::delay;

/// The delay after a first failure, and the longest.
const FIRST_DELAY: Duration = Duration::from_millis(5);
const LONGEST_DELAY: Duration = Duration::from_secs(30);

/// So many failures in a row are taken to pass, and the work counts as under way while it waits; after more it
/// does not, or a single piece that cannot succeed would keep the whole from being idle.
const PASSING_FAILURES: u32 = 6;

/// Which pieces of work are ready, running or waiting for their time.
#[derive(Debug)]
pub struct Queue<W> {
    places: HashMap<W, Place>,
    /// By rank, then in order of arrival.
    ready: BTreeMap<(u8, u64), W>,
    delayed: BTreeSet<(Instant, u64, W)>,
    failures: HashMap<W, u32>,
    arrivals: u64,
}

#[derive(Debug)]
enum Place {
    Ready { _busy: Busy },
    Running { again: Option<Busy> },
    Delayed { at: Instant, order: u64, busy: Option<Busy> },
}

/// How a run of a piece of work ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// As decided; to be looked at again after a while if a time is given.
    Done(Option<Duration>),
    /// Not as decided: to be looked at again after a delay that grows.
    Failed,
}

impl<W> Default for Queue<W> {
    fn default() -> Self {
        Self {
            places: HashMap::new(),
            ready: BTreeMap::new(),
            delayed: BTreeSet::new(),
            failures: HashMap::new(),
            arrivals: 0,
        }
    }
}

impl<W: Clone + Eq + Hash + Ord> Queue<W> {
    /// Puts a piece in, unless it is ready already. One that runs will run once more; one that waits need not.
    pub fn add(&mut self, work: W, rank: u8, busy: Busy) {
        match self.places.get_mut(&work) {
            Some(Place::Ready { .. }) => {}
            Some(Place::Running { again }) => *again = Some(busy),
            Some(Place::Delayed { at, order, .. }) => {
                let waiting = (*at, *order, work);
                self.delayed.remove(&waiting);
                self.make_ready(waiting.2, rank, busy);
            }
            None => self.make_ready(work, rank, busy),
        }
    }

    /// Takes the next ready piece, which runs from now on. Hold the `Busy` until it has ended.
    pub fn take(&mut self) -> Option<(W, Busy)> {
        let (_, work) = self.ready.pop_first()?;
        let place = self.places.insert(work.clone(), Place::Running { again: None });
        match place {
            Some(Place::Ready { _busy: busy }) => Some((work, busy)),
            _ => unreachable!("what is in the order of the ready is ready"),
        }
    }

    /// A piece that ran has ended.
    pub fn end(&mut self, work: W, rank: u8, ended: Ended, now: Instant, busy: Busy) {
        let again = match self.places.remove(&work) {
            Some(Place::Running { again }) => again,
            _ => None,
        };
        let (after, counts) = match ended {
            Ended::Done(after) => {
                self.failures.remove(&work);
                (after, false)
            }
            Ended::Failed => {
                let failures = self.failures.entry(work.clone()).or_default();
                *failures = failures.saturating_add(1);
                (
                    Some(delay(FIRST_DELAY, LONGEST_DELAY, *failures - 1)),
                    *failures <= PASSING_FAILURES,
                )
            }
        };
        // After a failure even news wait: they are most often the echo of what made it fail.
        match (again, after) {
            (Some(again), None) => self.make_ready(work, rank, again),
            (Some(again), Some(_)) if ended != Ended::Failed => self.make_ready(work, rank, again),
            (again, Some(after)) => {
                let at = now + after;
                self.arrivals += 1;
                let order = self.arrivals;
                let busy = again.or(counts.then_some(busy)).filter(|_| counts);
                self.delayed.insert((at, order, work.clone()));
                self.places.insert(work, Place::Delayed { at, order, busy });
            }
            (None, None) => {}
        }
    }

    /// Makes ready what has waited long enough.
    pub fn wake(&mut self, now: Instant, rank: impl Fn(&W) -> u8, busy: impl Fn() -> Busy) {
        while self.delayed.first().is_some_and(|(at, ..)| *at <= now)
            && let Some((_, _, work)) = self.delayed.pop_first()
        {
            let held = match self.places.remove(&work) {
                Some(Place::Delayed { busy, .. }) => busy,
                _ => None,
            };
            let rank = rank(&work);
            self.make_ready(work, rank, held.unwrap_or_else(&busy));
        }
    }

    /// When the next waiting piece becomes ready.
    pub fn next_wake(&self) -> Option<Instant> {
        self.delayed.first().map(|(at, ..)| *at)
    }

    fn make_ready(&mut self, work: W, rank: u8, busy: Busy) {
        self.arrivals += 1;
        self.ready.insert((rank, self.arrivals), work.clone());
        self.places.insert(work, Place::Ready { _busy: busy });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Activity;

    struct Fixture {
        queue: Queue<&'static str>,
        activity: Activity,
        now: Instant,
    }

    impl Fixture {
        fn new() -> Self {
            Self { queue: Queue::default(), activity: Activity::default(), now: Instant::now() }
        }

        fn add(&mut self, work: &'static str) {
            self.queue.add(work, 0, self.activity.busy());
        }

        fn take(&mut self) -> Option<&'static str> {
            self.queue.take().map(|(work, _busy)| work)
        }

        fn end(&mut self, work: &'static str, ended: Ended) {
            self.queue.end(work, 0, ended, self.now, self.activity.busy());
        }

        fn wake_after(&mut self, wait: Duration) {
            self.now += wait;
            let activity = self.activity.clone();
            self.queue.wake(self.now, |_| 0, || activity.busy());
        }
    }

    #[test]
    fn a_piece_waits_once_and_runs_once_at_a_time() {
        let mut f = Fixture::new();
        for work in ["a", "b", "a"] {
            f.add(work);
        }
        assert_eq!(f.activity.count(), 2);
        assert_eq!([f.take(), f.take(), f.take()], [Some("a"), Some("b"), None]);
        f.add("a");
        f.add("a");
        assert_eq!(f.take(), None, "it runs");
        f.end("a", Ended::Done(None));
        assert_eq!(f.take(), Some("a"), "once more, for what came while it ran");
        f.end("a", Ended::Done(None));
        f.end("b", Ended::Done(None));
        assert_eq!((f.take(), f.activity.count()), (None, 0));
    }

    #[test]
    fn lower_ranks_come_first() {
        let mut f = Fixture::new();
        f.queue.add("late", 1, f.activity.busy());
        f.queue.add("early", 0, f.activity.busy());
        assert_eq!([f.take(), f.take()], [Some("early"), Some("late")]);
    }

    #[test]
    fn failures_wait_longer_and_longer() {
        let mut f = Fixture::new();
        f.add("a");
        for failure in 1..=10 {
            assert_eq!(f.take(), Some("a"));
            f.end("a", Ended::Failed);
            assert_eq!(f.take(), None, "it waits");
            assert_eq!(f.activity.count(), usize::from(failure <= PASSING_FAILURES));
            let most = FIRST_DELAY.saturating_mul(1 << (failure - 1)).min(LONGEST_DELAY);
            f.wake_after(most / 2 - Duration::from_micros(1));
            assert_eq!(f.take(), None, "not before half of {most:?}");
            f.wake_after(most / 2 + Duration::from_micros(2));
        }
        assert_eq!(f.take(), Some("a"));
        f.end("a", Ended::Done(None));
        assert_eq!((f.queue.next_wake(), f.activity.count()), (None, 0));
    }

    #[test]
    fn a_time_to_look_again_is_not_under_way_and_news_come_before_it() {
        let mut f = Fixture::new();
        f.add("a");
        f.take();
        f.end("a", Ended::Done(Some(Duration::from_secs(10))));
        assert_eq!((f.take(), f.activity.count()), (None, 0));
        f.add("a");
        assert_eq!((f.take(), f.queue.next_wake()), (Some("a"), None));
        f.end("a", Ended::Done(Some(Duration::from_secs(10))));
        f.wake_after(Duration::from_secs(10));
        assert_eq!(f.take(), Some("a"));
    }
}
