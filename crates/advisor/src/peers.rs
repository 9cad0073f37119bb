//! Peer software: how each finds its peers, and what that asks of its Services.
//!
//! From official charts, operators and documentation. What has one source only is [`Known::Perhaps`], and is not told
//! as certain.

/// A fact, and how sure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known<T> {
    /// Told by more than one source.
    Surely(T),
    /// Told by one source: say "probably".
    Perhaps(T),
}

impl<T: Copy> Known<T> {
    /// The fact, sure or not.
    pub fn value(self) -> T {
        match self {
            Self::Surely(value) | Self::Perhaps(value) => value,
        }
    }

    /// The fact, if it is sure.
    pub fn sure(self) -> Option<T> {
        match self {
            Self::Surely(value) => Some(value),
            Self::Perhaps(_) => None,
        }
    }
}

/// `spec.podManagementPolicy` of a StatefulSet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PodManagement {
    /// One after the other, each once the one before is ready.
    OrderedReady,
    /// All at once.
    Parallel,
}

/// A port that the software listens on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Port {
    /// The name that its Service should give it.
    pub name: &'static str,
    /// The number.
    pub number: u16,
    /// Who dials it.
    pub who: Dials,
}

/// Who dials a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dials {
    /// The peers, one another.
    Peers,
    /// The clients.
    Clients,
    /// Both.
    Both,
}

/// What is known of one peer software.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// Its name, as people write it: `etcd`, `Kafka`.
    pub name: &'static str,
    /// Other names that people give it, in lower case.
    pub aliases: &'static [&'static str],
    /// The last parts of its common images, without registry and tag: `etcd`, `cp-kafka`; whole paths where the last part
    /// is ambiguous: `bitnami/kafka`.
    pub images: &'static [&'static str],
    /// Its ports.
    pub ports: &'static [Port],
    /// How peers find one another, a clause that completes "peers find one another by …".
    pub discovery: Known<&'static str>,
    /// Whether its peer Service publishes pods that are not ready.
    pub publish_not_ready: Known<bool>,
    /// Why, a clause that completes "because …".
    pub why: &'static str,
    /// How its StatefulSet makes pods; `None` where an operator makes them or it may be a Deployment.
    pub management: Option<Known<PodManagement>>,
    /// Whether a majority of its peers must agree, so that it cannot start again one by one.
    pub quorum: bool,
    /// Whether it runs on the JVM, which caches names.
    pub jvm: bool,
    /// What its clients should dial.
    pub client: Known<&'static str>,
}

use Dials::{Both, Clients, Peers};
use Known::Surely;

const fn port(name: &'static str, number: u16, who: Dials) -> Port {
    Port { name, number, who }
}

/// All that is known.
pub const PEERS: &[Peer] = &[
    Peer {
        name: "etcd",
        aliases: &[],
        images: &["etcd"],
        ports: &[port("client", 2379, Clients), port("peer", 2380, Peers)],
        discovery: Surely("fixed names, or the SRV records of _etcd-server._tcp"),
        publish_not_ready: Surely(true),
        why: "a member is ready only once it has found the others",
        management: Some(Surely(PodManagement::Parallel)),
        quorum: true,
        jvm: false,
        client: Surely("a ClusterIP Service on port 2379"),
    },
    Peer {
        name: "Kafka",
        aliases: &["kafka kraft", "kraft"],
        images: &["kafka", "cp-kafka", "cp-server"],
        ports: &[
            port("client", 9092, Clients),
            port("controller", 9093, Peers),
            port("interbroker", 9094, Peers),
        ],
        discovery: Surely(
            "the fixed names of the quorum; brokers advertise the names of their pods",
        ),
        publish_not_ready: Surely(true),
        why: "a controller is ready only once the quorum has formed",
        management: Some(Surely(PodManagement::Parallel)),
        quorum: true,
        jvm: true,
        client: Surely("a bootstrap Service, then the advertised names of the pods"),
    },
    Peer {
        name: "Redis Cluster",
        aliases: &["redis-cluster"],
        images: &["redis-cluster"],
        ports: &[port("redis", 6379, Both), port("bus", 16379, Peers)],
        discovery: Known::Perhaps("the names of the pods at first, then gossip by address"),
        publish_not_ready: Surely(true),
        why: "the nodes meet before the cluster serves",
        management: Some(Surely(PodManagement::Parallel)),
        quorum: true,
        jvm: false,
        client: Surely("a ClusterIP Service as the seed"),
    },
];

impl Peer {
    /// The software of this name, as people write it.
    pub fn by_name(name: &str) -> Option<&'static Self> {
        let name = name.trim().to_lowercase();
        PEERS
            .iter()
            .find(|peer| peer.name.to_lowercase() == name || peer.aliases.contains(&name.as_str()))
    }

    /// The software in this image: `quay.io/coreos/etcd:v3.5.0`.
    pub fn by_image(image: &str) -> Option<&'static Self> {
        let path = repository(image);
        let is_of = |known: &&str| {
            path.strip_suffix(*known)
                .is_some_and(|before| before.is_empty() || before.ends_with('/'))
        };
        // The longest wins: `bitnami/redis-cluster` is no `redis`.
        PEERS
            .iter()
            .filter_map(|peer| {
                let length =
                    peer.images.iter().filter(|known| is_of(known)).map(|known| known.len());
                Some((length.max()?, peer))
            })
            .max_by_key(|(length, _)| *length)
            .map(|(_, peer)| peer)
    }
}

/// An image's path, without tag and digest.
fn repository(image: &str) -> &str {
    let image = image.split('@').next().unwrap_or_default();
    match image.rsplit_once(':') {
        // A colon before a slash is a registry's port.
        Some((path, tag)) if !tag.contains('/') => path,
        _ => image,
    }
}
