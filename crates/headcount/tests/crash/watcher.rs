//! A client that follows a kind through all kills, as informers do.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;

use futures::TryStreamExt as _;
use kube::Client;
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams, WatchEvent, WatchParams};
use serde_json::json;

use crate::support::PATIENCE;
use crate::writer::{LABEL, Object};
use crate::{api, listed, revision};

/// What a watcher knows of a kind.
pub(crate) struct Watcher {
    pub(crate) kind: ApiResource,
    /// Our objects, as the events tell.
    pub(crate) objects: BTreeMap<String, Object>,
    /// Where the next watch goes on.
    at: Option<u64>,
    /// The revisions of the events that were seen since the last list.
    seen: BTreeSet<u64>,
    /// The revision of the last list.
    listed_at: u64,
    /// The revisions of writes that were acknowledged while it watched: it must hear of them yet, or list again.
    pub(crate) expected: Vec<u64>,
    /// Whether the last watch went on where the one before it ended.
    pub(crate) resumed: bool,
}

enum Told {
    Event,
    Expired,
}

impl Watcher {
    pub(crate) fn new(kind: ApiResource) -> Self {
        let (objects, seen) = (BTreeMap::new(), BTreeSet::new());
        Self { kind, objects, at: None, seen, listed_at: 0, expected: Vec::new(), resumed: false }
    }

    /// Catches up after a start: goes on where it was, or lists when it is told that this is too old.
    pub(crate) async fn follow(&mut self, client: &Client, round: u64) {
        let sentinel = self.touch(client).await;
        assert!(self.at < Some(sentinel), "round {round}: it was told of what is not there");
        self.resumed = false;
        if let Some(at) = self.at {
            self.resumed = self.watch(client, at, Some(sentinel)).await;
        }
        if !self.resumed {
            let (objects, at) = listed(client, &self.kind).await;
            assert!(at >= sentinel, "round {round}: a list at {at} after a write at {sentinel}");
            self.objects = objects;
            self.at = Some(at);
            self.listed_at = at;
            self.seen.clear();
        }
        for revision in std::mem::take(&mut self.expected) {
            assert!(
                revision <= self.listed_at || self.seen.contains(&revision),
                "round {round}: the {} of {revision} was missed",
                self.kind.kind
            );
        }
    }

    /// Writes an object of the kind, so that there is an event to wait for; its revision.
    async fn touch(&self, client: &Client) -> u64 {
        let mut sentinel = json!({
            "apiVersion": self.kind.api_version, "kind": self.kind.kind,
            "metadata": { "annotations": { "time": format!("{:?}", std::time::Instant::now()) } },
        });
        if self.kind.kind == "Service" {
            sentinel["spec"] = json!({ "ports": [{ "port": 80 }] });
        }
        let parameters = PatchParams::apply("sentinel").force();
        let api = api(client, &self.kind);
        let object = api.patch("sentinel", &parameters, &Patch::Apply(sentinel)).await;
        revision(object.expect("applied").metadata.resource_version.as_deref())
    }

    /// Watches until the server is gone.
    pub(crate) async fn watch_until_it_dies(mut self, client: Client) -> Self {
        if let Some(at) = self.at {
            assert!(self.watch(&client, at, None).await, "it was there a moment ago");
        }
        self
    }

    /// Watches from a revision on, until the event of `until` was seen, or else until the connection breaks. False when
    /// it is told that the revision is too old.
    async fn watch(&mut self, client: &Client, from: u64, until: Option<u64>) -> bool {
        let api = api(client, &self.kind);
        let parameters = WatchParams::default();
        let Ok(events) = api.watch(&parameters, &from.to_string()).await else {
            assert!(until.is_none(), "the server is there, and does not answer");
            return true;
        };
        let mut events = pin!(events);
        while until.is_none_or(|until| self.at < Some(until)) {
            let event = tokio::time::timeout(PATIENCE, events.try_next()).await;
            match event
                .expect("an event, or an end")
                .map(|event| event.map(|event| self.take(event)))
            {
                Ok(Some(Told::Event)) => {}
                Ok(Some(Told::Expired)) => return false,
                Ok(None) | Err(_) => {
                    assert!(until.is_none(), "the watch ended by itself");
                    return true;
                }
            }
        }
        true
    }

    fn take(&mut self, event: WatchEvent<DynamicObject>) -> Told {
        let (object, gone) = match event {
            WatchEvent::Added(object) | WatchEvent::Modified(object) => (object, false),
            WatchEvent::Deleted(object) => (object, true),
            WatchEvent::Error(status) if status.code == 410 => return Told::Expired,
            WatchEvent::Error(status) => panic!("{status:?}"),
            WatchEvent::Bookmark(_) => return Told::Event,
        };
        let at = revision(object.metadata.resource_version.as_deref());
        assert!(self.at < Some(at), "an event of {at} after {:?}", self.at);
        self.at = Some(at);
        self.seen.insert(at);
        let (label, value) = LABEL.split_once('=').expect("a label");
        let ours = object.metadata.labels.as_ref().and_then(|labels| labels.get(label));
        if ours.is_some_and(|of| of == value) {
            let name = object.metadata.name.clone().expect("a name");
            match gone {
                false => self.objects.insert(name, Object::of(&object)),
                true => self.objects.remove(&name),
            };
        }
        Told::Event
    }
}
