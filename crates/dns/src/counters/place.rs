//! Where one thread counts.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use directory::RecordType;

use super::{Durations, End};

/// The types that are counted apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum QueryType {
    A,
    Aaaa,
    Cname,
    Https,
    Mx,
    Ns,
    Ptr,
    Soa,
    Srv,
    Txt,
    Any,
    /// Every other type.
    Other,
    /// The query has no question that can be read.
    Unknown,
}

impl QueryType {
    /// Every one, in order of declaration.
    pub const ALL: [Self; 13] = [
        Self::A,
        Self::Aaaa,
        Self::Cname,
        Self::Https,
        Self::Mx,
        Self::Ns,
        Self::Ptr,
        Self::Soa,
        Self::Srv,
        Self::Txt,
        Self::Any,
        Self::Other,
        Self::Unknown,
    ];

    /// As it is called in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::Aaaa => "AAAA",
            Self::Cname => "CNAME",
            Self::Https => "HTTPS",
            Self::Mx => "MX",
            Self::Ns => "NS",
            Self::Ptr => "PTR",
            Self::Soa => "SOA",
            Self::Srv => "SRV",
            Self::Txt => "TXT",
            Self::Any => "ANY",
            Self::Other => "other",
            Self::Unknown => "unknown",
        }
    }
}

impl From<RecordType> for QueryType {
    fn from(rtype: RecordType) -> Self {
        match rtype.0 {
            1 => Self::A,
            2 => Self::Ns,
            5 => Self::Cname,
            6 => Self::Soa,
            12 => Self::Ptr,
            15 => Self::Mx,
            16 => Self::Txt,
            28 => Self::Aaaa,
            33 => Self::Srv,
            65 => Self::Https,
            255 => Self::Any,
            _ => Self::Other,
        }
    }
}

/// The bounds of durations, in nanoseconds, from 1 µs to 1 s.
pub const DURATION_BOUNDS_NANOS: [u64; 13] = [
    1_000,
    2_000,
    5_000,
    10_000,
    20_000,
    50_000,
    100_000,
    500_000,
    1_000_000,
    5_000_000,
    25_000_000,
    100_000_000,
    1_000_000_000,
];

/// Counters of one thread, or of all connections. Aligned so that no two share a cache line, nor one that is fetched with
/// its neighbour.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct Place {
    queries: [[AtomicU64; End::COUNT]; QueryType::ALL.len()],
    truncated: AtomicU64,
    durations: [AtomicU64; DURATION_BOUNDS_NANOS.len() + 1],
    duration_sum_nanos: AtomicU64,
}

/// Who adds to a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Adders {
    /// One thread alone: nothing needs to be locked.
    One,
    Many,
}

impl Adders {
    fn add(self, to: &AtomicU64, number: u64) {
        match self {
            Self::One => {
                to.store(to.load(Ordering::Relaxed).wrapping_add(number), Ordering::Relaxed)
            }
            Self::Many => drop(to.fetch_add(number, Ordering::Relaxed)),
        }
    }
}

impl Place {
    pub(super) fn count(&self, adders: Adders, rtype: QueryType, end: End) {
        adders.add(&self.queries[rtype as usize][end.index()], 1);
    }

    pub(super) fn count_truncated(&self, adders: Adders) {
        adders.add(&self.truncated, 1);
    }

    pub(super) fn count_duration(&self, adders: Adders, duration: Duration) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let bucket = DURATION_BOUNDS_NANOS.partition_point(|bound| *bound < nanos);
        adders.add(&self.durations[bucket], 1);
        adders.add(&self.duration_sum_nanos, nanos);
    }

    pub(super) fn queries(&self, rtype: QueryType, end: End) -> u64 {
        self.queries[rtype as usize][end.index()].load(Ordering::Relaxed)
    }

    pub(super) fn truncated(&self) -> u64 {
        self.truncated.load(Ordering::Relaxed)
    }

    pub(super) fn add_durations(&self, to: &mut Durations) {
        for (to, from) in to.counts.iter_mut().zip(&self.durations) {
            *to += from.load(Ordering::Relaxed);
        }
        to.sum_nanos += self.duration_sum_nanos.load(Ordering::Relaxed);
    }
}
