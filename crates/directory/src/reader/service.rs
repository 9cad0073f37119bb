//! Services, their endpoints and ports.

use std::net::IpAddr;

use smallvec::SmallVec;

use super::reply::{glue, text_of};
use super::{Asked, Scope};
use crate::page::{EndpointPort, EndpointTarget, Page, Ports, Shape};
use crate::sink::{Ending, Sink};
use crate::view::{Protocol, ServicePort};
use crate::{Full, NameRef, RdataRef, Reason, RecordType};

/// So many endpoint names are told to who asks for an unknown one.
const KNOWN_MAX: usize = 5;

/// The addresses or ports of one name, as a rule.
const FEW: usize = 16;

impl Scope<'_> {
    /// `S.N.svc`.
    pub(super) fn service(
        &self,
        asked: Asked<'_>,
        namespace: &[u8],
        service: &[u8],
        sink: &mut impl Sink,
    ) -> Ending {
        let Some(page) = self.published.page(namespace, service) else {
            return self.no_service(namespace, service, sink);
        };
        if let Shape::ExternalName(target) = &page.head.shape {
            return self.alias(asked, &page, target, sink);
        }
        if !page.is_present(self.config()) {
            return self.no_endpoint(&page, sink);
        }
        if asked.rtype == RecordType::SRV {
            return self.srv(asked, &page, Ports::All, sink);
        }
        let ttl = self.service_ttl(&page);
        let negative_ttl = self.config().negative_ttl.service;
        let missing = |family| family_missing(&page, family);
        match (&page.head.shape, asked.rtype) {
            (Shape::Headless, RecordType::A) => {
                self.endpoint_addresses(asked, ttl, page.v4(), sink, missing)
            }
            (Shape::Headless, RecordType::AAAA) => {
                self.endpoint_addresses(asked, ttl, page.v6(), sink, missing)
            }
            (Shape::ClusterIp(own), _) => {
                self.addresses(asked, ttl, own.iter().copied(), negative_ttl, sink, missing)
            }
            // Another type, of which no address is.
            (Shape::Headless | Shape::ExternalName(_), _) => {
                self.addresses(asked, ttl, std::iter::empty(), negative_ttl, sink, missing)
            }
        }
    }

    /// The addresses of a headless Service of the family asked for. Those that have no room cost nothing, however many there
    /// are.
    fn endpoint_addresses<A: Copy + Into<IpAddr>>(
        &self,
        asked: Asked<'_>,
        ttl: u32,
        own: &[A],
        sink: &mut impl Sink,
        missing: impl FnOnce(RecordType) -> Reason,
    ) -> Ending {
        if own.is_empty() {
            let negative_ttl = self.config().negative_ttl.service;
            return self.no_data(negative_ttl, sink, || missing(asked.rtype));
        }
        let (before, from) = own.split_at(sink.start(own.len()));
        for &address in from.iter().chain(before) {
            if sink.answer(asked.owner, ttl, RdataRef::from(address.into())).is_err() {
                break;
            }
        }
        Ending::Records
    }

    /// A name below a Service that may have such names.
    pub(super) fn below_service<S: Sink>(
        &self,
        namespace: &[u8],
        service: &[u8],
        sink: &mut S,
        answer: impl FnOnce(&Page, &mut S) -> Ending,
    ) -> Ending {
        let Some(page) = self.published.page(namespace, service) else {
            return self.no_service(namespace, service, sink);
        };
        if let Shape::ExternalName(_) = page.head.shape {
            return self.no_such_name(self.config().negative_ttl.service, sink, || {
                Reason::BelowExternalName { service: page.head.publisher() }
            });
        }
        if !page.is_present(self.config()) {
            return self.no_endpoint(&page, sink);
        }
        answer(&page, sink)
    }

    /// `H.S.N.svc`, or with a cluster `H.C.S.N.svc`.
    pub(super) fn endpoint(
        &self,
        asked: Asked<'_>,
        page: &Page,
        cluster: Option<&[u8]>,
        endpoint: &[u8],
        sink: &mut impl Sink,
    ) -> Ending {
        let addresses = addresses_named(page, cluster, endpoint);
        let negative_ttl = self.config().negative_ttl.service;
        if addresses.is_empty() {
            return self.no_such_name(negative_ttl, sink, || {
                let service = page.head.publisher();
                let label = text_of(endpoint);
                match page.rows_named(cluster, endpoint).next() {
                    Some(_) => Reason::EndpointNotReady { service, endpoint: label },
                    None => {
                        let known = page.endpoint_names(cluster, KNOWN_MAX);
                        Reason::EndpointUnknown { service, endpoint: label, known }
                    }
                }
            });
        }
        if asked.rtype == RecordType::SRV {
            return self.srv_of_endpoint(asked, page, cluster, endpoint, &addresses, sink);
        }
        let ttl = self.config().ttl.headless;
        let addresses = addresses.iter().copied();
        self.addresses(asked, ttl, addresses, negative_ttl, sink, |family| {
            family_missing(page, family)
        })
    }

    /// `Z.pin._zone.S.N.svc` and `Z.prefer._zone.S.N.svc`: the endpoints in a topology zone, or, unless pinned, all of them
    /// where the zone has none.
    pub(super) fn in_zone(
        &self,
        asked: Asked<'_>,
        page: &Page,
        zone: &[u8],
        pinned: bool,
        sink: &mut impl Sink,
    ) -> Ending {
        let negative_ttl = self.config().negative_ttl.service;
        let segments = || page.segments().iter();
        let mut addresses = each_once(segments().flat_map(|segment| segment.addresses_in(zone)));
        if addresses.is_empty() && !pinned {
            let published = segments().flat_map(|segment| segment.published_rows());
            addresses = each_once(published.map(|(_, row)| row.address));
        }
        if addresses.is_empty() {
            return self.no_data(negative_ttl, sink, || Reason::ZoneEmpty {
                service: page.head.publisher(),
                zone: text_of(zone),
            });
        }
        let (ttl, addresses) = (self.config().ttl.headless, addresses.iter().copied());
        self.addresses(asked, ttl, addresses, negative_ttl, sink, |family| {
            family_missing(page, family)
        })
    }

    /// `_T.S.N.svc`.
    pub(super) fn protocol(&self, page: &Page, protocol: Protocol, sink: &mut impl Sink) -> Ending {
        let accept = |name: &str, its: Protocol| !name.is_empty() && its == protocol;
        let negative_ttl = self.config().negative_ttl.service;
        match has_port(page, accept) {
            true => self.no_data(negative_ttl, sink, || Reason::OnlyNamesBelow),
            false => self.no_such_name(negative_ttl, sink, || Reason::ProtocolUnknown {
                service: page.head.publisher(),
                protocol,
            }),
        }
    }

    /// `_P._T.S.N.svc`.
    pub(super) fn port(
        &self,
        asked: Asked<'_>,
        page: &Page,
        port: &[u8],
        protocol: Protocol,
        sink: &mut impl Sink,
    ) -> Ending {
        let wanted = Ports::Named(port, protocol);
        let include = |name: &str, its: Protocol| wanted.include(name, its);
        let negative_ttl = self.config().negative_ttl.service;
        if has_port(page, include) {
            return match asked.rtype {
                RecordType::SRV => self.srv(asked, page, wanted, sink),
                RecordType::ANY => self.any(asked, sink),
                _ => self.no_data(negative_ttl, sink, || Reason::TypeMissing),
            };
        }
        self.no_such_name(negative_ttl, sink, || {
            let service = page.head.publisher();
            let declared = page.head.ports.iter().any(|own| include(&own.name, own.protocol));
            let port = text_of(port);
            match declared {
                true => Reason::PortNotInSlices { service, port, protocol },
                false => Reason::PortUnknown { service, port, protocol },
            }
        })
    }

    /// The SRV records of a Service for some of its ports.
    fn srv(
        &self,
        asked: Asked<'_>,
        page: &Page,
        wanted: Ports<'_>,
        sink: &mut impl Sink,
    ) -> Ending {
        let name = page.head.name.as_ref().map(NameRef::from);
        match (name, &page.head.shape) {
            (Some(_), Shape::Headless) => self.srv_of_endpoints(asked, page, wanted, sink),
            (Some(name), Shape::ClusterIp(_)) => {
                self.srv_of_service(asked, page, name, wanted, sink)
            }
            (None, _) | (_, Shape::ExternalName(_)) => {
                self.no_data(self.config().negative_ttl.service, sink, || Reason::TypeMissing)
            }
        }
    }

    /// The SRV records that point at a Service's own name.
    fn srv_of_service(
        &self,
        asked: Asked<'_>,
        page: &Page,
        name: NameRef<'_>,
        wanted: Ports<'_>,
        sink: &mut impl Sink,
    ) -> Ending {
        let included = |port: &&ServicePort| wanted.include(&port.name, port.protocol);
        let ports = page.head.ports.iter().filter(included).map(|port| port.port);
        let ports = each_once(ports);
        if ports.is_empty() {
            let negative_ttl = self.config().negative_ttl.service;
            return self.no_data(negative_ttl, sink, || Reason::TypeMissing);
        }
        let weight = weight(ports.len());
        let target = name.into();
        let record = |&port| RdataRef::Srv { priority: 0, weight, port, target };
        let ending =
            self.set(asked, self.service_ttl(page), ports.iter().map(record), ports.len(), sink);
        let _ = self.service_addresses(page, name, sink);
        ending
    }

    /// The SRV records that point at the names of a headless Service's endpoints.
    fn srv_of_endpoints(
        &self,
        asked: Asked<'_>,
        page: &Page,
        wanted: Ports<'_>,
        sink: &mut impl Sink,
    ) -> Ending {
        let count = page.endpoint_port_count(wanted);
        let ttl = self.config().ttl.headless;
        let weight = weight(count);
        let start = sink.start(count);
        let ports = page.endpoint_ports(wanted);
        let mut any = false;
        for EndpointPort { segment, row, port } in
            ports.clone().skip(start).chain(ports.clone().take(start))
        {
            let label = segment.name_of(row);
            let parent = page.parent_of(segment);
            let target = parent.and_then(|parent| parent.prefixed(label.as_bytes()));
            let Some(target) = target else { continue };
            any = true;
            let data = RdataRef::Srv { priority: 0, weight, port, target };
            if sink.answer(asked.owner, ttl, data).is_err() {
                return Ending::Records;
            }
        }
        if !any {
            let negative_ttl = self.config().negative_ttl.service;
            return self.no_data(negative_ttl, sink, || Reason::TypeMissing);
        }
        for EndpointTarget { segment, name: endpoint, address } in page.endpoint_targets(wanted) {
            let parent = page.parent_of(segment);
            let target = parent.and_then(|parent| parent.prefixed(endpoint.as_bytes()));
            let Some(target) = target else { continue };
            let given = match address {
                Some(address) => sink.additional(target, ttl, [address]),
                None => {
                    let addresses = addresses_named(page, segment.cluster(), endpoint.as_bytes());
                    glue(target, ttl, addresses.iter().copied(), sink)
                }
            };
            if given.is_err() {
                break;
            }
        }
        Ending::Records
    }

    /// The SRV records of one endpoint, which has these addresses.
    fn srv_of_endpoint(
        &self,
        asked: Asked<'_>,
        page: &Page,
        cluster: Option<&[u8]>,
        endpoint: &[u8],
        addresses: &[IpAddr],
        sink: &mut impl Sink,
    ) -> Ending {
        let published = || page.rows_named(cluster, endpoint).filter(|(_, row)| row.published);
        let ports =
            published().flat_map(|(segment, _)| segment.numbers(Ports::All).iter().copied());
        let ports = each_once(ports);
        let parent = published().next().and_then(|(segment, _)| page.parent_of(segment));
        let target = parent.and_then(|parent| parent.prefixed(endpoint));
        let (Some(target), false) = (target, ports.is_empty()) else {
            let negative_ttl = self.config().negative_ttl.service;
            return self.no_data(negative_ttl, sink, || Reason::TypeMissing);
        };
        let ttl = self.config().ttl.headless;
        let weight = weight(ports.len());
        let record = |&port| RdataRef::Srv { priority: 0, weight, port, target };
        let ending = self.set(asked, ttl, ports.iter().map(record), ports.len(), sink);
        let _ = glue(target, ttl, addresses.iter().copied(), sink);
        ending
    }

    /// The addresses of `S.N.svc`, of both families, as glue.
    pub(super) fn service_addresses(
        &self,
        page: &Page,
        name: NameRef<'_>,
        sink: &mut impl Sink,
    ) -> Result<(), Full> {
        let (ttl, name) = (self.service_ttl(page), name.into());
        match &page.head.shape {
            Shape::ClusterIp(own) => glue(name, ttl, own.iter().copied(), sink),
            Shape::Headless => {
                let v4 = page.v4().iter().map(|&address| IpAddr::from(address));
                let v6 = page.v6().iter().map(|&address| IpAddr::from(address));
                glue(name, ttl, v4.chain(v6), sink)
            }
            Shape::ExternalName(_) => Ok(()),
        }
    }

    fn service_ttl(&self, page: &Page) -> u32 {
        let ttl = &self.config().ttl;
        match page.head.shape {
            Shape::ClusterIp(_) => ttl.cluster_ip,
            Shape::Headless => ttl.headless,
            Shape::ExternalName(_) => ttl.external_name,
        }
    }
}

