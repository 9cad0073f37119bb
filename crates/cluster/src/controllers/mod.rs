//! The controllers' loops: what [`reconcile`] decides, carried out against the API.
//!
//! One task owns the [`World`]. Changes and the answers to own writes go into it and call for work; each piece of
//! work is decided on the world as it is then, and its requests run on their own, bounded in number. A piece is
//! never decided again while its requests run.
//!
//! A write's answer goes into the world at once. The watch delivers the same later, and the world knows an echo
//! when it sees one. What a watch may never deliver, an object created here and deleted elsewhere while the watch
//! was broken, is found when the kind is listed anew.

mod failure;
mod requests;

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use manifest::{KindId, Object, ObjectRef};
use reconcile::{Context, Decision, Work, World, reconcile};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{debug, error, warn};

use crate::activity::{Activity, Busy};
use crate::kind;
use crate::queue::{Ended, Queue};
use crate::recorder::Recorder;
use crate::watches::{Change, Delivery, Subscription, Watches};
use requests::{Answer, Hands, Stopped, prepare};

/// What controllers know: what the world keeps.
fn kinds() -> Vec<KindId> {
    reconcile::world::kinds().filter_map(kind::named).collect()
}

/// How many pieces of work have requests under way at once.
const IN_FLIGHT: usize = 32;

/// How many changes are taken before work is done, so that neither waits long for the other.
const BATCH: usize = 64;

/// How long requests may take to end at shutdown.
const GRACE: Duration = Duration::from_secs(5);

/// The running controllers; dropped, they stop at once.
#[derive(Debug)]
pub struct Controllers {
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Controllers {
    /// Starts the controllers on these watches; they begin when every kind has been listed. What people should know is
    /// recorded.
    pub fn start(watches: &mut Watches, recorder: Recorder) -> Self {
        let kinds = kinds();
        let subscription = watches.subscribe(&kinds);
        let client = watches.client().clone();
        let activity = watches.activity().clone();
        let (stop, stopped) = oneshot::channel();
        let actor = Actor {
            hands: Hands { recorder, client, activity: activity.clone() },
            activity,
            world: World::new(),
            unsynced: kinds,
            unseen: HashMap::new(),
            queue: Queue::default(),
            in_flight: JoinSet::new(),
        };
        let task = tokio::spawn(actor.run(subscription, stopped));
        Self { stop: Some(stop), task }
    }

    /// Takes up no more work and waits for the requests under way, for five seconds at most.
    pub async fn shutdown(mut self) {
        drop(self.stop.take());
        if timeout(GRACE, &mut self.task).await.is_err() {
            warn!("requests were still under way at the end");
        }
    }
}

impl Drop for Controllers {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A piece of work whose requests have ended.
struct Finished {
    work: Work,
    answers: Vec<Answer>,
    result: Result<(), Stopped>,
    look_again: Option<Duration>,
    busy: Busy,
}

struct Actor {
    hands: Hands,
    activity: Activity,
    world: World,
    unsynced: Vec<KindId>,
    /// Objects written here whose watch has not delivered that or a later version yet.
    unseen: HashMap<ObjectRef, Unseen>,
    queue: Queue<Work>,
    in_flight: JoinSet<Finished>,
}

/// A version of an object that the watch has not delivered.
struct Unseen {
    uid: String,
    revision: u64,
}

impl Actor {
    async fn run(mut self, mut subscription: Subscription, mut stopped: oneshot::Receiver<()>) {
        loop {
            let next_wake = self.queue.next_wake();
            tokio::select! {
                biased;
                _ = &mut stopped => break,
                Some(finished) = self.in_flight.join_next() => {
                    match finished {
                        Ok(finished) => self.finish(finished),
                        // A bug; what it left undone is found again by the next change, or the next start.
                        Err(error) => error!(%error, "a piece of work broke off"),
                    }
                }
                delivery = subscription.next() => {
                    let Some(delivery) = delivery else { break };
                    self.take_in(delivery);
                    for _ in 1..BATCH {
                        let Some(delivery) = subscription.try_next() else { break };
                        self.take_in(delivery);
                    }
                }
                () = sleep_until(next_wake.unwrap_or_else(Instant::now)), if next_wake.is_some() => {
                    let activity = &self.activity;
                    self.queue.wake(Instant::now(), rank, || activity.busy());
                }
            }
            if self.unsynced.is_empty() {
                self.work();
            }
        }
        while self.in_flight.join_next().await.is_some() {}
    }

