//! Peer software: how each finds its peers, and what that asks of its Services.
//!
//! From official charts, operators and documentation. What has one source only is [`Known::Perhaps`], and is not told
//! as certain.

mod stores;
mod systems;
#[cfg(test)]
mod tests;

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
    /// Whether it is UDP's, too.
    pub udp: bool,
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

/// What makes the pods of a software.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MadeBy {
    /// A StatefulSet that people write.
    StatefulSet,
    /// A Deployment that people write: its pods have no names of their own.
    Deployment,
    /// Its operator, which makes StatefulSets or pods.
    Operator,
}

/// What each pod must find again after a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeps {
    /// Its name, by which its peers know it, and its data.
    Name,
    /// Its data alone: peers know it by something that is kept there.
    Volume,
    /// Nothing: it joins anew.
    Nothing,
}

/// How clients come to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Every server will do: a load-balancing Service.
    Any,
    /// Any server at first, which then names others: a load-balancing Service, and the names of the pods.
    SeedThenPods,
    /// By the names of the pods alone: what a load-balancing Service picks would often be the wrong one.
    Pods,
    /// The one that leads, to which the software gives a label.
    Leader {
        /// What the Service for clients has behind its name, by custom.
        suffix: &'static str,
        /// The label's key.
        label: &'static str,
        /// Its value.
        value: &'static str,
    },
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
    /// Images, likewise, that also run other things than this: `redis` is a single server, too.
    pub shared_images: &'static [&'static str],
    /// Its ports.
    pub ports: &'static [Port],
    /// How peers find one another, a clause that completes "peers find one another by …".
    pub discovery: Known<&'static str>,
    /// Whether its peer Service publishes pods that are not ready.
    pub publish_not_ready: Known<bool>,
    /// Why, a clause that completes "because …".
    pub why: &'static str,
    /// What makes its pods.
    pub made_by: Known<MadeBy>,
    /// What each of its pods must find again after a restart.
    pub keeps: Keeps,
    /// How its StatefulSet makes pods; `None` where an operator makes them or it may be a Deployment.
    pub management: Option<Known<PodManagement>>,
    /// Whether a majority of its peers must agree, so that it cannot start again one by one.
    pub quorum: bool,
    /// Whether it runs on the JVM, which caches names.
    pub jvm: bool,
    /// How its clients come to a server.
    pub reach: Reach,
    /// What its clients should dial.
    pub client: Known<&'static str>,
}

const fn port(name: &'static str, number: u16, who: Dials) -> Port {
    Port { name, number, who, udp: false }
}

/// A port of TCP and UDP.
const fn port_udp(name: &'static str, number: u16, who: Dials) -> Port {
    Port { name, number, who, udp: true }
}

impl Peer {
    /// The software of this name, as people write it.
    pub fn by_name(name: &str) -> Option<&'static Self> {
        let name = plain(name);
        peers().find(|peer| plain(peer.name) == name || peer.aliases.contains(&name.as_str()))
    }

    /// The software in this image, where the image tells: `quay.io/coreos/etcd:v3.5.0`.
    pub fn by_image(image: &str) -> Option<&'static Self> {
        let path = repository(image);
        peers().find(|peer| peer.images.iter().any(|known| is_of(path, known)))
    }

    /// What this image may be running, where it alone does not tell: `redis:7` is Redis with Sentinel, Redis Cluster, or
    /// neither.
    pub fn perhaps_by_image(image: &str) -> impl Iterator<Item = &'static Self> {
        let path = repository(image);
        peers().filter(|peer| peer.shared_images.iter().any(|known| is_of(path, known)))
    }
}

/// All that is known.
pub fn peers() -> impl Iterator<Item = &'static Peer> {
    stores::PEERS.iter().chain(systems::PEERS)
}

/// A name as aliases are written: in lower case, with single spaces.
fn plain(name: &str) -> String {
    let words = name.split([' ', '-', '_', '(', ')']).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect::<Vec<_>>().join(" ")
}

/// Whether an image's path is that image, in whatever registry.
pub(crate) fn is_of(path: &str, known: &str) -> bool {
    path.strip_suffix(known).is_some_and(|before| before.is_empty() || before.ends_with('/'))
}

/// An image's path, without tag and digest.
pub(crate) fn repository(image: &str) -> &str {
    let image = image.split('@').next().unwrap_or_default();
    match image.rsplit_once(':') {
        // A colon before a slash is a registry's port.
        Some((path, tag)) if !tag.contains('/') => path,
        _ => image,
    }
}
