//! What a Service gets before it is checked and stored: values of the stored one that an update leaves out,
//! and the IP families of the cluster. The rules are those of Kubernetes' `registry/core/service`.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Service, ServiceSpec};
use serde::Deserialize;
use serde_json::Value;

use super::{
    is_external_name, is_externally_accessible, is_headless, needs_cluster_ip, needs_node_ports,
    type_of,
};
use crate::IpFamily;
use crate::field::{FieldError, FieldPath};

/// Readies a defaulted Service for validation and allocation: `carry_over` from the stored one, then
/// `default_families` for a cluster with these families, the first being the default.
///
/// Returns the families' errors; what can be seen without the cluster is left to [`crate::rules::validate`].
pub fn prepare(new: &mut Value, old: Option<&Value>, cluster: &[IpFamily]) -> Vec<FieldError> {
    let read = |value: &Value| {
        Service::deserialize(value)
            .map_err(|error| vec![FieldError::internal(&FieldPath::ROOT, error.to_string())])
    };
    let mut service = match read(new) {
        Ok(service) => service,
        Err(errors) => return errors,
    };
    let old = match old.map(read).transpose() {
        Ok(old) => old,
        Err(errors) => return errors,
    };
    let spec = service.spec.get_or_insert_default();
    if let Some(old) = old.as_ref().and_then(|old| old.spec.as_ref()) {
        carry_over(old, spec);
    } else if let (Some(cluster_ip), None) = (&spec.cluster_ip, &spec.cluster_ips) {
        spec.cluster_ips = Some(vec![cluster_ip.clone()]);
    }
    let errors = default_families(spec, cluster);
    match serde_json::to_value(&service) {
        Ok(value) => *new = value,
        Err(error) => return vec![FieldError::internal(&FieldPath::ROOT, error.to_string())],
    }
    errors
}

/// Fills in what an update leaves out from the stored spec, and takes out what no longer applies after a change
/// of type, unless the update says otherwise.
pub(super) fn carry_over(old: &ServiceSpec, new: &mut ServiceSpec) {
    keep_allocated(old, new);
    align_cluster_ips(old, new);
    drop_after_change_of_type(old, new);
    keep_families(old, new);
    drop_second_family(old, new);
}

/// Addresses and ports that were allocated stay when an update does not mention them.
fn keep_allocated(old: &ServiceSpec, new: &mut ServiceSpec) {
    if needs_cluster_ip(old) && needs_cluster_ip(new) {
        if new.cluster_ip.as_deref().is_none_or(str::is_empty)
            && new
                .cluster_ips
                .as_ref()
                .is_none_or(|ips| ips.is_empty() || Some(ips) == old.cluster_ips.as_ref())
        {
            new.cluster_ip.clone_from(&old.cluster_ip);
        }
        if new.cluster_ips.as_ref().is_none_or(Vec::is_empty) && new.cluster_ip == old.cluster_ip {
            new.cluster_ips.clone_from(&old.cluster_ips);
        }
    }
    if needs_node_ports(old) && needs_node_ports(new) {
        let of = |spec: &ServiceSpec| -> Vec<i32> {
            spec.ports.iter().flatten().filter_map(|port| port.node_port).collect()
        };
        let mut used = of(new);
        used.retain(|port| of(old).contains(port));
        // By name: the author may have changed everything else of the port.
        let by_name: BTreeMap<&str, i32> = old
            .ports
            .iter()
            .flatten()
            .filter_map(|port| Some((port.name.as_deref().unwrap_or_default(), port.node_port?)))
            .collect();
        for port in new.ports.iter_mut().flatten() {
            if port.node_port.is_none_or(|node_port| node_port == 0) {
                let known = by_name.get(port.name.as_deref().unwrap_or_default());
                if let Some(node_port) = known.filter(|node_port| !used.contains(node_port)) {
                    port.node_port = Some(*node_port);
                    used.push(*node_port);
                }
            }
        }
    }
    let needs_health_port = |spec: &ServiceSpec| {
        type_of(spec) == "LoadBalancer" && spec.external_traffic_policy.as_deref() == Some("Local")
    };
    if needs_health_port(old) && needs_health_port(new) && new.health_check_node_port.is_none() {
        new.health_check_node_port = old.health_check_node_port;
    }
}

/// `clusterIP` and `clusterIPs` say the same; who changes only one of them means both.
fn align_cluster_ips(old: &ServiceSpec, new: &mut ServiceSpec) {
    if is_external_name(new) {
        return;
    }
    let same_list = new.cluster_ips == old.cluster_ips || new.cluster_ips.is_none();
    let first = new.cluster_ip.clone().filter(|ip| !ip.is_empty());
    match first {
        Some(first) if new.cluster_ip != old.cluster_ip && same_list => {
            new.cluster_ips = Some(vec![first]);
        }
        Some(first) if new.cluster_ips.as_ref().is_none_or(Vec::is_empty) => {
            new.cluster_ips = Some(vec![first]);
        }
        None if new.cluster_ip != old.cluster_ip && same_list => new.cluster_ips = None,
        Some(_) | None => {}
    }
}

