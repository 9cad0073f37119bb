//! One watch per kind and process, shared by all who need it.
//!
//! Each kind is listed once and then watched. Objects are trimmed on arrival and handed, as
//! [`Arc<Object>`](manifest::Object), to every subscriber through bounded channels: a slow subscriber slows the
//! watch down instead of filling memory. Nothing is kept here but which objects were handed on, so that after a
//! relist subscribers are told which are gone. Whoever needs objects later keeps them.

mod backoff;
mod heard;
mod known;
mod source;
mod trim;

use std::collections::BTreeMap;
use std::sync::Arc;

use kube::Client;
use manifest::{KindId, Object, ObjectRef};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::activity::{Activity, Busy};
use backoff::Backoff;
pub(crate) use backoff::delay;
use heard::Heard;
pub use heard::{Hearing, Hearings};
pub(crate) use trim::{is_partial, trim};

/// How many changes wait for one subscriber at most.
const CHANNEL_CAPACITY: usize = 512;

/// What subscribers are told, in the order of each kind's revisions; kinds are independent of each other.
#[derive(Clone, Debug)]
pub enum Change {
    /// The object exists and looks like this.
    Applied(Arc<Object>),
    /// The object of this name with this UID is gone.
    Gone {
        /// Its kind, namespace and name.
        target: ObjectRef,
        /// Its UID.
        uid: String,
    },
    /// Everything of this kind, as it was at this revision, has been told: after the first list, and after
    /// each later one (whose difference to before is what has just been told).
    Listed {
        /// The kind.
        kind: KindId,
        /// The list's `resourceVersion`, 0 when it is not a number.
        revision: u64,
    },
}

/// A change, under way until dropped.
#[derive(Debug)]
pub struct Delivery {
    /// What changed.
    pub change: Change,
    /// Drop it when what follows from the change is done, or hand it on.
    pub busy: Busy,
}

/// The receiving end of some kinds' watches.
#[derive(Debug)]
pub struct Subscription(mpsc::Receiver<Delivery>);

impl Subscription {
    /// The next change; `None` when the watches have ended.
    pub async fn next(&mut self) -> Option<Delivery> {
        self.0.recv().await
    }

    /// The next change if one waits.
    pub fn try_next(&mut self) -> Option<Delivery> {
        self.0.try_recv().ok()
    }
}

/// Watches to be started once all have subscribed.
pub struct Watches {
    client: Client,
    activity: Activity,
    subscribers: BTreeMap<KindId, Vec<mpsc::Sender<Delivery>>>,
}

impl std::fmt::Debug for Watches {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Watches")
            .field("kinds", &self.subscribers.keys())
            .finish_non_exhaustive()
    }
}

impl Watches {
    /// Watches through this client; none runs yet.
    pub fn new(client: Client) -> Self {
        Self { client, activity: Activity::default(), subscribers: BTreeMap::new() }
    }

    /// The client.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// What is under way in these watches and with their subscribers.
    pub fn activity(&self) -> &Activity {
        &self.activity
    }

    /// Subscribes to kinds; those who subscribe first are told first.
    pub fn subscribe(&mut self, kinds: &[KindId]) -> Subscription {
        let (sender, receiver) = mpsc::channel(CHANNEL_CAPACITY);
        for kind in kinds {
            self.subscribers.entry(*kind).or_default().push(sender.clone());
        }
        Subscription(receiver)
    }

    /// Starts a watch for each kind that has a subscriber. They run until the answer is dropped.
    pub fn start(self) -> RunningWatches {
        let Self { client, activity, subscribers } = self;
        let (mut tasks, mut heard) = (JoinSet::new(), Vec::new());
        for (kind, subscribers) in subscribers {
            activity.watch(kind);
            let of_kind = Heard::new(kind);
            heard.push(of_kind.clone());
            let source = source::Source::new(client.clone(), kind, activity.clone(), of_kind);
            tasks.spawn(source.run(subscribers));
        }
        RunningWatches { activity, hearings: Hearings(heard), _tasks: tasks }
    }
}

/// Watches that run until this is dropped.
#[derive(Debug)]
pub struct RunningWatches {
    activity: Activity,
    hearings: Hearings,
    _tasks: JoinSet<()>,
}

impl RunningWatches {
    /// Waits until every kind has been listed and all that follows is done: by the subscribers, by whoever
    /// counts as busy, and in the watches.
    pub async fn idle(&self) {
        self.activity.idle().await;
    }

    /// What is under way.
    pub fn activity(&self) -> &Activity {
        &self.activity
    }
    /// How each kind's watch fares.
    pub fn hearings(&self) -> &Hearings {
        &self.hearings
    }
}
