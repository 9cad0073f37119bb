//! Pods.

use std::collections::BTreeMap;
use std::net::IpAddr;

use k8s_openapi::api::core::v1 as core;

use super::Protocol;

/// What NetworkPolicies look at of a pod that has a network of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pod {
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) addresses: Vec<IpAddr>,
    /// Ports that have names.
    pub(crate) ports: BTreeMap<(Protocol, String), u16>,
}

impl Pod {
    /// `None` while it has no address, when it has ended (another may have its address by then), and of a pod in the node's network,
    /// which is to the network what the node is.
    pub(super) fn read(pod: &core::Pod) -> Option<Self> {
        let (spec, status) = (pod.spec.as_ref()?, pod.status.as_ref()?);
        if spec.host_network == Some(true)
            || matches!(status.phase.as_deref(), Some("Succeeded" | "Failed"))
        {
            return None;
        }
        let listed = status.pod_ips.iter().flatten().map(|address| &address.ip);
        let mut addresses: Vec<IpAddr> =
            listed.chain(&status.pod_ip).filter_map(|address| address.parse().ok()).collect();
        addresses.sort();
        addresses.dedup();
        let side_cars = spec
            .init_containers
            .iter()
            .flatten()
            .filter(|container| container.restart_policy.as_deref() == Some("Always"));
        let ports = side_cars
            .chain(&spec.containers)
            .flat_map(|container| container.ports.iter().flatten())
            .filter_map(|port| {
                let protocol = Protocol::parse(port.protocol.as_deref())?;
                let number = u16::try_from(port.container_port).ok()?;
                Some(((protocol, port.name.clone()?), number))
            })
            .collect();
        let labels = pod.metadata.labels.clone().unwrap_or_default();
        (!addresses.is_empty()).then_some(Self { labels, addresses, ports })
    }
}
