//! A second implementation of what names answer: slow and obvious, straight from the objects, with nothing of the
//! directory's but the types of its questions, settings and objects.
//!
//! It follows the Kubernetes DNS specification 1.1.0 and what the behaviour scripts say beyond it. Every answer is found by
//! looking at all objects that could have a part in it; nothing is kept from one question to the next.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

mod imports;
mod reverse;
mod services;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use directory::script::{Outcome, Rcode};
use directory::view::{EndpointView, ObjectName, PodView, ServiceView, SliceView};
use directory::{Change, Name, PodMode, RecordType, ZoneConfig};

/// The objects that are there, and the zone's settings.
pub struct Reference {
    config: ZoneConfig,
    synced: bool,
    namespaces: BTreeSet<Arc<str>>,
    services: BTreeMap<ObjectName, ServiceView>,
    /// The slices of each Service, there or not, by their own names.
    slices: BTreeMap<ObjectName, BTreeMap<Arc<str>, SliceView>>,
    service_of_slice: BTreeMap<ObjectName, ObjectName>,
    imports: BTreeMap<ObjectName, ServiceView>,
    /// The slices of imports, there or not.
    imported: BTreeMap<ObjectName, SliceView>,
    pods: BTreeMap<ObjectName, PodView>,
}

/// An answer. Records are in presentation format; a serial is written as `*`.
#[derive(Debug, PartialEq, Eq)]
pub struct Said {
    pub rcode: Rcode,
    /// In no order, except for CNAME and PTR records.
    pub answer: Vec<String>,
    /// In no order.
    pub additional: Vec<String>,
    /// The owner of the SOA record in the authority section, and both its TTL and its MINIMUM.
    pub soa: Option<(String, u32)>,
}

/// A question, or what it has become by following aliases.
struct Asked {
    /// Whose the records are, in presentation format.
    owner: String,
    /// In lowercase.
    labels: Vec<String>,
    rtype: RecordType,
    by_alias: bool,
}

impl Said {
    /// The answer of the directory, or of a server.
    pub fn of(outcome: &Outcome) -> Self {
        let Outcome { rcode, answer, additional, soa, ede: _ } = outcome;
        let soa = soa.as_ref().map(|soa| {
            let words: Vec<&str> = soa.split(' ').collect();
            assert_eq!(words[1], words[words.len() - 1], "TTL and MINIMUM: {soa}");
            (words[0].to_owned(), words[1].parse().expect("a TTL"))
        });
        let answer = answer.iter().map(|line| without_serial(line)).collect();
        Self { rcode: *rcode, answer, additional: additional.clone(), soa }.sorted()
    }

    fn records(answer: Vec<String>, additional: Vec<String>) -> Self {
        Self { rcode: Rcode::NoError, answer, additional, soa: None }
    }

    fn without_records(rcode: Rcode) -> Self {
        Self { rcode, ..Self::records(Vec::new(), Vec::new()) }
    }

    fn no_data(zone: &str, ttl: u32) -> Self {
        Self { soa: Some((zone.to_owned(), ttl)), ..Self::without_records(Rcode::NoError) }
    }

    fn no_such_name(zone: &str, ttl: u32) -> Self {
        Self { soa: Some((zone.to_owned(), ttl)), ..Self::without_records(Rcode::NxDomain) }
    }

    /// The same, led to by an alias.
    fn after(self, alias: String) -> Self {
        // What an upstream would go on with is the whole answer here.
        let rcode = if self.rcode == Rcode::NotOurs { Rcode::NoError } else { self.rcode };
        if rcode == Rcode::ServFail {
            return Self::without_records(rcode);
        }
        let answer = [vec![alias], self.answer].concat();
        Self { rcode, answer, ..self }
    }

    /// In one order, but for the records whose order says something: those come first, as they are.
    fn sorted(mut self) -> Self {
        let in_order = |line: &str| line.contains(" IN CNAME ") || line.contains(" IN PTR ");
        let (kept, mut rest): (Vec<_>, Vec<_>) =
            self.answer.into_iter().partition(|line| in_order(line));
        rest.sort();
        self.answer = [kept, rest].concat();
        self.additional.sort();
        self
    }
}

fn without_serial(line: &str) -> String {
    let mut words: Vec<&str> = line.split(' ').collect();
    if words[3] == "SOA" {
        words[6] = "*";
    }
    words.join(" ")
}

impl Reference {
    pub fn new(config: ZoneConfig) -> Self {
        Self {
            config,
            synced: false,
            namespaces: BTreeSet::new(),
            services: BTreeMap::new(),
            slices: BTreeMap::new(),
            service_of_slice: BTreeMap::new(),
            imports: BTreeMap::new(),
            imported: BTreeMap::new(),
            pods: BTreeMap::new(),
        }
    }

