//! Services, their endpoints and ports.

use std::net::IpAddr;

use super::reply::{record_of, text_of};
use super::{Asked, Reader};
use crate::label::Label;
use crate::name::NameBuilder;
use crate::page::{EndpointPort, Page, Ports, Shape};
use crate::segment::SegmentPort;
use crate::view::{Protocol, ServicePort};
use crate::{Answer, Name, Rdata, Reason, Record, RecordType};

/// So many endpoint names are told to who asks for an unknown one.
const KNOWN_MAX: usize = 5;

impl Reader {
    /// `S.N.svc`.
    pub(super) fn service(&self, asked: Asked<'_>, namespace: &[u8], service: &[u8]) -> Answer {
        let Some(page) = self.directory.page(namespace, service) else {
            return self.no_service(namespace, service);
        };
        if let Shape::ExternalName(target) = &page.head.shape {
            return self.alias(asked, &page, target);
        }
        if !page.is_present(self.config()) {
            return self.no_endpoint(&page);
        }
        if asked.rtype == RecordType::SRV {
            return self.srv(asked, &page, Ports::All);
        }
        let ttl = self.service_ttl(&page);
        let negative_ttl = self.config().negative_ttl.service;
        let missing = |family| family_missing(&page, family);
        match (&page.head.shape, asked.rtype) {
            (Shape::ClusterIp(addresses), _) => {
                self.addresses(asked, ttl, addresses.iter().copied(), negative_ttl, missing)
            }
            (_, RecordType::A) => {
                let addresses = page.v4().iter().map(|&address| address.into());
                self.addresses(asked, ttl, addresses, negative_ttl, missing)
            }
            _ => {
                let addresses = page.v6().iter().map(|&address| address.into());
                self.addresses(asked, ttl, addresses, negative_ttl, missing)
            }
        }
    }

    /// A name below a Service that may have such names.
    pub(super) fn below_service(
        &self,
        namespace: &[u8],
        service: &[u8],
        answer: impl FnOnce(&Page) -> Answer,
    ) -> Answer {
        let Some(page) = self.directory.page(namespace, service) else {
            return self.no_service(namespace, service);
        };
        if let Shape::ExternalName(_) = page.head.shape {
            let reason = Reason::BelowExternalName { service: (*page.head.id).clone() };
            return self.no_such_name(self.config().negative_ttl.service, reason);
        }
        if !page.is_present(self.config()) {
            return self.no_endpoint(&page);
        }
        answer(&page)
    }

    /// `H.S.N.svc`.
    pub(super) fn endpoint(&self, asked: Asked<'_>, page: &Page, endpoint: &[u8]) -> Answer {
        let mut is_known = false;
        let mut addresses = Vec::new();
        let mut ports = Vec::new();
        for (segment, row) in page.rows_named(endpoint) {
            is_known = true;
            if row.published {
                addresses.push(row.address);
                let of = |port: &SegmentPort| EndpointPort {
                    endpoint: segment.name_of(row),
                    port: port.port,
                };
                ports.extend(segment.ports().iter().map(of));
            }
        }
        if addresses.is_empty() {
            let service = (*page.head.id).clone();
            let label = text_of(endpoint);
            let reason = match is_known {
                true => Reason::EndpointNotReady { service, endpoint: label },
                false => {
                    let known = page.endpoint_names(KNOWN_MAX);
                    Reason::EndpointUnknown { service, endpoint: label, known }
                }
            };
            return self.no_such_name(self.config().negative_ttl.service, reason);
        }
        if asked.rtype == RecordType::SRV {
            ports.sort_unstable();
            ports.dedup();
            return self.endpoint_srv(asked, page, &ports);
        }
        addresses.sort_unstable();
        addresses.dedup();
        let ttl = self.config().ttl.headless;
        let negative_ttl = self.config().negative_ttl.service;
        self.addresses(asked, ttl, addresses, negative_ttl, |family| family_missing(page, family))
    }

    /// `_T.S.N.svc`.
    pub(super) fn protocol(&self, page: &Page, protocol: Protocol) -> Answer {
        let accept = |name: &str, its: Protocol| !name.is_empty() && its == protocol;
        if has_port(page, accept) {
            return self.no_data(self.config().negative_ttl.service, Reason::OnlyNamesBelow);
        }
        let reason = Reason::ProtocolUnknown { service: (*page.head.id).clone(), protocol };
        self.no_such_name(self.config().negative_ttl.service, reason)
    }

