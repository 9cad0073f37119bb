//! Every name that owns records. Its records are what is answered for it; nothing is worked out a second way.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use super::Reader;
use super::reply::text_of;
use crate::label::Label;
use crate::name::{LowerName, NameBuilder};
use crate::page::Page;
use crate::reverse::{ReverseName, ReverseZone};
use crate::view::{ObjectName, Protocol};
use crate::{Answer, Name, NameRef, PodMode, Record, RecordType};

/// A name, and what it is the name of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The name, in lowercase.
    pub name: Name,
    /// What it is the name of.
    pub role: Role,
}

/// What a name is the name of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// The zone itself.
    Apex,
    /// `ns.dns`: this server.
    NameServer,
    /// `dns-version`.
    DnsVersion,
    /// `S.N.svc`.
    Service(ObjectName),
    /// `H.S.N.svc`.
    Endpoint {
        /// The Service.
        service: ObjectName,
        /// Its hostname, or its address with dashes.
        label: Arc<str>,
    },
    /// `_P._T.S.N.svc`.
    Port {
        /// The Service.
        service: ObjectName,
        /// The port's name.
        port: Arc<str>,
        /// Its protocol.
        protocol: Protocol,
    },
    /// `10-1-2-3.N.pod`.
    Pod {
        /// The pod's namespace.
        namespace: Arc<str>,
        /// One of its addresses.
        address: IpAddr,
    },
    /// The reverse name of an address.
    Address(IpAddr),
}

/// The types of records that names own.
const TYPES: [RecordType; 8] = [
    RecordType::SOA,
    RecordType::NS,
    RecordType::CNAME,
    RecordType::A,
    RecordType::AAAA,
    RecordType::SRV,
    RecordType::PTR,
    RecordType::TXT,
];

impl Reader {
    /// The records that a name owns: what [`Reader::answer`] gives for each type, SOA and NS first. Empty for a name
    /// that does not exist, or has only names below it.
    pub fn records(&self, owner: &Name) -> Vec<Record> {
        let mut records = Vec::new();
        for rtype in TYPES {
            match self.answer(owner, rtype) {
                Answer::Records { records: answered, additional: _ } => records.extend(answered),
                // An alias answers every type; what it owns is its CNAME record alone.
                Answer::Alias { .. }
                | Answer::NoData(_)
                | Answer::NoSuchName(_)
                | Answer::Loop(_)
                | Answer::NotOurs
                | Answer::NotSynced => {}
            }
        }
        records
    }

    /// Every name of the cluster zone that owns records: the zone's own, then those of each Service (see
    /// [`Reader::owners_of`]), then those of pods. Those of pods are left out where any address is echoed,
    /// and listed in one spelling of their address, where they answer in any. Names of topology zones and of searches are
    /// left out: they have no number, and lead to what is listed.
    ///
    /// Each is asked for while the list is made, so that it never holds a name that does not answer; what changes
    /// meanwhile may be in it or not.
    pub fn owners(&self) -> Vec<Owner> {
        let mut found = Found::new(self);
        found.add(Some(self.config().domain.to_lowercase()), Role::Apex);
        found.add(Some(self.directory.name_server.clone()), Role::NameServer);
        let version = NameBuilder::new().label(b"dns-version").under(&self.config().domain);
        found.add(version, Role::DnsVersion);
        for page in self.directory.cluster.all_pages() {
            found.add_page(&page);
        }
        if self.config().pods == PodMode::Verified {
            found.add_pods();
        }
        found.owners
    }

    /// Every name of the zone of imports that owns records, as [`Reader::owners`] lists those of the cluster's own.
    pub fn owners_of_imports(&self) -> Vec<Owner> {
        let mut found = Found::new(self);
        let Some(imports) = &self.directory.cluster_set else { return found.owners };
        let domain = &imports.zone.domain;
        found.add(Some(domain.to_lowercase()), Role::Apex);
        found.add(NameBuilder::new().label(b"dns-version").under(domain), Role::DnsVersion);
        for page in imports.all_pages() {
            found.add_page(&page);
        }
        found.owners
    }

    /// The names of one Service that own records: its own, those of its endpoints and those of its ports.
    pub fn owners_of(&self, service: &ObjectName) -> Vec<Owner> {
        let mut found = Found::new(self);
        if let Some(page) = self.directory.cluster.page_of(service) {
            found.add_page(&page);
        }
        found.owners
    }

    /// The name of a Service, whether it answers or not; `None` for one that is unknown or has no room for its name.
    pub fn name_of(&self, service: &ObjectName) -> Option<Name> {
        self.directory.cluster.page_of(service).and_then(|page| page.head.name.clone())
    }

    /// Every Service that names are made of, in order.
    pub fn services(&self) -> Vec<ObjectName> {
        self.directory.cluster.all_pages().iter().map(|page| (*page.head.id).clone()).collect()
    }

    /// How many endpoints of a Service are published, of how many.
    pub fn endpoints_of(&self, service: &ObjectName) -> (usize, usize) {
        self.directory.cluster.page_of(service).map_or((0, 0), |page| page.endpoint_counts())
    }

