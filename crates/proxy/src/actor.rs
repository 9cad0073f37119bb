//! The task that keeps the rules as the objects say.

use std::future::Future;
use std::os::fd::OwnedFd;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use cluster::{Busy, Change, Delivery, Subscription, Watches};
use manifest::{KindId, Stored};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};
use tracing::{debug, error, warn};

use crate::config::Config;
use crate::outside::Outside;
use crate::rules::{self, Ruleset, UdpFlows};
use crate::world::World;

const KINDS: [KindId; 6] = [
    KindId::Node,
    KindId::Namespace,
    KindId::Pod,
    KindId::Service,
    KindId::EndpointSlice,
    KindId::Stored(Stored::NetworkPolicy),
];

/// The time from one change of the rules to the next at least. The first is made at once.
const PACE: Duration = Duration::from_millis(50);

/// How many changes of objects are taken in before rules are made of them.
const BATCH: usize = 1024;

/// The time after a failure, doubled with each one more, and the longest.
const FIRST_DELAY: Duration = Duration::from_millis(200);
const LONGEST_DELAY: Duration = Duration::from_secs(30);

/// The network that the rules are for.
pub trait Network: Send + Sync + 'static {
    /// Runs a script of nftables as one transaction, or says why it cannot be.
    fn nft(&self, script: &str) -> impl Future<Output = Result<(), String>> + Send;

    /// A blocking socket of `NETLINK_NETFILTER` in the network, by which flows are forgotten.
    fn netfilter(&self) -> impl Future<Output = Result<OwnedFd, String>> + Send;
}

/// The running proxy; dropped, it changes no rules any more.
#[derive(Debug)]
pub struct Proxy {
    applied: watch::Receiver<u64>,
    outside: Arc<RwLock<Arc<Outside>>>,
    resync: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// Keeps the rules of a network as the objects of these watches say, once they are started.
    pub fn start(watches: &mut Watches, network: impl Network, config: Config) -> Self {
        let subscription = watches.subscribe(&KINDS);
        let (tell, applied) = watch::channel(0);
        let outside = Arc::<RwLock<Arc<Outside>>>::default();
        let resync = Arc::<Notify>::default();
        let actor = Actor {
            network,
            config,
            world: World::default(),
            unsynced: KINDS.to_vec(),
            revision: 0,
            applied: None,
            udp: UdpFlows::new(),
            tell,
            outside: outside.clone(),
            due: None,
            failures: 0,
            busy: None,
        };
        let task = tokio::spawn(actor.run(subscription, resync.clone()));
        Self { applied, outside, resync, task }
    }

    /// The newest `resourceVersion` of which the rules know, 0 before the first are in force; deletions have none, so what follows from them is
    /// awaited by the watches' activity.
    pub fn applied(&self) -> watch::Receiver<u64> {
        self.applied.clone()
    }