    pub fn set_synced(&mut self) {
        self.synced = true;
    }

    pub fn apply(&mut self, change: Change) {
        match change {
            Change::Namespace(name) => {
                self.namespaces.insert(name);
            }
            Change::NamespaceGone(name) => {
                self.namespaces.remove(&name);
            }
            Change::Service(view) => {
                self.services.insert(view.id.clone(), view);
            }
            Change::ServiceGone(id) => {
                self.services.remove(&id);
            }
            Change::Import(view) if self.config.cluster_set_domain.is_some() => {
                self.imports.insert(view.id.clone(), view);
            }
            Change::Import(_) => {}
            Change::ImportGone(id) => {
                self.imports.remove(&id);
            }
            Change::Slice(view) => {
                self.drop_slice(&view.id);
                if view.import.is_some() {
                    self.imported.insert(view.id.clone(), view.clone());
                }
                if let Some(service) = &view.service {
                    let service = ObjectName::new(view.id.namespace.clone(), service.clone());
                    self.service_of_slice.insert(view.id.clone(), service.clone());
                    self.slices.entry(service).or_default().insert(view.id.name.clone(), view);
                }
            }
            Change::SliceGone(id) => self.drop_slice(&id),
            Change::Pod(view) => {
                self.pods.insert(view.id.clone(), view);
            }
            Change::PodGone(id) => {
                self.pods.remove(&id);
            }
        }
    }

    fn drop_slice(&mut self, id: &ObjectName) {
        self.imported.remove(id);
        if let Some(service) = self.service_of_slice.remove(id)
            && let Some(slices) = self.slices.get_mut(&service)
        {
            slices.remove(&id.name);
        }
    }

    /// What a name answers.
    pub fn answer(&self, name: &Name, rtype: RecordType) -> Said {
        let lower = |label: &[u8]| String::from_utf8_lossy(label).to_ascii_lowercase();
        let labels = name.labels().map(lower).collect();
        self.find(&Asked { owner: name.to_string(), labels, rtype, by_alias: false }).sorted()
    }

    fn find(&self, asked: &Asked) -> Said {
        let domain = self.domain();
        let domain: Vec<&str> = domain.trim_end_matches('.').split('.').collect();
        let labels: Vec<&str> = asked.labels.iter().map(String::as_str).collect();
        let cluster_set = self.cluster_set().unwrap_or_default();
        let cluster_set: Vec<&str> = cluster_set.trim_end_matches('.').split('.').collect();
        match (labels.strip_suffix(&domain[..]), labels.strip_suffix(&cluster_set[..])) {
            (Some(_), _) | (_, Some(_)) if !self.synced => Said::without_records(Rcode::ServFail),
            (Some(below), _) => self.in_cluster_zone(asked, below),
            (None, Some(below)) => self.in_cluster_set(asked, below),
            (None, None) => self.reverse(asked, &labels),
        }
    }

    /// By the labels left of the cluster domain.
    fn in_cluster_zone(&self, asked: &Asked, below: &[&str]) -> Said {
        let negative = self.config.negative_ttl;
        let only_names_below = || self.no_data(negative.other);
        match below {
            [] => self.apex(asked, &self.config.domain.to_string()),
            ["svc" | "dns"] => only_names_below(),
            [namespace, "svc"] => self.namespace(namespace),
            [below @ .., service, namespace, "svc"] => {
                self.at_service(asked, below, service, namespace)
            }
            ["pod"] | [.., "pod"] if self.config.pods == PodMode::Disabled => {
                self.no_such_name(negative.other)
            }
            ["pod"] => only_names_below(),
            [namespace, "pod"] => self.namespace(namespace),
            [below @ .., namespace, "pod"] => self.pod(asked, below, namespace),
            ["ns", "dns"] => {
                let own = self.config.server_addresses.iter().copied().collect();
                self.addresses(asked, self.config.ttl.zone, &own, negative.other)
            }
            ["dns-version"] => match asked.rtype {
                RecordType::TXT => self.only(asked, self.config.ttl.zone, "TXT \"1.1.0\""),
                RecordType::ANY => self.minimal(asked),
                _ => self.no_data(negative.other),
            },
            ["search"] if self.config.search_names => only_names_below(),
            [namespace, "search"] if self.config.search_names => self.namespace(namespace),
            [name @ .., namespace, "search"] if self.config.search_names && !asked.by_alias => {
                self.search(asked, name, namespace)
            }
            _ => self.no_such_name(negative.other),
        }
    }

