//! `svc`: Services, their endpoints and ports.

use std::collections::BTreeSet;
use std::net::IpAddr;

use directory::RecordType;
use directory::script::Rcode;
use directory::view::{EndpointView, ObjectName, ServiceShape, ServiceView, SliceView};

use super::{Asked, Reference, Said, is_label, label_of, lines, protocol_of};

/// CNAME records that are followed.
const CHAIN_MAX: usize = 8;

/// Which ports a question means.
#[derive(Clone, Copy)]
pub(super) enum Ports<'a> {
    All,
    Named { name: &'a str, protocol: &'a str },
}

impl Ports<'_> {
    pub(super) fn mean(self, its_name: &str, its_protocol: &str) -> bool {
        match self {
            Self::All => true,
            Self::Named { name, protocol } => {
                its_name.eq_ignore_ascii_case(name) && its_protocol == protocol
            }
        }
    }
}

impl Reference {
    /// A Service that exists and whose name can be asked for.
    pub(super) fn service(&self, service: &str, namespace: &str) -> Option<&ServiceView> {
        let found = self.services.get(&ObjectName::new(namespace, service))?;
        (is_label(service) && is_label(namespace)).then_some(found)
    }

    pub(super) fn service_name(&self, id: &ObjectName) -> String {
        format!("{}.{}.svc.{}", id.name, id.namespace, self.domain())
    }

    pub(super) fn ttl_of(&self, service: &ServiceView) -> u32 {
        match service.shape {
            ServiceShape::ClusterIp(_) => self.config.ttl.cluster_ip,
            ServiceShape::Headless => self.config.ttl.headless,
            ServiceShape::ExternalName(_) => self.config.ttl.external_name,
        }
    }

    /// The published endpoints of a Service, each with its slice.
    pub(super) fn endpoints(&self, service: &ServiceView) -> Vec<(&SliceView, &EndpointView)> {
        let slices = self.slices.get(&service.id).into_iter().flat_map(|slices| slices.values());
        slices
            .flat_map(|slice| slice.endpoints.iter().map(move |endpoint| (slice, endpoint)))
            .filter(|(_, endpoint)| self.is_published(endpoint))
            .collect()
    }

    /// The names below their Service of an endpoint: one for each address.
    pub(super) fn labels_of(&self, endpoint: &EndpointView) -> Vec<(String, IpAddr)> {
        let pod = endpoint.pod.as_deref().filter(|_| self.config.endpoint_pod_names);
        let given = endpoint.hostname.as_deref().filter(|name| is_label(name));
        let given = given.or_else(|| pod.filter(|name| is_label(name)));
        let label = |address: &IpAddr| match given {
            Some(name) => (name.to_ascii_lowercase(), *address),
            None => (label_of(*address), *address),
        };
        endpoint.addresses.iter().map(label).collect()
    }

    /// The addresses of `S.N.svc`.
    pub(super) fn own_addresses(&self, service: &ServiceView) -> BTreeSet<IpAddr> {
        match &service.shape {
            ServiceShape::ClusterIp(own) => own.iter().copied().collect(),
            ServiceShape::Headless => self.addresses_where(service, |_| true),
            ServiceShape::ExternalName(_) => BTreeSet::new(),
        }
    }

    fn addresses_where(
        &self,
        service: &ServiceView,
        accept: impl Fn(&EndpointView) -> bool,
    ) -> BTreeSet<IpAddr> {
        let endpoints = self.endpoints(service).into_iter();
        let accepted = endpoints.filter(|(_, endpoint)| accept(endpoint));
        accepted.flat_map(|(_, endpoint)| endpoint.addresses.iter().copied()).collect()
    }

    /// The addresses of the endpoints of a name.
    fn addresses_named(&self, service: &ServiceView, label: &str) -> BTreeSet<IpAddr> {
        let endpoints = self.endpoints(service).into_iter();
        let named = endpoints.flat_map(|(_, endpoint)| self.labels_of(endpoint));
        named.filter(|(its, _)| its == label).map(|(_, address)| address).collect()
    }

    /// Whether a Service has an endpoint of this name, ready or not.
    pub(super) fn knows_endpoint(&self, service: &ServiceView, label: &str) -> bool {
        let slices = self.slices.get(&service.id).into_iter().flat_map(|slices| slices.values());
        let endpoints = slices.flat_map(|slice| &slice.endpoints);
        let mut labels = endpoints.flat_map(|endpoint| self.labels_of(endpoint));
        labels.any(|(its, _)| its == label)
    }

