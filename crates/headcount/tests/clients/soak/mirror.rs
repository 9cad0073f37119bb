//! A reflector, and whether it holds what the server lists.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use futures::future::{BoxFuture, FutureExt as _};
use kube::api::{Api, ListParams};
use kube::runtime::utils::Backoff;
use kube::runtime::{WatchStreamExt as _, reflector, watcher};
use kube::{Resource, ResourceExt as _};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::watch;

use crate::support::PATIENCE;

/// Objects by namespace and name.
type Objects = BTreeMap<(String, String), Value>;

/// A running reflector.
pub(super) struct Mirror {
    what: &'static str,
    expired: Arc<AtomicUsize>,
    held: Box<dyn Fn() -> Objects + Send + Sync>,
    listed: Box<dyn Fn() -> BoxFuture<'static, kube::Result<Objects>> + Send + Sync>,
}

impl Mirror {
    /// Starts a reflector. While `reading` is false it takes nothing from its watch.
    pub(super) fn start<K>(
        what: &'static str,
        api: Api<K>,
        configuration: watcher::Config,
        mut reading: Option<watch::Receiver<bool>>,
    ) -> Self
    where
        K: Resource + Clone + Debug + Serialize + DeserializeOwned + Send + Sync + 'static,
        K::DynamicType: Default + Eq + std::hash::Hash + Clone + Send + Sync + Unpin,
    {
        let parameters = ListParams {
            label_selector: configuration.label_selector.clone(),
            field_selector: configuration.field_selector.clone(),
            ..ListParams::default()
        };
        let (store, writer) = reflector::store();
        let events = watcher(api.clone(), configuration).backoff(Soon);
        let events = events.reflect(writer);
        let expired = Arc::new(AtomicUsize::new(0));
        let count = expired.clone();
        tokio::spawn(async move {
            let mut events = pin!(events);
            loop {
                if let Some(reading) = &mut reading
                    && reading.wait_for(|reading| *reading).await.is_err()
                {
                    break; // the test has failed
                }
                match events.next().await {
                    Some(Err(watcher::Error::WatchError(status))) if status.code == 410 => {
                        count.fetch_add(1, Ordering::Relaxed);
                    }
                    // A server that is away is tried again.
                    Some(Ok(_) | Err(_)) => {}
                    None => break,
                }
            }
        });
        let held = move || objects(store.state().iter().map(|object| &**object));
        let listed = move || {
            let (api, parameters) = (api.clone(), parameters.clone());
            async move { Ok(objects(&api.list(&parameters).await?.items)) }.boxed()
        };
        Self { what, expired, held: Box::new(held), listed: Box::new(listed) }
    }

    /// How often its watch expired (410), so that it had to list again.
    pub(super) fn expired(&self) -> usize {
        self.expired.load(Ordering::Relaxed)
    }

    /// Waits until it holds what the server lists.
    pub(super) async fn must_agree(&self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let (held, listed) = ((self.held)(), (self.listed)().await.expect("a list"));
            if held == listed {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "{}: what the reflector holds is not what the server lists: {:#?}",
                self.what,
                differences(&held, &listed)
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// The objects that are not the same on both sides, a line each.
fn differences(held: &Objects, listed: &Objects) -> Vec<String> {
    let keys: BTreeSet<_> = held.keys().chain(listed.keys()).collect();
    let differing = keys.into_iter().filter(|key| held.get(*key) != listed.get(*key));
    let text = |side: Option<&Value>| side.map_or("nothing".to_owned(), Value::to_string);
    differing
        .map(|key| format!("{key:?}: {} is {}", text(held.get(key)), text(listed.get(key))))
        .collect()
}

fn objects<'a, K: Resource + Serialize + 'a>(objects: impl IntoIterator<Item = &'a K>) -> Objects {
    let object = |object: &K| {
        let key = (object.namespace().unwrap_or_default(), object.name_any());
        (key, serde_json::to_value(object).expect("an object serialises"))
    };
    objects.into_iter().map(object).collect()
}

/// Tries again after a tenth of a second, however often it failed: the server is never away for long.
pub(super) struct Soon;

impl Iterator for Soon {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        Some(Duration::from_millis(100))
    }
}

impl Backoff for Soon {
    fn reset(&mut self) {}
}
