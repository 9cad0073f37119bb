//! Services without nftables: each address is listened at, and what comes is carried to an endpoint.
//!
//! It is less than the rules are. Pods see a node's address in place of their client's; traffic policies (`Local`) and source ranges are not
//! heeded; SCTP is not carried; and NetworkPolicies are not enforced, which is said of each of them.

mod choice;
mod tcp;
mod udp;

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use cluster::{Change, Delivery, Notice, Recorder, Subscription, Watches};
use manifest::{IpFamily, KindId, Object, Stored};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};
use tracing::warn;

use crate::config::Config;
use crate::rules::Endpoints;
use crate::world::{Protocol, World};
use choice::Backends;

const KINDS: [KindId; 4] =
    [KindId::Node, KindId::Service, KindId::EndpointSlice, KindId::Stored(Stored::NetworkPolicy)];

/// So many connections of TCP are under way at once.
const CONNECTIONS_MAX: usize = 4096;

/// How many changes of objects are taken in before listeners are made of them.
const BATCH: usize = 1024;

/// Sockets in the cluster's network.
pub trait Sockets: Send + Sync + 'static {
    /// Listens at an address.
    fn listen(&self, at: SocketAddr) -> impl Future<Output = Result<TcpListener, String>> + Send;
    /// Connects to an endpoint, wherever that is.
    fn connect(&self, to: SocketAddr) -> impl Future<Output = Result<TcpStream, String>> + Send;
    /// Has a socket of UDP at an address.
    fn bind(&self, at: SocketAddr) -> impl Future<Output = Result<UdpSocket, String>> + Send;
}

/// The running proxy; dropped, it stops listening.
#[derive(Debug)]
pub struct Userspace(JoinHandle<()>);

impl Userspace {
    /// Serves the Services of these watches, once they are started. That no NetworkPolicy is enforced is told by this recorder, of each.
    pub fn start(
        watches: &mut Watches,
        sockets: impl Sockets,
        config: Config,
        recorder: Recorder,
    ) -> Self {
        let subscription = watches.subscribe(&KINDS);
        let actor = Actor {
            sockets: Arc::new(sockets),
            config,
            recorder,
            world: World::default(),
            unsynced: KINDS.to_vec(),
            fronts: BTreeMap::new(),
            tasks: JoinSet::new(),
            connections: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
            failed: BTreeSet::new(),
            warned: BTreeSet::new(),
        };
        Self(tokio::spawn(actor.run(subscription)))
    }
}

impl Drop for Userspace {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Where a Service is served.
type Front = (SocketAddr, Protocol);

struct Actor<S> {
    sockets: Arc<S>,
    config: Config,
    recorder: Recorder,
    world: World,
    unsynced: Vec<KindId>,
    /// What each front is told, and what ends it.
    fronts: BTreeMap<Front, (watch::Sender<Backends>, tokio::task::AbortHandle)>,
    tasks: JoinSet<()>,
    connections: Arc<Semaphore>,
    /// Where serving failed, which is tried again with each change and told once.
    failed: BTreeSet<Front>,
    /// UIDs of the policies that were told of.
    warned: BTreeSet<String>,
}

impl<S: Sockets> Actor<S> {
    async fn run(mut self, mut subscription: Subscription) {
        while let Some(first) = subscription.next().await {
            let mut busy = vec![self.take_in(first)];
            while busy.len() < BATCH {
                let Some(delivery) = subscription.try_next() else { break };
                busy.push(self.take_in(delivery));
            }
            if self.unsynced.is_empty() {
                self.serve().await;
            }
            // Ended fronts are not kept.
            while self.tasks.try_join_next().is_some() {}
        }
    }

    fn take_in(&mut self, Delivery { change, busy }: Delivery) -> cluster::Busy {
        match change {
            Change::Applied(object) => {
                if let Object::Stored(_) = &*object {
                    self.tell_unenforced(&object);
                } else if let Err(error) = self.world.apply(&object) {
                    warn!("{}/{}: {error}", object.kind(), object.reference().name);
                }
            }
            Change::Gone { target, uid } => {
                self.warned.remove(&uid);
                self.world.remove(&target);
            }
            Change::Listed { kind, revision: _ } => {
                self.unsynced.retain(|waiting| *waiting != kind)
            }
        }
        busy
    }