    /// `S.N.svc` and what is below it.
    pub(super) fn at_service(
        &self,
        asked: &Asked,
        below: &[&str],
        service: &str,
        namespace: &str,
    ) -> Said {
        let negative = self.config.negative_ttl;
        let Some(service) = self.service(service, namespace) else {
            return self.no_such_name(match self.has_namespace(namespace) {
                true => negative.missing_service,
                false => negative.missing_namespace,
            });
        };
        if let ServiceShape::ExternalName(target) = &service.shape {
            return match below {
                [] => self.external_name(asked, target),
                _ => self.no_such_name(negative.service),
            };
        }
        let needs_endpoints =
            service.shape == ServiceShape::Headless || self.config.ignore_empty_service;
        if needs_endpoints && self.endpoints(service).is_empty() {
            return self.no_such_name(negative.service);
        }
        let zone_names = self.config.zone_names;
        match below {
            [] if asked.rtype == RecordType::SRV => self.srv(asked, service, Ports::All),
            [] => {
                let own = self.own_addresses(service);
                self.addresses(asked, self.ttl_of(service), &own, negative.service)
            }
            ["_zone"] | ["pin" | "prefer", "_zone"] if zone_names => self.no_data(negative.service),
            [zone, mode @ ("pin" | "prefer"), "_zone"] if zone_names => {
                self.in_topology_zone(asked, service, zone, *mode == "pin")
            }
            [label] => match (protocol_of(label), label.starts_with('_')) {
                (Some(protocol), _) => {
                    let mut ports = self.ports(service).into_iter();
                    match ports.any(|(name, its)| !name.is_empty() && its == protocol) {
                        true => self.no_data(negative.service),
                        false => self.no_such_name(negative.service),
                    }
                }
                (None, true) => self.no_such_name(negative.service),
                (None, false) => self.endpoint(asked, service, label),
            },
            [port, protocol] => match (port.strip_prefix('_'), protocol_of(protocol)) {
                (Some(name), Some(protocol)) if !name.is_empty() => {
                    let wanted = Ports::Named { name, protocol };
                    let mut ports = self.ports(service).into_iter();
                    match ports.any(|(name, its)| wanted.mean(name, its)) {
                        false => self.no_such_name(negative.service),
                        true if asked.rtype == RecordType::SRV => self.srv(asked, service, wanted),
                        true if asked.rtype == RecordType::ANY => self.minimal(asked),
                        true => self.no_data(negative.service),
                    }
                }
                _ => self.no_such_name(negative.service),
            },
            _ => self.no_such_name(negative.service),
        }
    }

