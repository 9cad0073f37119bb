//! The feed of the directory: watch events in, pages out.
//!
//! It stands on the watches alone, so that DNS serves a cluster without running its controllers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use directory::{PodMode, Writer};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use manifest::labels::{HEADLESS, LAST_CHANGE};
use manifest::{KindId, Object, ObjectRef, Stored};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::{debug, warn};

use crate::watches::{Change, Subscription, Watches};
use preview::views::{self, Unusable};

/// What names depend on, pods and imports apart.
const KINDS: [KindId; 3] = [KindId::Namespace, KindId::Service, KindId::EndpointSlice];

/// How many changes are published together at most: a long list becomes pages in few steps, a single change
/// at once.
const BATCH: usize = 256;

/// Who is told of what reaches the directory. It is told on the feed's own task, so it must neither wait nor work long.
pub trait Observer: Send + Sync + 'static {
    /// A namespace was listed, added or changed.
    fn namespace(&self, name: &str) {
        let _ = name;
    }

    /// A changed slice has been published, so long after what its controller says was the cause (its annotation
    /// `endpoints.kubernetes.io/last-change-trigger-time`). Slices of the first lists are not told of.
    fn programmed(&self, service: ServiceKind, latency: Duration) {
        let _ = (service, latency);
    }
}

/// Nobody.
impl Observer for () {}

/// The kinds of Services that endpoints are published for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceKind {
    /// With cluster IPs.
    ClusterIp,
    /// Headless: its controller says so by a label of the slice.
    Headless,
}

/// The task that feeds a directory, until dropped.
#[derive(Debug)]
pub struct Feed {
    skips: Arc<Skips>,
    synced: watch::Receiver<bool>,
    task: JoinHandle<()>,
}

/// What the feed left out, since it started.
#[derive(Debug, Default)]
pub struct Skips {
    fqdn_slices: AtomicU64,
    unusable_objects: AtomicU64,
}

impl Feed {
    /// Feeds `writer` from these watches once they are started, and marks it as synced when every kind has been
    /// listed. Pods are watched only where the zone verifies their names, ServiceImports only where they have a zone.
    /// Subscribe the feed first: those who subscribe first are told first.
    pub fn start(watches: &mut Watches, writer: Writer, observer: Arc<dyn Observer>) -> Self {
        let mut kinds = KINDS.to_vec();
        if writer.reader().config().pods == PodMode::Verified {
            kinds.push(KindId::Pod);
        }
        if writer.reader().config().cluster_set_domain.is_some() {
            kinds.push(KindId::Stored(Stored::ServiceImport));
        }
        let subscription = watches.subscribe(&kinds);
        let skips = Arc::new(Skips::default());
        let (tell_synced, synced) = watch::channel(false);
        let feeding = Feeding {
            writer,
            skips: skips.clone(),
            observer,
            unsynced: kinds,
            synced: tell_synced,
            triggers: Vec::new(),
        };
        Self { skips, synced, task: tokio::spawn(feeding.run(subscription)) }
    }

    /// Waits until every kind has been listed and published.
    pub async fn synced(&self) {
        let mut synced = self.synced.clone();
        if synced.wait_for(|synced| *synced).await.is_err() {
            // The watches have ended before, so it never is.
            std::future::pending().await
        }
    }

    /// What was left out.
    pub fn skips(&self) -> &Arc<Skips> {
        &self.skips
    }
}

impl Skips {
    /// How often a slice of host names (`addressType: FQDN`) was skipped.
    pub fn fqdn_slices(&self) -> u64 {
        self.fqdn_slices.load(Ordering::Relaxed)
    }

