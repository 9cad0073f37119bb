//! How many queries came to what end, how long that took, and a sample of them.
//!
//! Threads share nothing: each counts in a place of its own, and who reads adds up. A query costs one increment; what
//! costs more than that (a clock, a copy of the question) is done for one query in [`SAMPLED`], at random.

mod outcome;
mod place;
mod sample;
mod tally;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};

use crate::respond::{Outcome, Transport};

pub use outcome::End;
pub use place::{DURATION_BOUNDS_NANOS, QueryType};
pub use sample::{Sample, SampleName};
pub(crate) use tally::Tally;

use place::Place;

/// One query in so many is sampled, on average.
pub const SAMPLED: u32 = 64;

/// One NXDOMAIN in so many is sampled, on average: what is asked for in vain is what people look for.
pub const SAMPLED_NO_SUCH_NAME: u32 = 8;

/// Which queries are written down by whoever takes the samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum QueryLog {
    /// None.
    #[default]
    Off,
    /// Those that came to an error: SERVFAIL, REFUSED, FORMERR, NOTIMP, BADVERS.
    Errors,
    /// One in so many, at random; at least 1.
    OneIn(u32),
}

/// What became of queries since the server started.
#[derive(Debug, Default)]
pub struct Counters {
    /// One for each thread of UDP.
    udp: Mutex<Vec<Arc<Place>>>,
    /// For queries over UDP that waited for an upstream.
    udp_later: Arc<Place>,
    /// For all connections.
    tcp: Arc<Place>,
    refused_connections: AtomicU64,
    samples: Option<SyncSender<Sample>>,
    lost_samples: AtomicU64,
}

/// Durations by their upper bounds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Durations {
    /// How many took at most as long as the bound in [`DURATION_BOUNDS_NANOS`] at the same place, and longer than the one
    /// before; the last: longer than all.
    pub counts: [u64; DURATION_BOUNDS_NANOS.len() + 1],
    /// All together, in nanoseconds.
    pub sum_nanos: u64,
}

impl Counters {
    /// Counters with a receiver of samples, of which at most so many wait: one more is lost and counted.
    pub fn sampled(waiting_max: usize) -> (Arc<Self>, Receiver<Sample>) {
        let (sender, receiver) = mpsc::sync_channel(waiting_max);
        (Arc::new(Self { samples: Some(sender), ..Self::default() }), receiver)
    }

    /// Queries that came over `transport` and ended as `outcome`, by ourselves.
    pub fn queries(&self, transport: Transport, outcome: Outcome) -> u64 {
        let of = |rtype: &QueryType| self.queries_of(transport, *rtype, End::Own(outcome));
        QueryType::ALL.iter().map(of).sum()
    }

    /// Of these the ones that asked for a type.
    pub fn queries_of(&self, transport: Transport, rtype: QueryType, end: End) -> u64 {
        self.sum(transport, |place| place.queries(rtype, end))
    }

    /// Replies with the TC flag.
    pub fn truncated(&self) -> u64 {
        self.sum(Transport::Udp, Place::truncated)
    }

    /// How long it took from a query's octets to its reply's, of those that were sampled.
    pub fn durations(&self, transport: Transport) -> Durations {
        let mut durations = Durations::default();
        self.each(transport, |place| place.add_durations(&mut durations));
        durations
    }

    /// TCP connections closed at once because their client had too many.
    pub fn refused_connections(&self) -> u64 {
        self.refused_connections.load(Ordering::Relaxed)
    }

    /// Samples that were lost because nobody took them in time.
    pub fn lost_samples(&self) -> u64 {
        self.lost_samples.load(Ordering::Relaxed)
    }

    /// A thread's own way to count queries over UDP.
    pub(crate) fn udp_tally(self: &Arc<Self>) -> Tally {
        let place = Arc::new(Place::default());
        self.udp().push(place.clone());
        Tally::alone(self.clone(), place, Transport::Udp)
    }

    /// A connection's way to count queries over TCP.
    pub(crate) fn tcp_tally(self: &Arc<Self>) -> Tally {
        Tally::shared(self.clone(), self.tcp.clone(), Transport::Tcp)
    }

    /// A way to count one query over either that waited for an upstream.
    pub(crate) fn later_tally(self: &Arc<Self>, transport: Transport) -> Tally {
        let place = match transport {
            Transport::Udp => &self.udp_later,
            Transport::Tcp => &self.tcp,
        };
        Tally::shared(self.clone(), place.clone(), transport)
    }

    pub(crate) fn count_refused_connection(&self) {
        self.refused_connections.fetch_add(1, Ordering::Relaxed);
    }

    fn is_sampled(&self) -> bool {
        self.samples.is_some()
    }

    /// Never waits.
    fn give(&self, sample: Sample) {
        let Some(samples) = &self.samples else { return };
        if samples.try_send(sample).is_err() {
            self.lost_samples.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn udp(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Place>>> {
        // Whole after every statement, whatever thread died.
        self.udp.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn each(&self, transport: Transport, mut with: impl FnMut(&Place)) {
        match transport {
            Transport::Udp => {
                self.udp().iter().for_each(|place| with(place));
                with(&self.udp_later);
            }
            Transport::Tcp => with(&self.tcp),
        }
    }

    fn sum(&self, transport: Transport, of: impl Fn(&Place) -> u64) -> u64 {
        let mut sum = 0;
        self.each(transport, |place| sum += of(place));
        sum
    }
}