    /// The apex of the cluster zone or of a reverse zone.
    fn apex(&self, asked: &Asked, zone: &str) -> Said {
        let (ttl, negative, domain) = (self.config.ttl, self.config.negative_ttl, self.domain());
        match asked.rtype {
            RecordType::SOA => {
                let negatives = [
                    negative.service,
                    negative.missing_service,
                    negative.missing_namespace,
                    negative.other,
                ];
                let shortest = negatives.into_iter().min().expect("four");
                let data =
                    format!("SOA ns.dns.{domain} hostmaster.{domain} * 7200 1800 86400 {shortest}");
                self.only(asked, ttl.zone, &data)
            }
            RecordType::NS => self.name_servers(asked),
            RecordType::ANY => self.minimal(asked),
            _ => Said::no_data(zone, negative.other),
        }
    }

    /// The Services in front of the server that have addresses, else its own name.
    fn name_servers(&self, asked: &Asked) -> Said {
        let (mut names, mut glue) = (Vec::new(), Vec::new());
        for id in &self.config.dns_services {
            let Some(service) = self.service(&id.name, &id.namespace) else { continue };
            let addresses = self.own_addresses(service);
            if !addresses.is_empty() {
                let name = self.service_name(id);
                glue.extend(lines(&name, self.ttl_of(service), &addresses));
                names.push(name);
            }
        }
        if names.is_empty() {
            let name = format!("ns.dns.{}", self.domain());
            let own = self.config.server_addresses.iter().copied().collect();
            glue = lines(&name, self.config.ttl.zone, &own);
            names.push(name);
        }
        let (owner, ttl) = (&asked.owner, self.config.ttl.zone);
        let record = |name| format!("{owner} {ttl} IN NS {name}");
        Said::records(names.iter().map(record).collect(), glue)
    }

    fn namespace(&self, namespace: &str) -> Said {
        let negative = self.config.negative_ttl;
        match self.has_namespace(namespace) {
            true => self.no_data(negative.other),
            false => self.no_such_name(negative.missing_namespace),
        }
    }

    /// A namespace exists when it was declared, and while something is in it.
    fn has_namespace(&self, namespace: &str) -> bool {
        let objects = self.services.keys().chain(self.imports.keys());
        let mut ids = objects.chain(self.pods.keys());
        is_label(namespace)
            && (self.namespaces.contains(namespace) || ids.any(|id| *id.namespace == *namespace))
    }

    /// `10-1-2-3.N.pod`.
    fn pod(&self, asked: &Asked, below: &[&str], namespace: &str) -> Said {
        let negative = self.config.negative_ttl;
        if !self.has_namespace(namespace) {
            return self.no_such_name(negative.missing_namespace);
        }
        let [label] = below else { return self.no_such_name(negative.other) };
        let Some(address) = address_of(label) else { return self.no_such_name(negative.other) };
        let is_there =
            |pod: &PodView| *pod.id.namespace == *namespace && pod.addresses.contains(&address);
        if self.config.pods == PodMode::Verified && !self.pods.values().any(is_there) {
            return self.no_such_name(negative.missing_service);
        }
        let ttl = self.config.ttl.pod;
        self.addresses(asked, ttl, &BTreeSet::from([address]), negative.missing_service)
    }

    /// `X.N.search`: the search path of a pod in N, walked.
    fn search(&self, asked: &Asked, name: &[&str], namespace: &str) -> Said {
        let negative = self.config.negative_ttl;
        if !self.has_namespace(namespace) {
            return self.no_such_name(negative.missing_namespace);
        }
        let path = [vec![namespace, "svc"], vec!["svc"], vec![]].map(|rest| [name, &rest].concat());
        let known = path.iter().find(|below| self.is_of_something(below));
        let found = known.or_else(|| path.iter().find(|below| self.is_below_service(below)));
        let target = match found {
            Some(below) => format!("{}.{}", below.join("."), self.domain()),
            None if name.len() > 1 => format!("{}.", name.join(".")),
            None => return self.no_such_name(negative.missing_service),
        };
        self.alias(asked, self.config.ttl.headless, &target)
    }

    /// Whether a name of a legal shape belongs to a Service that exists, or to something else that may answer.
    fn is_of_something(&self, below: &[&str]) -> bool {
        let exists = |service, namespace| self.service(service, namespace).is_some();
        match below {
            [.., "pin" | "prefer", "_zone", service, namespace, "svc"]
            | ["_zone", service, namespace, "svc"]
                if below.len() <= 6 =>
            {
                exists(service, namespace)
            }
            [service, namespace, "svc"] => exists(service, namespace),
            [label, service, namespace, "svc"] => match protocol_of(label) {
                Some(_) => exists(service, namespace),
                None => self
                    .service(service, namespace)
                    .is_some_and(|service| self.knows_endpoint(service, label)),
            },
            [port, protocol, service, namespace, "svc"] => {
                port.starts_with('_')
                    && port.len() > 1
                    && protocol_of(protocol).is_some()
                    && exists(service, namespace)
            }
            [_, namespace, "pod"] => self.has_namespace(namespace),
            ["ns", "dns"] | ["dns-version"] => true,
            _ => false,
        }
    }