    /// `_P._T.S.N.svc`.
    pub(super) fn port(
        &self,
        asked: Asked<'_>,
        page: &Page,
        port: &[u8],
        protocol: Protocol,
    ) -> Answer {
        let wanted = Ports::Named(port, protocol);
        let include = |name: &str, its: Protocol| wanted.include(name, its);
        if has_port(page, include) {
            return match asked.rtype {
                RecordType::SRV => self.srv(asked, page, wanted),
                RecordType::ANY => self.any(asked),
                _ => self.no_data(self.config().negative_ttl.service, Reason::TypeMissing),
            };
        }
        let service = (*page.head.id).clone();
        let declared = page.head.ports.iter().any(|own| include(&own.name, own.protocol));
        let port = text_of(port);
        let reason = match declared {
            true => Reason::PortNotInSlices { service, port, protocol },
            false => Reason::PortUnknown { service, port, protocol },
        };
        self.no_such_name(self.config().negative_ttl.service, reason)
    }

    /// The SRV records of a Service for some of its ports.
    fn srv(&self, asked: Asked<'_>, page: &Page, wanted: Ports<'_>) -> Answer {
        match page.head.shape {
            Shape::Headless => self.endpoint_srv(asked, page, &page.endpoint_ports(wanted)),
            Shape::ClusterIp(_) | Shape::ExternalName(_) => {
                let included = |port: &&ServicePort| wanted.include(&port.name, port.protocol);
                let mut ports: Vec<u16> =
                    page.head.ports.iter().filter(included).map(|port| port.port).collect();
                ports.sort_unstable();
                ports.dedup();
                let target = self.service_name(page);
                let (Some(target), false) = (target, ports.is_empty()) else {
                    return self.no_data(self.config().negative_ttl.service, Reason::TypeMissing);
                };
                let ttl = self.service_ttl(page);
                let weight = weight(ports.len());
                let records = ports.iter().map(|&port| {
                    let data = Rdata::Srv { priority: 0, weight, port, target: target.clone() };
                    Record { owner: asked.name.clone(), ttl, data }
                });
                Answer::Records {
                    records: records.collect(),
                    additional: self.service_addresses(&target, page),
                }
            }
        }
    }

    /// The SRV records of endpoints and their ports, given in order.
    fn endpoint_srv(&self, asked: Asked<'_>, page: &Page, ports: &[EndpointPort]) -> Answer {
        let ttl = self.config().ttl.headless;
        let weight = weight(ports.len());
        let Some(parent) = self.service_name(page) else {
            return self.no_data(self.config().negative_ttl.service, Reason::TypeMissing);
        };
        let mut targets: Vec<(Label, Name)> = Vec::new();
        let mut records = Vec::with_capacity(ports.len());
        for &EndpointPort { endpoint, port } in ports {
            let target = match targets.last() {
                Some((label, name)) if *label == endpoint => name.clone(),
                _ => {
                    let name = NameBuilder::new().label(endpoint.as_bytes()).under(&parent);
                    let Some(name) = name else { continue };
                    targets.push((endpoint, name.clone()));
                    name
                }
            };
            let data = Rdata::Srv { priority: 0, weight, port, target };
            records.push(Record { owner: asked.name.clone(), ttl, data });
        }
        if records.is_empty() {
            return self.no_data(self.config().negative_ttl.service, Reason::TypeMissing);
        }
        let addresses = page.endpoint_addresses(ports);
        let additional = addresses.into_iter().filter_map(|(endpoint, address)| {
            let at = targets.binary_search_by(|(label, _)| label.cmp(&endpoint)).ok()?;
            Some(record_of(&targets[at].1, ttl, address))
        });
        Answer::Records { records, additional: additional.collect() }
    }

    /// `S.N.svc` in its canonical form; `None` when the domain leaves no room for it.
    pub(super) fn service_name(&self, page: &Page) -> Option<Name> {
        let id = &page.head.id;
        let name = NameBuilder::new().label(id.name.as_bytes()).label(id.namespace.as_bytes());
        name.under(&self.directory.zone.services)
    }

    /// The address records of `S.N.svc`, of both families.
    pub(super) fn service_addresses(&self, name: &Name, page: &Page) -> Vec<Record> {
        let ttl = self.service_ttl(page);
        let record = |address: IpAddr| record_of(name, ttl, address);
        match &page.head.shape {
            Shape::ClusterIp(addresses) => addresses.iter().copied().map(record).collect(),
            Shape::Headless => {
                let v4 = page.v4().iter().map(|&address| address.into());
                let v6 = page.v6().iter().map(|&address| address.into());
                v4.chain(v6).map(record).collect()
            }
            Shape::ExternalName(_) => Vec::new(),
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
    Reason::FamilyMissing { service: (*page.head.id).clone(), family }
}
