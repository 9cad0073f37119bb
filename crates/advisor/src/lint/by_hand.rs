//! Endpoints and EndpointSlices that people write, for Services without selector.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use k8s_openapi::api::core::v1::{Endpoints, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use manifest::labels::{
    ENDPOINTS_CONTROLLER, ENDPOINTS_MANAGED_BY, LAST_CHANGE, LEADER, MIRRORING_CONTROLLER,
    SERVICE_NAME, SLICE_CONTROLLER, SLICE_MANAGED_BY,
};
use manifest::read::Located;

use super::external_name::number;
use super::objects::{Item, Objects};
use super::words::scalar;

fn label<'m>(metadata: &'m ObjectMeta, key: &str) -> Option<&'m str> {
    metadata.labels.as_ref()?.get(key).map(String::as_str)
}

impl Item<Endpoints> {
    /// Whether a person keeps it: not the Endpoints controller, and no leader election uses it as its lock.
    pub(super) fn is_by_hand(&self) -> bool {
        let metadata = &self.object.metadata;
        let annotations = metadata.annotations.as_ref();
        let has = |key| annotations.is_some_and(|annotations| annotations.contains_key(key));
        !has(LEADER)
            && !has(LAST_CHANGE)
            && label(metadata, ENDPOINTS_MANAGED_BY) != Some(ENDPOINTS_CONTROLLER)
    }
}

impl Item<EndpointSlice> {
    /// Whether a person keeps it, or a controller that is not Kubernetes' own.
    pub(super) fn is_by_hand(&self) -> bool {
        let by = label(&self.object.metadata, SLICE_MANAGED_BY);
        !matches!(by, Some(SLICE_CONTROLLER | MIRRORING_CONTROLLER))
    }

    /// The Service that it belongs to.
    pub(super) fn service_name(&self) -> Option<&str> {
        label(&self.object.metadata, SERVICE_NAME).filter(|name| !name.is_empty())
    }
}

/// The Services that wait for endpoints which no controller makes, and find none among these objects; by namespace.
pub(super) struct Waiting<'o>(HashMap<&'o str, Vec<&'o Item<Service>>>);

impl<'o> Waiting<'o> {
    pub(super) fn new(objects: &'o Objects) -> Self {
        let endpoints = objects.endpoints.iter().map(|item| &item.reference);
        let endpoints = endpoints.map(|of| (of.namespace.as_str(), of.name.as_str()));
        let slices = objects
            .slices
            .iter()
            .filter_map(|slice| Some((slice.reference.namespace.as_str(), slice.service_name()?)));
        let fed: HashSet<_> = endpoints.chain(slices).collect();
        let mut waiting: HashMap<_, Vec<_>> = HashMap::new();
        for service in &objects.services {
            let (namespace, name) = (&service.reference.namespace, &service.reference.name);
            if service.selector().is_none()
                && !service.is_external_name()
                && !fed.contains(&(namespace.as_str(), name.as_str()))
            {
                waiting.entry(namespace.as_str()).or_default().push(service);
            }
        }
        Self(waiting)
    }

    /// The one that endpoints of this name are probably meant for: the only one of the namespace, or else the one whose name
    /// theirs begins with, or the other way round.
    pub(super) fn meant(&self, namespace: &str, name: &str) -> Option<&'o Item<Service>> {
        let waiting = self.0.get(namespace)?;
        if let [one] = waiting[..] {
            return Some(one);
        }
        let akin = waiting.iter().copied().filter(|service| {
            let own = service.reference.name.as_str();
            name.starts_with(own) || own.starts_with(name)
        });
        akin.max_by_key(|service| service.reference.name.len())
    }
}

/// Why the API refuses an address as an endpoint; `None` when it takes it.
pub(super) fn why_unreachable(address: IpAddr) -> Option<&'static str> {
    let (is_link_local, is_link_group) = match address {
        IpAddr::V4(address) => (address.is_link_local(), address.octets()[..3] == [224, 0, 0]),
        IpAddr::V6(address) => {
            let first = address.segments()[0];
            (first & 0xffc0 == 0xfe80, first & 0xff0f == 0xff02)
        }
    };
    [
        (address.is_unspecified(), "no host's address"),
        (address.is_loopback(), "a loopback address, which each host has to itself"),
        (is_link_local, "a link-local address, which each link has to itself"),
        (is_link_group, "a multicast group of the link, not a host"),
    ]
    .into_iter()
    .find_map(|(is, why)| is.then_some(why))
}

