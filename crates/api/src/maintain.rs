//! What the server does by itself from time to time: Events are kept for an hour after they were last seen, and the
//! system's own objects are made again when somebody deleted them, both as in Kubernetes. History that has become too
//! old is dropped.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use manifest::kind::{Kind, KindId};
use serde_json::Value;
use tokio::time::MissedTickBehavior;

use crate::object;
use crate::options::DeleteOptions;
use crate::registry::Subject;
use crate::service::ApiServer;

/// How long an Event is kept.
const KEPT: SignedDuration = SignedDuration::from_hours(1);

/// How often the system's objects are looked after.
const INTERVAL: Duration = Duration::from_secs(10);

/// After how many intervals Events are looked through.
const INTERVALS_PER_SWEEP: u64 = 6;

/// How many Events one sweep deletes at most, so that it never holds others up for long.
const SWEEP_MAX: usize = 1000;

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
            if tick % INTERVALS_PER_SWEEP == 0 {
                self.expire_events().await;
            }
        }
    }

    /// Deletes Events that are older than an hour, at most 1,000 of them; returns how many.
    pub async fn expire_events(&self) -> usize {
        let registry = self.registry();
        let kind = Kind::of(KindId::Event);
        let Ok(oldest) = (registry.config.clock)().checked_sub(KEPT) else { return 0 };
        let mut expired = 0;
        for entry in registry.store.list(kind.resource(), None).entries {
            if expired == SWEEP_MAX {
                break;
            }
            let event = object::stored(&entry.json);
            if last_seen(&event).is_none_or(|seen| seen >= oldest) {
                continue;
            }
            let options = DeleteOptions {
                resource_version: Some(entry.revision.to_string()),
                ..DeleteOptions::default()
            };
            let subject = Subject { kind, namespace: &entry.key.namespace, name: &entry.key.name };
            // An Event that was seen again in the meantime stays.
            if registry.delete(subject, &options).await.is_ok() {
                expired += 1;
            }
        }
        expired
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