    fn take_in(&mut self, Delivery { change, busy }: Delivery) {
        let work = match change {
            Change::Applied(object) => {
                if !self.unseen.is_empty() {
                    self.seen(&object);
                }
                self.world.apply(object)
            }
            Change::Gone { target, uid } => {
                if self.unseen.get(&target).is_some_and(|unseen| unseen.uid == uid) {
                    self.unseen.remove(&target);
                }
                self.world.remove(&target, Some(&uid))
            }
            Change::Listed { kind, revision } => {
                let mut work = self.remove_ghosts(kind, revision);
                work.extend(self.world.set_synced(kind::name_of(kind)));
                self.unsynced.retain(|waiting| *waiting != kind);
                work
            }
        };
        self.call_for(work, &busy);
    }

    fn seen(&mut self, object: &Object) {
        let target = object.reference();
        let revision = revision(object).unwrap_or(u64::MAX);
        if self.unseen.get(&target).is_some_and(|unseen| unseen.revision <= revision) {
            self.unseen.remove(&target);
        }
    }

    /// Removes what was written here before the list was made and is not in it.
    fn remove_ghosts(&mut self, kind: KindId, listed: u64) -> Vec<Work> {
        let ghosts: Vec<_> = self
            .unseen
            .extract_if(|target, unseen| {
                target.kind == kind::name_of(kind) && unseen.revision <= listed
            })
            .collect();
        ghosts
            .into_iter()
            .flat_map(|(target, Unseen { uid, .. })| self.world.remove(&target, Some(&uid)))
            .collect()
    }

    fn finish(&mut self, finished: Finished) {
        let Finished { work, answers, result, look_again, busy } = finished;
        for answer in answers {
            let work = match answer {
                Answer::Wrote(object) => {
                    self.expect(&object);
                    self.world.apply(*object)
                }
                Answer::Gone { target, uid } => self.world.remove(&target, Some(&uid)),
            };
            self.call_for(work, &busy);
        }
        let ended = match result {
            Ok(()) => {
                self.world.note_refusal(&work, None);
                Ended::Done(look_again)
            }
            Err(Stopped::Refused(refusal)) => {
                warn!(
                    ?work,
                    kind = refusal.target.kind,
                    name = refusal.target.name,
                    why = refusal.message,
                    "refused"
                );
                self.world.note_refusal(&work, Some(refusal));
                Ended::Failed
            }
            Err(stopped @ Stopped::Moot(_)) => {
                debug!(?work, %stopped, "dropped");
                Ended::Done(look_again)
            }
            Err(stopped @ Stopped::Conflict(_)) => {
                debug!(?work, %stopped, "looking again");
                Ended::Failed
            }
            Err(stopped @ Stopped::Failed(_)) => {
                warn!(?work, %stopped, "trying again");
                Ended::Failed
            }
        };
        let rank = rank(&work);
        self.queue.end(work, rank, ended, Instant::now(), busy);
    }

    /// Notes a version that the watch is to deliver, if it has not yet.
    fn expect(&mut self, object: &Object) {
        let metadata = object.metadata();
        let (Some(revision), Some(uid)) = (revision(object), metadata.uid.clone()) else { return };
        let target = object.reference();
        let held = self.world.metadata(&target).and_then(|held| held.resource_version.as_deref());
        let is_news =
            held.and_then(|held| held.parse::<u64>().ok()).is_none_or(|held| held < revision);
        if is_news {
            self.unseen.insert(target, Unseen { uid, revision });
        }
    }

    fn call_for(&mut self, work: Vec<Work>, busy: &Busy) {
        for work in work {
            let rank = rank(&work);
            self.queue.add(work, rank, busy.clone());
        }
    }

    /// Decides ready work until all hands are full.
    fn work(&mut self) {
        while self.in_flight.len() < IN_FLIGHT {
            let Some((work, busy)) = self.queue.take() else { return };
            let mut random = crate::random;
            let mut context = Context { now: Timestamp::now(), random: &mut random };
            let Decision { actions, retry_after } = reconcile(&self.world, &work, &mut context);
            if actions.is_empty() {
                self.world.note_refusal(&work, None);
                let rank = rank(&work);
                self.queue.end(work, rank, Ended::Done(retry_after), Instant::now(), busy);
                continue;
            }
            let requests = actions
                .into_iter()
                .map(|action| prepare(action, |target| self.world.object(target)))
                .collect();
            let hands = self.hands.clone();
            self.in_flight.spawn(async move {
                let (answers, result) = hands.carry_out(requests).await;
                Finished { work, answers, result, look_again: retry_after, busy }
            });
        }
    }
}

/// What DNS answers from goes first.
fn rank(work: &Work) -> u8 {
    match work {
        Work::EndpointSlices(_) | Work::Mirror(_) => 0,
        Work::StatefulSet(_) | Work::Deployment(_) | Work::ReplicaSet(_) => 1,
        Work::Endpoints(_) => 2,
        Work::Garbage(_) | Work::Namespace(_) => 3,
    }
}

fn revision(object: &Object) -> Option<u64> {
    object.metadata().resource_version.as_deref()?.parse().ok()
}
