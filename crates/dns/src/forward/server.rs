//! Upstream servers, as they are known here: how they fare, and which is asked next.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use super::config::{ForwardConfig, StubZone};
use super::stream::Streams;
use super::upstream::Upstream;

/// How long an upstream whose datagrams can't be trusted is asked over TCP alone.
const STREAMS_FOR: Duration = Duration::from_secs(60);

/// An upstream, and how it fares.
pub(super) struct Server {
    pub(super) upstream: Upstream,
    pub(super) streams: Streams,
    /// Questions that it may be asked at once.
    pub(super) turns: Semaphore,
    /// Health checks that failed in a row.
    failures: AtomicU32,
    failures_max: u32,
    is_checked: AtomicBool,
    streams_until: Mutex<Option<Instant>>,
    asked: AtomicU64,
    failed: AtomicU64,
}

/// What became of the questions put to an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamState {
    /// Which.
    pub upstream: Upstream,
    /// Questions put to it.
    pub asked: u64,
    /// Those that it did not answer, or not in time.
    pub failed: u64,
    /// Whether it is passed over until it answers a health check.
    pub is_down: bool,
}

impl Server {
    pub(super) fn new(upstream: Upstream, config: &ForwardConfig) -> Self {
        let turns = config.concurrent_per_upstream_max.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            upstream,
            streams: Streams::default(),
            turns: Semaphore::new(turns),
            failures: AtomicU32::new(0),
            failures_max: config.failures_max.max(1),
            is_checked: AtomicBool::new(false),
            streams_until: Mutex::new(None),
            asked: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        }
    }

    pub(super) fn is_down(&self) -> bool {
        self.failures.load(Ordering::Relaxed) >= self.failures_max
    }

    pub(super) fn count(&self, is_failure: bool) {
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.failed.fetch_add(u64::from(is_failure), Ordering::Relaxed);
    }

    /// A question or a check was answered.
    pub(super) fn answered(&self) {
        if self.failures.swap(0, Ordering::Relaxed) >= self.failures_max {
            tracing::info!(upstream = %self.upstream, "an upstream DNS server answers again");
        }
    }

    /// A check was not answered.
    pub(super) fn check_failed(&self) {
        // Saturates far above any limit: a check a millisecond would take weeks.
        if self.failures.fetch_add(1, Ordering::Relaxed) + 1 == self.failures_max {
            tracing::warn!(upstream = %self.upstream, "an upstream DNS server does not answer");
        }
    }

    /// Whether the caller is the one to check it, until [`Server::end_check`].
    pub(super) fn begin_check(&self) -> bool {
        !self.is_checked.swap(true, Ordering::AcqRel)
    }

    pub(super) fn end_check(&self) {
        self.is_checked.store(false, Ordering::Release);
    }

    /// Whether its datagrams are not trusted for now.
    pub(super) fn prefers_streams(&self, now: Instant) -> bool {
        self.streams_until().is_some_and(|until| now < until)
    }

    pub(super) fn prefer_streams(&self, now: Instant) {
        let before = self.streams_until().replace(now + STREAMS_FOR);
        if before.is_none() {
            tracing::warn!(
                upstream = %self.upstream,
                "replies came over UDP that only look like this upstream's: asking it over TCP"
            );
        }
    }

    fn streams_until(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.streams_until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> UpstreamState {
        UpstreamState {
            upstream: self.upstream.clone(),
            asked: self.asked.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            is_down: self.is_down(),
        }
    }
}

/// Servers that stand in for each other.
pub(super) type Group = Arc<[Arc<Server>]>;

/// Who is asked for which names.
pub(super) struct Routes {
    servers: Vec<Arc<Server>>,
    /// By zone in wire form and lowercase.
    stubs: HashMap<Box<[u8]>, Group>,
    others: Group,
}

