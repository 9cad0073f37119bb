//! Reverse names.

use std::net::IpAddr;

use smallvec::SmallVec;

use super::{Asked, Scope};
use crate::directory::{FoundPage, PodsAt};
use crate::label::Label;
use crate::name::{LowerName, NameParts, NameRef};
use crate::page::Shape;
use crate::reverse::{ReverseName, ReverseZone};
use crate::sink::{Ending, Sink};
use crate::view::ObjectName;
use crate::{Name, RdataRef, Reason, RecordType};

/// Which PTR record of an address comes first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// The Service is the subdomain of a pod at the address.
    Governs,
    /// The endpoint has a hostname, which controllers give it in its governing Service only.
    HasHostname,
    Other,
}

/// As many Services and endpoints as one address has, as a rule.
const FEW: usize = 4;

/// What the PTR records of an address point at.
#[derive(Default)]
struct Pointers {
    pages: SmallVec<[FoundPage; FEW]>,
    /// By a page of those, an endpoint of it or itself.
    targets: SmallVec<[(Rank, usize, Option<Target>); FEW]>,
}

/// An endpoint's name: a label, below its Service or, of an import, below that and its cluster.
#[derive(Clone, PartialEq, Eq)]
struct Target {
    label: Label,
    parent: Option<Name>,
}

impl Target {
    /// By what they are in order.
    fn key(&self) -> (Label, Option<&[u8]>) {
        (self.label, self.parent.as_ref().and_then(|parent| parent.labels().next()))
    }
}

impl Scope<'_> {
    /// A name outside the cluster zone: a reverse name, or none of ours.
    pub(super) fn reverse(
        &self,
        asked: Asked<'_>,
        lower: &LowerName,
        sink: &mut impl Sink,
    ) -> Ending {
        let Some(name) = ReverseName::parse(lower) else { return Ending::NotOurs };
        let zone = ReverseZone::find(&self.config().reverse, &name);
        if !self.directory.is_synced() {
            return if zone.is_some() { Ending::NotSynced } else { Ending::NotOurs };
        }
        let pointers = match name.address() {
            Some(address) => self.known_pointers(address),
            None => Pointers::default(),
        };
        if asked.rtype == RecordType::PTR && !pointers.targets.is_empty() {
            return self.give(asked, &pointers, sink);
        }
        // Addresses of endpoints outside the ranges are known too; their names are zones of their own.
        let zone = match (zone, name.address()) {
            (Some(zone), _) => zone,
            (None, Some(address)) if !pointers.targets.is_empty() => {
                match ReverseZone::of_address(address) {
                    Some(zone) => zone,
                    None => return Ending::NotOurs,
                }
            }
            (None, _) => return Ending::NotOurs,
        };
        let ReverseZone { apex, at_apex } = &zone;
        let (apex, negative_ttl) = (apex.by_ref(), self.config().negative_ttl);
        if *at_apex {
            return self.apex(asked, apex, sink);
        }
        if !pointers.targets.is_empty() {
            return match asked.rtype {
                RecordType::ANY => self.any(asked, sink),
                _ => self
                    .no_data_in(apex, negative_ttl.missing_service, sink, || Reason::TypeMissing),
            };
        }
        let missing = negative_ttl.missing_service;
        match name.address() {
            Some(address) => {
                self.no_such_name_in(apex, missing, sink, || Reason::AddressUnknown { address })
            }
            None => {
                let (first, last) = name.bounds();
                match name.is_exact && self.any_pointers_between(first, last) {
                    true => {
                        self.no_data_in(apex, negative_ttl.other, sink, || Reason::OnlyNamesBelow)
                    }
                    false => self.no_such_name_in(apex, missing, sink, || Reason::ReverseNameEmpty),
                }
            }
        }
    }

    /// What the PTR records of an address point at. Imports have such a record where no Service of the cluster has one
    /// (Multi-Cluster DNS specification 2.3.3 and 2.4.3).
    fn known_pointers(&self, address: IpAddr) -> Pointers {
        let own = self.pointers(address);
        match &self.directory.cluster_set {
            Some(published) if own.targets.is_empty() => {
                Scope { directory: self.directory, published }.pointers(address)
            }
            _ => own,
        }
    }

    /// Whether an address of a range has a PTR record.
    fn any_pointers_between(&self, first: IpAddr, last: IpAddr) -> bool {
        let imports = self.directory.cluster_set.iter();
        let mut zones = std::iter::once(self.published).chain(imports);
        zones.any(|published| published.reverse.any_between(first, last))
    }

    /// What the PTR records of an address in one zone point at: first what the Service has that governs the pod there, then by
    /// namespace and name.
    fn pointers(&self, address: IpAddr) -> Pointers {
        let mut pointers = Pointers::default();
        let Some(services) = self.published.reverse.get(address) else { return pointers };
        let pods = self.directory.pods_at(address);
        let governs = |service: &ObjectName| {
            pods.iter().flat_map(|pods| PodsAt::groups(pods)).any(|pod| {
                pod.namespace == service.namespace && pod.subdomain.as_ref() == Some(&service.name)
            })
        };
        for service in &*services {
            let Some(page) = self.published.page_of(service) else { continue };
            let Some(name) = &page.head.name else { continue };
            let at = pointers.pages.len();
            if let Shape::ClusterIp(own) = &page.head.shape
                && own.contains(&address)
            {
                pointers.targets.push((Rank::Other, at, None));
            }
            if !page.head.names_endpoints() {
                pointers.pages.push(page);
                continue;
            }
            let governs = governs(service);
            let mut endpoints: SmallVec<[(Rank, Target); FEW]> = page
                .rows_at(address)
                .map(|(segment, row)| {
                    let rank = match row.has_hostname {
                        _ if governs => Rank::Governs,
                        true => Rank::HasHostname,
                        false => Rank::Other,
                    };
                    let label = segment.name_of(row).to_label();
                    (rank, Target { label, parent: segment.parent.clone() })
                })
                .filter(|(_, target)| prefixed(name, target).is_some())
                .collect();
            // Of a name that several endpoints have, the best rank comes first, and stays.
            endpoints.sort_unstable_by(|(rank, target), (other_rank, other)| {
                (target.key(), rank).cmp(&(other.key(), other_rank))
            });
            endpoints.dedup_by(|(_, target), (_, other)| target == other);
            pointers
                .targets
                .extend(endpoints.into_iter().map(|(rank, target)| (rank, at, Some(target))));
            pointers.pages.push(page);
        }
        // Stable: Services are in order already.
        pointers.targets.sort_by_key(|(rank, ..)| *rank);
        if self.config().single_ptr {
            pointers.targets.truncate(1);
        }
        pointers
    }

    fn give(&self, asked: Asked<'_>, pointers: &Pointers, sink: &mut impl Sink) -> Ending {
        let ttl = self.config().ttl.reverse;
        for (_, page, target) in &pointers.targets {
            let Some(name) = &pointers.pages[*page].head.name else { continue };
            let target = match target {
                Some(target) => prefixed(name, target),
                None => Some(name.into()),
            };
            let Some(target) = target else { continue };
            if sink.answer(asked.owner, ttl, RdataRef::Ptr(target)).is_err() {
                break;
            }
        }
        Ending::Records
    }
}

/// The name of an endpoint of the Service called `name`.
fn prefixed<'a>(name: &'a Name, target: &'a Target) -> Option<NameParts<'a>> {
    let parent = target.parent.as_ref().unwrap_or(name);
    NameRef::from(parent).prefixed(target.label.as_bytes())
}
