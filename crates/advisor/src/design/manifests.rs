//! The objects of a design, in the order in which they are applied.

use std::net::IpAddr;

use manifest::Kind;
use serde_json::Value;

use super::exposure;
use super::intent::{Identity, Intent, Mesh, Port, Shape, Workload};
use super::policies;
use super::workload;
use super::yaml::Map;
use crate::peers::Reach;

/// An object to apply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// What it is for, in a line.
    pub purpose: String,
    /// The object, with its comments.
    pub object: Map,
}

impl Manifest {
    /// As YAML: the purpose as a comment, and the object.
    pub fn document(&self) -> String {
        let purpose = super::yaml::comment(&self.purpose, 0).join("\n");
        format!("{purpose}\n{}", self.object.document())
    }

    /// As JSON.
    pub fn to_value(&self) -> Value {
        self.object.to_value()
    }

    /// `Kind/name`.
    pub fn reference(&self) -> String {
        let text = |path: &[&str]| self.object.text(path).unwrap_or_default();
        format!("{}/{}", text(&["kind"]), text(&["metadata", "name"]))
    }

    /// Whether headcount's own API serves its kind; a Gateway's route is of a kind that each cluster has to add.
    pub fn is_served(&self) -> bool {
        let text = |key| self.object.text(&[key]).unwrap_or_default();
        Kind::by_type(text("apiVersion"), text("kind")).is_ok()
    }
}

/// A text of `---` and documents.
pub fn to_yaml(manifests: &[Manifest]) -> String {
    let documents: Vec<String> = manifests.iter().map(Manifest::document).collect();
    documents.join("---\n")
}

/// All objects of an intent.
pub(super) fn manifests(intent: &Intent) -> Vec<Manifest> {
    let mut all = Vec::new();
    match (&intent.workload, intent.shape()) {
        (Workload::Host(host), _) => all.push(external_name(intent, host)),
        (Workload::Addresses { addresses, identity }, _) => {
            all.push(without_selector(intent, addresses, *identity));
            all.extend(slices(intent, addresses));
        }
        (Workload::Pods(_), _) => {
            all.extend(intent.peer_service().map(|name| headless(intent, &name)));
            all.extend(intent.client_service().map(|name| client(intent, &name)));
            all.extend(workload::manifest(intent));
        }
    }
    all.extend(exposure::manifests(intent));
    all.extend(policies::manifests(intent));
    all
}

/// `apiVersion`, `kind` and `metadata` of an object in the intent's namespace.
pub(super) fn object(intent: &Intent, api_version: &str, kind: &str, name: &str) -> Map {
    Map::new()
        .set("apiVersion", api_version)
        .set("kind", kind)
        .set("metadata", metadata(intent, name))
}

pub(super) fn metadata(intent: &Intent, name: &str) -> Map {
    Map::new().set("name", name).set("namespace", &intent.namespace).set("labels", labels(intent))
}

/// The labels by which the pods are found.
pub(super) fn labels(intent: &Intent) -> Map {
    intent.labels().iter().fold(Map::new(), |map, (key, value)| map.set(key, value))
}

fn headless(intent: &Intent, name: &str) -> Manifest {
    let publishes = intent.publishes_not_ready();
    let why = match (intent.software(), publishes) {
        (Some(software), true) => software.why,
        (None, true) => {
            "peers may look for one another before they are ready; clients have their own Service"
        }
        (Some(software), false) => software.why,
        (None, false) => "clients look here, and should find pods that are ready",
    };
    let spec = Map::new()
        .set("clusterIP", "None")
        .note("headless: its name answers with the pods' own addresses")
        .set("publishNotReadyAddresses", publishes)
        .note(why)
        .set("selector", labels(intent))
        .set(
            "ports",
            intent.listened().map(|port| headless_port(intent, port)).collect::<Vec<_>>(),
        );
    let purpose = match intent.pod_names().as_slice() {
        [] => format!("each pod of {}", intent.what()),
        _ => format!("each pod by its name: POD.{}", intent.full_name(name)),
    };
    Manifest { purpose, object: object(intent, "v1", "Service", name).set("spec", spec) }
}

/// A headless Service changes no port: who has a pod's address dials what the pod listens on.
fn headless_port(intent: &Intent, port: &Port) -> Map {
    let map = Map::new().set("name", &port.name).set("port", port.target);
    with_protocol(intent, port, map)
}

fn with_protocol(intent: &Intent, port: &Port, map: Map) -> Map {
    let map = map.set_some("protocol", Some(port.protocol.name()).filter(|name| *name != "TCP"));
    map.set_some("appProtocol", (intent.mesh == Mesh::Istio).then(|| app_protocol(port)))
}

/// What Istio is told of a port; a guess of its own can wait for bytes that a server was to send first.
pub(super) fn app_protocol(port: &Port) -> &'static str {
    match (port.name.split('-').next().unwrap_or_default(), port.is_http()) {
        ("grpc", _) => "grpc",
        ("https", _) => "https",
        (_, true) => "http",
        (_, false) => "tcp",
    }
}