    /// Whether a name is as an endpoint's of a Service that exists would be.
    fn is_below_service(&self, below: &[&str]) -> bool {
        match below {
            [label, service, namespace, "svc"] => {
                !label.starts_with('_') && self.service(service, namespace).is_some()
            }
            _ => false,
        }
    }

    /// A CNAME record, and what its target answers.
    fn alias(&self, asked: &Asked, ttl: u32, target: &str) -> Said {
        let record = format!("{} {ttl} IN CNAME {target}", asked.owner);
        // RFC 8482: a CNAME record is a minimal answer to ANY.
        if matches!(asked.rtype, RecordType::CNAME | RecordType::ANY) {
            return Said::records(vec![record], Vec::new());
        }
        let labels = target.trim_end_matches('.').split('.').map(str::to_owned).collect();
        let target = Asked { owner: target.to_owned(), labels, rtype: asked.rtype, by_alias: true };
        self.find(&target).after(record)
    }

    /// A name that has these addresses and nothing else.
    fn addresses(
        &self,
        asked: &Asked,
        ttl: u32,
        addresses: &BTreeSet<IpAddr>,
        negative_ttl: u32,
    ) -> Said {
        let of_family = |is_ipv6| {
            let own: BTreeSet<IpAddr> =
                addresses.iter().copied().filter(|one| one.is_ipv6() == is_ipv6).collect();
            match own.is_empty() {
                true => self.no_data(negative_ttl),
                false => Said::records(lines(&asked.owner, ttl, &own), Vec::new()),
            }
        };
        match asked.rtype {
            RecordType::A => of_family(false),
            RecordType::AAAA => of_family(true),
            RecordType::ANY => self.minimal(asked),
            _ => self.no_data(negative_ttl),
        }
    }

    fn only(&self, asked: &Asked, ttl: u32, data: &str) -> Said {
        Said::records(vec![format!("{} {ttl} IN {data}", asked.owner)], Vec::new())
    }

    /// RFC 8482 §4.2.
    fn minimal(&self, asked: &Asked) -> Said {
        self.only(asked, self.config.ttl.zone, "HINFO \"RFC8482\" \"\"")
    }

    fn no_data(&self, ttl: u32) -> Said {
        Said::no_data(&self.config.domain.to_string(), ttl)
    }

    fn no_such_name(&self, ttl: u32) -> Said {
        Said::no_such_name(&self.config.domain.to_string(), ttl)
    }

    /// With the dot at its end.
    fn domain(&self) -> String {
        self.config.domain.to_string().to_ascii_lowercase()
    }

    fn is_published(&self, endpoint: &EndpointView) -> bool {
        let terminates_serving = endpoint.serving && endpoint.terminating;
        endpoint.ready || (self.config.publish_serving_terminating && terminates_serving)
    }
}

/// Address records.
fn lines(owner: &str, ttl: u32, addresses: &BTreeSet<IpAddr>) -> Vec<String> {
    let line = |address: &IpAddr| {
        let rtype = if address.is_ipv6() { "AAAA" } else { "A" };
        format!("{owner} {ttl} IN {rtype} {address}")
    };
    addresses.iter().map(line).collect()
}

/// Whether text can be a label of a Service, a namespace or an endpoint.
fn is_label(text: &str) -> bool {
    let is_of_name = |one: char| one.is_ascii_alphanumeric() || one == '-' || one == '_';
    (1..=63).contains(&text.len()) && text.chars().all(is_of_name)
}

/// The protocol of a label such as `_tcp`, as Kubernetes writes it.
fn protocol_of(label: &str) -> Option<&'static str> {
    match label {
        "_tcp" => Some("TCP"),
        "_udp" => Some("UDP"),
        "_sctp" => Some("SCTP"),
        _ => None,
    }
}

/// The address that a label such as `10-1-2-3` or `fd00--1` stands for.
fn address_of(label: &str) -> Option<IpAddr> {
    let v4 = || label.replace('-', ".").parse().ok();
    let v6 = || label.replace('-', ":").parse().ok();
    let is_dashed = label.contains('-') && !label.contains(['.', ':']);
    is_dashed.then(|| v4().map(IpAddr::V4).or_else(|| v6().map(IpAddr::V6))).flatten()
}

/// The label that stands for an address.
fn label_of(address: IpAddr) -> String {
    let label = address.to_string().replace(['.', ':'], "-");
    if label.ends_with('-') { label + "0" } else { label }
}
