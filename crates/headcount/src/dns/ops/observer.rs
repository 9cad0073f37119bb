//! What the feed tells: names of namespaces, and how long changes take.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use advisor::lint::is_top_level_domain;
use cluster::{Observer, ServiceKind};

/// Upper bounds of the time from a change's cause to its answer, in seconds: 1 ms to 17 minutes, as Kubernetes' own histogram
/// of programming latency has them.
pub(super) const LATENCY_BOUNDS: [f64; 20] = {
    let mut bounds = [0.001; 20];
    let mut at = 1;
    while at < bounds.len() {
        bounds[at] = bounds[at - 1] * 2.0;
        at += 1;
    }
    bounds
};

/// How many names are remembered as told of.
const TOLD_MAX: usize = 1000;

/// What the feed told.
#[derive(Debug, Default)]
pub(in crate::dns) struct Watcher {
    cluster_ip: Latencies,
    headless: Latencies,
    told: Mutex<HashSet<String>>,
}

#[derive(Debug, Default)]
struct Latencies {
    counts: [AtomicU64; LATENCY_BOUNDS.len() + 1],
    sum_nanos: AtomicU64,
}

impl Latencies {
    fn add(&self, latency: Duration) {
        let seconds = latency.as_secs_f64();
        let bucket = LATENCY_BOUNDS.partition_point(|bound| *bound < seconds);
        self.counts[bucket].fetch_add(1, Ordering::Relaxed);
        let nanos = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        self.sum_nanos.fetch_add(nanos, Ordering::Relaxed);
    }
}

impl Watcher {
    /// The counts between [`LATENCY_BOUNDS`], and the sum in seconds.
    pub(super) fn latencies(&self, kind: ServiceKind) -> (Vec<u64>, f64) {
        let Latencies { counts, sum_nanos } = self.of(kind);
        let counts = counts.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        (counts, Duration::from_nanos(sum_nanos.load(Ordering::Relaxed)).as_secs_f64())
    }

    fn of(&self, kind: ServiceKind) -> &Latencies {
        match kind {
            ServiceKind::ClusterIp => &self.cluster_ip,
            ServiceKind::Headless => &self.headless,
        }
    }
}

impl Observer for Watcher {
    fn namespace(&self, name: &str) {
        if !is_top_level_domain(name) {
            return;
        }
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() < TOLD_MAX && told.insert(name.to_owned()) {
            tracing::warn!(
                "the namespace {name} takes over names of the internet that end in .{name}, in all pods: one that asks for \
                 SERVICE.{name} gets the Service there (headcount explain HC037)"
            );
        }
    }

    fn programmed(&self, service: ServiceKind, latency: Duration) {
        self.of(service).add(latency);
    }
}
