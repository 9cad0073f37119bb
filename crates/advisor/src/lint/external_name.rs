//! What an ExternalName Service points at. Each target is of one kind, so that of the rules about targets the one that
//! knows what is wrong speaks, and no other.

use std::collections::{BTreeSet, HashSet};
use std::net::IpAddr;

use k8s_openapi::api::core::v1::Service;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde_json::Value;

use super::objects::{Item, Objects};

/// The longest DNS label, and the longest name, in octets.
const LABEL_BYTES_MAX: usize = 63;
const NAME_BYTES_MAX: usize = 253;

/// What `spec.externalName` holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target<'s> {
    /// An address where a name is due, with or without what may surround a host in a URL.
    Address(IpAddr),
    /// A text that the API refuses.
    Refused(Spelling<'s>),
    /// A name, without a dot at its end.
    Name(&'s str),
}

/// A text taken apart as a URL: of its parts only the host may be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spelling<'s> {
    /// `https://`; empty when there is none, as all of these.
    pub(super) scheme: &'s str,
    /// `user:password@`.
    pub(super) user: &'s str,
    /// The host.
    pub(super) host: &'s str,
    /// `:5432`.
    pub(super) port: &'s str,
    /// `/v1`, with query and fragment.
    pub(super) path: &'s str,
}

impl<'s> Target<'s> {
    /// The target of a Service; `None` when it is not an ExternalName or names nothing.
    pub(super) fn of(service: &'s Item<Service>) -> Option<Self> {
        if !service.is_external_name() {
            return None;
        }
        let text = service.object.spec.as_ref()?.external_name.as_deref()?;
        (!text.is_empty()).then(|| Self::parse(text))
    }

    /// As [`Target::of`], of a target that is a name.
    pub(super) fn name_of(service: &'s Item<Service>) -> Option<&'s str> {
        match Self::of(service)? {
            Self::Name(name) => Some(name),
            Self::Address(_) | Self::Refused(_) => None,
        }
    }

    fn parse(text: &'s str) -> Self {
        let spelling = Spelling::of(text);
        let bare = without_dot(spelling.host);
        if let Ok(address) = bare.parse() {
            return Self::Address(address);
        }
        match without_dot(text) {
            name if is_name(name) => Self::Name(name),
            _ => Self::Refused(spelling),
        }
    }
}

impl<'s> Spelling<'s> {
    fn of(text: &'s str) -> Self {
        let text = text.trim();
        let after = text.find("://").map_or(0, |at| at + "://".len());
        let (scheme, rest) = text.split_at(after);
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let (user, host) = authority.split_at(authority.rfind('@').map_or(0, |at| at + 1));
        let parts = |host, port| Self { scheme, user, host, port, path };
        match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((address, port)) => parts(address, port),
            // More than one colon without brackets: an IPv6 address.
            None if host.matches(':').count() > 1 => parts(host, ""),
            None => {
                let (host, port) = host.split_at(host.find(':').unwrap_or(host.len()));
                parts(host, port)
            }
        }
    }
}

/// A name without the dot at its end.
pub(super) fn without_dot(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

/// Whether the API takes this as a name (a DNS-1123 subdomain).
pub(super) fn is_name(name: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_label = |label: &str| {
        let bytes = label.as_bytes();
        let edges = [bytes.first(), bytes.last()];
        edges.into_iter().all(|edge| edge.is_some_and(|byte| letter(*byte)))
            && bytes.iter().all(|byte| letter(*byte) || *byte == b'-')
    };
    name.len() <= NAME_BYTES_MAX && name.split('.').all(is_label)
}

/// Whether DNS can carry this name, which may be longer label by label than the API looks at.
pub(super) fn fits_dns(name: &str) -> bool {
    name.split('.').all(|label| label.len() <= LABEL_BYTES_MAX)
}

/// Where a name lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place<'n> {
    /// Not in the cluster's zone.
    Outside,
    /// A Service's name, or one of an endpoint of it.
    Service {
        /// The endpoint's host name.
        endpoint: Option<&'n str>,
        /// The Service.
        service: &'n str,
        /// Its namespace.
        namespace: &'n str,
    },
    /// A name made of a pod's address: `10-1-2-3.prod.pod`.
    Pod,
    /// In the zone, where no name can be.
    Nowhere,
}