/// The addresses of the published endpoints called `name`, of imports in a cluster, each once, in order.
fn addresses_named(page: &Page, cluster: Option<&[u8]>, name: &[u8]) -> SmallVec<[IpAddr; FEW]> {
    let rows = page.rows_named(cluster, name).filter(|(_, row)| row.published);
    each_once(rows.map(|(_, row)| row.address))
}

/// Values each once, in order.
fn each_once<T: Ord>(values: impl Iterator<Item = T>) -> SmallVec<[T; FEW]> {
    let mut values: SmallVec<_> = values.collect();
    values.sort_unstable();
    values.dedup();
    values
}

/// Whether a Service has SRV records for a port that `accept` takes, by name and protocol.
fn has_port(page: &Page, accept: impl Fn(&str, Protocol) -> bool) -> bool {
    match page.head.shape {
        Shape::Headless => page.has_endpoint_port(accept),
        Shape::ClusterIp(_) | Shape::ExternalName(_) => {
            page.head.ports.iter().any(|port| accept(&port.name, port.protocol))
        }
    }
}

/// The weight of each of `count` SRV records (Kubernetes DNS specification 2.3.2 leaves it open; CoreDNS shares 100).
fn weight(count: usize) -> u16 {
    u16::try_from(100 / count.max(1)).map_or(1, |weight| weight.max(1))
}

fn family_missing(page: &Page, rtype: RecordType) -> Reason {
    let family = if rtype == RecordType::A { "IPv4" } else { "IPv6" };
    Reason::FamilyMissing { service: page.head.publisher(), family }
}
