//! Reverse names: `4.3.2.1.in-addr.arpa` and nibbles under `ip6.arpa`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use directory::script::Rcode;
use directory::view::{ObjectName, ServiceShape, ServiceView};
use directory::{Cidr, RecordType};

use super::{Asked, Reference, Said};

/// Which of the endpoints of an address comes first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// Those of the Service that governs the pod there.
    Governed,
    /// Those with a hostname.
    Named,
    Other,
}

impl Reference {
    /// A name outside the cluster zone.
    pub(super) fn reverse(&self, asked: &Asked, labels: &[&str]) -> Said {
        let Some((digits, is_exact, is_ipv6)) = digits_of(labels) else {
            return Said::without_records(Rcode::NotOurs);
        };
        let zone = self.reverse_zone(&digits, is_ipv6);
        if !self.synced {
            let rcode = if zone.is_some() { Rcode::ServFail } else { Rcode::NotOurs };
            return Said::without_records(rcode);
        }
        let is_name = |address: &IpAddr| digits_of_address(*address) == digits;
        let here = self.known_addresses().into_iter();
        let here = here.filter(|address| address.is_ipv6() == is_ipv6);
        let below: Vec<IpAddr> = here
            .filter(|address| is_exact && digits_of_address(*address).starts_with(&digits))
            .collect();
        let targets = match below.first().filter(|address| is_name(address)) {
            Some(address) => self.targets(*address),
            None => Vec::new(),
        };
        // An address outside the ranges is a zone of its own while it is known.
        let zone = match zone {
            Some(zone) => zone,
            None if targets.is_empty() => return Said::without_records(Rcode::NotOurs),
            None => digits.clone(),
        };
        if asked.rtype == RecordType::PTR && !targets.is_empty() {
            let (owner, ttl) = (&asked.owner, self.config.ttl.reverse);
            let record = |target| format!("{owner} {ttl} IN PTR {target}");
            let count = if self.config.single_ptr { 1 } else { targets.len() };
            return Said::records(targets.iter().take(count).map(record).collect(), Vec::new());
        }
        let apex = name_of(&zone, is_ipv6);
        let negative = self.config.negative_ttl;
        let is_address = digits.len() == if is_ipv6 { 32 } else { 4 };
        match (is_exact && zone == digits, targets.is_empty()) {
            (true, _) => self.apex(asked, &apex),
            (false, false) if asked.rtype == RecordType::ANY => self.minimal(asked),
            (false, false) => Said::no_data(&apex, negative.missing_service),
            (false, true) if !is_address && !below.is_empty() => {
                Said::no_data(&apex, negative.other)
            }
            (false, true) => Said::no_such_name(&apex, negative.missing_service),
        }
    }

    /// The labels, first octet first, of the zone that a name lies in.
    fn reverse_zone(&self, digits: &[u8], is_ipv6: bool) -> Option<Vec<u8>> {
        let width = if is_ipv6 { 4 } else { 8 };
        let mut found: Option<&Cidr> = None;
        for range in &self.config.reverse {
            let whole = usize::from(range.prefix().div_ceil(width));
            let rest = u32::from(range.prefix()) % u32::from(width);
            let network = digits_of_address(range.network());
            let is_in = range.network().is_ipv6() == is_ipv6
                && digits.len() >= whole
                && (0..whole).all(|at| {
                    // Of the last label, only some bits count.
                    let is_cut = rest > 0 && at + 1 == whole;
                    let free = if is_cut { u32::from(width) - rest } else { 0 };
                    u32::from(digits[at]) >> free == u32::from(network[at]) >> free
                });
            if is_in && found.is_none_or(|found| found.prefix() <= range.prefix()) {
                found = Some(range);
            }
        }
        found.map(|range| digits[..usize::from(range.prefix().div_ceil(width))].to_vec())
    }

    /// Every address that has a PTR record.
    fn known_addresses(&self) -> BTreeSet<IpAddr> {
        let mut known = self.imported_addresses();
        for service in self.services_by_name() {
            if let ServiceShape::ClusterIp(own) = &service.shape {
                known.extend(own.iter().copied());
            }
            for (_, endpoint) in self.endpoints(service) {
                known.extend(endpoint.addresses.iter().copied());
            }
        }
        known
    }