    /// The names of the endpoints of a Service that would answer if they were ready.
    pub fn withheld(&self, service: &ObjectName) -> Vec<Name> {
        let Some(page) = self.directory.cluster.page_of(service) else { return Vec::new() };
        if page.external_name().is_some() {
            return Vec::new();
        }
        let Some(parent) = page.head.name.clone() else { return Vec::new() };
        let names = page.all_endpoint_names();
        let withheld = names.into_iter().filter(|(_, published)| !published);
        withheld
            .filter_map(|((_, label), _)| NameBuilder::new().label(label.as_bytes()).under(&parent))
            .collect()
    }

    /// The zones of reverse names, each with its names that own records: its own, then those of addresses, in their
    /// order. First come those of the configured ranges, then each known address outside them, which is a zone of its own.
    pub fn reverse_zones(&self) -> Vec<(Name, Vec<Owner>)> {
        let ranges = &self.config().reverse;
        let of_ranges = ReverseZone::all(ranges).map(|apex| (apex.clone(), apex, Role::Apex));
        let imported = self.directory.cluster_set.iter().flat_map(|zone| zone.reverse.keys());
        let addresses = self.directory.cluster.reverse.keys().into_iter().chain(imported);
        let addresses: BTreeSet<IpAddr> = addresses.collect();
        let of_addresses = addresses.into_iter().filter_map(|address| {
            let name = ReverseName::of(address)?;
            let parsed = ReverseName::parse(&LowerName::new((&name).into()))?;
            let zone = ReverseZone::find(ranges, &parsed);
            let zone = zone.or_else(|| ReverseZone::of_address(address))?;
            Some((zone.apex.by_ref().to_name(), name, Role::Address(address)))
        });
        let mut zones: Vec<(Name, Found<'_>)> = Vec::new();
        let mut places: HashMap<Name, usize> = HashMap::new();
        for (apex, name, role) in of_ranges.chain(of_addresses) {
            let place = *places.entry(apex.clone()).or_insert(zones.len());
            if place == zones.len() {
                zones.push((apex, Found::new(self)));
            }
            zones[place].1.add(Some(name), role);
        }
        zones.into_iter().map(|(apex, found)| (apex, found.owners)).collect()
    }
}

impl Reader {
    /// All records of a zone of ours, given by its apex: the cluster zone, that of imports, or one of reverse names. `None` for
    /// a name that is none of one, and before the first sync.
    pub fn zone_records(&self, apex: NameRef<'_>) -> Option<Vec<Record>> {
        let is = |domain: &Name| NameRef::from(domain) == apex;
        let owners = match &self.directory.cluster_set {
            _ if !self.is_synced() => return None,
            _ if is(&self.config().domain) => self.owners(),
            Some(imports) if is(&imports.zone.domain) => self.owners_of_imports(),
            _ => {
                let mut zones = self.reverse_zones().into_iter();
                zones.find(|(its, _)| is(its))?.1
            }
        };
        Some(owners.iter().flat_map(|owner| self.records(&owner.name)).collect())
    }
}

/// Names that own records, each once.
struct Found<'a> {
    reader: &'a Reader,
    names: HashSet<Name>,
    owners: Vec<Owner>,
}

impl<'a> Found<'a> {
    fn new(reader: &'a Reader) -> Self {
        Self { reader, names: HashSet::new(), owners: Vec::new() }
    }

    /// Takes a name in, if it is one and owns records.
    fn add(&mut self, name: Option<Name>, role: Role) {
        let Some(name) = name else { return };
        if self.names.contains(&name) || self.reader.records(&name).is_empty() {
            return;
        }
        self.names.insert(name.clone());
        self.owners.push(Owner { name, role });
    }

    fn add_page(&mut self, page: &Page) {
        let Some(own) = page.head.name.clone() else { return };
        let service = &*page.head.id;
        self.add(Some(own.clone()), Role::Service(service.clone()));
        if page.external_name().is_some() {
            return;
        }
        for ((cluster, label), published) in page.all_endpoint_names() {
            if published {
                let role = Role::Endpoint { service: service.clone(), label: text(label) };
                let name = NameBuilder::new().label(label.as_bytes());
                let name = cluster.into_iter().fold(name, NameBuilder::label);
                self.add(name.under(&own), role);
            }
        }
        for (port, protocol) in page.named_ports() {
            let of_protocol = format!("_{}", protocol.as_str());
            let name = NameBuilder::new()
                .label(format!("_{port}").as_bytes())
                .label(of_protocol.as_bytes())
                .under(&own);
            let port = Arc::from(port);
            self.add(name, Role::Port { service: service.clone(), port, protocol });
        }
    }

    fn add_pods(&mut self) {
        for at in self.reader.directory.all_pods() {
            let address = at.address;
            for pod in at.groups() {
                let name = NameBuilder::new()
                    .label(Label::dashed(address).as_bytes())
                    .label(pod.namespace.as_bytes())
                    .label(b"pod")
                    .under(&self.reader.config().domain);
                self.add(name, Role::Pod { namespace: Arc::clone(&pod.namespace), address });
            }
        }
    }
}

fn text(label: Label) -> Arc<str> {
    text_of(label.as_bytes())
}
