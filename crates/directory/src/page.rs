//! Everything that one Service publishes.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use foldhash::{HashMap, HashMapExt as _, HashSet, HashSetExt as _};
use smallvec::SmallVec;

use crate::label::{self, Label};
use crate::name::{NameBuilder, NameRef};
use crate::segment::{EndpointName, Row, Segment};
use crate::view::{
    ObjectName, Protocol, Publisher, PublisherKind, ServicePort, ServiceShape, ServiceView,
};
use crate::{Name, ZoneConfig};

/// A Service with its slices: an immutable root over immutable segments. A change of one slice makes a new root that
/// shares all other segments.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) head: Arc<Head>,
    /// The Service's name and namespace as labels, and whether an endpoint is published: kept here because every question
    /// looks at them, and each further place in memory to look at costs more than the rest of a short answer.
    key: SmallVec<[u8; KEY_ROOM]>,
    has_endpoint: bool,
    segments: Box<[Arc<Segment>]>,
    /// Those of a headless Service.
    addresses: Addresses,
    /// Those of a headless Service; see [`EndpointAt`].
    endpoints: Box<[EndpointAt]>,
}

/// The octets of a key, as a rule at most.
const KEY_ROOM: usize = 46;

/// What the Service itself says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) kind: PublisherKind,
    pub(crate) id: Arc<ObjectName>,
    /// `S.N.svc` in its canonical form; `None` when the domain leaves no room for it.
    pub(crate) name: Option<Name>,
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

/// A published endpoint of a page, by the place of a row of its name. One that has the same name and ports in several
/// rows, of two families for instance, is there once.
#[derive(Clone, Copy, Debug)]
struct EndpointAt {
    segment: u32,
    row: u32,
    /// Whether the name is there before, with other ports.
    again: bool,
    /// Whether the row is the only published one of its name: its address is all the name's addresses.
    alone: bool,
}

/// An endpoint that SRV records point at.
pub(crate) struct EndpointTarget<'a> {
    /// One that has it.
    pub(crate) segment: &'a Segment,
    pub(crate) name: EndpointName<'a>,
    /// Its address, when it is the only one of the name.
    pub(crate) address: Option<IpAddr>,
}

/// A port of a published endpoint.
#[derive(Clone, Copy)]
pub(crate) struct EndpointPort<'a> {
    pub(crate) segment: &'a Segment,
    pub(crate) row: &'a Row,
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
    pub(crate) fn new(kind: PublisherKind, view: ServiceView, services: &Name) -> Self {
        let ServiceView { id, shape, mut ports } = view;
        let name = NameBuilder::new().label(id.name.as_bytes()).label(id.namespace.as_bytes());
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
        Self { kind, name: name.under(services), id: Arc::new(id), shape, ports: ports.into() }
    }

    /// What publishes this.
    pub(crate) fn publisher(&self) -> Publisher {
        Publisher { kind: self.kind, id: (*self.id).clone() }
    }

    /// Whether endpoints have names: not behind the addresses of an import (Multi-Cluster DNS specification 2.3.4).
    pub(crate) fn names_endpoints(&self) -> bool {
        match self.shape {
            Shape::ClusterIp(_) => self.kind == PublisherKind::Service,
            Shape::Headless => true,
            Shape::ExternalName(_) => false,
        }
    }

    /// Whether the Service's labels can be asked for: those of Kubernetes are in lowercase, as are questions here.
    pub(crate) fn is_publishable(&self) -> bool {
        let is_lower = |label: &str| !label.bytes().any(|byte| byte.is_ascii_uppercase());
        let labels = [&*self.id.namespace, &*self.id.name];
        labels.into_iter().all(|label| label::is_publishable(label) && is_lower(label))
    }
}

impl Target {
    /// The name, when it is one.
    pub(crate) fn name(&self) -> Option<NameRef<'_>> {
        match self {
            Self::Name(name) => Some(name.into()),
            Self::Address(_) | Self::Invalid(_) => None,
        }
    }

    fn new(text: &str) -> Self {
        let bare = text.strip_suffix('.').unwrap_or(text);
        if bare.parse::<IpAddr>().is_ok() {
            return Self::Address(text.into());
        }
        match Name::parse(bare) {
            Ok(name) if !bare.is_empty() && !bare.ends_with('.') => Self::Name(name.to_lowercase()),
            _ => Self::Invalid(text.into()),
        }
    }
}

impl Page {
    pub(crate) fn new(head: Arc<Head>, segments: Box<[Arc<Segment>]>) -> Self {
        let (addresses, endpoints) = match head.shape {
            Shape::Headless => (Addresses::of(&segments), endpoints(&segments)),
            Shape::ClusterIp(_) | Shape::ExternalName(_) => Default::default(),
        };
        let has_endpoint = segments.iter().any(|segment| segment.published > 0);
        let mut key = SmallVec::new();
        for label in [&*head.id.name, &*head.id.namespace] {
            // At most 63 each: the page of a Service with another name is not made.
            key.push(label.len() as u8);
            key.extend_from_slice(label.as_bytes());
        }
        Self { key, has_endpoint, head, segments, addresses, endpoints }
    }

