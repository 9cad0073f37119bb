//! Services: what an update keeps of the old one, and the addresses and node ports they hold.
//!
//! Source of the rules: `pkg/registry/core/service` of Kubernetes (strategy.go, storage/alloc.go). The immutability of
//! cluster IPs is validation's (manifest); here is what happens before and after it.

mod allocations;
mod families;

pub(crate) use allocations::Allocations;
pub(crate) use families::prepare_families;

use serde_json::{Value, json};

use crate::allocate::Family;
use crate::object::{self, strings};

/// The value of `clusterIP` that makes a Service headless.
const NONE: &str = "None";

fn service_type(service: &Value) -> &str {
    match service["spec"]["type"].as_str() {
        None | Some("") => "ClusterIP",
        Some(other) => other,
    }
}

fn needs_cluster_ip(service: &Value) -> bool {
    service_type(service) != "ExternalName"
}

fn needs_node_port(service: &Value) -> bool {
    match service_type(service) {
        "NodePort" => true,
        "LoadBalancer" => service["spec"]["allocateLoadBalancerNodePorts"] != false,
        _ => false,
    }
}

/// Whether any Service of this type may have node ports; LoadBalancers may, asked for or not.
fn may_have_node_port(service: &Value) -> bool {
    matches!(service_type(service), "NodePort" | "LoadBalancer")
}

/// `clusterIPs`; `clusterIP` alone counts as a list of one.
fn cluster_ips(service: &Value) -> Vec<&str> {
    let spec = &service["spec"];
    match strings(&spec["clusterIPs"]) {
        list if list.is_empty() => {
            spec["clusterIP"].as_str().filter(|ip| !ip.is_empty()).into_iter().collect()
        }
        list => list,
    }
}

fn set_cluster_ips(service: &mut Value, ips: &[String]) {
    let spec = &mut service["spec"];
    object::set(spec, "clusterIP", ips.first().map_or(Value::Null, |ip| ip.as_str().into()));
    object::set(spec, "clusterIPs", if ips.is_empty() { Value::Null } else { json!(ips) });
}

fn is_headless(service: &Value) -> bool {
    cluster_ips(service).first() == Some(&NONE)
}

fn ports(service: &Value) -> &[Value] {
    service["spec"]["ports"].as_array().map_or(&[], Vec::as_slice)
}

fn node_port(port: &Value) -> u64 {
    port["nodePort"].as_u64().unwrap_or(0)
}

/// A port's protocol and number, which tell it from the Service's other ports.
fn port_key(port: &Value) -> (String, Option<i64>) {
    (port["protocol"].as_str().unwrap_or("TCP").to_owned(), port["port"].as_i64())
}

/// A new Service: `clusterIP` and `clusterIPs` say the same, and the families are known.
pub(crate) fn prepare_create(service: &mut Value, families: &[Family]) {
    if !service["spec"].is_object() {
        service["spec"] = json!({});
    }
    let spec = &mut service["spec"];
    match spec["clusterIP"].as_str() {
        Some(ip) if !ip.is_empty() && strings(&spec["clusterIPs"]).is_empty() => {
            spec["clusterIPs"] = json!([ip]);
        }
        _ => {}
    }
    prepare_families(service, families);
}

/// An updated Service keeps the addresses and node ports that it does not mention, and loses what its new type does
/// not have.
pub(crate) fn prepare_update(old: &Value, new: &mut Value, families: &[Family]) {
    if !new["spec"].is_object() {
        new["spec"] = json!({});
    }
    keep_allocated(old, new);
    join_cluster_ips(old, new);
    drop_by_type(old, new);
    families::trim_to_single_stack(old, new);
    prepare_families(new, families);
}

/// What was allocated stays when it is left out.
fn keep_allocated(old: &Value, new: &mut Value) {
    if needs_cluster_ip(old) && needs_cluster_ip(new) {
        let (before, spec) = (&old["spec"], &mut new["spec"]);
        if spec["clusterIP"].as_str().unwrap_or("").is_empty()
            && strings(&spec["clusterIPs"]).is_empty()
        {
            object::set(spec, "clusterIP", before["clusterIP"].clone());
        }
        if strings(&spec["clusterIPs"]).is_empty() && spec["clusterIP"] == before["clusterIP"] {
            object::set(spec, "clusterIPs", before["clusterIPs"].clone());
        }
    }
    if needs_node_port(old) && needs_node_port(new) {
        let taken: Vec<u64> = ports(new).iter().map(node_port).filter(|port| *port != 0).collect();
        let before: Vec<_> =
            ports(old).iter().map(|port| (port_key(port), node_port(port))).collect();
        for port in new["spec"]["ports"].as_array_mut().into_iter().flatten() {
            if node_port(port) != 0 {
                continue;
            }
            let key = port_key(port);
            let kept = before.iter().find(|(candidate, _)| *candidate == key);
            if let Some((_, number)) =
                kept.filter(|(_, number)| *number != 0 && !taken.contains(number))
            {
                port["nodePort"] = (*number).into();
            }
        }
    }
}

/// Where only one of `clusterIP` and `clusterIPs` was changed, the other follows.
fn join_cluster_ips(old: &Value, new: &mut Value) {
    let single = |service: &Value| service["spec"]["clusterIP"].as_str().unwrap_or("").to_owned();
    let list = |service: &Value| -> Vec<String> {
        strings(&service["spec"]["clusterIPs"]).into_iter().map(str::to_owned).collect()
    };
    let (single_before, single_now) = (single(old), single(new));
    let (list_before, list_now) = (list(old), list(new));
    if single_before != single_now && list_before == list_now {
        let list = if single_now.is_empty() { vec![] } else { vec![single_now] };
        set_cluster_ips(new, &list);
    } else if single_before == single_now && list_before != list_now || single_now.is_empty() {
        set_cluster_ips(new, &list_now);
    } else if list_now.is_empty() && !single_now.is_empty() {
        set_cluster_ips(new, &[single_now]);
    }
}

/// Takes away what the new type does not have, unless the client changed it, which is then for validation to refuse.
fn drop_by_type(old: &Value, new: &mut Value) {
    let unchanged = |new: &Value, field: &str| old["spec"][field] == new["spec"][field];
    if needs_cluster_ip(old) && !needs_cluster_ip(new) {
        if cluster_ips(old) == cluster_ips(new) {
            set_cluster_ips(new, &[]);
        }
        for field in ["ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy"] {
            if unchanged(new, field) {
                object::remove(&mut new["spec"], field);
            }
        }
    }
    if may_have_node_port(old) && !may_have_node_port(new) {
        let before: Vec<u64> = ports(old).iter().map(node_port).collect();
        for port in new["spec"]["ports"].as_array_mut().into_iter().flatten() {
            if before.contains(&node_port(port)) {
                object::remove(port, "nodePort");
            }
        }
        if unchanged(new, "externalTrafficPolicy") {
            object::remove(&mut new["spec"], "externalTrafficPolicy");
        }
    }
    if service_type(old) == "LoadBalancer" && service_type(new) != "LoadBalancer" {
        for field in ["allocateLoadBalancerNodePorts", "loadBalancerClass", "healthCheckNodePort"] {
            if unchanged(new, field) {
                object::remove(&mut new["spec"], field);
            }
        }
    }
    if !needs_cluster_ip(old) && needs_cluster_ip(new) && unchanged(new, "externalName") {
        object::remove(&mut new["spec"], "externalName");
    }
}
