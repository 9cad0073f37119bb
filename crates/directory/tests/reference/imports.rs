//! ServiceImports, as the Multi-Cluster DNS specification 1.0.0 has them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use directory::RecordType;
use directory::view::{ImportedFrom, ObjectName, ServiceShape, ServiceView, SliceView};

use super::services::Ports;
use super::{Asked, Reference, Said, is_label, lines, protocol_of};

/// An address of a published endpoint of an import.
pub(super) struct Row<'a> {
    slice: &'a SliceView,
    /// In lowercase.
    cluster: String,
    label: String,
    address: IpAddr,
    pub(super) has_hostname: bool,
}

impl Row<'_> {
    fn name(&self, import: &str) -> String {
        format!("{}.{}.{import}", self.label, self.cluster)
    }
}

impl Reference {
    /// With the dot at its end.
    pub(super) fn cluster_set(&self) -> Option<String> {
        let domain = self.config.cluster_set_domain.as_ref()?;
        Some(domain.to_string().to_ascii_lowercase())
    }

    /// By the labels left of the domain.
    pub(super) fn in_cluster_set(&self, asked: &Asked, below: &[&str]) -> Said {
        let domain = self.config.cluster_set_domain.as_ref().expect("names lie in it").to_string();
        let negative = self.config.negative_ttl;
        let said = match below {
            [] => self.apex(asked, &domain),
            ["svc"] => self.no_data(negative.other),
            [namespace, "svc"] => self.namespace(namespace),
            [below @ .., service, namespace, "svc"] => match self.import(service, namespace) {
                Some(import) => self.at_import(asked, below, import),
                None if self.has_namespace(namespace) => {
                    self.no_such_name(negative.missing_service)
                }
                None => self.no_such_name(negative.missing_namespace),
            },
            ["dns-version"] => match asked.rtype {
                RecordType::TXT => self.only(asked, self.config.ttl.zone, "TXT \"1.0.0\""),
                RecordType::ANY => self.minimal(asked),
                _ => self.no_data(negative.other),
            },
            _ => self.no_such_name(negative.other),
        };
        // All that was negative is so in this zone.
        Said { soa: said.soa.map(|(_, ttl)| (domain, ttl)), ..said }
    }

    /// An import that exists and whose name can be asked for.
    fn import(&self, service: &str, namespace: &str) -> Option<&ServiceView> {
        let found = self.imports.get(&ObjectName::new(namespace, service))?;
        self.cluster_set()?;
        (is_label(service) && is_label(namespace)).then_some(found)
    }

    pub(super) fn imports_by_name(&self) -> impl Iterator<Item = &ServiceView> {
        self.imports.keys().filter_map(|id| self.import(&id.name, &id.namespace))
    }

    fn import_name(&self, id: &ObjectName) -> String {
        format!("{}.{}.svc.{}", id.name, id.namespace, self.cluster_set().unwrap_or_default())
    }