impl Routes {
    /// An upstream that is named several times is one server.
    pub(super) fn new(config: &ForwardConfig) -> Self {
        let mut servers: Vec<Arc<Server>> = Vec::new();
        let mut server = |upstream: &Upstream| {
            let known = servers.iter().find(|server| server.upstream == *upstream).cloned();
            known.unwrap_or_else(|| {
                let server = Arc::new(Server::new(upstream.clone(), config));
                servers.push(server.clone());
                server
            })
        };
        let mut group = |upstreams: &[Upstream]| upstreams.iter().map(&mut server).collect();
        let others = group(&config.upstreams);
        let stubs = config.stub_zones.iter().map(|stub| {
            let StubZone { zone, upstreams } = stub;
            (zone.to_lowercase().wire().into(), group(upstreams))
        });
        let stubs = stubs.collect();
        Self { servers, stubs, others }
    }

    /// Who is asked for a name (wire form, lowercase): the longest stub zone that covers it, or the rest's servers.
    /// `None` where there are no servers.
    pub(super) fn group(&self, name: &[u8]) -> Option<&Group> {
        let mut rest = name;
        let stub = loop {
            if self.stubs.is_empty() {
                break None;
            }
            match (self.stubs.get(rest), rest.first()) {
                (Some(group), _) => break Some(group),
                (None, None | Some(0)) => break None,
                (None, Some(&length)) => rest = rest.get(1 + usize::from(length)..)?,
            }
        };
        Some(stub.unwrap_or(&self.others)).filter(|group| !group.is_empty())
    }

    pub(super) fn states(&self) -> Vec<UpstreamState> {
        self.servers.iter().map(|server| server.state()).collect()
    }
}

/// The order in which servers are tried: from `first` on, around, those that are down after all others.
pub(super) fn order(is_down: &[bool], first: usize) -> Vec<usize> {
    let around = || (0..is_down.len()).map(|at| (first + at) % is_down.len());
    let up = around().filter(|at| !is_down[*at]);
    up.chain(around().filter(|at| is_down[*at])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use directory::Name;

    #[test]
    fn servers_that_are_down_come_last() {
        for (down, first, expected) in [
            (&[][..], 0, &[][..]),
            (&[false], 0, &[0]),
            (&[true], 0, &[0]),
            (&[false, false, false], 1, &[1, 2, 0]),
            (&[false, true, false], 1, &[2, 0, 1]),
            (&[true, true, true], 2, &[2, 0, 1]),
        ] {
            assert_eq!(order(down, first), expected, "{down:?} from {first}");
        }
    }

    #[test]
    fn the_longest_stub_zone_counts() {
        let upstream = |text: &str| text.parse::<Upstream>().expect("an upstream");
        let stub = |zone: &str, upstreams: &[&str]| StubZone {
            zone: Name::parse(zone).expect("a name"),
            upstreams: upstreams.iter().map(|text| upstream(text)).collect(),
        };
        let config = ForwardConfig {
            upstreams: vec![upstream("192.0.2.1")],
            stub_zones: vec![
                stub("Example.com", &["192.0.2.2", "192.0.2.1"]),
                stub("corp.example.com", &["192.0.2.3"]),
                stub("dark.example", &[]),
            ],
            ..ForwardConfig::default()
        };
        let routes = Routes::new(&config);
        let asked = |name: &str| {
            let name = Name::parse(name).expect("a name");
            let group = routes.group(name.wire())?;
            Some(group.iter().map(|server| server.upstream.to_string()).collect::<Vec<_>>())
        };
        for (name, expected) in [
            (".", Some("udp://192.0.2.1:53")),
            ("com", Some("udp://192.0.2.1:53")),
            ("an-example.com", Some("udp://192.0.2.1:53")),
            ("example.com", Some("udp://192.0.2.2:53 udp://192.0.2.1:53")),
            ("a.b.example.com", Some("udp://192.0.2.2:53 udp://192.0.2.1:53")),
            ("corp.example.com", Some("udp://192.0.2.3:53")),
            ("db.corp.example.com", Some("udp://192.0.2.3:53")),
            ("dark.example", None),
            ("a.dark.example", None),
        ] {
            assert_eq!(asked(name).map(|group| group.join(" ")).as_deref(), expected, "{name}");
        }
        assert_eq!(routes.states().len(), 3, "a server named twice is one");
    }
}
