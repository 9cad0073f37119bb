//! A directory of objects, and what is to be said of its names.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use directory::view::ObjectName;
use directory::{Cidr, Name, Reader, ZoneConfig};
use k8s_openapi::api::core::v1::Service;
use manifest::{Object, ObjectRef};

use crate::symbols::Symbols;
use crate::views::{self, Unusable};

/// The Service in front of a cluster's DNS.
const DNS_SERVICE: (&str, &str) = ("kube-system", "kube-dns");

/// The names of some objects, and what each answers.
pub struct Preview {
    pub(crate) reader: Reader,
    pub(crate) services: BTreeMap<ObjectName, Service>,
    pub(crate) symbols: Symbols,
    /// What else is to be said of a Service.
    pub(crate) notes: BTreeMap<ObjectName, Vec<String>>,
    skipped: Vec<(ObjectRef, Unusable)>,
}

impl Preview {
    /// The names of a cluster's objects as they are: its Namespaces, Services, EndpointSlices and Pods.
    pub fn of_cluster<'a>(objects: impl IntoIterator<Item = &'a Object>, domain: Name) -> Self {
        Self::new(objects, domain, Vec::new(), Symbols::default(), BTreeMap::new())
    }

    pub(crate) fn new<'a>(
        objects: impl IntoIterator<Item = &'a Object>,
        domain: Name,
        server_addresses: Vec<IpAddr>,
        symbols: Symbols,
        notes: BTreeMap<ObjectName, Vec<String>>,
    ) -> Self {
        let (mut changes, mut skipped) = (Vec::new(), Vec::new());
        let mut services = BTreeMap::new();
        let mut reverse = BTreeSet::new();
        for object in objects {
            match views::change(object) {
                Ok(change) => {
                    reverse.extend(change.iter().flat_map(addresses).filter_map(surroundings));
                    changes.extend(change);
                }
                Err(unusable) => skipped.push((object.reference(), unusable)),
            }
            if let Object::Service(service) = object {
                services.insert(views::object_name(&service.metadata), service.clone());
            }
        }
        let config = ZoneConfig {
            server_addresses,
            dns_services: vec![ObjectName::new(DNS_SERVICE.0, DNS_SERVICE.1)],
            reverse: reverse
                .into_iter()
                .filter_map(|(first, prefix)| Cidr::new(first, prefix))
                .collect(),
            ..ZoneConfig::new(domain)
        };
        let (mut writer, reader) = directory::new(config);
        writer.apply_all(changes);
        writer.set_synced();
        Self { reader, services, symbols, notes, skipped }
    }

    /// The directory, which answers any question.
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// Whether addresses are shown by what they stand for, since no cluster has allotted any.
    pub fn is_symbolic(&self) -> bool {
        !self.symbols.is_empty()
    }

    /// The objects that publish nothing, and why.
    pub fn skipped(&self) -> &[(ObjectRef, Unusable)] {
        &self.skipped
    }
}

impl std::fmt::Debug for Preview {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let services: Vec<_> = self.services.keys().map(ToString::to_string).collect();
        f.debug_struct("Preview").field("services", &services).finish_non_exhaustive()
    }
}

/// The addresses that an object brings.
fn addresses(change: &directory::Change) -> Vec<IpAddr> {
    match change {
        directory::Change::Service(service) => match &service.shape {
            directory::view::ServiceShape::ClusterIp(addresses) => addresses.clone(),
            directory::view::ServiceShape::Headless
            | directory::view::ServiceShape::ExternalName(_) => Vec::new(),
        },
        directory::Change::Slice(slice) => {
            slice.endpoints.iter().flat_map(|endpoint| endpoint.addresses.clone()).collect()
        }
        directory::Change::Pod(pod) => pod.addresses.clone(),
        // Imports are not among the records of a cluster's own zone.
        directory::Change::Import(_)
        | directory::Change::ImportGone(_)
        | directory::Change::Namespace(_)
        | directory::Change::NamespaceGone(_)
        | directory::Change::ServiceGone(_)
        | directory::Change::SliceGone(_)
        | directory::Change::PodGone(_) => Vec::new(),
    }
}

/// The network around an address that makes a handy zone of reverse names, and takes no more names from others than it
/// must: a /24, or a /16 where addresses are private or for benchmarks; of IPv6 a /64.
fn surroundings(address: IpAddr) -> Option<(IpAddr, u8)> {
    let prefix = match address {
        IpAddr::V4(v4) if v4.is_private() || matches!(v4.octets(), [198, 18 | 19, ..]) => 16,
        IpAddr::V4(_) => 24,
        IpAddr::V6(_) => 64,
    };
    Cidr::new(address, prefix).map(|network| (network.network(), prefix))
}
