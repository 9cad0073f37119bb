//! The records of a Service, as people read them.

use std::collections::BTreeMap;
use std::fmt;

use directory::view::ObjectName;
use directory::{Answer, Name, Negative, Owner, Rdata, Reason, Record, RecordType, Role};
use k8s_openapi::api::core::v1::{Service, ServiceSpec};

use crate::observe::Preview;
use crate::{natural, purpose};

/// Everything that one Service publishes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceRecords {
    /// Namespace and name.
    pub service: ObjectName,
    /// How it publishes.
    pub shape: Shape,
    /// How many endpoints are published, and how many there are.
    pub endpoints: (usize, usize),
    /// The same before pods were made not ready, where some were.
    pub endpoints_before: Option<(usize, usize)>,
    /// Its records: those of its own name, of its endpoints, of its ports, and of its addresses' reverse names.
    pub records: Vec<NamedRecord>,
    /// Why its own name answers nothing, where it does.
    pub nothing: Option<Reason>,
    /// Names that people may look for, and that do not exist (NXDOMAIN).
    pub absent: Vec<Absent>,
    /// What else there is to know.
    pub notes: Vec<String>,
}

/// The ways of a Service to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// By virtual addresses.
    ClusterIp {
        /// `spec.type`: `ClusterIP`, `NodePort` or `LoadBalancer`.
        type_name: String,
        /// Whether it selects pods; else its endpoints are kept by hand.
        selects: bool,
    },
    /// By its endpoints.
    Headless {
        /// Whether endpoints count that are not ready.
        publishes_not_ready: bool,
        /// Whether it selects pods; else its endpoints are kept by hand.
        selects: bool,
    },
    /// By another name.
    ExternalName {
        /// `spec.externalName`, as written.
        target: String,
    },
}

/// `ClusterIP`, `NodePort`, `LoadBalancer`, `headless` or `ExternalName`.
impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ClusterIp { type_name, .. } => type_name,
            Self::Headless { .. } => "headless",
            Self::ExternalName { .. } => "ExternalName",
        })
    }
}

/// A record with what is said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedRecord {
    /// The record itself.
    pub record: Record,
    /// Its name, with symbols for addresses that only a cluster can allot: `<dashed ip of web-1>.web.default.svc…`.
    pub owner: String,
    /// Its data, likewise: `<ip of db-0>`.
    pub data: String,
    /// What the name is for: `one peer by its name`.
    pub purpose: String,
    /// Whether it was there before.
    pub change: Change,
}

impl NamedRecord {
    /// The data of an SRV record without its weight, which depends on how many there are.
    pub(crate) fn weightless(&self) -> Option<(u16, u16, &Name)> {
        match &self.record.data {
            Rdata::Srv { priority, weight: _, port, target } => Some((*priority, *port, target)),
            _ => None,
        }
    }
}

/// What became of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is there, as it was.
    Same,
    /// It is gone.
    Removed,
    /// It is new.
    Added,
    /// An SRV record that has another weight, since there are more or fewer of them.
    Reweighted {
        /// The data that it had, with symbols.
        was: String,
    },
}

/// A name that does not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Absent {
    /// The name, with symbols.
    pub name: String,
    /// Why it does not exist.
    pub reason: String,
}

impl Shape {
    pub(crate) fn of(service: &Service) -> Self {
        let none = ServiceSpec::default();
        let spec = service.spec.as_ref().unwrap_or(&none);
        let type_name = spec.type_.as_deref().unwrap_or("ClusterIP");
        if type_name == "ExternalName" {
            return Self::ExternalName { target: spec.external_name.clone().unwrap_or_default() };
        }
        let selects = spec.selector.as_ref().is_some_and(|selector| !selector.is_empty());
        if spec.cluster_ip.as_deref() == Some("None") {
            return Self::Headless {
                publishes_not_ready: spec.publish_not_ready_addresses == Some(true),
                selects,
            };
        }
        Self::ClusterIp { type_name: type_name.to_owned(), selects }
    }
}

impl Preview {
    /// The records of every Service, by namespace and name.
    pub fn services(&self) -> Vec<ServiceRecords> {
        let mut pointers = self.pointers();
        let services = self.services.iter();
        let records =
            |(id, service)| self.service(id, service, pointers.remove(id).unwrap_or_default());
        services.map(records).collect()
    }

