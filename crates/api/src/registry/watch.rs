//! Watches: the changes of a resource as a stream of JSON lines.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::Stream;
use futures::stream;
use http_body::Frame;
use manifest::kind::Kind;
use serde_json::{Value, json};
use tokio::time::{Instant, Sleep, sleep};

use super::Registry;
use crate::body::FRAME_BYTES;
use crate::filter::Filter;
use crate::options::{At, ListOptions};
use crate::render::Encoder;
use crate::status::StatusError;
use crate::store::{Entry, Event, EventKind, Listing, Revision, Store, TooOld, Watch};

/// How often a watcher that asked for bookmarks gets one.
const BOOKMARK_INTERVAL: Duration = Duration::from_secs(60);

/// A watch that names no end of its own ends at some time between this and twice this, as in Kubernetes (its
/// `--min-request-timeout`): clients go on with another one, and what a lost client held is free again.
const LIFETIME: Duration = Duration::from_secs(30 * 60);

/// The annotation of the bookmark that ends the initial events.
const INITIAL_EVENTS_END: &str = "k8s.io/initial-events-end";

/// The lines of a watch.
pub(crate) type WatchStream = Pin<Box<dyn Stream<Item = Result<Frame<Bytes>, Infallible>> + Send>>;

struct Watcher {
    kind: &'static Kind,
    namespace: Option<String>,
    filter: Filter,
    store: Arc<dyn Store>,
    cursor: Box<dyn Watch>,
    encoder: Encoder,
    /// What was there when the watch began, and is still to be told.
    initial: std::vec::IntoIter<(Revision, Bytes)>,
    /// The bookmark that ends the initial events.
    initial_end: Option<Revision>,
    /// Lines to send before anything is awaited, about a frame of them.
    ready: Vec<u8>,
    bookmark: Option<Pin<Box<Sleep>>>,
    deadline: Pin<Box<Sleep>>,
    ended: bool,
}

enum Step {
    Events(Result<Vec<Event>, TooOld>),
    Bookmark,
    Deadline,
}

impl Registry {
    /// Watches a resource. A resourceVersion that is too old, or newer than the store, is told as an ERROR event
    /// with 410, upon which clients list again. (Newer happens to clients that outlived a store that is not kept.)
    pub(crate) fn watch(
        &self,
        kind: &'static Kind,
        namespace: Option<String>,
        options: ListOptions,
        encoder: Encoder,
    ) -> WatchStream {
        let ListOptions { filter, at, bookmarks, send_initial_events, timeout_seconds, .. } =
            options;
        let mut initial = Vec::new();
        let mut initial_end = None;
        let from = match at {
            At::NotOlderThan(from) | At::Exact(from) if !send_initial_events => from,
            At::NotOlderThan(asked) | At::Exact(asked) if asked > self.store.revision() => asked,
            At::Newest | At::Any | At::NotOlderThan(_) | At::Exact(_) => {
                let Listing { revision, entries } =
                    self.store.list(kind.resource(), namespace.as_deref());
                for entry in entries {
                    let Entry { key, revision, json } = &*entry;
                    if filter.matches(key, json) {
                        initial.push((*revision, json.clone()));
                    }
                }
                initial_end = (send_initial_events && bookmarks).then_some(revision);
                revision
            }
        };
        let present = self.store.revision();
        let cursor = if from > present {
            Err(format!("too large resource version: {from} ({present})"))
        } else {
            self.store.watch(kind.resource(), from).map_err(|error| error.to_string())
        };
        let cursor = match cursor {
            Ok(cursor) => cursor,
            Err(message) => {
                let mut ready = Vec::new();
                push_error(&mut ready, &StatusError::expired(message));
                let frame = Ok(Frame::data(Bytes::from(ready)));
                return Box::pin(stream::iter([frame]));
            }
        };
        let timer = |duration| Box::pin(sleep(duration));
        let watcher = Watcher {
            kind,
            namespace,
            filter,
            store: self.store.clone(),
            cursor,
            encoder,
            initial: initial.into_iter(),
            initial_end,
            ready: Vec::new(),
            bookmark: bookmarks.then(|| timer(BOOKMARK_INTERVAL)),
            deadline: timer(match timeout_seconds {
                Some(seconds) => Duration::from_secs(seconds.min(86_400)),
                None => lifetime(),
            }),
            ended: false,
        };
        Box::pin(stream::unfold(watcher, |mut watcher| async move {
            let lines = watcher.next().await?;
            Some((Ok(Frame::data(lines)), watcher))
        }))
    }
}