fn drop_after_change_of_type(old: &ServiceSpec, new: &mut ServiceSpec) {
    if needs_cluster_ip(old) && !needs_cluster_ip(new) {
        let same_ips = new.cluster_ips.is_none() || new.cluster_ips == old.cluster_ips;
        if same_ips && (new.cluster_ip.is_none() || new.cluster_ip == old.cluster_ip) {
            new.cluster_ip = None;
            new.cluster_ips = None;
        }
        if new.ip_families == old.ip_families {
            new.ip_families = None;
        }
        if new.ip_family_policy == old.ip_family_policy {
            new.ip_family_policy = None;
        }
    }
    if needs_node_ports(old) && !needs_node_ports(new) {
        let known: Vec<i32> =
            old.ports.iter().flatten().filter_map(|port| port.node_port).collect();
        let ports = new.ports.as_deref_mut().unwrap_or_default();
        if ports.iter().filter_map(|port| port.node_port).all(|port| known.contains(&port)) {
            for port in ports {
                port.node_port = None;
            }
        }
    }
    if type_of(old) == "LoadBalancer" && type_of(new) != "LoadBalancer" {
        if new.load_balancer_class == old.load_balancer_class {
            new.load_balancer_class = None;
        }
        if new.allocate_load_balancer_node_ports == old.allocate_load_balancer_node_ports {
            new.allocate_load_balancer_node_ports = None;
        }
        if new.health_check_node_port == old.health_check_node_port {
            new.health_check_node_port = None;
        }
    }
    if is_externally_accessible(old)
        && !is_externally_accessible(new)
        && new.external_traffic_policy == old.external_traffic_policy
    {
        new.external_traffic_policy = None;
    }
    if is_external_name(new) && !is_external_name(old) {
        new.internal_traffic_policy = None;
    }
    if is_external_name(old) && !is_external_name(new) && new.external_name == old.external_name {
        new.external_name = None;
    }
}

fn keep_families(old: &ServiceSpec, new: &mut ServiceSpec) {
    if needs_cluster_ip(old) && needs_cluster_ip(new) {
        if new.ip_family_policy.is_none() {
            new.ip_family_policy.clone_from(&old.ip_family_policy);
        }
        if new.ip_families.is_none() {
            new.ip_families.clone_from(&old.ip_families);
        }
    }
}

/// A change of the policy to SingleStack gives up the second address and family.
fn drop_second_family(old: &ServiceSpec, new: &mut ServiceSpec) {
    let single = |spec: &ServiceSpec| spec.ip_family_policy.as_deref() == Some("SingleStack");
    if needs_cluster_ip(old) && needs_cluster_ip(new) && !single(old) && single(new) {
        if new.cluster_ips == old.cluster_ips {
            new.cluster_ips.iter_mut().for_each(|ips| ips.truncate(1));
        }
        if new.ip_families == old.ip_families {
            new.ip_families.iter_mut().for_each(|families| families.truncate(1));
        }
    }
}

/// Fills in `ipFamilyPolicy` and `ipFamilies` for a cluster with these families, the first being the default.
///
/// Two families or two addresses default to RequireDualStack, and so does headless without selector, even where the
/// cluster has one family; all others default to SingleStack.
pub(super) fn default_families(spec: &mut ServiceSpec, cluster: &[IpFamily]) -> Vec<FieldError> {
    let Some(default) = cluster.first().copied() else { return Vec::new() };
    if is_external_name(spec) {
        return Vec::new();
    }
    let path = FieldPath::new("spec");
    let mut errors = Vec::new();
    let mut families = spec.ip_families.clone().unwrap_or_default();

    // Two of either ask for both families.
    let addresses = spec.cluster_ips.as_ref().map_or(0, Vec::len);
    let free = is_headless(spec) && spec.selector.as_ref().is_none_or(BTreeMap::is_empty);
    let wants_both = free || families.len() == 2 || addresses == 2;
    // Addresses tell their families.
    for (index, address) in spec.cluster_ips.iter().flatten().enumerate().take(2) {
        let Ok(address) = address.parse::<std::net::IpAddr>() else { break };
        if index == families.len() {
            families.push(IpFamily::of(address).as_str().to_owned());
        }
    }

    let policy = spec
        .ip_family_policy
        .get_or_insert_with(|| {
            if wants_both { "RequireDualStack" } else { "SingleStack" }.to_owned()
        })
        .clone();
    if families.is_empty() {
        families.push(default.as_str().to_owned());
    }
    let second = |families: &mut Vec<String>| {
        if let [only] = families.as_slice()
            && let Some(family) = IpFamily::parse(only)
        {
            families.push(family.other().as_str().to_owned());
        }
    };
    if policy == "SingleStack" && families.len() > 1 {
        errors.push(FieldError::invalid(
            &path.child("ipFamilyPolicy"),
            policy.as_str(),
            "must be RequireDualStack or PreferDualStack when multiple IP families are specified",
        ));
    }
    if free {
        if policy != "SingleStack" {
            second(&mut families);
        }
    } else {
        for (index, family) in families.iter().enumerate() {
            if IpFamily::parse(family).is_some_and(|family| !cluster.contains(&family)) {
                errors.push(FieldError::invalid(
                    &path.child("ipFamilies").index(index),
                    family.as_str(),
                    "not configured on this cluster",
                ));
            }
        }
        if policy == "RequireDualStack" && cluster.len() < 2 {
            errors.push(FieldError::invalid(
                &path.child("ipFamilyPolicy"),
                policy.as_str(),
                "this cluster is not configured for dual-stack services",
            ));
        }
        if matches!(policy.as_str(), "RequireDualStack" | "PreferDualStack") && cluster.len() > 1 {
            second(&mut families);
        }
    }
    spec.ip_families = Some(families);
    errors
}
