//! The nodes that are there from the start.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use k8s_openapi::api::core::v1::Node;
use manifest::labels::ZONE;
use serde_json::json;

use crate::config::{Blocks, Config};

/// Availability zones that the nodes are spread over.
const ZONES: u16 = 3;

/// The nodes' own addresses, outside of any range that clusters commonly give to pods and Services: the n-th has
/// the n-th after these.
const NODE_NETWORK_V4: Ipv4Addr = Ipv4Addr::new(172, 18, 0, 1);
const NODE_NETWORK_V6: Ipv6Addr = Ipv6Addr::new(0xfc00, 0xf853, 0x0ccd, 0xe793, 0, 0, 0, 1);

/// What a node says it has.
pub(crate) const NODE_CPU: &str = "64";
pub(crate) const NODE_MEMORY: &str = "256Gi";
pub(crate) const NODE_STORAGE: &str = "1Ti";

/// The node of this number, from 1 on: `node-1` with the pod addresses 10.244.1.0/24.
pub(crate) fn node(number: u16, config: &Config, now: jiff::Timestamp) -> Node {
    let name = format!("node-{number}");
    let pod_cidrs: Vec<String> = config
        .pod_ranges
        .iter()
        .map(|range| {
            let blocks = Blocks::new(*range);
            blocks.block(blocks.first(config.nodes) + u32::from(number) - 1).to_string()
        })
        .collect();
    let mut addresses: Vec<_> = config
        .pod_ranges
        .iter()
        .map(|range| {
            let address = node_address(number, range.network().is_ipv4());
            json!({ "type": "InternalIP", "address": address })
        })
        .collect();
    addresses.push(json!({ "type": "Hostname", "address": name }));
    let resources = json!({
        "cpu": NODE_CPU,
        "memory": NODE_MEMORY,
        "ephemeral-storage": NODE_STORAGE,
        "pods": "10000",
    });
    let condition = |kind: &str, status: &str, reason: &str, message: &str| {
        json!({
            "type": kind,
            "status": status,
            "reason": reason,
            "message": message,
            "lastHeartbeatTime": now,
            "lastTransitionTime": now,
        })
    };
    let node = json!({
        "metadata": {
            "name": name,
            "labels": {
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": architecture(),
                "topology.kubernetes.io/region": "local",
                ZONE: format!("zone-{}", (number - 1) % ZONES + 1),
            },
        },
        "spec": { "podCIDR": pod_cidrs.first(), "podCIDRs": pod_cidrs },
        "status": {
            "addresses": addresses,
            "capacity": resources,
            "allocatable": resources,
            "conditions": [
                condition("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
                condition("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
                condition("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
                condition("Ready", "True", "KubeletReady", "simulated"),
            ],
            "nodeInfo": {
                "architecture": architecture(),
                "bootID": name,
                "containerRuntimeVersion": concat!("headcount://", env!("CARGO_PKG_VERSION")),
                "kernelVersion": "simulated",
                "kubeProxyVersion": "",
                "kubeletVersion": "v1.36.0",
                "machineID": name,
                "operatingSystem": "linux",
                "osImage": "simulated",
                "systemUUID": name,
            },
        },
    });
    serde_json::from_value(node).expect("a literal Node")
}

pub(crate) fn node_address(number: u16, v4: bool) -> IpAddr {
    if v4 {
        Ipv4Addr::from_bits(NODE_NETWORK_V4.to_bits() + u32::from(number)).into()
    } else {
        Ipv6Addr::from_bits(NODE_NETWORK_V6.to_bits() + u128::from(number)).into()
    }
}

/// The name that Kubernetes has for this machine's architecture.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(number: u16, ranges: &[&str], pod_cidrs: &[&str], addresses: &[&str], zone: &str) {
        let config = Config {
            nodes: 4,
            pod_ranges: ranges.iter().map(|range| range.parse().unwrap()).collect(),
        };
        let node = node(number, &config, jiff::Timestamp::UNIX_EPOCH);
        let spec = node.spec.unwrap();
        assert_eq!(spec.pod_cidr.as_deref(), pod_cidrs.first().copied());
        assert_eq!(spec.pod_cidrs.unwrap(), pod_cidrs);
        let seen: Vec<_> =
            node.status.unwrap().addresses.unwrap().into_iter().map(|a| a.address).collect();
        assert_eq!(seen, addresses);
        assert_eq!(node.metadata.labels.unwrap()["topology.kubernetes.io/zone"], zone);
    }

    #[test]
    fn nodes_by_number() {
        check(1, &["10.244.0.0/16"], &["10.244.1.0/24"], &["172.18.0.2", "node-1"], "zone-1");
        check(
            4,
            &["10.244.0.0/16", "fd00:10:244::/56"],
            &["10.244.4.0/24", "fd00:10:244:4::/64"],
            &["172.18.0.5", "fc00:f853:ccd:e793::5", "node-4"],
            "zone-1",
        );
        check(2, &["10.244.0.0/22"], &["10.244.1.0/24"], &["172.18.0.3", "node-2"], "zone-2");
    }
}
