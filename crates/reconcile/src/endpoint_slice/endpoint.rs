//! An endpoint from a pod, and the ports that it serves.

use k8s_openapi::api::core::v1::{Node, Service, ServiceSpec};
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointConditions};
use manifest::IpFamily;
use manifest::labels::ZONE;

use super::Ports;
use crate::World;
use crate::pod;
use crate::service;
use crate::world::{Pod, names};

/// The endpoint that a pod is in this family; `None` when it is none.
pub(super) fn to_endpoint(
    world: &World,
    service: &Service,
    spec: &ServiceSpec,
    family: IpFamily,
    pod: &Pod,
) -> Option<Endpoint> {
    if !service::eligible(pod) {
        return None;
    }
    let published = service::publishes_not_ready(spec);
    let node = pod::node(pod).and_then(|name| world.get::<Node>("", name));
    // A pod on a node that does not exist is not there any more, whatever its status says.
    if node.is_none() && !published {
        return None;
    }
    let addresses: Vec<String> =
        service::addresses(pod, family).map(|address| address.to_string()).collect();
    if addresses.is_empty() {
        return None;
    }
    let serving = pod.is_ready();
    let terminating = pod::terminating(pod);
    let (_namespace, _name) = names(pod);
    Some(Endpoint {
        addresses,
        conditions: Some(EndpointConditions {
            ready: Some(published || (serving && !terminating)),
            serving: Some(serving),
            terminating: Some(terminating),
        }),
        deprecated_topology: None,
        hints: None,
        hostname: service::hostname(pod, names(service).1).map(str::to_owned),
        node_name: pod::node(pod).map(str::to_owned),
        target_ref: Some(pod::target_ref(pod)),
        zone: node
            .and_then(|node| node.metadata.labels.as_ref()?.get(ZONE))
            .filter(|zone| !zone.is_empty())
            .cloned(),
    })
}

/// The Service's ports on this pod, sorted. A port by a name that the pod lacks is left out.
pub(super) fn ports_of(spec: &ServiceSpec, pod: &Pod) -> Ports {
    let mut ports: Ports = spec
        .ports
        .iter()
        .flatten()
        .filter_map(|port| {
            let number = service::target_of(pod, port)?;
            let name = port.name.clone().unwrap_or_default();
            Some((name, number, service::protocol(port).to_owned(), port.app_protocol.clone()))
        })
        .collect();
    ports.sort();
    ports
}
