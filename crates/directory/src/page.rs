//! Everything that one Service publishes.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, OnceLock};

use crate::label::{self, Label};
use crate::segment::{Row, Segment};
use crate::view::{ObjectName, Protocol, ServicePort, ServiceShape, ServiceView};
use crate::{Name, ZoneConfig};

/// A Service with its slices: an immutable root over immutable segments. A change of one slice makes a new root that
/// shares all other segments.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) head: Arc<Head>,
    segments: Box<[Arc<Segment>]>,
    /// Made when first asked for.
    addresses: OnceLock<Addresses>,
}

/// What the Service itself says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) id: Arc<ObjectName>,
    pub(crate) shape: Shape,
    /// Names in lowercase.
    pub(crate) ports: Box<[ServicePort]>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    ClusterIp(Box<[IpAddr]>),
    Headless,
    ExternalName(Target),
}

/// What `externalName` says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Name(Name),
    /// As written: an IPv4 or IPv6 address.
    Address(Arc<str>),
    /// As written: not a domain name.
    Invalid(Arc<str>),
}

/// The published addresses of all segments, each once, in order.
#[derive(Debug, Default)]
struct Addresses {
    v4: Box<[Ipv4Addr]>,
    v6: Box<[Ipv6Addr]>,
}

/// A published port of an endpoint.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct EndpointPort {
    pub(crate) endpoint: Label,
    pub(crate) port: u16,
}

/// Which ports an SRV question means.
#[derive(Clone, Copy)]
pub(crate) enum Ports<'a> {
    /// All, unnamed ones too.
    All,
    /// The one of this name (lowercase, not empty) and protocol.
    Named(&'a [u8], Protocol),
}

impl Ports<'_> {
    pub(crate) fn include(&self, name: &str, protocol: Protocol) -> bool {
        match *self {
            Self::All => true,
            Self::Named(wanted, of) => name.as_bytes() == wanted && protocol == of,
        }
    }
}

impl Head {
    pub(crate) fn new(view: ServiceView) -> Self {
        let ServiceView { id, shape, mut ports } = view;
        for port in &mut ports {
            port.name.make_ascii_lowercase();
        }
        let shape = match shape {
            ServiceShape::ClusterIp(mut addresses) => {
                addresses.sort_unstable();
                addresses.dedup();
                Shape::ClusterIp(addresses.into())
            }
            ServiceShape::Headless => Shape::Headless,
            ServiceShape::ExternalName(target) => Shape::ExternalName(Target::new(&target)),
        };
        Self { id: Arc::new(id), shape, ports: ports.into() }
    }

    /// Whether the Service's labels can be asked for.
    pub(crate) fn is_publishable(&self) -> bool {
        label::is_publishable(&self.id.namespace) && label::is_publishable(&self.id.name)
    }
}

impl Target {
    fn new(text: &str) -> Self {
        let bare = text.strip_suffix('.').unwrap_or(text);
        if bare.parse::<IpAddr>().is_ok() {
            return Self::Address(text.into());
        }
        match Name::parse(bare) {
            Ok(name) if !bare.is_empty() => Self::Name(name.to_lowercase()),
            _ => Self::Invalid(text.into()),
        }
    }
}

impl Page {
    pub(crate) fn new(head: Arc<Head>, segments: Box<[Arc<Segment>]>) -> Self {
        Self { head, segments, addresses: OnceLock::new() }
    }

    pub(crate) fn segments(&self) -> &[Arc<Segment>] {
        &self.segments
    }

    /// How many endpoints are published, of how many. A dual-stack Service lists its endpoints once for each
    /// family, so the larger family counts.
    pub(crate) fn endpoint_counts(&self) -> (usize, usize) {
        let count = |is_ipv6| {
            let of_family = self.segments.iter().filter(|segment| segment.is_ipv6 == is_ipv6);
            of_family.fold((0, 0), |(published, total), segment| {
                (published + segment.published as usize, total + segment.total as usize)
            })
        };
        let (v4, v6) = (count(false), count(true));
        (v4.0.max(v6.0), v4.1.max(v6.1))
    }

    /// Whether the Service's own name exists (Kubernetes DNS specification 2.4.1 for headless ones).
    pub(crate) fn is_present(&self, config: &ZoneConfig) -> bool {
        let has_endpoint = || self.segments.iter().any(|segment| segment.published > 0);
        match self.head.shape {
            Shape::ClusterIp(_) => !config.ignore_empty_service || has_endpoint(),
            Shape::Headless => has_endpoint(),
            Shape::ExternalName(_) => true,
        }
    }

    /// What an ExternalName Service stands for.
    pub(crate) fn external_name(&self) -> Option<&Target> {
        match &self.head.shape {
            Shape::ExternalName(target) => Some(target),
            Shape::ClusterIp(_) | Shape::Headless => None,
        }
    }

    fn addresses(&self) -> &Addresses {
        self.addresses.get_or_init(|| {
            let (mut v4, mut v6) = (Vec::new(), Vec::new());
            for (_, row) in self.published_rows() {
                match row.address {
                    IpAddr::V4(address) => v4.push(address),
                    IpAddr::V6(address) => v6.push(address),
                }
            }
            v4.sort_unstable();
            v4.dedup();
            v6.sort_unstable();
            v6.dedup();
            Addresses { v4: v4.into(), v6: v6.into() }
        })
    }

