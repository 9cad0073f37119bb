//! Services of type LoadBalancer are given addresses.

mod pool;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use cluster::{Activity, Busy, Change, Delivery, Notice, Recorder, Subscription, Watches};
use ipnet::IpNet;
use k8s_openapi::api::core::v1::Service;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use manifest::{KindId, Object, ObjectRef};
use serde_json::json;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};
use tracing::{debug, warn};

use crate::world::Key;
use pool::{Decision, Pool};

/// The time until a write that failed is tried again.
const DELAY: Duration = Duration::from_secs(1);

/// The task that gives addresses; dropped, it stops.
#[derive(Debug)]
pub struct Balancer(JoinHandle<()>);

impl Balancer {
    /// Gives addresses of these ranges to the Services of type LoadBalancer of these watches, once they are started. A Service of a
    /// `loadBalancerClass` is left to whoever serves that.
    pub fn start(watches: &mut Watches, ranges: Vec<IpNet>, recorder: Recorder) -> Self {
        let subscription = watches.subscribe(&[KindId::Service]);
        let actor = Actor {
            client: watches.client().clone(),
            activity: watches.activity().clone(),
            recorder,
            pool: Pool::new(ranges),
            services: BTreeMap::new(),
            listed: false,
            waiting: BTreeMap::new(),
            without: BTreeSet::new(),
            retry: None,
        };
        Self(tokio::spawn(actor.run(subscription)))
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.0.abort();
    }
}

struct Actor {
    client: Client,
    activity: Activity,
    recorder: Recorder,
    pool: Pool,
    services: BTreeMap<Key, Arc<Object>>,
    listed: bool,
    /// Services to be looked at. Work that waits after a failure is not under way.
    waiting: BTreeMap<Key, Option<Busy>>,
    /// Those that there was no address for.
    without: BTreeSet<Key>,
    retry: Option<Instant>,
}

impl Actor {
    async fn run(mut self, mut subscription: Subscription) {
        loop {
            let retry = self.retry;
            tokio::select! {
                delivery = subscription.next() => match delivery {
                    Some(delivery) => self.take_in(delivery),
                    None => return,
                },
                () = sleep_until(retry.unwrap_or_else(Instant::now)), if retry.is_some() => self.retry = None,
            }
            // Before all are known, an address that looks free may be another Service's.
            if self.listed && self.retry.is_none() {
                self.work().await;
            }
        }
    }

    fn take_in(&mut self, Delivery { change, busy }: Delivery) {
        match change {
            Change::Applied(object) => {
                let ObjectRef { namespace, name, .. } = object.reference();
                let key = (namespace, name);
                if let Object::Service(service) = &*object
                    && !self.listed
                {
                    self.pool.claim(&key, service);
                }
                self.services.insert(key.clone(), object);
                self.waiting.insert(key, Some(busy));
            }
            Change::Gone { target, uid: _ } => {
                let key = (target.namespace, target.name);
                self.services.remove(&key);
                self.waiting.remove(&key);
                self.without.remove(&key);
                if self.pool.release(&key) {
                    self.look_again(&busy);
                }
            }
            Change::Listed { .. } => self.listed = true,
        }
    }

    /// An address has become free for those that have none.
    fn look_again(&mut self, busy: &Busy) {
        for key in std::mem::take(&mut self.without) {
            self.waiting.entry(key).or_insert_with(|| Some(busy.clone()));
        }
    }

    async fn work(&mut self) {
        while let Some((key, busy)) = self.waiting.pop_first() {
            let Some(object) = self.services.get(&key).cloned() else { continue };
            let Object::Service(service) = &*object else { continue };
            match self.pool.decide(&key, service) {
                Decision::Rest => {}
                Decision::Write(addresses) => {
                    if let Err(error) = self.write(&key, service, &addresses).await {
                        warn!(
                            "the addresses of Service {}/{} are not written yet: {error}",
                            key.0, key.1
                        );
                        self.waiting.insert(key, None);
                        self.retry = Some(Instant::now() + DELAY);
                        return;
                    }
                    if addresses.is_empty()
                        && let Some(busy) = &busy
                    {
                        self.look_again(busy);
                    }
                }
                Decision::None(reason) => {
                    if self.without.insert(key) {
                        self.tell(
                            &object,
                            true,
                            "AllocationFailed",
                            format!("No address for the load balancer: {reason}"),
                        );
                    }
                }
            }
        }
    }

    async fn write(
        &self,
        (namespace, name): &Key,
        service: &Service,
        addresses: &[std::net::IpAddr],
    ) -> kube::Result<()> {
        let ingress: Vec<_> =
            addresses.iter().map(|address| json!({ "ip": address, "ipMode": "VIP" })).collect();
        let patch = Patch::Merge(json!({
            "metadata": { "uid": service.metadata.uid },
            "status": { "loadBalancer": { "ingress": ingress } },
        }));
        let services = Api::<Service>::namespaced(self.client.clone(), namespace);
        match services.patch_status(name, &PatchParams::default(), &patch).await {
            Ok(written) => {
                self.activity.wrote(KindId::Service, written.metadata.resource_version.as_deref());
                if !addresses.is_empty() {
                    let listed: Vec<String> = addresses.iter().map(ToString::to_string).collect();
                    let message = format!("Assigned {}", listed.join(", "));
                    self.tell(&Object::Service(written), false, "IPAllocated", message);
                }
                Ok(())
            }
            // It is gone, or another of its name: the watch tells.
            Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => {
                debug!(namespace, name, "a Service is gone before its address is written");
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    fn tell(&self, service: &Object, warning: bool, reason: &'static str, message: String) {
        self.recorder.record(Notice {
            regarding: service.reference(),
            uid: service.metadata().uid.clone().unwrap_or_default(),
            field: None,
            warning,
            reason,
            message,
            component: "service-controller",
            host: None,
        });
    }
}