    fn rows(&self, import: &ServiceView) -> Vec<Row<'_>> {
        let mut rows = Vec::new();
        for slice in self.imported.values() {
            let Some(ImportedFrom { import: name, cluster }) = &slice.import else { continue };
            let is_of = slice.id.namespace == import.id.namespace && *name == import.id.name;
            if !is_of || !is_label(cluster) {
                continue;
            }
            for endpoint in slice.endpoints.iter().filter(|endpoint| self.is_published(endpoint)) {
                let has_hostname = endpoint.hostname.as_deref().is_some_and(is_label);
                for (label, address) in self.labels_of(endpoint) {
                    let cluster = cluster.to_ascii_lowercase();
                    rows.push(Row { slice, cluster, label, address, has_hostname });
                }
            }
        }
        rows
    }

    /// Every address that has a PTR record in this zone.
    pub(super) fn imported_addresses(&self) -> BTreeSet<IpAddr> {
        let mut known = BTreeSet::new();
        for import in self.imports_by_name() {
            match &import.shape {
                ServiceShape::ClusterIp(own) => known.extend(own.iter().copied()),
                _ => known.extend(self.rows(import).iter().map(|row| row.address)),
            }
        }
        known
    }

    /// What the PTR records of an address point at, by import: itself, or its endpoints with whether they have a hostname.
    pub(super) fn imported_targets(
        &self,
        import: &ServiceView,
        address: IpAddr,
    ) -> Vec<(String, bool)> {
        let name = self.import_name(&import.id);
        if let ServiceShape::ClusterIp(own) = &import.shape {
            return own.contains(&address).then_some((name, false)).into_iter().collect();
        }
        let mut targets: BTreeMap<(String, String), bool> = BTreeMap::new();
        for row in self.rows(import).into_iter().filter(|row| row.address == address) {
            *targets.entry((row.label, row.cluster)).or_insert(false) |= row.has_hostname;
        }
        let target = |((label, cluster), named)| (format!("{label}.{cluster}.{name}"), named);
        targets.into_iter().map(target).collect()
    }

    /// `S.N.svc` and what is below it.
    fn at_import(&self, asked: &Asked, below: &[&str], import: &ServiceView) -> Said {
        let (ttl, negative_ttl) = (self.config.ttl, self.config.negative_ttl.service);
        let rows = self.rows(import);
        let name = self.import_name(&import.id);
        let own = match &import.shape {
            ServiceShape::ClusterIp(own) => Some(own.iter().copied().collect()),
            ServiceShape::Headless | ServiceShape::ExternalName(_) => None,
        };
        if rows.is_empty() && (own.is_none() || self.config.ignore_empty_service) {
            return self.no_such_name(negative_ttl);
        }
        match (below, own) {
            ([], own) if asked.rtype != RecordType::SRV => {
                let (ttl, addresses): (_, BTreeSet<IpAddr>) = match own {
                    Some(own) => (ttl.cluster_ip, own),
                    None => (ttl.headless, rows.iter().map(|row| row.address).collect()),
                };
                self.addresses(asked, ttl, &addresses, negative_ttl)
            }
            ([], Some(own)) => self.srv_of_import(asked, import, &name, &own, Ports::All),
            ([], None) => self.srv_of_rows(asked, &name, rows.iter().collect(), Ports::All),
            ([protocol], own) if protocol.starts_with('_') => {
                let offered = self.import_ports(import, own.is_some(), &rows);
                let is_its = |(name, its): &(String, &str)| {
                    !name.is_empty() && protocol_of(protocol) == Some(*its)
                };
                match offered.iter().any(is_its) {
                    true => self.no_data(negative_ttl),
                    false => self.no_such_name(negative_ttl),
                }
            }
            ([port, protocol], own) if port.starts_with('_') && protocol.starts_with('_') => {
                let Some(protocol) = protocol_of(protocol) else {
                    return self.no_such_name(negative_ttl);
                };
                let port = &port[1..];
                let wanted = Ports::Named { name: port, protocol };
                let offered = self.import_ports(import, own.is_some(), &rows);
                if port.is_empty() || !offered.iter().any(|(name, its)| wanted.mean(name, its)) {
                    return self.no_such_name(negative_ttl);
                }
                match (asked.rtype, own) {
                    (RecordType::SRV, Some(own)) => {
                        self.srv_of_import(asked, import, &name, &own, wanted)
                    }
                    (RecordType::SRV, None) => {
                        self.srv_of_rows(asked, &name, rows.iter().collect(), wanted)
                    }
                    (RecordType::ANY, _) => self.minimal(asked),
                    _ => self.no_data(negative_ttl),
                }
            }
            // A cluster has no records, and a name only while one of its endpoints has.
            ([cluster], None) if rows.iter().any(|row| row.cluster == **cluster) => {
                self.no_data(negative_ttl)
            }
            ([label, cluster], None) if !label.starts_with('_') && !cluster.starts_with('_') => {
                let is_meant = |row: &&Row<'_>| row.label == **label && row.cluster == **cluster;
                let meant: Vec<&Row<'_>> = rows.iter().filter(is_meant).collect();
                let addresses: BTreeSet<_> = meant.iter().map(|row| row.address).collect();
                match asked.rtype {
                    _ if meant.is_empty() => self.no_such_name(negative_ttl),
                    RecordType::SRV => self.srv_of_rows(asked, &name, meant, Ports::All),
                    _ => self.addresses(asked, ttl.headless, &addresses, negative_ttl),
                }
            }
            _ => self.no_such_name(negative_ttl),
        }
    }

    /// The names and protocols of the ports that SRV records are made of.
    fn import_ports(
        &self,
        import: &ServiceView,
        has_addresses: bool,
        rows: &[Row<'_>],
    ) -> Vec<(String, &'static str)> {
        if has_addresses {
            let ports = import.ports.iter();
            return ports.map(|port| (port.name.clone(), port.protocol.as_str())).collect();
        }
        let ports = rows.iter().flat_map(|row| &row.slice.ports);
        let numbered = ports.filter(|port| port.port.is_some());
        numbered.map(|port| (port.name.clone(), port.protocol.as_str())).collect()
    }

    /// The SRV records that point at an import's own name.
    fn srv_of_import(
        &self,
        asked: &Asked,
        import: &ServiceView,
        name: &str,
        own: &BTreeSet<IpAddr>,
        wanted: Ports<'_>,
    ) -> Said {
        let meant =
            import.ports.iter().filter(|port| wanted.mean(&port.name, port.protocol.as_str()));
        let records = meant.map(|port| (name.to_owned(), port.port)).collect();
        let addresses = BTreeMap::from([(name.to_owned(), own.clone())]);
        self.srv_to(asked, self.config.ttl.cluster_ip, &records, &addresses)
    }

    /// The SRV records that point at endpoints.
    fn srv_of_rows(
        &self,
        asked: &Asked,
        name: &str,
        meant: Vec<&Row<'_>>,
        wanted: Ports<'_>,
    ) -> Said {
        let mut records = BTreeSet::new();
        for row in &meant {
            for port in &row.slice.ports {
                if let Some(number) = port.port
                    && wanted.mean(&port.name, port.protocol.as_str())
                {
                    records.insert((row.name(name), number));
                }
            }
        }
        // Of a target all addresses, whatever ports they have.
        let mut addresses: BTreeMap<String, BTreeSet<IpAddr>> = BTreeMap::new();
        for row in &meant {
            addresses.entry(row.name(name)).or_default().insert(row.address);
        }
        self.srv_to(asked, self.config.ttl.headless, &records, &addresses)
    }

    fn srv_to(
        &self,
        asked: &Asked,
        ttl: u32,
        records: &BTreeSet<(String, u16)>,
        addresses: &BTreeMap<String, BTreeSet<IpAddr>>,
    ) -> Said {
        if records.is_empty() {
            return self.no_data(self.config.negative_ttl.service);
        }
        let (owner, weight) = (&asked.owner, (100 / records.len()).max(1));
        let record =
            |(target, port): &_| format!("{owner} {ttl} IN SRV 0 {weight} {port} {target}");
        let targets: BTreeSet<&String> = records.iter().map(|(target, _)| target).collect();
        let glue = targets.into_iter().flat_map(|target| lines(target, ttl, &addresses[target]));
        Said::records(records.iter().map(record).collect(), glue.collect())
    }
}
