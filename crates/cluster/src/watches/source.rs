//! The watch of one kind: list, then watch from there, again and again.

use std::io::ErrorKind;
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ListMeta;
use kube::Client;
use kube::api::{ListParams, WatchEvent, WatchParams};
use kube::core::Status;
use manifest::{Kind, KindId, Object, ObjectRef};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};
use tracing::{debug, info, warn};

use super::known::{Gone, Known};
use super::trim::trim;
use super::{Backoff, Change, Delivery, Heard};
use crate::activity::{Activity, Busy};
use crate::kind::{self, Outline};

/// Objects per page of a list: what is held of a list at once is bounded by this.
const PAGE_SIZE: u32 = 500;

/// How long a page of a list may take.
const PAGE_PATIENCE: Duration = Duration::from_secs(60);

/// After this many seconds the server ends a watch, and we resume it.
const WATCH_SECONDS: u32 = 290;

/// A connection that is silent for longer than the server would keep the watch is dead.
const WATCH_GRACE: Duration = Duration::from_secs(10);

const FIRST_DELAY: Duration = Duration::from_millis(100);
const LONGEST_DELAY: Duration = Duration::from_secs(30);

/// The watch of one kind.
pub(super) struct Source {
    client: Client,
    kind: KindId,
    activity: Activity,
    heard: Heard,
    subscribers: Vec<mpsc::Sender<Delivery>>,
    known: Known,
    backoff: Backoff,
    /// Held until the first list has been told.
    unsynced: Option<Busy>,
    /// Whether the API did not have the kind when last asked.
    absent: bool,
}

/// An object of an event, not decoded yet: a bad one must not end the watch, which would meet it again.
type Raw = Box<RawValue>;

/// A page of a list whose items are decoded one by one, so that a bad one does not hide the rest.
#[derive(Deserialize)]
struct Page {
    metadata: ListMeta,
    #[serde(default = "Vec::new")]
    items: Vec<Raw>,
}

/// Why a watch ended.
enum Ended {
    /// It can be resumed where it was.
    Resume,
    /// Something went wrong; resume after a while.
    Failed,
    /// What happened meanwhile is forgotten: list anew (410 Gone).
    Expired,
}

impl Source {
    pub(super) fn new(client: Client, kind: KindId, activity: Activity, heard: Heard) -> Self {
        let unsynced = Some(activity.busy());
        let backoff = Backoff::new(FIRST_DELAY, LONGEST_DELAY);
        let (subscribers, known) = Default::default();
        let absent = false;
        Self { client, kind, activity, heard, subscribers, known, backoff, unsynced, absent }
    }

    /// Runs until no subscriber is left.
    pub(super) async fn run(mut self, subscribers: Vec<mpsc::Sender<Delivery>>) {
        self.subscribers = subscribers;
        while !self.subscribers.is_empty() {
            let mut version = match self.list().await {
                Ok(version) => version,
                Err(error) if self.is_absence(&error) => {
                    self.tell_absence().await;
                    tokio::time::sleep(self.backoff.failed()).await;
                    continue;
                }
                Err(error) => {
                    warn!(kind = kind::name_of(self.kind), error = told(&error), "could not list");
                    self.heard.mark_failure();
                    tokio::time::sleep(self.backoff.failed()).await;
                    continue;
                }
            };
            while !self.subscribers.is_empty() {
                match self.watch(&mut version).await {
                    Ended::Resume => {}
                    Ended::Failed => {
                        self.heard.mark_failure();
                        tokio::time::sleep(self.backoff.failed()).await;
                    }
                    Ended::Expired => break,
                }
            }
        }
    }

