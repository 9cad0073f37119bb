//! What the writer and the readers share.

use std::hash::{BuildHasher, Hash};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};

use foldhash::fast::RandomState;

use crate::map::{Found, Map};
use crate::ordered::Ordered;
use crate::page::Page;
use crate::view::{ObjectName, PublisherKind};
use crate::zone::{Zone, below};
use crate::{Name, Reader, Writer, ZoneConfig};

/// Makes an empty directory that is not synced yet.
pub fn new(config: ZoneConfig) -> (Writer, Reader) {
    let shared = Arc::new(Directory::new(config));
    (Writer::new(Arc::clone(&shared)), Reader::new(shared))
}

/// The published state. Each entry is replaced as a whole; what depends on two entries (a reverse name on its page)
/// is decided when asked, from the page.
pub(crate) struct Directory {
    pub(crate) config: ZoneConfig,
    /// The cluster's own zone: of its Services.
    pub(crate) cluster: Published,
    /// The zone of ServiceImports, where that is set.
    pub(crate) cluster_set: Option<Published>,
    /// `ns.dns` below the cluster domain.
    pub(crate) name_server: Name,
    /// `hostmaster` below the cluster domain: the SOA records' mailbox.
    pub(crate) hostmaster: Name,
    hasher: RandomState,
    namespaces: Map<Arc<str>, 1>,
    pods: Map<PodsAt, 1>,
    pub(crate) serial: AtomicU32,
    pub(crate) synced: AtomicBool,
    pub(crate) service_count: AtomicUsize,
    pub(crate) import_count: AtomicUsize,
    pub(crate) endpoint_count: AtomicUsize,
}

/// As many pages as a shard has where there are 10,000, as a rule.
const PAGES: usize = 4;

/// A page that was found.
pub(crate) type FoundPage = Found<Arc<Page>, PAGES>;

/// What one zone publishes.
pub(crate) struct Published {
    /// What its pages are of.
    pub(crate) kind: PublisherKind,
    pub(crate) zone: Zone,
    hasher: RandomState,
    /// By namespace and name.
    pages: Map<Arc<Page>, PAGES>,
    /// What may have a PTR record at an address, in order.
    pub(crate) reverse: Ordered<IpAddr, Arc<[Arc<ObjectName>]>>,
}

/// The live pods of an address; several share one when they use their host's network.
#[derive(Clone)]
pub(crate) struct PodsAt {
    pub(crate) address: IpAddr,
    first: Arc<PodGroup>,
    more: Option<Arc<Vec<Arc<PodGroup>>>>,
}

impl PodsAt {
    /// The group of each pod.
    pub(crate) fn groups(&self) -> impl Iterator<Item = &Arc<PodGroup>> {
        std::iter::once(&self.first).chain(self.more.iter().flat_map(|more| more.iter()))
    }
}

/// What DNS knows of a pod besides its addresses; shared by the pods of a StatefulSet.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct PodGroup {
    pub(crate) namespace: Arc<str>,
    pub(crate) subdomain: Option<Arc<str>>,
}

impl Published {
    fn new(kind: PublisherKind, domain: Name, shards: usize) -> Self {
        Self {
            kind,
            zone: Zone::new(domain),
            hasher: RandomState::default(),
            pages: Map::new(shards),
            reverse: Ordered::new(),
        }
    }

    fn hash(&self, key: impl Hash) -> u64 {
        self.hasher.hash_one(key)
    }

    /// The page of a Service; labels in lowercase.
    pub(crate) fn page(&self, namespace: &[u8], service: &[u8]) -> Option<FoundPage> {
        self.pages.get(self.hash((namespace, service)), |page| page.is_of(namespace, service))
    }

    pub(crate) fn page_of(&self, id: &ObjectName) -> Option<FoundPage> {
        self.page(id.namespace.as_bytes(), id.name.as_bytes())
    }

    /// Every page, by namespace and Service.
    pub(crate) fn all_pages(&self) -> Vec<Arc<Page>> {
        let mut pages = self.pages.values();
        pages.sort_unstable_by(|a, b| a.head.id.cmp(&b.head.id));
        pages
    }

    pub(crate) fn set_page(&self, id: &ObjectName, page: Option<Arc<Page>>) {
        let (namespace, service) = (id.namespace.as_bytes(), id.name.as_bytes());
        let hash = self.hash((namespace, service));
        self.pages.set(hash, |page| page.is_of(namespace, service), page);
    }
}

impl Directory {
    fn new(mut config: ZoneConfig) -> Self {
        config.server_addresses.sort_unstable();
        config.server_addresses.dedup();
        let ZoneConfig { domain, cluster_set_domain, .. } = &config;
        let cluster = Published::new(PublisherKind::Service, domain.clone(), 4096);
        let cluster_set = cluster_set_domain
            .clone()
            .map(|domain| Published::new(PublisherKind::ServiceImport, domain, 256));
        let (name_server, hostmaster) =
            (below(domain, &[b"ns", b"dns"]), below(domain, &[b"hostmaster"]));
        Self {
            serial: AtomicU32::new(config.first_serial),
            cluster,
            cluster_set,
            name_server,
            hostmaster,
            hasher: RandomState::default(),
            namespaces: Map::new(256),
            pods: Map::new(16384),
            synced: AtomicBool::new(false),
            service_count: AtomicUsize::new(0),
            import_count: AtomicUsize::new(0),
            endpoint_count: AtomicUsize::new(0),
            config,
        }
    }

    /// Where the names of such objects are, if anywhere.
    pub(crate) fn published(&self, kind: PublisherKind) -> Option<&Published> {
        match kind {
            PublisherKind::Service => Some(&self.cluster),
            PublisherKind::ServiceImport => self.cluster_set.as_ref(),
        }
    }

    /// The SOA serial.
    pub(crate) fn serial(&self) -> u32 {
        self.serial.load(Ordering::Acquire)
    }

    /// Whether the initial lists are in.
    pub(crate) fn is_synced(&self) -> bool {
        self.synced.load(Ordering::Acquire)
    }

    fn hash(&self, key: impl Hash) -> u64 {
        self.hasher.hash_one(key)
    }

    /// The live pods of every address, by address.
    pub(crate) fn all_pods(&self) -> Vec<PodsAt> {
        let mut pods = self.pods.values();
        pods.sort_unstable_by_key(|at| at.address);
        pods
    }

    /// Whether a namespace exists; in lowercase.
    pub(crate) fn has_namespace(&self, namespace: &[u8]) -> bool {
        self.namespaces.contains(self.hash(namespace), |name| name.as_bytes() == namespace)
    }

    pub(crate) fn set_namespace(&self, namespace: &Arc<str>, exists: bool) {
        let hash = self.hash(namespace.as_bytes());
        self.namespaces.set(hash, |name| name == namespace, exists.then(|| namespace.clone()));
    }

    pub(crate) fn pods_at(&self, address: IpAddr) -> Option<Found<PodsAt, 1>> {
        self.pods.get(self.hash(address), |pods| pods.address == address)
    }

    pub(crate) fn set_pods_at(&self, address: IpAddr, mut pods: Vec<Arc<PodGroup>>) {
        let value = pods.pop().map(|first| {
            let more = (!pods.is_empty()).then(|| Arc::new(pods));
            PodsAt { address, first, more }
        });
        self.pods.set(self.hash(address), |pods| pods.address == address, value);
    }
}
