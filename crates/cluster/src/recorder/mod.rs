//! Events for people: what controllers and nodes tell, counted and combined as client-go does, written when there is
//! time for it.
//!
//! Telling must not slow the work. A notice is taken without waiting, and Events are written when nothing else is under
//! way, or a second after the first notice at the latest; what is said again until then is one write. When more waits
//! than [`WAITING`], or comes for long than [`PACE`] lets through, the rest is dropped.

mod correlate;
mod event;
mod recent;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt as _, stream};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::{Patch, PatchParams, PostParams};
use kube::core::Request;
use kube::{Client, Error};
use manifest::{Kind, KindId, ObjectRef};
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::sleep;
use tracing::debug;

use crate::activity::Activity;
use correlate::{Correlator, Observed};

/// So many notices wait at most, and as many Events to be written.
const WAITING: usize = 8192;

/// So long other work goes first.
const PATIENCE: Duration = Duration::from_secs(1);

/// How many Events are written at once.
const CONCURRENT: usize = 16;

/// The time that an Event takes up: no more than 2,000 are written a second for long, which is what the API can clear
/// away again.
const PACE: Duration = Duration::from_micros(500);

/// Something that people should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The object that it is about.
    pub regarding: ObjectRef,
    /// The object's UID.
    pub uid: String,
    /// The part of the object that it is about: `spec.containers{db}`.
    pub field: Option<String>,
    /// Whether it is a Warning.
    pub warning: bool,
    /// Why, in one word: `Scheduled`.
    pub reason: &'static str,
    /// The sentence people read.
    pub message: String,
    /// Who says it: `kubelet`.
    pub component: &'static str,
    /// The node on which that is.
    pub host: Option<Arc<str>>,
}

/// Takes notices without ever waiting; clones record into one place.
#[derive(Clone, Debug)]
pub struct Recorder(mpsc::Sender<(Timestamp, Notice)>);

impl Recorder {
    /// Starts a task that records through this client until the last recorder is dropped. It lets go first what this
    /// activity counts.
    pub fn start(client: Client, activity: Activity) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        tokio::spawn(run(client, activity, receiver));
        Self(sender)
    }

    /// Records a notice, at the present time.
    pub fn record(&self, notice: Notice) {
        if let Err(error) = self.0.try_send((Timestamp::now(), notice)) {
            debug!(%error, "dropped an event");
        }
    }
}

async fn run(client: Client, activity: Activity, mut notices: mpsc::Receiver<(Timestamp, Notice)>) {
    let mut correlator = Correlator::new();
    while let Some(first) = notices.recv().await {
        let mut pending = Pending::default();
        pending.add(&mut correlator, first);
        {
            let mut time = std::pin::pin!(async {
                tokio::select! {
                    () = activity.idle() => {}
                    () = sleep(PATIENCE) => {}
                }
            });
            while pending.0.len() < WAITING {
                tokio::select! {
                    biased;
                    notice = notices.recv() => match notice {
                        Some(notice) => pending.add(&mut correlator, notice),
                        None => break,
                    },
                    () = &mut time => break,
                }
            }
        }
        let count = u32::try_from(pending.0.len()).unwrap_or(u32::MAX);
        pending.write(&client).await;
        sleep(PACE.saturating_mul(count)).await;
    }
}

/// Events to be written, each once.
#[derive(Debug, Default)]
struct Pending(HashMap<u64, Write>);

/// One Event to be written.
#[derive(Debug)]
struct Write {
    notice: Notice,
    observed: Observed,
    new: bool,
}

impl Pending {
    fn add(&mut self, correlator: &mut Correlator, (now, notice): (Timestamp, Notice)) {
        let Some(observed) = correlator.observe(&notice, now) else {
            debug!(?notice, "too many events about this object");
            return;
        };
        let key = observed.key;
        let new = observed.count == 1 || self.0.get(&key).is_some_and(|write| write.new);
        self.0.insert(key, Write { notice, observed, new });
    }

    async fn write(self, client: &Client) {
        let Self(writes) = self;
        // In the order in which it was said.
        let mut writes: Vec<Write> = writes.into_values().collect();
        writes.sort_by_key(|write| write.observed.last);
        stream::iter(writes)
            .for_each_concurrent(CONCURRENT, async |write| {
                // Its namespace is gone, say. There is no one to tell.
                if let Err(error) = write.send(client).await {
                    debug!(%error, "could not record an event");
                }
            })
            .await;
    }
}

impl Write {
    async fn send(&self, client: &Client) -> kube::Result<()> {
        // Events about cluster-scoped objects live in the namespace `default`.
        let namespace = match self.notice.regarding.namespace.as_str() {
            "" => "default",
            namespace => namespace,
        };
        let Observed { name, message, count, last, .. } = &self.observed;
        let requests = Request::new(crate::apply::path(Kind::of(KindId::Event), Some(namespace)));
        if !self.new {
            let patch = json!({ "count": count, "lastTimestamp": Time(*last), "message": message });
            let patch = requests.patch(name, &PatchParams::default(), &Patch::Merge(&patch));
            match client.request_text(patch.map_err(Error::BuildRequest)?).await {
                // Events expire after a while; then it is made again.
                Err(Error::Api(status)) if status.is_not_found() => {}
                answer => return answer.map(drop),
            }
        }
        let event = event::event(&self.notice, &self.observed, namespace);
        let body = serde_json::to_vec(&event).map_err(Error::SerdeError)?;
        let create = requests.create(&PostParams::default(), body);
        client.request_text(create.map_err(Error::BuildRequest)?).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A controller's word about a StatefulSet.
    pub(super) fn notice(name: &str, message: &str) -> Notice {
        Notice {
            regarding: ObjectRef {
                kind: "StatefulSet",
                namespace: "prod".into(),
                name: name.into(),
            },
            uid: "u".into(),
            field: None,
            warning: false,
            reason: "SuccessfulCreate",
            message: message.into(),
            component: "statefulset-controller",
            host: None,
        }
    }

    #[test]
    fn what_is_said_again_before_it_is_written_is_one_write() {
        let mut correlator = Correlator::new();
        let mut pending = Pending::default();
        let mut say = |pending: &mut Pending, message: &str, second: i64| {
            let at = Timestamp::from_second(second).unwrap();
            pending.add(&mut correlator, (at, notice("web", message)));
        };
        say(&mut pending, "a", 1);
        say(&mut pending, "b", 2);
        say(&mut pending, "a", 3);
        let seen = |pending: &Pending| {
            let mut seen: Vec<_> = pending
                .0
                .values()
                .map(|write| (write.observed.message.clone(), write.observed.count, write.new))
                .collect();
            seen.sort();
            seen
        };
        assert_eq!(seen(&pending), [("a".into(), 2, true), ("b".into(), 1, true)]);
        let mut later = Pending::default();
        say(&mut later, "a", 4);
        assert_eq!(seen(&later), [("a".into(), 3, false)]);
    }
}