    /// Lists everything, tells what is new and what is gone, and returns the list's version.
    async fn list(&mut self) -> kube::Result<String> {
        self.known.begin_list();
        let mut params = ListParams::default().limit(PAGE_SIZE);
        let version = loop {
            let request = kind::list(self.kind, &params).map_err(kube::Error::BuildRequest)?;
            let page: Page = within(self.client.request(request)).await?;
            for item in page.items {
                match kind::read(self.kind, item.get()) {
                    Ok(object) => self.arrive(object).await,
                    Err(error) => {
                        warn!(kind = kind::name_of(self.kind), %error, "skipped an object that cannot be read")
                    }
                }
            }
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params.continue_token = Some(token),
                None => break page.metadata.resource_version.unwrap_or_default(),
            }
        };
        self.listed(version.parse().unwrap_or(0)).await;
        self.backoff.succeeded();
        if std::mem::take(&mut self.absent) {
            info!("the API has {} now", Kind::of(self.kind).resource());
        }
        Ok(version)
    }

    /// Everything that there is has arrived.
    async fn listed(&mut self, revision: u64) {
        for gone in self.known.end_list() {
            self.tell_gone(gone).await;
        }
        self.tell(Change::Listed { kind: self.kind, revision }).await;
        let uids: std::collections::HashSet<&str> = self.known.uids().collect();
        self.activity.listed(self.kind, |uid| uids.contains(uid));
        self.activity.delivered(self.kind, revision);
        self.heard.mark_list();
        self.unsynced = None;
    }

    /// Whether the API does not have the kind at all.
    fn is_absence(&self, error: &kube::Error) -> bool {
        kind::is_optional(self.kind)
            && matches!(error, kube::Error::Api(status) if status.code == 404)
    }

    /// A kind that the API does not have has no objects. Whoever waits for it need not wait longer.
    async fn tell_absence(&mut self) {
        if std::mem::replace(&mut self.absent, true) {
            return self.heard.mark();
        }
        warn!(
            "the API has no {}: there are none until its CustomResourceDefinition is applied, which is looked for every {} \
             seconds",
            Kind::of(self.kind).resource(),
            LONGEST_DELAY.as_secs(),
        );
        self.known.begin_list();
        self.listed(0).await;
    }

    /// Watches from a version on, which moves along.
    async fn watch(&mut self, version: &mut String) -> Ended {
        let params =
            WatchParams { timeout: Some(WATCH_SECONDS), bookmarks: true, ..WatchParams::default() };
        let request = match kind::watch(self.kind, &params, version) {
            Ok(request) => request,
            Err(error) => return self.failed(&kube::Error::BuildRequest(error)),
        };
        let deadline = Instant::now() + Duration::from_secs(WATCH_SECONDS.into()) + WATCH_GRACE;
        let stream = match timeout_at(deadline, self.client.request_events::<Raw>(request)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return self.failed(&error),
            Err(_) => return Ended::Failed,
        };
        tokio::pin!(stream);
        loop {
            let event = match timeout_at(deadline, stream.next()).await {
                Ok(Some(Ok(event))) => event,
                Ok(Some(Err(error))) => return self.failed(&error),
                Ok(None) | Err(_) => {
                    debug!(kind = kind::name_of(self.kind), "watch ended, resuming");
                    // A server that ends watches at once must not be asked in a tight loop.
                    let brief = deadline.saturating_duration_since(Instant::now())
                        > Duration::from_secs(200);
                    return if brief { Ended::Failed } else { Ended::Resume };
                }
            };
            self.backoff.succeeded();
            if !matches!(event, WatchEvent::Error(_)) {
                self.heard.mark();
            }
            match event {
                WatchEvent::Added(raw) | WatchEvent::Modified(raw) => {
                    let read = kind::read(self.kind, raw.get());
                    let Some(object) = self.usable(read, &raw, version) else { continue };
                    let revision = follow(version, object.metadata().resource_version.as_deref());
                    self.arrive(object).await;
                    self.activity.delivered(self.kind, revision);
                }
                WatchEvent::Deleted(raw) => {
                    let read = serde_json::from_str::<Outline>(raw.get());
                    let Some(Outline { metadata }) = self.usable(read, &raw, version) else {
                        continue;
                    };
                    let revision = follow(version, metadata.resource_version.as_deref());
                    if let Some(gone) = self.known.depart(&metadata) {
                        self.tell_gone(gone).await;
                    }
                    if let Some(uid) = metadata.uid.as_deref() {
                        self.activity.ended(self.kind, uid);
                    }
                    self.activity.delivered(self.kind, revision);
                }
                WatchEvent::Bookmark(bookmark) => {
                    let revision = follow(version, Some(&bookmark.metadata.resource_version));
                    self.activity.delivered(self.kind, revision);
                }
                WatchEvent::Error(status) => return self.refused(&status),
            }
            if self.subscribers.is_empty() {
                return Ended::Resume;
            }
        }
    }

    fn failed(&self, error: &kube::Error) -> Ended {
        match error {
            kube::Error::Api(status) => self.refused(status),
            other => {
                warn!(kind = kind::name_of(self.kind), error = told(other), "watch failed");
                Ended::Failed
            }
        }
    }

    fn refused(&self, status: &Status) -> Ended {
        // Of a kind that is not there any more, too, only a list tells.
        if status.code == 410 || (status.code == 404 && kind::is_optional(self.kind)) {
            debug!(kind = kind::name_of(self.kind), "watch expired, listing anew");
            return Ended::Expired;
        }
        warn!(kind = kind::name_of(self.kind), error = %status.message, "watch refused");
        Ended::Failed
    }

    /// An object of an event. One that cannot be read is skipped, and the watch goes on after it.
    fn usable<T>(&self, read: serde_json::Result<T>, raw: &Raw, version: &mut String) -> Option<T> {
        let error = match read {
            Ok(object) => return Some(object),
            Err(error) => error,
        };
        warn!(kind = kind::name_of(self.kind), %error, "skipped an object that cannot be read");
        if let Ok(outline) = serde_json::from_str::<Outline>(raw.get()) {
            follow(version, outline.metadata.resource_version.as_deref());
        }
        None
    }

    async fn arrive(&mut self, mut object: Object) {
        let arrival = self.known.arrive(object.metadata());
        if let Some(gone) = arrival.replaced {
            self.tell_gone(gone).await;
        }
        if arrival.news {
            trim(&mut object);
            self.tell(Change::Applied(object.into())).await;
        }
    }

    async fn tell_gone(&mut self, gone: Gone) {
        let Gone { namespace, name, uid } = gone;
        let target = ObjectRef { kind: kind::name_of(self.kind), namespace, name };
        self.tell(Change::Gone { target, uid }).await;
    }

    /// Hands a change to every subscriber, waiting for those who are behind.
    async fn tell(&mut self, change: Change) {
        let mut left = false;
        for subscriber in &self.subscribers {
            let delivery = Delivery { change: change.clone(), busy: self.activity.busy() };
            left |= subscriber.send(delivery).await.is_err();
        }
        if left {
            self.subscribers.retain(|subscriber| !subscriber.is_closed());
        }
    }
}

/// A request that is given up when the API says nothing for too long: a connection may be dead without a word.
async fn within<T>(request: impl Future<Output = kube::Result<T>>) -> kube::Result<T> {
    timeout(PAGE_PATIENCE, request).await.unwrap_or_else(|elapsed| {
        Err(kube::Error::Service(Box::new(std::io::Error::new(ErrorKind::TimedOut, elapsed))))
    })
}

/// Moves the version to resume from, and returns it as a number (0 when it is none).
fn follow(version: &mut String, next: Option<&str>) -> u64 {
    let Some(next) = next.filter(|next| !next.is_empty()) else { return 0 };
    version.clear();
    version.push_str(next);
    next.parse().unwrap_or(0)
}

/// What there is to say of an error: the API's own words, or all that led to it.
fn told(error: &kube::Error) -> String {
    if let kube::Error::Api(status) = error
        && !status.message.is_empty()
    {
        return status.message.clone();
    }
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        // Many errors print their cause as part of themselves.
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}
