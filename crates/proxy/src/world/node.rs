//! Nodes.

use std::net::IpAddr;

use ipnet::IpNet;
use k8s_openapi::api::core::v1 as core;

/// What matters of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    /// Where its NodePorts are.
    pub(crate) addresses: Vec<IpAddr>,
    /// Its pods' addresses.
    pub(crate) pod_ranges: Vec<IpNet>,
}

impl Node {
    pub(super) fn read(node: &core::Node) -> Self {
        let addresses = node.status.iter().flat_map(|status| status.addresses.iter().flatten());
        let addresses = addresses
            .filter(|address| matches!(address.type_.as_str(), "InternalIP" | "ExternalIP"))
            .filter_map(|address| address.address.parse().ok())
            .collect();
        let ranges = node.spec.iter().flat_map(|spec| spec.pod_cidrs.iter().flatten());
        Self { addresses, pod_ranges: ranges.filter_map(|range| range.parse().ok()).collect() }
    }
}