    /// What is believed to stand between pods and does not is said aloud.
    fn tell_unenforced(&mut self, policy: &Object) {
        let (regarding, uid) =
            (policy.reference(), policy.metadata().uid.clone().unwrap_or_default());
        if self.warned.insert(uid.clone()) {
            let message = "This NetworkPolicy is not enforced: that takes nftables, and the program nft was not found. Install \
                           nftables and start again.";
            warn!("NetworkPolicy {}/{}: {message}", regarding.namespace, regarding.name);
            self.recorder.record(Notice {
                regarding,
                uid,
                field: None,
                warning: true,
                reason: "NotEnforced",
                message: message.to_owned(),
                component: "kube-proxy",
                host: None,
            });
        }
    }

    /// Listens where something is to be served, and nowhere else.
    async fn serve(&mut self) {
        let wanted = wanted(&self.world, &self.config);
        self.fronts.retain(|front, (_, task)| {
            let stays = wanted.contains_key(front);
            if !stays {
                task.abort();
            }
            stays
        });
        self.failed.retain(|front| wanted.contains_key(front));
        for (front, backends) in wanted {
            if let Some((tell, _)) = self.fronts.get(&front) {
                tell.send_if_modified(|told| {
                    let changed = *told != backends;
                    *told = backends;
                    changed
                });
                continue;
            }
            match self.open(front, backends).await {
                Ok(opened) => {
                    self.failed.remove(&front);
                    self.fronts.insert(front, opened);
                }
                Err(error) if self.failed.insert(front) => {
                    let (address, protocol) = (front.0, front.1.word());
                    warn!("no Service is served at {address} ({protocol}): {error}");
                }
                Err(_) => {}
            }
        }
    }

    async fn open(
        &mut self,
        (address, protocol): Front,
        backends: Backends,
    ) -> Result<(watch::Sender<Backends>, tokio::task::AbortHandle), String> {
        let (tell, told) = watch::channel(backends);
        let sockets = self.sockets.clone();
        let task = match protocol {
            Protocol::Tcp => {
                let listener = self.sockets.listen(address).await?;
                let connections = self.connections.clone();
                self.tasks.spawn(tcp::serve(listener, sockets, told, connections))
            }
            Protocol::Udp => {
                let socket = self.sockets.bind(address).await?;
                self.tasks.spawn(udp::serve(socket, sockets, told))
            }
            Protocol::Sctp => return Err("SCTP takes nftables".to_owned()),
        };
        Ok((tell, task))
    }
}

/// What is to be served where. An address without an endpoint is not listened at, so that clients are refused.
fn wanted(world: &World, config: &Config) -> BTreeMap<Front, Backends> {
    let mut wanted = BTreeMap::new();
    for (key, service) in &world.services {
        for port in &service.ports {
            let addresses = service.cluster_ips.iter().copied().chain(service.outer_ips());
            let addresses = addresses.map(|address| SocketAddr::new(address, port.number));
            let nodes = world.nodes.values().flat_map(|node| &node.addresses);
            let node_ports = nodes
                .flat_map(|address| port.node_port.map(|number| SocketAddr::new(*address, number)));
            for address in addresses.chain(node_ports) {
                if port.protocol == Protocol::Tcp && config.served.contains(&address) {
                    continue;
                }
                let family = IpFamily::of(address.ip());
                let endpoints = Endpoints::of(world, key, port, family).eligible();
                let affinity = service.affinity.map(|seconds| Duration::from_secs(seconds.into()));
                if !endpoints.is_empty() {
                    wanted.insert((address, port.protocol), Backends { endpoints, affinity });
                }
            }
        }
    }
    wanted
}

/// A number by chance. Without a source of it, the clock's nanoseconds are spread enough for a choice of endpoints.
fn chance() -> u64 {
    getrandom::u64().unwrap_or_else(|_| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        now.map_or(0, |now| u64::from(now.subsec_nanos()))
    })
}
