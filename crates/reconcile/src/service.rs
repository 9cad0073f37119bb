//! What controllers ask of a Service and of the pods behind it.

use std::net::IpAddr;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use manifest::IpFamily;

use crate::pod;
use crate::world::{Pod, selector};

/// The Service's spec, if controllers keep its endpoints: it has a selector and is not an ExternalName.
///
/// What they wrote before it became one of the others stays, as in Kubernetes.
pub(crate) fn selecting(service: &Service) -> Option<&ServiceSpec> {
    let spec = service.spec.as_ref()?;
    selector(service)?;
    (spec.type_.as_deref() != Some("ExternalName")).then_some(spec)
}

/// Its cluster IP, unless it is headless.
pub(crate) fn cluster_ip(spec: &ServiceSpec) -> Option<&str> {
    spec.cluster_ip.as_deref().filter(|address| !address.is_empty() && *address != "None")
}

/// Whether not-ready pods count as ready.
pub(crate) fn publishes_not_ready(spec: &ServiceSpec) -> bool {
    spec.publish_not_ready_addresses == Some(true)
}

/// Its IP families, the first first: as stated, else its cluster IP's, else both.
pub(crate) fn families(spec: &ServiceSpec) -> Vec<IpFamily> {
    let mut families: Vec<IpFamily> = Vec::new();
    for family in spec.ip_families.iter().flatten().filter_map(|name| IpFamily::parse(name)) {
        if !families.contains(&family) {
            families.push(family);
        }
    }
    if !families.is_empty() {
        return families;
    }
    match cluster_ip(spec).and_then(|address| address.parse().ok()) {
        Some(address) => vec![IpFamily::of(address)],
        None => vec![IpFamily::V4, IpFamily::V6],
    }
}

/// The pod's addresses of one family.
pub(crate) fn addresses(pod: &Pod, family: IpFamily) -> impl Iterator<Item = IpAddr> {
    pod.addresses.iter().copied().filter(move |address| IpFamily::of(*address) == family)
}

/// Whether the pod can be an endpoint at all: it has not ended and has an address.
pub(crate) fn eligible(pod: &Pod) -> bool {
    !pod.addresses.is_empty() && !pod::ended(pod)
}

/// The pod's hostname under this Service: only when its subdomain is the Service's name.
pub(crate) fn hostname<'a>(pod: &'a Pod, service: &str) -> Option<&'a str> {
    pod.hostname.as_deref().filter(|_| pod.subdomain.as_deref() == Some(service))
}

/// The protocol of a Service's port.
pub(crate) fn protocol(port: &ServicePort) -> &str {
    port.protocol.as_deref().unwrap_or("TCP")
}

/// The number on the pod that a Service's port leads to. `None` when it names a port that the pod lacks.
pub(crate) fn target_of(pod: &Pod, port: &ServicePort) -> Option<i32> {
    target_port(port, |name, protocol| {
        let mut ports = pod.ports.iter();
        let offered = ports.find(|offered| {
            *offered.name == *name && offered.protocol.as_deref().unwrap_or("TCP") == protocol
        })?;
        Some(offered.number)
    })
}

/// The number that a Service's port leads to on pods where `declared` tells the number of a port by name and protocol.
///
/// A number is taken as it is, whether a container declares it or not.
pub fn target_port(
    port: &ServicePort,
    declared: impl FnOnce(&str, &str) -> Option<i32>,
) -> Option<i32> {
    match &port.target_port {
        Some(IntOrString::Int(number)) if *number != 0 => Some(*number),
        Some(IntOrString::String(name)) if !name.is_empty() => declared(name, protocol(port)),
        Some(IntOrString::Int(_) | IntOrString::String(_)) | None => Some(port.port),
    }
}

/// When the newest change that endpoints depend on happened: the Service was made, or a pod's readiness turned.
///
/// Kubernetes' own tracker takes the earliest of those since its last look; this one keeps no memory.
pub(crate) fn last_change<'a>(
    service: &Service,
    pods: impl Iterator<Item = &'a Pod>,
) -> Option<Timestamp> {
    let readiness = pods.filter_map(|pod| pod.ready?.since);
    service
        .metadata
        .creation_timestamp
        .as_ref()
        .map(|time| time.0)
        .into_iter()
        .chain(readiness)
        .max()
}