    /// The records of the zone itself, and of its DNS server.
    pub fn zone_records(&self) -> Vec<NamedRecord> {
        let of_zone =
            |role: &Role| matches!(role, Role::Apex | Role::NameServer | Role::DnsVersion);
        self.records_of(self.reader.owners().iter().filter(|owner| of_zone(&owner.role)))
    }

    /// The records of pods by their addresses, below `pod`.
    pub fn pod_records(&self) -> Vec<NamedRecord> {
        let of_pod = |role: &Role| matches!(role, Role::Pod { .. });
        let mut records =
            self.records_of(self.reader.owners().iter().filter(|owner| of_pod(&owner.role)));
        records.sort_by_cached_key(|named| natural::key(&named.owner));
        records
    }

    fn records_of<'a>(&self, owners: impl Iterator<Item = &'a Owner>) -> Vec<NamedRecord> {
        let shape = Shape::ClusterIp { type_name: String::new(), selects: true };
        owners.flat_map(|owner| self.records(owner, &shape, false)).collect()
    }

    fn service(
        &self,
        id: &ObjectName,
        service: &Service,
        pointers: Vec<(Owner, Record)>,
    ) -> ServiceRecords {
        let shape = Shape::of(service);
        let owners = self.reader.owners_of(id);
        let has_peers = owners.iter().any(|owner| self.is_peer(owner));
        let of_names = owners.iter().flat_map(|owner| {
            let records = self.reader.records(&owner.name).into_iter();
            records.map(move |record| (owner.role.clone(), record))
        });
        let of_addresses = pointers.into_iter().map(|(owner, record)| (owner.role, record));
        let mut records: Vec<(u8, NamedRecord)> = of_names
            .chain(of_addresses)
            .map(|(role, record)| (rank(&role), self.named(&role, record, &shape, has_peers)))
            .collect();
        records.sort_by_cached_key(|(rank, named)| {
            let rtype = named.record.data.rtype().0;
            (*rank, natural::key(&named.owner), rtype, natural::key(&named.data))
        });
        let records = records.into_iter().map(|(_, named)| named).collect();
        let own = self.reader.name_of(id);
        let answers = owners.iter().any(|owner| matches!(owner.role, Role::Service(_)));
        let nothing = own
            .as_ref()
            .filter(|_| !answers)
            .and_then(|own| self.reader.answer(own, RecordType::A).reason().cloned());
        let mut notes = self.notes.get(id).cloned().unwrap_or_default();
        notes.extend(unnamed_ports(service, &shape));
        notes.extend(own.as_ref().and_then(|own| self.alias_to_nothing(own)));
        ServiceRecords {
            service: id.clone(),
            endpoints: self.reader.endpoints_of(id),
            endpoints_before: None,
            absent: self.absent(id, service, answers, own.as_ref()),
            shape,
            records,
            nothing,
            notes,
        }
    }

    /// What a client gets of an alias that leads nowhere in this zone, though the alias itself is there.
    fn alias_to_nothing(&self, own: &Name) -> Option<String> {
        let (code, reason) = match self.reader.answer(own, RecordType::A) {
            Answer::Loop(reason) => ("SERVFAIL", reason),
            Answer::Alias { target, .. } => match *target {
                Answer::Loop(reason) => ("SERVFAIL", reason),
                Answer::NoSuchName(negative) => ("NXDOMAIN", negative.reason),
                _ => return None,
            },
            _ => return None,
        };
        Some(format!("clients that follow the alias get {code}: {reason}"))
    }

    /// Whether a name is that of an endpoint with a hostname.
    fn is_peer(&self, owner: &Owner) -> bool {
        let Role::Endpoint { label, .. } = &owner.role else { return false };
        self.reader.records(&owner.name).iter().all(|record| match record.data {
            Rdata::A(address) => **label != *directory::dashed(address.into()),
            Rdata::Aaaa(address) => **label != *directory::dashed(address.into()),
            _ => true,
        })
    }

    fn records(&self, owner: &Owner, shape: &Shape, has_peers: bool) -> Vec<NamedRecord> {
        let records = self.reader.records(&owner.name).into_iter();
        records.map(|record| self.named(&owner.role, record, shape, has_peers)).collect()
    }

    fn named(&self, role: &Role, record: Record, shape: &Shape, has_peers: bool) -> NamedRecord {
        let owner = match role {
            Role::Address(address) => self.symbols.reverse(&record.owner, *address),
            _ => self.symbols.name(&record.owner),
        };
        NamedRecord {
            owner,
            data: self.symbols.data(&record.data),
            purpose: purpose::of(role, &record.data, shape, has_peers),
            record,
            change: Change::Same,
        }
    }

    /// The PTR records that lead to a Service or below it.
    fn pointers(&self) -> BTreeMap<ObjectName, Vec<(Owner, Record)>> {
        let mut pointers: BTreeMap<ObjectName, Vec<(Owner, Record)>> = BTreeMap::new();
        let zones = self.reader.reverse_zones().into_iter();
        for owner in zones.flat_map(|(_, owners)| owners) {
            for record in self.reader.records(&owner.name) {
                if let Rdata::Ptr(target) = &record.data
                    && let Some(service) = self.service_of(target)
                {
                    pointers.entry(service).or_default().push((owner.clone(), record));
                }
            }
        }
        pointers
    }

    /// The Service that a name is the name of, or lies below.
    fn service_of(&self, name: &Name) -> Option<ObjectName> {
        let domain = self.reader.config().domain.labels().count();
        let labels: Vec<&[u8]> = name.labels().collect();
        // S.N.svc, and the domain.
        let at = labels.len().checked_sub(domain + 3)?;
        let text = |label: &[u8]| String::from_utf8_lossy(label).into_owned();
        Some(ObjectName::new(text(labels[at + 1]), text(labels[at])))
    }

    /// The names that people may look for: endpoints that are not ready, and ports that no endpoint has.
    fn absent(
        &self,
        id: &ObjectName,
        service: &Service,
        answers: bool,
        own: Option<&Name>,
    ) -> Vec<Absent> {
        // Without an endpoint there is no name at all, and that is said of the Service itself.
        if !answers {
            return Vec::new();
        }
        let mut names = self.reader.withheld(id);
        let spec = service.spec.as_ref();
        let ports = spec.iter().flat_map(|spec| spec.ports.iter().flatten());
        for port in ports {
            let Some(port_name) = port.name.as_deref().filter(|name| !name.is_empty()) else {
                continue;
            };
            let protocol = port.protocol.as_deref().unwrap_or("TCP").to_lowercase();
            let name = own.and_then(|own| {
                Name::parse(&format!("_{}._{protocol}.{own}", port_name.to_lowercase())).ok()
            });
            names.extend(name);
        }
        let mut absent = Vec::new();
        for name in names {
            let answer = self.reader.answer(&name, RecordType::SRV);
            let Answer::NoSuchName(Negative { reason, soa: _ }) = answer else { continue };
            let reason = match reason {
                Reason::EndpointNotReady { .. } => "it is not ready".to_owned(),
                other => other.to_string(),
            };
            absent.push(Absent { name: self.symbols.name(&name), reason });
        }
        absent.sort_by_cached_key(|absent| natural::key(&absent.name));
        // One port may be there for two numbers.
        absent.dedup();
        absent
    }
}

/// The order of a Service's names: its own, those of its endpoints, those of its ports, and from addresses to names.
fn rank(role: &Role) -> u8 {
    match role {
        Role::Apex | Role::NameServer | Role::DnsVersion | Role::Service(_) => 0,
        Role::Endpoint { .. } => 1,
        Role::Port { .. } => 2,
        Role::Address(_) => 3,
        Role::Pod { .. } => 4,
    }
}

/// What a port without a name lacks.
fn unnamed_ports(service: &Service, shape: &Shape) -> Option<String> {
    if matches!(shape, Shape::ExternalName { .. }) {
        return None;
    }
    let ports = service.spec.as_ref()?.ports.as_ref()?;
    let port = ports.iter().find(|port| port.name.as_deref().unwrap_or_default().is_empty())?;
    let protocol = port.protocol.as_deref().unwrap_or("TCP");
    let (number, service) = (port.port, service.metadata.name.as_deref().unwrap_or_default());
    Some(format!(
        "port {number}/{protocol} has no name: its SRV records are at {service} itself, and there is no _NAME._{}.{service}",
        protocol.to_lowercase(),
    ))
}