    /// Whether this is the page of a Service; labels in lowercase.
    pub(crate) fn is_of(&self, namespace: &[u8], service: &[u8]) -> bool {
        let [length, rest @ ..] = &*self.key else { return false };
        let Some((own, rest)) = rest.split_at_checked(usize::from(*length)) else { return false };
        own == service && rest.get(1..) == Some(namespace)
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
        match self.head.shape {
            Shape::ClusterIp(_) => !config.ignore_empty_service || self.has_endpoint,
            Shape::Headless => self.has_endpoint,
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

    /// The name that an ExternalName Service stands for.
    pub(crate) fn alias_target(&self) -> Option<NameRef<'_>> {
        self.external_name().and_then(Target::name)
    }

    /// The IPv4 addresses of the published endpoints of a headless Service, each once, in order.
    pub(crate) fn v4(&self) -> &[Ipv4Addr] {
        &self.addresses.v4
    }

    /// The IPv6 addresses of the published endpoints of a headless Service, each once, in order.
    pub(crate) fn v6(&self) -> &[Ipv6Addr] {
        &self.addresses.v6
    }

    fn published_rows(&self) -> impl Iterator<Item = (&Segment, &Row)> {
        let rows = self
            .segments
            .iter()
            .flat_map(|segment| segment.rows().iter().map(|row| (&**segment, row)));
        rows.filter(|(_, row)| row.published)
    }

    /// The names of all endpoints, each once and in order, and whether a published endpoint has it: the cluster for
    /// imports, and the label.
    pub(crate) fn all_endpoint_names(&self) -> BTreeMap<(Option<&[u8]>, Label), bool> {
        let mut names = BTreeMap::new();
        let segments = self.segments.iter().filter(|_| self.head.names_endpoints());
        for segment in segments {
            for row in segment.rows() {
                let name = (segment.cluster(), segment.name_of(row).to_label());
                *names.entry(name).or_insert(false) |= row.published;
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

    /// The name that those of a segment's endpoints are below.
    pub(crate) fn parent_of<'a>(&'a self, segment: &'a Segment) -> Option<NameRef<'a>> {
        segment.parent.as_ref().or(self.head.name.as_ref()).map(NameRef::from)
    }

    /// The rows of the endpoints called `name` (lowercase) in a cluster, which those of imports have, published or not,
    /// each with its segment.
    pub(crate) fn rows_named<'a>(
        &'a self,
        cluster: Option<&'a [u8]>,
        name: &'a [u8],
    ) -> impl Iterator<Item = (&'a Segment, &'a Row)> {
        let address = label::parse_dashed(name);
        self.segments
            .iter()
            .filter(move |segment| segment.cluster() == cluster)
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
        let is_own = matches!(&self.head.shape, Shape::ClusterIp(own) if own.contains(&address));
        is_own || (self.head.names_endpoints() && self.rows_at(address).next().is_some())
    }

    /// The SRV records of a headless Service: the ports of its published endpoints that are `wanted`. Those of an
    /// endpoint come together.
    pub(crate) fn endpoint_ports<'a>(
        &'a self,
        wanted: Ports<'a>,
    ) -> impl Iterator<Item = EndpointPort<'a>> + Clone {
        let mut numbers_of = self.numbers_of(wanted);
        self.endpoints.iter().flat_map(move |at| {
            let (segment, row) = self.row_at(at);
            let numbers = numbers_of(at).iter().copied();
            let new = move |port: &u16| !at.again || !self.offers_before(at, *port, wanted);
            numbers.filter(new).map(move |port| EndpointPort { segment, row, port })
        })
    }

    /// How many [`Page::endpoint_ports`] there are.
    pub(crate) fn endpoint_port_count(&self, wanted: Ports<'_>) -> usize {
        match &*self.segments {
            [only] => self.endpoints.len() * only.numbers(wanted).len(),
            _ => self.endpoint_ports(wanted).count(),
        }
    }

    /// The ports that `wanted` means of the segment of an endpoint: found but once where endpoints of one segment follow
    /// one another.
    fn numbers_of<'a>(
        &'a self,
        wanted: Ports<'a>,
    ) -> impl FnMut(&EndpointAt) -> &'a [u16] + Clone + 'a {
        let mut last = None;
        move |at| match last {
            Some((segment, numbers)) if segment == at.segment => numbers,
            _ => {
                let numbers = self.segments[at.segment as usize].numbers(wanted);
                last = Some((at.segment, numbers));
                numbers
            }
        }
    }

    fn row_at(&self, at: &EndpointAt) -> (&Segment, &Row) {
        let segment = &self.segments[at.segment as usize];
        (segment, &segment.rows()[at.row as usize])
    }