    /// What is known now of connections to the outside.
    pub fn outside(&self) -> Arc<Outside> {
        self.outside.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes all rules anew, as when something else has changed them.
    pub fn resync(&self) {
        self.resync.notify_one();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Actor<N> {
    network: N,
    config: Config,
    world: World,
    unsynced: Vec<KindId>,
    revision: u64,
    /// The rules that are in force; `None` when that is not known.
    applied: Option<Ruleset>,
    /// The endpoints that UDP flows may have.
    udp: UdpFlows,
    tell: watch::Sender<u64>,
    outside: Arc<RwLock<Arc<Outside>>>,
    /// When rules are to be made, if they are.
    due: Option<Instant>,
    failures: u32,
    /// Held while rules are to be made.
    busy: Option<Busy>,
}

impl<N: Network> Actor<N> {
    async fn run(mut self, mut subscription: Subscription, resync: Arc<Notify>) {
        let mut earliest = Instant::now();
        loop {
            // Half of what there is would be wrong rules: Services without endpoints, pods without policies.
            let due = self.due.filter(|_| self.unsynced.is_empty());
            tokio::select! {
                biased;
                delivery = subscription.next() => {
                    let Some(delivery) = delivery else { return };
                    self.take_in(delivery, earliest);
                    for _ in 1..BATCH {
                        let Some(delivery) = subscription.try_next() else { break };
                        self.take_in(delivery, earliest);
                    }
                    if self.due.is_none_or(|due| due > Instant::now()) {
                        continue;
                    }
                }
                () = resync.notified() => {
                    self.applied = None;
                    self.due = Some(earliest);
                }
                () = sleep_until(due.unwrap_or(earliest)), if due.is_some() => {}
            }
            let is_due = self.due.is_some_and(|due| due <= Instant::now());
            if is_due && self.unsynced.is_empty() {
                earliest = Instant::now() + PACE;
                self.work().await;
            }
        }
    }

    fn take_in(&mut self, Delivery { change, busy }: Delivery, earliest: Instant) {
        let changed = match change {
            Change::Applied(object) => {
                let version = object.metadata().resource_version.as_deref();
                self.reach(version.and_then(|version| version.parse().ok()).unwrap_or(0));
                self.world.apply(&object).unwrap_or_else(|error| {
                    let target = object.reference();
                    warn!("{} {}/{}: {error}", target.kind, target.namespace, target.name);
                    true
                })
            }
            Change::Gone { target, uid: _ } => self.world.remove(&target),
            Change::Listed { kind, revision } => {
                self.reach(revision);
                self.unsynced.retain(|waiting| *waiting != kind);
                self.applied.is_none() && self.failures == 0
            }
        };
        if changed {
            // A change may mend what failed before: it doesn't wait for the next try of that.
            self.due = Some(self.due.map_or(earliest, |due| due.min(earliest)));
            self.busy = Some(busy);
        } else if self.due.is_none() {
            self.tell.send_replace(self.revision);
        }
    }

    fn reach(&mut self, revision: u64) {
        self.revision = self.revision.max(revision);
    }

    async fn work(&mut self) {
        self.due = None;
        let busy = self.busy.take();
        let rules = Ruleset::of(&self.world, &self.config);
        let change = match &self.applied {
            Some(applied) => rules.change_from(applied),
            None => rules.whole(),
        };
        let outside = Arc::new(Outside::of(&self.world, &self.config));
        *self.outside.write().unwrap_or_else(PoisonError::into_inner) = outside;
        if let Err(error) = self.apply(&change).await {
            error!("the network's rules could not be changed, all are made anew: {error}");
            self.applied = None;
            let delay = FIRST_DELAY.saturating_mul(2_u32.saturating_pow(self.failures.min(16)));
            self.due = Some(Instant::now() + delay.min(LONGEST_DELAY));
            self.failures = self.failures.saturating_add(1);
            return;
        }
        self.failures = 0;
        self.forget_flows(rules.udp()).await;
        self.applied = Some(rules);
        self.tell.send_replace(self.revision);
        drop(busy);
    }

    async fn apply(&self, change: &rules::Change) -> Result<(), String> {
        for script in change.scripts() {
            self.network.nft(script).await?;
        }
        Ok(())
    }

    /// Forgets flows whose endpoints have gone. That this fails must not keep rules from being changed.
    async fn forget_flows(&mut self, now: &UdpFlows) {
        if self.udp == *now {
            return;
        }
        let old = std::mem::replace(&mut self.udp, now.clone());
        match self.network.netfilter().await {
            Ok(socket) => {
                let now = now.clone();
                let forgetting =
                    tokio::task::spawn_blocking(move || crate::flows::forget(&socket, &old, &now));
                match forgetting.await {
                    Ok(Ok(count)) => debug!(count, "forgot flows of UDP whose endpoints have gone"),
                    Ok(Err(error)) => unforgotten(&error),
                    Err(error) => unforgotten(&error),
                }
            }
            Err(error) => unforgotten(&error),
        }
    }
}

fn unforgotten(error: &dyn std::fmt::Display) {
    warn!(
        "UDP clients of endpoints that have gone may go on sending to them, for two minutes after their last datagram: {error}"
    );
}

#[cfg(test)]
mod tests {
    use cluster::Activity;
    use manifest::{Kind, Object};
    use serde_json::json;

    use super::*;

    struct Refusing;

    impl Network for Refusing {
        async fn nft(&self, _: &str) -> Result<(), String> {
            Err("no".to_owned())
        }

        async fn netfilter(&self) -> Result<OwnedFd, String> {
            Err("no".to_owned())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_does_not_wait_for_the_next_try() {
        let pod_ranges = vec!["10.244.0.0/16".parse().unwrap()];
        let mut actor = Actor {
            network: Refusing,
            config: Config { pod_ranges, ..Config::default() },
            world: World::default(),
            unsynced: Vec::new(),
            revision: 0,
            applied: None,
            udp: UdpFlows::new(),
            tell: watch::channel(0).0,
            outside: Arc::default(),
            due: None,
            failures: 16,
            busy: None,
        };
        actor.work().await;
        let earliest = Instant::now() + PACE;
        assert_eq!(actor.due, Some(Instant::now() + LONGEST_DELAY));
        let namespace = json!({ "metadata": { "name": "one" } });
        let kind = Kind::of(KindId::Namespace).id;
        let object = Arc::new(Object::from_value(kind, &namespace).unwrap());
        let busy = Activity::default().busy();
        actor.take_in(Delivery { change: Change::Applied(object), busy }, earliest);
        assert_eq!(actor.due, Some(earliest));
    }
}