impl<'n> Place<'n> {
    /// Where a name without a dot at its end lies, in a cluster of this domain.
    pub(super) fn of(name: &'n str, domain: &str) -> Self {
        let Some(labels) = below(name, domain) else { return Self::Outside };
        let labels: Vec<&str> = labels.split('.').collect();
        match labels[..] {
            [service, namespace, "svc"] => Self::Service { endpoint: None, service, namespace },
            [endpoint, service, namespace, "svc"] => {
                Self::Service { endpoint: Some(endpoint), service, namespace }
            }
            [_, _, "pod"] => Self::Pod,
            _ => Self::Nowhere,
        }
    }
}

/// What stands before a domain in a name; empty for the domain itself.
fn below<'n>(name: &'n str, domain: &str) -> Option<&'n str> {
    match name.strip_suffix(domain)? {
        "" => Some(""),
        rest => rest.strip_suffix('.'),
    }
}

/// A host that is another one for whoever asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OwnHost {
    /// The host that asks.
    Localhost,
    /// The server that tells a cloud's machine about itself.
    Metadata,
}

/// Which host of that kind a name is, if any.
pub(super) fn own_host(name: &str) -> Option<OwnHost> {
    const LOCAL: [&str; 4] =
        ["localhost", "localhost.localdomain", "localhost6.localdomain6", "ip6-localhost"];
    const METADATA: [&str; 6] = [
        "metadata.google.internal",
        "metadata.goog",
        "instance-data.ec2.internal",
        "metadata.packet.net",
        "metadata.platformequinix.com",
        "metadata.tencentyun.com",
    ];
    if LOCAL.contains(&name) || name.ends_with(".localhost") {
        return Some(OwnHost::Localhost);
    }
    METADATA.contains(&name).then_some(OwnHost::Metadata)
}

/// Top-level domains that programs in clusters ask for all day. Of the others many are ordinary names of namespaces (`dev`,
/// `prod`, `app`, `ci`), and few have a Service beside them that is called like a site.
pub(super) const DOMAINS: [&str; 13] =
    ["ai", "arpa", "biz", "co", "com", "edu", "gov", "info", "int", "io", "mil", "net", "org"];

/// Whether a namespace of this name takes over names of the internet, in pods' search path (HC037).
pub fn is_top_level_domain(name: &str) -> bool {
    DOMAINS.contains(&name)
}

/// The namespaces that every cluster has.
pub(super) const SYSTEM_NAMESPACES: [&str; 4] =
    ["default", "kube-node-lease", "kube-public", "kube-system"];

/// The namespaces whose content is among these objects: those that are made here, and those that something besides aliases
/// is put into.
pub(super) fn known_namespaces(objects: &Objects) -> BTreeSet<&str> {
    let made = objects.namespaces.iter().map(|namespace| namespace.reference.name.as_str());
    let services = objects.services.iter().filter(|service| !service.is_external_name());
    let services = services.map(|service| service.reference.namespace.as_str());
    let workloads = objects.workloads.iter();
    let workloads = workloads.map(|workload| workload.reference.namespace.as_str());
    made.chain(services).chain(workloads).collect()
}

/// The Services that a proxy sends requests to by name: an Ingress, or a route of a kind that is not known here. What proxies
/// make of an ExternalName (its ports, the Host header) is their own affair.
pub(super) struct Proxied<'o>(HashSet<(&'o str, &'o str)>);

impl<'o> Proxied<'o> {
    pub(super) fn new(objects: &'o Objects) -> Self {
        let mut all = HashSet::new();
        for ingress in &objects.ingresses {
            let Some(spec) = ingress.object.spec.as_ref() else { continue };
            let rules = spec.rules.iter().flatten().filter_map(|rule| rule.http.as_ref());
            let paths = rules.flat_map(|http| http.paths.iter().map(|path| &path.backend));
            let backends = paths.chain(spec.default_backend.as_ref());
            let names =
                backends.filter_map(|backend| Some(backend.service.as_ref()?.name.as_str()));
            all.extend(names.map(|name| (ingress.reference.namespace.as_str(), name)));
        }
        let foreign = objects.foreign.iter().map(|foreign| &foreign.located);
        for located in foreign.chain(objects.gateway_api().map(|(_, located)| located)) {
            let namespace = match located.namespace() {
                "" => &objects.options.namespace,
                namespace => namespace,
            };
            references(&located.value["spec"], &mut |name| {
                all.insert((namespace, name));
            });
        }
        Self(all)
    }

