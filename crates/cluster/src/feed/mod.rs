//! The feed of the directory: watch events in, pages out.
//!
//! It stands on the watches alone, so that DNS serves a cluster without running its controllers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use directory::Writer;
use manifest::{KindId, Object, ObjectRef};
use tokio::task::JoinHandle;
use tracing::{debug, warn};

use crate::watches::{Change, Subscription, Watches};
use preview::views::{self, Unusable};

/// What names depend on.
const KINDS: &[KindId] = &[KindId::Namespace, KindId::Service, KindId::EndpointSlice, KindId::Pod];

/// How many changes are published together at most: a long list becomes pages in few steps, a single change
/// at once.
const BATCH: usize = 256;

/// The task that feeds a directory, until dropped.
#[derive(Debug)]
pub struct Feed {
    counters: Arc<Counters>,
    task: JoinHandle<()>,
}

/// What the feed left out, since it started.
#[derive(Debug, Default)]
struct Counters {
    fqdn_slices: AtomicU64,
    unusable_objects: AtomicU64,
}

impl Feed {
    /// Feeds `writer` from these watches once they are started, and marks it as synced when every kind has been
    /// listed. Subscribe the feed first: those who subscribe first are told first.
    pub fn start(watches: &mut Watches, writer: Writer) -> Self {
        let subscription = watches.subscribe(KINDS);
        let counters = Arc::new(Counters::default());
        let task = tokio::spawn(run(subscription, writer, counters.clone()));
        Self { counters, task }
    }

    /// How often a slice of host names (`addressType: FQDN`) was skipped.
    pub fn fqdn_slices(&self) -> u64 {
        self.counters.fqdn_slices.load(Ordering::Relaxed)
    }

    /// How often an object was skipped because of what it holds.
    pub fn unusable_objects(&self) -> u64 {
        self.counters.unusable_objects.load(Ordering::Relaxed)
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn run(mut subscription: Subscription, mut writer: Writer, counters: Arc<Counters>) {
    let mut unsynced: Vec<KindId> = KINDS.to_vec();
    let mut changes = Vec::new();
    let mut under_way = Vec::new();
    while let Some(first) = subscription.next().await {
        let mut next = Some(first);
        while let Some(delivery) = next {
            under_way.push(delivery.busy);
            match delivery.change {
                Change::Applied(object) => changes.extend(applied(&object, &counters)),
                Change::Gone { target, uid: _ } => changes.extend(gone(&target)),
                Change::Listed { kind, revision: _ } => unsynced.retain(|waiting| *waiting != kind),
            }
            next = (under_way.len() < BATCH).then(|| subscription.try_next()).flatten();
        }
        writer.apply_all(changes.drain(..));
        if unsynced.is_empty() && !writer.reader().is_synced() {
            writer.set_synced();
        }
        under_way.clear();
    }
}

/// What an object that exists means to the directory. One that cannot be used is as if it were gone.
fn applied(object: &Object, counters: &Counters) -> Option<directory::Change> {
    views::change(object).unwrap_or_else(|unusable| {
        let ObjectRef { kind, namespace, name } = object.reference();
        match unusable {
            Unusable::Fqdn => {
                counters.fqdn_slices.fetch_add(1, Ordering::Relaxed);
                debug!(kind, namespace, name, "skipped a slice of host names");
            }
            Unusable::NoService => debug!(kind, namespace, name, "skipped a slice of no Service"),
            Unusable::BadField { .. } => {
                counters.unusable_objects.fetch_add(1, Ordering::Relaxed);
                warn!(kind, namespace, name, error = %unusable, "skipped an object");
            }
        }
        gone(&object.reference())
    })
}

fn gone(target: &ObjectRef) -> Option<directory::Change> {
    let ObjectRef { kind, namespace, name } = target;
    let id = directory::view::ObjectName::new(namespace.as_str(), name.as_str());
    match *kind {
        "Namespace" => Some(directory::Change::NamespaceGone(name.as_str().into())),
        "Service" => Some(directory::Change::ServiceGone(id)),
        "EndpointSlice" => Some(directory::Change::SliceGone(id)),
        "Pod" => Some(directory::Change::PodGone(id)),
        _ => None,
    }
}