/// A port as a slice has it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SlicePort {
    /// The Service port's name; empty when it has none.
    pub(super) name: String,
    /// `TCP`, `UDP` or `SCTP`.
    pub(super) protocol: String,
    /// Where connections go; `None` when it is not known.
    pub(super) number: Option<i32>,
}

/// The ports that a slice for this Service has.
pub(super) fn ports_for(service: &Item<Service>) -> Vec<SlicePort> {
    let ports = service.ports().iter().map(|port| SlicePort {
        name: port.name.clone().unwrap_or_default(),
        protocol: port.protocol.clone().unwrap_or_else(|| "TCP".to_owned()),
        number: match &port.target_port {
            Some(target) => number(target),
            None => Some(port.port),
        },
    });
    ports.collect()
}

/// An EndpointSlice on one line, ready to be applied beside `neighbour` but for ports that are not known (`PORT`); the
/// addresses are of one family.
pub(super) fn slice_yaml(
    neighbour: &Located,
    service: &str,
    ports: &[SlicePort],
    addresses: &[IpAddr],
) -> String {
    let unknown = [SlicePort { name: String::new(), protocol: "TCP".to_owned(), number: None }];
    let ports = if ports.is_empty() { &unknown } else { ports };
    let ports = ports.iter().map(|SlicePort { name, protocol, number }| {
        let mut fields = Vec::new();
        if !name.is_empty() {
            fields.push(format!("name: \"{name}\""));
        }
        if protocol != "TCP" {
            fields.push(format!("protocol: {protocol}"));
        }
        fields.push(match number {
            Some(number) => format!("port: {number}"),
            None => "port: PORT".to_owned(),
        });
        format!("{{{}}}", fields.join(", "))
    });
    let ports: Vec<String> = ports.collect();
    let endpoints = addresses.iter().map(|address| format!("{{addresses: [\"{address}\"]}}"));
    let endpoints: Vec<String> = endpoints.collect();
    let namespace = match neighbour.namespace() {
        "" => String::new(),
        namespace => format!("namespace: {}, ", scalar(namespace)),
    };
    let family = if addresses.iter().all(IpAddr::is_ipv4) { "IPv4" } else { "IPv6" };
    format!(
        "{{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {{{namespace}name: {service}-1, labels: {{{SERVICE_NAME}: {}}}}}, addressType: {family}, ports: [{}], endpoints: [{}]}}",
        scalar(service),
        ports.join(", "),
        endpoints.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use manifest::read::{examine, read_any};

    use super::*;

    #[test]
    fn the_slice_that_is_shown_is_one() {
        let port = |name: &str, protocol: &str| SlicePort {
            name: name.to_owned(),
            protocol: protocol.to_owned(),
            number: Some(53),
        };
        for (beside, service, ports, address) in [
            ("{name: db}", "db", vec![port("", "TCP")], "203.0.113.1"),
            ("{name: db, namespace: prod}", "on", vec![port("on", "UDP")], "2001:db8::1"),
            (
                "{name: db, namespace: \"1\"}",
                "1",
                vec![port("1-a", "TCP"), port("b", "TCP")],
                "2001:db8::1",
            ),
        ] {
            let beside = format!("{{apiVersion: v1, kind: Service, metadata: {beside}}}");
            let beside = &read_any("here", &beside).documents[0];
            let text = slice_yaml(beside, service, &ports, &[address.parse().unwrap()]);
            let reading = read_any("here", &text);
            assert_eq!(reading.problems, [], "{text}");
            for examined in examine(reading.documents, "default") {
                assert_eq!(examined.problems, [], "{text}");
                let labels = &examined.document.value["metadata"]["labels"];
                assert_eq!(labels[SERVICE_NAME], service, "{text}");
                assert_eq!(examined.document.namespace(), beside.namespace(), "{text}");
            }
        }
    }

    #[test]
    fn addresses() {
        for text in [
            "0.0.0.0",
            "127.1.2.3",
            "169.254.169.254",
            "224.0.0.1",
            "::",
            "::1",
            "fe80::1",
            "ff02::1",
        ] {
            assert!(why_unreachable(text.parse().unwrap()).is_some(), "{text}");
        }
        for text in ["10.0.0.1", "224.0.1.1", "2001:db8::1", "fd00::1"] {
            assert_eq!(why_unreachable(text.parse().unwrap()), None, "{text}");
        }
    }
}