    pub(super) fn has(&self, service: &Item<Service>) -> bool {
        let of = &service.reference;
        self.0.contains(&(of.namespace.as_str(), of.name.as_str()))
    }
}

/// The names of objects such as `{name: db, port: 5432}`, at whatever depth.
fn references<'v>(value: &'v Value, found: &mut impl FnMut(&'v str)) {
    match value {
        Value::Object(map) => {
            if let (true, Some(name)) =
                (map.contains_key("port"), map.get("name").and_then(Value::as_str))
            {
                found(name);
            }
            map.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// A port's number as a targetPort writes it; `None` for a name.
pub(super) fn number(port: &IntOrString) -> Option<i32> {
    match port {
        IntOrString::Int(number) => Some(*number),
        IntOrString::String(text) => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets() {
        let address = |text: &str| Target::Address(text.parse().unwrap());
        let refused = |scheme, user, host, port, path| {
            Target::Refused(Spelling { scheme, user, host, port, path })
        };
        for (text, expected) in [
            ("db.example.com", Target::Name("db.example.com")),
            ("db.example.com.", Target::Name("db.example.com")),
            ("db", Target::Name("db")),
            // Only digits, but no address: a name like any other.
            ("10.0.0", Target::Name("10.0.0")),
            ("10.0.0.256", Target::Name("10.0.0.256")),
            ("10.0.0.1", address("10.0.0.1")),
            ("10.0.0.1.", address("10.0.0.1")),
            ("10.0.0.1:5432", address("10.0.0.1")),
            ("http://10.0.0.1/x", address("10.0.0.1")),
            ("2001:db8::1", address("2001:db8::1")),
            ("[2001:db8::1]", address("2001:db8::1")),
            ("https://[2001:db8::1]:443/", address("2001:db8::1")),
            (
                "https://me@db.example.com:443/v1?a=b",
                refused("https://", "me@", "db.example.com", ":443", "/v1?a=b"),
            ),
            ("db.example.com:5432", refused("", "", "db.example.com", ":5432", "")),
            ("db.example.com/", refused("", "", "db.example.com", "", "/")),
            ("DB.example.com", refused("", "", "DB.example.com", "", "")),
            (" db.example.com ", refused("", "", "db.example.com", "", "")),
            ("db_1.example.com", refused("", "", "db_1.example.com", "", "")),
            ("db..example.com", refused("", "", "db..example.com", "", "")),
            ("*.example.com", refused("", "", "*.example.com", "", "")),
            (".", refused("", "", ".", "", "")),
        ] {
            assert_eq!(Target::parse(text), expected, "{text}");
        }
    }

    #[test]
    fn places() {
        let service =
            |endpoint, service, namespace| Place::Service { endpoint, service, namespace };
        for (name, expected) in [
            ("db.prod.svc.cluster.local", service(None, "db", "prod")),
            ("db-0.db.prod.svc.cluster.local", service(Some("db-0"), "db", "prod")),
            ("a.b.db.prod.svc.cluster.local", Place::Nowhere),
            ("prod.svc.cluster.local", Place::Nowhere),
            ("db.prod.cluster.local", Place::Nowhere),
            ("10-1-2-3.prod.pod.cluster.local", Place::Pod),
            ("cluster.local", Place::Nowhere),
            ("mycluster.local", Place::Outside),
            ("db.prod.svc", Place::Outside),
            ("db.prod.svc.clusterset.local", Place::Outside),
        ] {
            assert_eq!(Place::of(name, "cluster.local"), expected, "{name}");
        }
    }

    #[test]
    fn names() {
        assert!(is_name("a-1.b"));
        for text in ["", "-a", "a-", "a..b", "ä", "a_b", "A", &"a.".repeat(127)] {
            assert!(!is_name(text), "{text}");
        }
        assert!(fits_dns(&"a".repeat(63)) && !fits_dns(&"a".repeat(64)));
    }
}
