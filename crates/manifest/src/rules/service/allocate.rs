//! Which addresses and node ports a write needs, and which it gives back. Pure: the allocator is elsewhere.

use std::net::IpAddr;

use k8s_openapi::api::core::v1::{Service, ServiceSpec};
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::defaults::set;
use super::{is_headless, needs_cluster_ip, needs_node_ports};
use crate::IpFamily;

/// A cluster IP to reserve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClusterIpRequest {
    /// Its place in `spec.clusterIPs`.
    pub index: usize,
    /// Its family.
    pub family: IpFamily,
    /// The address that was asked for; any free one will do if there is none.
    pub address: Option<IpAddr>,
}

/// A node port to reserve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodePortRequest {
    /// The place of its port in `spec.ports`.
    pub index: usize,
    /// `TCP`, `UDP` or `SCTP`; a number may serve once for each.
    pub protocol: String,
    /// The number that was asked for; any free one will do if there is none.
    pub node_port: Option<i32>,
}

/// What a write of a Service needs and gives back.
///
/// Reserve first, fill in with [`Self::fill`], store, and release last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allocation {
    /// The cluster IPs to reserve.
    pub cluster_ips: Vec<ClusterIpRequest>,
    /// The node ports to reserve.
    pub node_ports: Vec<NodePortRequest>,
    /// The cluster IPs that are free once the write is stored.
    pub released_cluster_ips: Vec<IpAddr>,
    /// The node ports (protocol, number) that are free once the write is stored.
    pub released_node_ports: Vec<(String, i32)>,
}

/// What the step from `old` (none at a creation) to `new` (none at a deletion) needs and gives back. Both are
/// prepared and valid.
pub fn allocation(new: Option<&Value>, old: Option<&Value>) -> Allocation {
    let spec = |value: Option<&Value>| {
        value.and_then(|value| Service::deserialize(value).ok()).and_then(|service| service.spec)
    };
    let (new, old) = (spec(new), spec(old));
    let held = old.as_ref().map(addresses).unwrap_or_default();
    let wanted = new.as_ref().map(addresses).unwrap_or_default();
    let held_ports = old.as_ref().map(node_ports).unwrap_or_default();
    let wanted_ports = new.as_ref().map(node_ports).unwrap_or_default();

    let mut cluster_ips = Vec::new();
    if let Some(spec) = new.as_ref().filter(|spec| needs_cluster_ip(spec) && !is_headless(spec)) {
        let given = spec.cluster_ips.as_deref().unwrap_or_default();
        for (index, family) in spec.ip_families.iter().flatten().enumerate() {
            let Some(family) = IpFamily::parse(family) else { continue };
            let address = given.get(index).and_then(|address| address.parse().ok());
            if address.is_none_or(|address| !held.contains(&address)) {
                cluster_ips.push(ClusterIpRequest { index, family, address });
            }
        }
    }

    let mut requests = Vec::new();
    if let Some(spec) = new.as_ref().filter(|spec| needs_node_ports(spec)) {
        for (index, port) in spec.ports.iter().flatten().enumerate() {
            let protocol = port.protocol.clone().unwrap_or_else(|| "TCP".to_owned());
            let node_port = port.node_port.filter(|node_port| *node_port != 0);
            if node_port.is_none_or(|number| !held_ports.contains(&(protocol.clone(), number))) {
                requests.push(NodePortRequest { index, protocol, node_port });
            }
        }
    }

    Allocation {
        cluster_ips,
        node_ports: requests,
        released_cluster_ips: held.into_iter().filter(|ip| !wanted.contains(ip)).collect(),
        released_node_ports: held_ports
            .into_iter()
            .filter(|port| !wanted_ports.contains(port))
            .collect(),
    }
}

fn addresses(spec: &ServiceSpec) -> Vec<IpAddr> {
    if !needs_cluster_ip(spec) {
        return Vec::new();
    }
    let first = spec.cluster_ip.iter();
    let mut addresses: Vec<IpAddr> = first
        .chain(spec.cluster_ips.iter().flatten())
        .filter_map(|address| address.parse().ok())
        .collect();
    addresses.dedup();
    addresses
}

fn node_ports(spec: &ServiceSpec) -> Vec<(String, i32)> {
    if !needs_node_ports(spec) {
        return Vec::new();
    }
    spec.ports
        .iter()
        .flatten()
        .filter_map(|port| {
            let number = port.node_port.filter(|number| *number != 0)?;
            Some((port.protocol.clone().unwrap_or_else(|| "TCP".to_owned()), number))
        })
        .collect()
}

impl Allocation {
    /// Whether there is nothing to reserve and nothing to give back.
    pub fn is_empty(&self) -> bool {
        let Self { cluster_ips, node_ports, released_cluster_ips, released_node_ports } = self;
        cluster_ips.is_empty()
            && node_ports.is_empty()
            && released_cluster_ips.is_empty()
            && released_node_ports.is_empty()
    }

    /// Writes what was reserved, in the order of the requests, into the Service.
    pub fn fill(&self, service: &mut Value, cluster_ips: &[IpAddr], node_ports: &[i32]) {
        let Some(spec) = service.get_mut("spec").and_then(Value::as_object_mut) else { return };
        if !self.cluster_ips.is_empty() {
            set(spec, "clusterIPs", json!([]));
        }
        if let Some(list) = spec.get_mut("clusterIPs").and_then(Value::as_array_mut) {
            for (request, address) in self.cluster_ips.iter().zip(cluster_ips) {
                let address = Value::from(address.to_string());
                match list.get_mut(request.index) {
                    Some(place) => *place = address,
                    None => list.push(address),
                }
            }
            if let Some(first) = list.first().cloned() {
                spec.insert("clusterIP".to_owned(), first);
            }
        }
        let mut ports = spec.get_mut("ports").and_then(Value::as_array_mut);
        for (request, number) in self.node_ports.iter().zip(node_ports) {
            if let Some(port) = ports.as_mut().and_then(|ports| ports.get_mut(request.index))
                && let Some(port) = port.as_object_mut()
            {
                port.insert("nodePort".to_owned(), Value::from(*number));
            }
        }
    }
}
