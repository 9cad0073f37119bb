//! Reverse names.

use std::net::IpAddr;

use super::{Asked, Reader};
use crate::directory::PodsAt;
use crate::name::{LowerName, NameBuilder};
use crate::page::Shape;
use crate::reverse::{ReverseName, ReverseZone};
use crate::segment::{Row, Segment};
use crate::view::ObjectName;
use crate::{Answer, Rdata, Reason, Record, RecordType};

/// Which PTR record of an address comes first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// The Service is the subdomain of a pod at the address.
    Governs,
    /// The endpoint has a hostname, which controllers give it in its governing Service only.
    HasHostname,
    Other,
}

impl Reader {
    /// A name outside the cluster zone: a reverse name, or none of ours.
    pub(super) fn reverse(&self, asked: Asked<'_>, lower: &LowerName) -> Answer {
        let Some(name) = ReverseName::parse(lower) else { return Answer::NotOurs };
        let zone = ReverseZone::find(&self.config().reverse, &name);
        if !self.is_synced() {
            return if zone.is_some() { Answer::NotSynced } else { Answer::NotOurs };
        }
        let pointers = name.address().map(|address| self.pointers(asked, address));
        let pointers = pointers.unwrap_or_default();
        // Addresses of endpoints outside the ranges are known too; their names are zones of their own.
        let zone = match (zone, name.address()) {
            (Some(zone), _) => zone,
            (None, Some(address)) if !pointers.is_empty() => match ReverseZone::of_address(address)
            {
                Some(zone) => zone,
                None => return Answer::NotOurs,
            },
            (None, _) => return Answer::NotOurs,
        };
        let ReverseZone { apex, at_apex } = &zone;
        if !pointers.is_empty() && asked.rtype == RecordType::PTR {
            return Answer::Records { records: pointers, additional: Vec::new() };
        }
        if *at_apex {
            return self.apex(asked, apex);
        }
        let negative_ttl = self.config().negative_ttl;
        if !pointers.is_empty() {
            return match asked.rtype {
                RecordType::ANY => self.any(asked),
                _ => self.no_data_in(apex, negative_ttl.missing_service, Reason::TypeMissing),
            };
        }
        match name.address() {
            Some(address) => self.no_such_name_in(
                apex,
                negative_ttl.missing_service,
                Reason::AddressUnknown { address },
            ),
            None => {
                let (first, last) = name.bounds();
                match name.is_exact && self.directory.reverse.any_between(first, last) {
                    true => self.no_data_in(apex, negative_ttl.other, Reason::OnlyNamesBelow),
                    false => self.no_such_name_in(
                        apex,
                        negative_ttl.missing_service,
                        Reason::ReverseNameEmpty,
                    ),
                }
            }
        }
    }

    /// The PTR records of an address: first the Service that governs the pod there, then by namespace and name.
    fn pointers(&self, asked: Asked<'_>, address: IpAddr) -> Vec<Record> {
        let Some(services) = self.directory.reverse.get(address) else { return Vec::new() };
        let pods = self.directory.pods_at(address);
        let governs = |service: &ObjectName| {
            pods.iter().flat_map(PodsAt::groups).any(|pod| {
                pod.namespace == service.namespace && pod.subdomain.as_ref() == Some(&service.name)
            })
        };
        let ranked = |(segment, row): (&Segment, &Row)| {
            let rank = if row.has_hostname { Rank::HasHostname } else { Rank::Other };
            (rank, segment.name_of(row))
        };
        let mut targets = Vec::new();
        for service in &*services {
            let Some(page) = self.directory.page_of(service) else { continue };
            if let Shape::ClusterIp(own) = &page.head.shape
                && own.contains(&address)
            {
                targets.extend(self.service_name(&page).map(|name| (Rank::Other, name)));
            }
            if page.external_name().is_some() {
                continue;
            }
            let mut rows: Vec<_> = page.rows_at(address).map(ranked).collect();
            rows.sort_unstable();
            rows.dedup();
            let governs = governs(service);
            let Some(parent) = self.service_name(&page) else { continue };
            targets.extend(rows.into_iter().filter_map(|(rank, endpoint)| {
                let rank = if governs { Rank::Governs } else { rank };
                Some((rank, NameBuilder::new().label(endpoint.as_bytes()).under(&parent)?))
            }));
        }
        // Stable: Services are in order already.
        targets.sort_by_key(|(rank, _)| *rank);
        if self.config().single_ptr {
            targets.truncate(1);
        }
        let ttl = self.config().ttl.reverse;
        let record =
            |(_, target)| Record { owner: asked.name.clone(), ttl, data: Rdata::Ptr(target) };
        targets.into_iter().map(record).collect()
    }
}
