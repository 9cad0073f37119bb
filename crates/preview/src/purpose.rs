//! What a name is for.

use directory::{Rdata, Role, dashed};
use std::net::IpAddr;

use crate::records::Shape;

/// What a record is for, in a few words.
pub(crate) fn of(role: &Role, data: &Rdata, shape: &Shape, has_peers: bool) -> String {
    // Those whom a headless Service's name leads to.
    let everyone = match (shape, has_peers) {
        (Shape::Headless { publishes_not_ready: true, .. }, true) => "all peers, ready or not",
        (Shape::Headless { publishes_not_ready: true, .. }, false) => "all pods, ready or not",
        (Shape::Headless { selects: false, .. }, _) => "all endpoints that are ready",
        (_, true) => "all ready peers",
        (_, false) => "all ready pods",
    };
    match role {
        Role::Service(_) => match (shape, data) {
            (_, Rdata::Cname(_)) => {
                "alias: nothing is proxied; port, TLS name and Host header stay as they are"
                    .to_owned()
            }
            (Shape::Headless { .. }, Rdata::Srv { .. }) => format!("ports of {everyone} (SRV)"),
            (Shape::Headless { .. }, _) => everyone.to_owned(),
            (_, Rdata::Srv { .. }) => "ports of the virtual address (SRV)".to_owned(),
            (_, _) => "the virtual address".to_owned(),
        },
        Role::Endpoint { label, .. } => match data {
            Rdata::Srv { .. } => "its ports (SRV)".to_owned(),
            Rdata::A(address) if is_dashed(label, (*address).into()) => by_address(shape),
            Rdata::Aaaa(address) if is_dashed(label, (*address).into()) => by_address(shape),
            _ => "one peer by its name".to_owned(),
        },
        Role::Port { port, .. } => match shape {
            Shape::Headless { .. } => format!("port {port} of {everyone} (SRV)"),
            Shape::ClusterIp { .. } | Shape::ExternalName { .. } => {
                format!("port {port} of the virtual address (SRV)")
            }
        },
        Role::Address(_) => "from an address to its name".to_owned(),
        Role::Pod { .. } => "a pod by its address".to_owned(),
        Role::NameServer => "the DNS server".to_owned(),
        Role::Apex => "the zone".to_owned(),
        Role::DnsVersion => {
            "which version of the Kubernetes DNS specification is followed".to_owned()
        }
    }
}

fn is_dashed(label: &str, address: IpAddr) -> bool {
    label == dashed(address)
}

fn by_address(shape: &Shape) -> String {
    match shape {
        Shape::Headless { selects: false, .. } | Shape::ClusterIp { selects: false, .. } => {
            "one endpoint by its address"
        }
        Shape::Headless { .. } | Shape::ClusterIp { .. } | Shape::ExternalName { .. } => {
            "one pod by its address"
        }
    }
    .to_owned()
}