    /// The names and protocols of the ports that SRV records are made of.
    fn ports<'a>(&'a self, service: &'a ServiceView) -> Vec<(&'a str, &'static str)> {
        match service.shape {
            ServiceShape::Headless => {
                let endpoints = self.endpoints(service).into_iter();
                let ports = endpoints.flat_map(|(slice, _)| &slice.ports);
                let numbered = ports.filter(|port| port.port.is_some());
                numbered.map(|port| (port.name.as_str(), port.protocol.as_str())).collect()
            }
            ServiceShape::ClusterIp(_) => {
                let ports = service.ports.iter();
                ports.map(|port| (port.name.as_str(), port.protocol.as_str())).collect()
            }
            ServiceShape::ExternalName(_) => Vec::new(),
        }
    }

    /// `H.S.N.svc`.
    fn endpoint(&self, asked: &Asked, service: &ServiceView, label: &str) -> Said {
        let addresses = self.addresses_named(service, label);
        let negative_ttl = self.config.negative_ttl.service;
        if addresses.is_empty() {
            return self.no_such_name(negative_ttl);
        }
        if asked.rtype != RecordType::SRV {
            return self.addresses(asked, self.config.ttl.headless, &addresses, negative_ttl);
        }
        let mut records = BTreeSet::new();
        for (slice, endpoint) in self.endpoints(service) {
            if self.labels_of(endpoint).iter().any(|(its, _)| its == label) {
                let target = format!("{label}.{}", self.service_name(&service.id));
                let ports = slice.ports.iter().filter_map(|port| port.port);
                records.extend(ports.map(|port| (target.clone(), port)));
            }
        }
        self.srv_records(asked, service, &records)
    }

    /// The SRV records of a Service for some of its ports.
    fn srv(&self, asked: &Asked, service: &ServiceView, wanted: Ports<'_>) -> Said {
        let name = self.service_name(&service.id);
        let mut records = BTreeSet::new();
        match service.shape {
            ServiceShape::Headless => {
                for (slice, endpoint) in self.endpoints(service) {
                    for (label, _) in self.labels_of(endpoint) {
                        for port in &slice.ports {
                            if let Some(number) = port.port
                                && wanted.mean(&port.name, port.protocol.as_str())
                            {
                                records.insert((format!("{label}.{name}"), number));
                            }
                        }
                    }
                }
            }
            ServiceShape::ClusterIp(_) => {
                for port in &service.ports {
                    if wanted.mean(&port.name, port.protocol.as_str()) {
                        records.insert((name.clone(), port.port));
                    }
                }
            }
            ServiceShape::ExternalName(_) => {}
        }
        self.srv_records(asked, service, &records)
    }

    /// Targets and ports as records, with the targets' addresses beside them.
    fn srv_records(
        &self,
        asked: &Asked,
        service: &ServiceView,
        records: &BTreeSet<(String, u16)>,
    ) -> Said {
        if records.is_empty() {
            return self.no_data(self.config.negative_ttl.service);
        }
        let name = self.service_name(&service.id);
        let points_at_service = records.iter().all(|(target, _)| *target == name);
        let ttl = match points_at_service {
            true => self.ttl_of(service),
            false => self.config.ttl.headless,
        };
        let (owner, weight) = (&asked.owner, (100 / records.len()).max(1));
        let record =
            |(target, port): &_| format!("{owner} {ttl} IN SRV 0 {weight} {port} {target}");
        let mut glue = BTreeSet::new();
        for (target, _) in records {
            let addresses = match target.strip_suffix(&format!(".{name}")) {
                Some(label) => self.addresses_named(service, label),
                None => self.own_addresses(service),
            };
            glue.extend(lines(target, ttl, &addresses));
        }
        Said::records(records.iter().map(record).collect(), glue.into_iter().collect())
    }

    /// `Z.pin._zone.S.N.svc` and `Z.prefer._zone.S.N.svc`.
    fn in_topology_zone(
        &self,
        asked: &Asked,
        service: &ServiceView,
        zone: &str,
        pinned: bool,
    ) -> Said {
        let is_in = |endpoint: &EndpointView| {
            endpoint.zone.as_ref().is_some_and(|its| its.eq_ignore_ascii_case(zone))
        };
        let mut addresses = self.addresses_where(service, is_in);
        if addresses.is_empty() && !pinned {
            addresses = self.addresses_where(service, |_| true);
        }
        let negative_ttl = self.config.negative_ttl.service;
        match addresses.is_empty() {
            true => self.no_data(negative_ttl),
            false => self.addresses(asked, self.config.ttl.headless, &addresses, negative_ttl),
        }
    }

    fn external_name(&self, asked: &Asked, target: &str) -> Said {
        let Some(target) = domain_name(target) else {
            return self.no_such_name(self.config.negative_ttl.service);
        };
        // A circle is a chain without an end.
        let only_alias = matches!(asked.rtype, RecordType::CNAME | RecordType::ANY);
        if !only_alias && self.chain_length(&target) > CHAIN_MAX {
            return Said::without_records(Rcode::ServFail);
        }
        self.alias(asked, self.config.ttl.external_name, &target)
    }

    /// How many CNAME records there are from one with this target on, or too many.
    fn chain_length(&self, target: &str) -> usize {
        let mut target = target.to_owned();
        for length in 1..=CHAIN_MAX {
            let below = target.strip_suffix(&format!(".svc.{}", self.domain()));
            let service = below.and_then(|below| below.split_once('.'));
            let next = service
                .and_then(|(service, namespace)| self.service(service, namespace))
                .and_then(|service| match &service.shape {
                    ServiceShape::ExternalName(target) => domain_name(target),
                    ServiceShape::ClusterIp(_) | ServiceShape::Headless => None,
                });
            match next {
                Some(next) => target = next,
                None => return length,
            }
        }
        CHAIN_MAX + 1
    }
}

/// `externalName` in canonical form, with the dot at its end; `None` when it is not a domain name.
fn domain_name(text: &str) -> Option<String> {
    let bare = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    let is_name = bare.len() <= 253
        && bare.split('.').all(|label| (1..=63).contains(&label.len()))
        && bare.parse::<IpAddr>().is_err();
    is_name.then(|| bare + ".")
}