    /// The published endpoints' IPv4 addresses, each once, in order.
    pub(crate) fn v4(&self) -> &[Ipv4Addr] {
        &self.addresses().v4
    }

    /// The published endpoints' IPv6 addresses, each once, in order.
    pub(crate) fn v6(&self) -> &[Ipv6Addr] {
        &self.addresses().v6
    }

    fn published_rows(&self) -> impl Iterator<Item = (&Segment, &Row)> {
        let rows = self
            .segments
            .iter()
            .flat_map(|segment| segment.rows().iter().map(|row| (&**segment, row)));
        rows.filter(|(_, row)| row.published)
    }

    /// The names of all endpoints, each once and in order, and whether a published endpoint has it.
    pub(crate) fn all_endpoint_names(&self) -> BTreeMap<Label, bool> {
        let mut names = BTreeMap::new();
        for segment in &self.segments {
            for row in segment.rows() {
                *names.entry(segment.name_of(row)).or_insert(false) |= row.published;
            }
        }
        names
    }

    /// The named ports that have SRV records of their own, each once and in order: those that the Service declares, or
    /// for a headless one those that its published endpoints have.
    pub(crate) fn named_ports(&self) -> BTreeSet<(Box<str>, Protocol)> {
        let mut ports = BTreeSet::new();
        match self.head.shape {
            Shape::Headless => {
                let published = self.segments.iter().filter(|segment| segment.published > 0);
                for port in published.flat_map(|segment| segment.ports()) {
                    ports.insert((port.name.clone(), port.protocol));
                }
            }
            Shape::ClusterIp(_) => {
                for port in &self.head.ports {
                    ports.insert((port.name.as_str().into(), port.protocol));
                }
            }
            Shape::ExternalName(_) => {}
        }
        ports.retain(|(name, _)| !name.is_empty());
        ports
    }

    /// The rows of the endpoints called `name` (lowercase), published or not, each with its segment.
    pub(crate) fn rows_named<'a>(
        &'a self,
        name: &'a [u8],
    ) -> impl Iterator<Item = (&'a Segment, &'a Row)> {
        let address = label::parse_dashed(name);
        self.segments
            .iter()
            .flat_map(move |segment| segment.rows_named(name, address).map(|row| (&**segment, row)))
    }

    /// The published rows of an address.
    pub(crate) fn rows_at(&self, address: IpAddr) -> impl Iterator<Item = (&Segment, &Row)> {
        let rows = self
            .segments
            .iter()
            .flat_map(move |segment| segment.rows_at(address).iter().map(|row| (&**segment, row)));
        rows.filter(|(_, row)| row.published)
    }

    /// Whether the reverse name of `address` has a PTR record to this Service or one of its endpoints.
    pub(crate) fn reverses(&self, address: IpAddr) -> bool {
        match &self.head.shape {
            Shape::ClusterIp(own) => {
                own.contains(&address) || self.rows_at(address).next().is_some()
            }
            Shape::Headless => self.rows_at(address).next().is_some(),
            Shape::ExternalName(_) => false,
        }
    }

    /// The ports that published endpoints offer under these names, each once, in order.
    pub(crate) fn endpoint_ports(&self, wanted: Ports<'_>) -> Vec<EndpointPort> {
        let mut found = Vec::new();
        for segment in &self.segments {
            let included = |port: &&_| {
                let crate::segment::SegmentPort { name, port: _, protocol } = *port;
                wanted.include(name, *protocol)
            };
            for port in segment.ports().iter().filter(included) {
                let rows = segment.rows().iter().filter(|row| row.published);
                found.extend(
                    rows.map(|row| EndpointPort {
                        endpoint: segment.name_of(row),
                        port: port.port,
                    }),
                );
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// The published addresses of the endpoints of these names (in order), each with its name, in order.
    pub(crate) fn endpoint_addresses(&self, endpoints: &[EndpointPort]) -> Vec<(Label, IpAddr)> {
        let named = |(segment, row): (&Segment, &Row)| {
            let name = segment.name_of(row);
            let found = endpoints.binary_search_by(|endpoint| endpoint.endpoint.cmp(&name));
            found.is_ok().then_some((name, row.address))
        };
        let one = endpoints
            .first()
            .filter(|first| endpoints.iter().all(|other| other.endpoint == first.endpoint));
        let mut found: Vec<_> = match one {
            // One of thousands is looked up rather than searched for.
            Some(one) => {
                let rows = self.rows_named(one.endpoint.as_bytes());
                let published = rows.filter(|(_, row)| row.published);
                published.map(|(_, row)| (one.endpoint, row.address)).collect()
            }
            None => self.published_rows().filter_map(named).collect(),
        };
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Whether some published endpoint offers a port that `accept` takes, by name and protocol.
    pub(crate) fn has_endpoint_port(&self, accept: impl Fn(&str, Protocol) -> bool) -> bool {
        self.segments.iter().any(|segment| {
            segment.published > 0
                && segment.ports().iter().any(|port| accept(&port.name, port.protocol))
        })
    }

    /// The names of published endpoints, when there are at most `limit` of them.
    pub(crate) fn endpoint_names(&self, limit: usize) -> Vec<Arc<str>> {
        let mut names = BTreeSet::new();
        for (segment, row) in self.published_rows() {
            names.insert(segment.name_of(row));
            if names.len() > limit {
                return Vec::new();
            }
        }
        let text = |name: Label| String::from_utf8_lossy(name.as_bytes()).into();
        names.into_iter().map(text).collect()
    }
}