    /// How often an object was skipped because of what it holds.
    pub fn unusable_objects(&self) -> u64 {
        self.unusable_objects.load(Ordering::Relaxed)
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Feeding {
    writer: Writer,
    skips: Arc<Skips>,
    observer: Arc<dyn Observer>,
    /// The kinds that have not been listed yet.
    unsynced: Vec<KindId>,
    synced: watch::Sender<bool>,
    /// What caused the changes that are about to be published.
    triggers: Vec<(ServiceKind, Timestamp)>,
}

impl Feeding {
    async fn run(mut self, mut subscription: Subscription) {
        let mut changes = Vec::new();
        let mut under_way = Vec::new();
        while let Some(first) = subscription.next().await {
            let mut next = Some(first);
            while let Some(delivery) = next {
                under_way.push(delivery.busy);
                match delivery.change {
                    Change::Applied(object) => changes.extend(self.applied(&object)),
                    Change::Gone { target, uid: _ } => changes.extend(gone(&target)),
                    Change::Listed { kind, revision: _ } => {
                        self.unsynced.retain(|waiting| *waiting != kind);
                    }
                }
                next = (under_way.len() < BATCH).then(|| subscription.try_next()).flatten();
            }
            self.writer.apply_all(changes.drain(..));
            self.published();
            if self.unsynced.is_empty() && !self.writer.reader().is_synced() {
                self.writer.set_synced();
                self.synced.send_replace(true);
            }
            under_way.clear();
        }
    }

    /// What an object that exists means to the directory. One that cannot be used is as if it were gone.
    fn applied(&mut self, object: &Object) -> Option<directory::Change> {
        match object {
            Object::Namespace(namespace) => {
                self.observer.namespace(namespace.metadata.name.as_deref().unwrap_or_default());
            }
            Object::EndpointSlice(slice) if self.unsynced.is_empty() => {
                self.triggers.extend(trigger(&slice.metadata));
            }
            _ => {}
        }
        views::change(object).unwrap_or_else(|unusable| {
            let ObjectRef { kind, namespace, name } = object.reference();
            let Skips { fqdn_slices, unusable_objects } = &*self.skips;
            match unusable {
                Unusable::Fqdn => {
                    fqdn_slices.fetch_add(1, Ordering::Relaxed);
                    debug!(kind, namespace, name, "skipped a slice of host names");
                }
                Unusable::NoService => {
                    debug!(kind, namespace, name, "skipped a slice of no Service");
                }
                Unusable::NoCluster | Unusable::BadField { .. } => {
                    unusable_objects.fetch_add(1, Ordering::Relaxed);
                    warn!(kind, namespace, name, error = %unusable, "skipped an object");
                }
            }
            gone(&object.reference())
        })
    }

    /// Tells how long it took to publish what was changed.
    fn published(&mut self) {
        if self.triggers.is_empty() {
            return;
        }
        let now = Timestamp::now();
        for (kind, trigger) in self.triggers.drain(..) {
            // Clocks of other machines may be ahead.
            let latency = now.duration_since(trigger).try_into().unwrap_or_default();
            self.observer.programmed(kind, latency);
        }
    }
}

/// When what led to a slice as it is happened, as its controller says.
fn trigger(metadata: &ObjectMeta) -> Option<(ServiceKind, Timestamp)> {
    let at = metadata.annotations.as_ref()?.get(LAST_CHANGE)?.parse().ok()?;
    let is_headless = metadata.labels.as_ref().is_some_and(|labels| labels.contains_key(HEADLESS));
    Some((if is_headless { ServiceKind::Headless } else { ServiceKind::ClusterIp }, at))
}

fn gone(target: &ObjectRef) -> Option<directory::Change> {
    let ObjectRef { kind, namespace, name } = target;
    let id = directory::view::ObjectName::new(namespace.as_str(), name.as_str());
    match *kind {
        "Namespace" => Some(directory::Change::NamespaceGone(name.as_str().into())),
        "Service" => Some(directory::Change::ServiceGone(id)),
        "ServiceImport" => Some(directory::Change::ImportGone(id)),
        "EndpointSlice" => Some(directory::Change::SliceGone(id)),
        "Pod" => Some(directory::Change::PodGone(id)),
        _ => None,
    }
}
