//! What the server does by itself from time to time: Events are kept for an hour after they were last seen, and the
//! system's own objects are made again when somebody deleted them, both as in Kubernetes. Of Events there are no more
//! than ten thousand for long: a rolling restart of many pods leaves some for each of them, and they are kept in memory.
//! History that has become too old is dropped.

use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use manifest::kind::{Kind, KindId};
use serde_json::Value;
use tokio::time::MissedTickBehavior;

use crate::object;
use crate::options::DeleteOptions;
use crate::registry::Subject;
use crate::service::ApiServer;
use crate::store::Entry;

/// How long an Event is kept.
const KEPT: SignedDuration = SignedDuration::from_hours(1);

/// How often the system's objects are looked after.
const INTERVAL: Duration = Duration::from_secs(10);

/// After how many intervals Events are looked through, if they are not too many.
const INTERVALS_PER_SWEEP: u64 = 6;

/// So many Events stay after a sweep, some 10 MB; the oldest go first.
const EVENTS_MAX: usize = 10_000;

/// How many Events one sweep deletes at most because of their age, so that it never holds others up for long.
const SWEEP_MAX: usize = 1000;

/// How many deletions wait for the store together, which it makes durable in one go.
const CONCURRENT: usize = 64;

impl ApiServer {
    /// Keeps up what [`Self::bootstrap`] made, expires Events and history; forever. To be run beside the server.
    pub async fn maintain(self) {
        let mut ticks = tokio::time::interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for tick in 0u64.. {
            ticks.tick().await;
            self.registry().store.tidy();
            if let Err(error) = self.bootstrap().await {
                tracing::warn!(%error, "the system's objects could not be kept up");
            }
            let events = Kind::of(KindId::Event).resource();
            let too_many = || self.registry().store.list(events, None).entries.len() > EVENTS_MAX;
            if tick % INTERVALS_PER_SWEEP == 0 || too_many() {
                self.expire_events().await;
            }
        }
    }

    /// Deletes the oldest Events beyond ten thousand, and Events that are older than an hour, at most 1,000 of those;
    /// returns how many.
    pub async fn expire_events(&self) -> usize {
        self.sweep(EVENTS_MAX).await
    }

    async fn sweep(&self, events_max: usize) -> usize {
        let registry = self.registry();
        let kind = Kind::of(KindId::Event);
        let Ok(oldest) = (registry.config.clock)().checked_sub(KEPT) else { return 0 };
        let entries = registry.store.list(kind.resource(), None).entries;
        let mut events: Vec<(Option<Timestamp>, Arc<Entry>)> = entries
            .into_iter()
            .map(|entry| (last_seen(&object::stored(&entry.json)), entry))
            .collect();
        events.sort_by_key(|(seen, _)| *seen);
        let excess = events.len().saturating_sub(events_max);
        let expired = events.iter().filter(|(seen, _)| seen.is_some_and(|seen| seen < oldest));
        events.truncate(excess.max(expired.count().min(SWEEP_MAX)));
        stream::iter(events)
            .map(async |(_, entry)| {
                let Entry { key, revision, json: _ } = &*entry;
                let options = DeleteOptions {
                    resource_version: Some(revision.to_string()),
                    ..DeleteOptions::default()
                };
                let subject = Subject { kind, namespace: &key.namespace, name: &key.name };
                // An Event that was seen again in the meantime stays.
                usize::from(registry.delete(subject, &options).await.is_ok())
            })
            .buffer_unordered(CONCURRENT)
            .fold(0, async |sum, deleted| sum + deleted)
            .await
    }
}

fn last_seen(event: &Value) -> Option<Timestamp> {
    [
        &event["series"]["lastObservedTime"],
        &event["lastTimestamp"],
        &event["eventTime"],
        &event["metadata"]["creationTimestamp"],
    ]
    .into_iter()
    .filter_map(|time| time.as_str()?.parse().ok())
    .max()
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use serde_json::json;

    use super::*;
    use crate::config::Config;
    use crate::options::WriteOptions;
    use crate::store::Memory;

    /// A server at noon, with Events made at 8 and last seen at these hours.
    async fn server(hours: &[u32]) -> ApiServer {
        let mut config = Config::new(
            vec!["10.96.0.0/12".parse().unwrap()],
            SocketAddr::from(([192, 0, 2, 1], 1)),
        );
        let noon = Arc::new(AtomicBool::new(false));
        let is_noon = noon.clone();
        config.clock = Arc::new(move || {
            let hour = if is_noon.load(Ordering::Relaxed) { 12 } else { 8 };
            format!("2026-01-01T{hour:02}:00:00Z").parse().unwrap()
        });
        let server = ApiServer::new(Arc::new(Memory::new()), config).unwrap();
        server.bootstrap().await.unwrap();
        for hour in hours {
            let event = json!({
                "metadata": { "name": format!("at-{hour}") },
                "involvedObject": { "namespace": "default" },
                "lastTimestamp": format!("2026-01-01T{hour:02}:00:00Z"),
            });
            let (kind, options) = (Kind::of(KindId::Event), WriteOptions::default());
            server.registry().create(kind, Some("default"), event, options).await.unwrap();
        }
        noon.store(true, Ordering::Relaxed);
        server
    }

    #[tokio::test]
    async fn old_events_go_and_the_oldest_of_too_many() {
        let check = async |hours: &[u32], events_max: usize, left: &[&str]| {
            let server = server(hours).await;
            let deleted = server.sweep(events_max).await;
            let entries =
                server.registry().store.list(Kind::of(KindId::Event).resource(), None).entries;
            let names: Vec<&str> = entries.iter().map(|entry| entry.key.name.as_str()).collect();
            assert_eq!((names.as_slice(), deleted), (left, hours.len() - left.len()), "{hours:?}");
        };
        check(&[], 10, &[]).await;
        check(&[9, 12, 11, 10], 10, &["at-11", "at-12"]).await;
        check(&[14, 12, 13], 2, &["at-13", "at-14"]).await;
        check(&[14, 9, 13], 1, &["at-14"]).await;
    }
}