    /// The Services that reverse names may point at, in order.
    fn services_by_name(&self) -> impl Iterator<Item = &ServiceView> {
        let is_alias =
            |service: &&ServiceView| matches!(service.shape, ServiceShape::ExternalName(_));
        let services = self.services.keys().filter_map(|id| self.service(&id.name, &id.namespace));
        services.filter(move |service| !is_alias(service))
    }

    /// Whether a pod at the address has the Service as its subdomain.
    fn governs(&self, service: &ObjectName, address: IpAddr) -> bool {
        self.pods.values().any(|pod| {
            pod.addresses.contains(&address)
                && pod.id.namespace == service.namespace
                && pod.subdomain.as_ref() == Some(&service.name)
        })
    }

    /// What the PTR records of an address point at, in order.
    fn targets(&self, address: IpAddr) -> Vec<String> {
        let mut targets = Vec::new();
        for service in self.services_by_name() {
            let name = self.service_name(&service.id);
            if let ServiceShape::ClusterIp(own) = &service.shape
                && own.contains(&address)
            {
                targets.push((Rank::Other, name.clone()));
            }
            let governs = self.governs(&service.id, address);
            // A name that several endpoints have is there once, with the best rank.
            let mut ranks: BTreeMap<String, Rank> = BTreeMap::new();
            for (_, endpoint) in self.endpoints(service) {
                let hostname = endpoint.hostname.as_deref().filter(|name| super::is_label(name));
                let rank = match (governs, hostname) {
                    (true, _) => Rank::Governed,
                    (false, Some(_)) => Rank::Named,
                    (false, None) => Rank::Other,
                };
                for (label, its) in self.labels_of(endpoint) {
                    if its == address {
                        let best = ranks.entry(label).or_insert(rank);
                        *best = rank.min(*best);
                    }
                }
            }
            targets.extend(ranks.iter().map(|(label, rank)| (*rank, format!("{label}.{name}"))));
        }
        // Imports have PTR records only where no Service has one.
        let imports = self.imports_by_name().filter(|_| targets.is_empty());
        let mut imported = Vec::new();
        for import in imports {
            for (target, has_hostname) in self.imported_targets(import, address) {
                let is_endpoint = import.shape == ServiceShape::Headless;
                let rank = match has_hostname {
                    _ if is_endpoint && self.governs(&import.id, address) => Rank::Governed,
                    true => Rank::Named,
                    false => Rank::Other,
                };
                imported.push((rank, target));
            }
        }
        targets.extend(imported);
        // Stable: Services are in order, and the names of each.
        targets.sort_by_key(|(rank, _)| *rank);
        targets.into_iter().map(|(_, target)| target).collect()
    }
}

/// The octets or nibbles of an address, first one first.
fn digits_of_address(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().iter().flat_map(|octet| [octet >> 4, octet & 15]).collect(),
    }
}

/// The well-formed labels of a reverse name next to its end, last label first; whether those are all; and whether it is
/// one of IPv6.
fn digits_of(labels: &[&str]) -> Option<(Vec<u8>, bool, bool)> {
    let (labels, is_ipv6) = match labels {
        [labels @ .., "in-addr", "arpa"] => (labels, false),
        [labels @ .., "ip6", "arpa"] => (labels, true),
        _ => return None,
    };
    let digit = |label: &&str| -> Option<u8> {
        let value: u8 = match is_ipv6 {
            true => u8::from_str_radix(label, 16).ok().filter(|value| *value < 16)?,
            false => label.parse().ok()?,
        };
        // One way to write it.
        let written = if is_ipv6 { format!("{value:x}") } else { value.to_string() };
        (written == **label).then_some(value)
    };
    let most = if is_ipv6 { 32 } else { 4 };
    let digits: Vec<u8> = labels.iter().rev().take(most).map_while(digit).collect();
    let is_exact = digits.len() == labels.len();
    Some((digits, is_exact, is_ipv6))
}

/// The name of a zone.
fn name_of(digits: &[u8], is_ipv6: bool) -> String {
    let mut name = String::new();
    for digit in digits.iter().rev() {
        name += &if is_ipv6 { format!("{digit:x}.") } else { format!("{digit}.") };
    }
    name + if is_ipv6 { "ip6.arpa." } else { "in-addr.arpa." }
}