    /// The endpoints that [`Page::endpoint_ports`] name, each once, by a segment that has it and its label.
    pub(crate) fn endpoint_targets<'a>(
        &'a self,
        wanted: Ports<'a>,
    ) -> impl Iterator<Item = EndpointTarget<'a>> {
        let mut numbers_of = self.numbers_of(wanted);
        let named = self.endpoints.iter().filter(move |at| {
            let is_new = || !at.again || !self.is_before(at, |ports| !ports.is_empty(), wanted);
            !numbers_of(at).is_empty() && is_new()
        });
        named.map(|at| {
            let (segment, row) = self.row_at(at);
            let (name, address) = (segment.name_of(row), at.alone.then_some(row.address));
            EndpointTarget { segment, name, address }
        })
    }

    /// Whether the endpoint offers the port in a segment before this one.
    fn offers_before(&self, at: &EndpointAt, port: u16, wanted: Ports<'_>) -> bool {
        self.is_before(at, |ports| ports.contains(&port), wanted)
    }

    /// Whether the endpoint is published in a segment before this one with `wanted` ports that `accept` takes.
    fn is_before(
        &self,
        at: &EndpointAt,
        accept: impl Fn(&[u16]) -> bool,
        wanted: Ports<'_>,
    ) -> bool {
        let (own, row) = self.row_at(at);
        let name = own.name_of(row);
        let address = label::parse_dashed(name.as_bytes());
        self.segments[..at.segment as usize].iter().any(|segment| {
            segment.parent == own.parent
                && accept(segment.numbers(wanted))
                && segment.rows_named(name.as_bytes(), address).any(|row| row.published)
        })
    }

    /// Whether some published endpoint of an import is in this cluster (lowercase).
    pub(crate) fn has_cluster(&self, cluster: &[u8]) -> bool {
        let mut published = self.segments.iter().filter(|segment| segment.published > 0);
        published.any(|segment| segment.cluster() == Some(cluster))
    }

    /// Whether some published endpoint offers a port that `accept` takes, by name and protocol.
    pub(crate) fn has_endpoint_port(&self, accept: impl Fn(&str, Protocol) -> bool) -> bool {
        self.segments.iter().any(|segment| {
            segment.published > 0
                && segment.ports().iter().any(|port| accept(&port.name, port.protocol))
        })
    }

    /// The names of published endpoints in a cluster, which those of imports have, when there are at most `limit` of them.
    pub(crate) fn endpoint_names(&self, cluster: Option<&[u8]>, limit: usize) -> Vec<Arc<str>> {
        let mut names = BTreeSet::new();
        let rows = self.published_rows().filter(|(segment, _)| segment.cluster() == cluster);
        for (segment, row) in rows {
            names.insert(segment.name_of(row).to_label());
            if names.len() > limit {
                return Vec::new();
            }
        }
        let text = |name: Label| String::from_utf8_lossy(name.as_bytes()).into();
        names.into_iter().map(text).collect()
    }
}

impl Addresses {
    fn of(segments: &[Arc<Segment>]) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for row in segments.iter().flat_map(|segment| segment.rows()).filter(|row| row.published) {
            match row.address {
                IpAddr::V4(address) => v4.push(address),
                IpAddr::V6(address) => v6.push(address),
            }
        }
        // Stable sorts are quick where most is in order: the rows of each segment are.
        v4.sort();
        v4.dedup();
        v6.sort();
        v6.dedup();
        Self { v4: v4.into(), v6: v6.into() }
    }
}

/// The published endpoints, in the order of the segments and their labels.
fn endpoints(segments: &[Arc<Segment>]) -> Box<[EndpointAt]> {
    // The first segment with the same ports in the same cluster stands for all such.
    let classes: Vec<usize> = segments
        .iter()
        .map(|segment| {
            let is_same = |other: &Arc<Segment>| {
                other.parent == segment.parent && other.ports() == segment.ports()
            };
            let same = segments.iter().position(is_same);
            same.unwrap_or_default()
        })
        .collect();
    // By cluster, of imports, and name, its first place in what was found.
    let mut firsts = HashMap::new();
    // Of names that come with several ports, those but the first.
    let mut others = HashSet::new();
    let mut found: Vec<EndpointAt> = Vec::new();
    for (number, (segment, &class)) in segments.iter().zip(&classes).enumerate() {
        for (row_at, row) in segment.published_rows() {
            let identity = (segment.cluster(), segment.identity_of(row));
            let again = match firsts.entry(identity) {
                Entry::Vacant(vacant) => {
                    vacant.insert(found.len());
                    false
                }
                Entry::Occupied(first) => {
                    let first: &mut EndpointAt = &mut found[*first.get()];
                    first.alone = false;
                    if classes[first.segment as usize] == class || !others.insert((identity, class))
                    {
                        continue;
                    }
                    true
                }
            };
            // A Service with 2^32 slices fits no cluster.
            let segment = number as u32;
            found.push(EndpointAt { segment, row: row_at, again, alone: !again });
        }
    }
    found.into()
}