impl Watcher {
    /// The next lines; none when the watch has ended.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            self.push_initial();
            if !self.ready.is_empty() {
                return Some(std::mem::take(&mut self.ready).into());
            }
            if self.ended {
                return None;
            }
            match self.step().await {
                Step::Events(events) => {
                    if let Err(too_old) = events.and_then(|events| self.push_all(events)) {
                        push_error(&mut self.ready, &StatusError::expired(too_old.to_string()));
                        self.ended = true;
                    }
                }
                Step::Bookmark => {
                    push_bookmark(&mut self.ready, self.kind, self.cursor.revision(), None);
                    if let Some(sleep) = &mut self.bookmark {
                        sleep.as_mut().reset(Instant::now() + BOOKMARK_INTERVAL);
                    }
                }
                Step::Deadline => {
                    // The last word of a watch is how far it came, so that the next one resumes there.
                    if self.bookmark.is_some() {
                        push_bookmark(&mut self.ready, self.kind, self.cursor.revision(), None);
                    }
                    self.ended = true;
                }
            }
        }
    }

    async fn step(&mut self) -> Step {
        let Self { cursor, bookmark, deadline, .. } = self;
        tokio::select! {
            biased;
            () = deadline.as_mut() => Step::Deadline,
            events = cursor.next() => Step::Events(events),
            () = elapsed(bookmark) => Step::Bookmark,
        }
    }

    /// Adds of the initial events what fits a frame.
    fn push_initial(&mut self) {
        while self.ready.len() < FRAME_BYTES
            && let Some((revision, json)) = self.initial.next()
        {
            let encoder = &mut self.encoder;
            line(&mut self.ready, "ADDED", |out| encoder.write(&json, revision, out));
        }
        if self.initial.len() == 0
            && let Some(revision) = self.initial_end.take()
        {
            let annotations = json!({ INITIAL_EVENTS_END: "true" });
            push_bookmark(&mut self.ready, self.kind, revision, Some(annotations));
        }
    }

    /// Adds of these events what fits a frame. The others are not kept for a client that may never take them: the
    /// cursor goes back, and reads them again.
    fn push_all(&mut self, events: Vec<Event>) -> Result<(), TooOld> {
        let last = events.last().map_or(Revision(0), |event| event.entry.revision);
        for event in events {
            let revision = event.entry.revision;
            self.push(event);
            if self.ready.len() >= FRAME_BYTES && revision < last {
                self.cursor = self.store.watch(self.kind.resource(), revision)?;
                break;
            }
        }
        Ok(())
    }

    /// Adds an event as this watcher sees it: what its selectors begin to match is ADDED, what they cease to
    /// match is DELETED.
    fn push(&mut self, event: Event) {
        let Event { kind, entry, previous } = event;
        if self.namespace.as_deref().is_some_and(|namespace| namespace != entry.key.namespace) {
            return;
        }
        let name = if self.filter.is_everything() {
            match kind {
                EventKind::Added => "ADDED",
                EventKind::Modified => "MODIFIED",
                EventKind::Deleted => "DELETED",
            }
        } else {
            let before = previous.is_some_and(|past| self.filter.matches(&entry.key, &past.json()));
            let now = kind != EventKind::Deleted && self.filter.matches(&entry.key, &entry.json);
            match (before, now) {
                (false, false) => return,
                (false, true) => "ADDED",
                (true, true) => "MODIFIED",
                (true, false) => "DELETED",
            }
        };
        let encoder = &mut self.encoder;
        line(&mut self.ready, name, |out| encoder.write(&entry.json, entry.revision, out));
    }
}

/// Watches that began together do not end together.
fn lifetime() -> Duration {
    // Without chance, they do.
    let part = getrandom::u32().map_or(0.5, |part| f64::from(part) / f64::from(u32::MAX));
    LIFETIME.mul_f64(1.0 + part)
}

async fn elapsed(sleep: &mut Option<Pin<Box<Sleep>>>) {
    match sleep {
        Some(sleep) => sleep.as_mut().await,
        None => std::future::pending().await,
    }
}

fn line(out: &mut Vec<u8>, name: &str, object: impl FnOnce(&mut Vec<u8>)) {
    out.extend_from_slice(b"{\"type\":\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\",\"object\":");
    object(out);
    out.extend_from_slice(b"}\n");
}

fn push_value(out: &mut Vec<u8>, name: &str, value: &Value) {
    line(out, name, |out| out.extend_from_slice(value.to_string().as_bytes()));
}

fn push_error(out: &mut Vec<u8>, error: &StatusError) {
    push_value(out, "ERROR", &error.to_value());
}

fn push_bookmark(out: &mut Vec<u8>, kind: &Kind, revision: Revision, annotations: Option<Value>) {
    let mut metadata =
        json!({ "resourceVersion": revision.to_string(), "creationTimestamp": null });
    if let Some(annotations) = annotations {
        metadata["annotations"] = annotations;
    }
    let bookmark =
        json!({ "kind": kind.kind, "apiVersion": kind.api_version(), "metadata": metadata });
    push_value(out, "BOOKMARK", &bookmark);
}
