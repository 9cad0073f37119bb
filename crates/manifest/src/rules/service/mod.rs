//! Services: defaults, validity, and what an allocator of addresses and node ports has to do.

mod allocate;
mod prepare;
#[cfg(test)]
mod tests;
mod update;
mod validate;

pub use allocate::{Allocation, ClusterIpRequest, NodePortRequest, allocation};
pub use prepare::prepare;
pub(crate) use validate::validate;

use k8s_openapi::api::core::v1::ServiceSpec;
use serde_json::{Map, Value, json};

use super::defaults::{existing, items, object, set, text};

/// The `clusterIP` of a headless Service.
pub(crate) const NONE: &str = "None";

fn type_of(spec: &ServiceSpec) -> &str {
    spec.type_.as_deref().unwrap_or("ClusterIP")
}

/// Whether the Service has no cluster IP by its author's wish (`clusterIP: None`).
pub fn is_headless(spec: &ServiceSpec) -> bool {
    match (spec.cluster_ips.as_deref(), spec.cluster_ip.as_deref()) {
        (Some([first, ..]), _) => first == NONE,
        (_, cluster_ip) => cluster_ip == Some(NONE),
    }
}

/// Whether the Service is an alias of a name outside.
pub(crate) fn is_external_name(spec: &ServiceSpec) -> bool {
    type_of(spec) == "ExternalName"
}

/// Whether the Service's `clusterIP` is in use: an address, or `None`.
pub(crate) fn needs_cluster_ip(spec: &ServiceSpec) -> bool {
    matches!(type_of(spec), "ClusterIP" | "NodePort" | "LoadBalancer")
}

/// Whether each port of the Service is also opened on every node.
pub(crate) fn needs_node_ports(spec: &ServiceSpec) -> bool {
    match type_of(spec) {
        "NodePort" => true,
        "LoadBalancer" => spec.allocate_load_balancer_node_ports.unwrap_or(true),
        _ => false,
    }
}

/// Whether the Service can be reached from outside the cluster by its own means.
fn is_externally_accessible(spec: &ServiceSpec) -> bool {
    match type_of(spec) {
        "NodePort" | "LoadBalancer" => true,
        "ClusterIP" => spec.external_ips.as_ref().is_some_and(|ips| !ips.is_empty()),
        _ => false,
    }
}

/// The defaults that do not depend on the cluster.
pub(crate) fn default(service: &mut Map<String, Value>) {
    if let Some(status) = object(service, "status") {
        object(status, "loadBalancer");
    }
    let Some(spec) = object(service, "spec") else { return };
    set(spec, "sessionAffinity", "None");
    match text(spec, "sessionAffinity") {
        "None" => {
            spec.remove("sessionAffinityConfig");
        }
        "ClientIP" => {
            if let Some(config) = object(spec, "sessionAffinityConfig")
                && let Some(client) = object(config, "clientIP")
            {
                set(client, "timeoutSeconds", 10800);
            }
        }
        _ => {}
    }
    set(spec, "type", "ClusterIP");
    for port in items(spec, "ports") {
        set(port, "protocol", "TCP");
        let target = port.get("targetPort");
        if target.is_none_or(|target| *target == json!(0) || *target == json!("")) {
            let number = port.get("port").cloned().unwrap_or_default();
            port.insert("targetPort".to_owned(), number);
        }
        if port.get("nodePort") == Some(&json!(0)) {
            port.remove("nodePort");
        }
    }
    let kind = text(spec, "type").to_owned();
    let has_external_ips =
        spec.get("externalIPs").and_then(Value::as_array).is_some_and(|ips| !ips.is_empty());
    match kind.as_str() {
        "NodePort" | "LoadBalancer" => set(spec, "externalTrafficPolicy", "Cluster"),
        "ClusterIP" if has_external_ips => set(spec, "externalTrafficPolicy", "Cluster"),
        _ => {}
    }
    if matches!(kind.as_str(), "NodePort" | "LoadBalancer" | "ClusterIP") {
        set(spec, "internalTrafficPolicy", "Cluster");
    }
    if kind == "LoadBalancer" {
        set(spec, "allocateLoadBalancerNodePorts", true);
    }
    // The older field alone names the first of the newer one.
    let cluster_ip = text(spec, "clusterIP").to_owned();
    if !cluster_ip.is_empty() {
        set(spec, "clusterIPs", json!([cluster_ip]));
    }
    if spec.get("healthCheckNodePort") == Some(&json!(0)) {
        spec.remove("healthCheckNodePort");
    }
    if let Some(config) = existing(spec, "sessionAffinityConfig")
        && config.is_empty()
    {
        spec.remove("sessionAffinityConfig");
    }
}