/// A Service's port for clients: the pods' declared port by its name, where the pods are the design's own.
pub(super) fn client_port(intent: &Intent, port: &Port) -> Map {
    let own = intent.pods().is_some_and(|pods| pods.existing.workload.is_none());
    let map = Map::new().set("name", &port.name).set("port", port.number);
    let map = match own {
        true => map.set("targetPort", intent.declared_name(port)),
        false if port.target == port.number => map,
        false => map.set("targetPort", port.target),
    };
    with_protocol(intent, port, map)
}

fn client(intent: &Intent, name: &str) -> Manifest {
    let mut selector = labels(intent);
    let mut purpose = "clients: one address, any pod that is ready".to_owned();
    if let Some(Reach::Leader { label, value, .. }) =
        intent.software().map(|software| software.reach)
    {
        selector = selector
            .set(label, value)
            .note(format!("{} sets it on the pod that leads", intent.what()));
        purpose = "clients: the pod that leads".to_owned();
    }
    let spec = Map::new().set("selector", selector).set(
        "ports",
        intent.client_ports().map(|port| client_port(intent, port)).collect::<Vec<_>>(),
    );
    let object = object(intent, "v1", "Service", name).set("spec", spec);
    Manifest { purpose, object }
}

fn external_name(intent: &Intent, host: &str) -> Manifest {
    let spec = Map::new()
        .set("type", "ExternalName")
        .set("externalName", host)
        .note("DNS alone: clients dial this host themselves, on its own port, by its own TLS name");
    let object = Map::new()
        .set("apiVersion", "v1")
        .set("kind", "Service")
        .set("metadata", Map::new().set("name", &intent.name).set("namespace", &intent.namespace))
        .set("spec", spec);
    Manifest { purpose: format!("an alias of {host}"), object }
}

fn without_selector(intent: &Intent, addresses: &[IpAddr], identity: Identity) -> Manifest {
    let (v4, v6) = (addresses.iter().any(IpAddr::is_ipv4), addresses.iter().any(IpAddr::is_ipv6));
    let mut spec = Map::new();
    match (identity, v4, v6) {
        (Identity::Stable, ..) => {
            spec = spec
                .set("clusterIP", "None")
                .note("headless: clients see all addresses and choose");
        }
        (Identity::Any, true, true) => spec = spec.set("ipFamilyPolicy", "PreferDualStack"),
        (Identity::Any, false, true) => {
            spec = spec
                .set("ipFamilyPolicy", "SingleStack")
                .set("ipFamilies", vec!["IPv6"])
                .note("as the addresses behind it");
        }
        (Identity::Any, ..) => {}
    }
    let ports = intent.ports.iter().map(|port| client_port(intent, port));
    let spec = spec.set("ports", ports.collect::<Vec<_>>()).note(
        "no selector: the slices below are kept by hand. A port here and its number there have one name",
    );
    let object = Map::new()
        .set("apiVersion", "v1")
        .set("kind", "Service")
        .set("metadata", Map::new().set("name", &intent.name).set("namespace", &intent.namespace))
        .set("spec", spec);
    let purpose = match intent.shape() {
        Shape::Addresses(Identity::Stable) => "a name for all of the addresses",
        _ => "one address of the cluster's own, in front of those outside",
    };
    Manifest { purpose: purpose.to_owned(), object }
}

/// A slice holds addresses of one family.
fn slices(intent: &Intent, addresses: &[IpAddr]) -> Vec<Manifest> {
    let of = |family: &str, suffix: &str, is: fn(&IpAddr) -> bool| {
        let endpoints: Vec<Map> = addresses
            .iter()
            .filter(|address| is(address))
            .map(|address| {
                Map::new()
                    .set("addresses", vec![address.to_string()])
                    .set("conditions", Map::new().set("ready", true))
            })
            .collect();
        if endpoints.is_empty() {
            return None;
        }
        let ports: Vec<Map> = intent
            .ports
            .iter()
            .map(|port| {
                Map::new()
                    .set("name", &port.name)
                    .set("port", port.target)
                    .set("protocol", port.protocol.name())
            })
            .collect();
        let labels = Map::new()
            .set("kubernetes.io/service-name", &intent.name)
            .note("makes it a slice of that Service")
            .set("endpointslice.kubernetes.io/managed-by", "by-hand");
        let metadata = Map::new()
            .set("name", format!("{}-{suffix}", intent.name))
            .set("namespace", &intent.namespace)
            .set("labels", labels);
        let object = Map::new()
            .set("apiVersion", "discovery.k8s.io/v1")
            .set("kind", "EndpointSlice")
            .set("metadata", metadata)
            .set("addressType", family)
            .set("ports", ports)
            .set("endpoints", endpoints);
        let purpose = "where it is: nothing checks whether these answer, so a dead one stays until it is taken out";
        Some(Manifest { purpose: purpose.to_owned(), object })
    };
    let families = [of("IPv4", "ipv4", IpAddr::is_ipv4), of("IPv6", "ipv6", IpAddr::is_ipv6)];
    families.into_iter().flatten().collect()
}
