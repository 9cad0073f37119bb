//! The validity of a Service (Kubernetes' `ValidateService` and `ValidateServiceUpdate`).

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{ClientIPConfig, Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde_json::json;

use super::update::validate_update;
use super::{
    NONE, is_external_name, is_externally_accessible, is_headless, needs_cluster_ip, type_of,
};
use crate::IpFamily;
use crate::field::{FieldError, FieldPath};
use crate::rules::{metadata, names, net};

const TYPES: [&str; 4] = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
const POLICIES: [&str; 3] = ["PreferDualStack", "RequireDualStack", "SingleStack"];
const DISTRIBUTIONS: [&str; 3] = ["PreferClose", "PreferSameNode", "PreferSameZone"];
const SESSION_SECONDS_MAX: i32 = 86_400;
/// The port of the kubelet, which no Service may take over on the nodes.
const KUBELET_PORT: i32 = 10250;

type Errors = Vec<FieldError>;

/// Checks the spec, and, given the stored Service, what may not change.
pub(crate) fn validate(new: &Service, old: Option<&Service>, errors: &mut Errors) {
    let path = FieldPath::new("spec");
    let Some(spec) = &new.spec else {
        errors.push(FieldError::required(&path, ""));
        return;
    };
    by_type(spec, &path, errors);
    ports(spec, &path, errors);
    metadata::labels(&path.child("selector"), spec.selector.as_ref(), errors);
    session_affinity(spec, &path, errors);
    cluster_ips(spec, &path, errors);
    external_ips(spec, &path, errors);
    let service_type = type_of(spec);
    if !TYPES.contains(&service_type) {
        errors.push(FieldError::not_supported(&path.child("type"), service_type, &TYPES));
    }
    repeated_ports(spec, &path, errors);
    load_balancer(spec, &path, errors);
    traffic_policies(spec, &path, errors);
    if let Some(old) = old.and_then(|old| old.spec.as_ref()) {
        validate_update(spec, old, &path, errors);
    }
}

fn by_type(spec: &ServiceSpec, path: &FieldPath<'_>, errors: &mut Errors) {
    let service_type = type_of(spec);
    let has_ports = spec.ports.as_ref().is_some_and(|ports| !ports.is_empty());
    if !has_ports && !is_headless(spec) && !is_external_name(spec) {
        errors.push(FieldError::required(&path.child("ports"), ""));
    }
    match service_type {
        "LoadBalancer" | "NodePort" => {
            for (index, port) in spec.ports.iter().flatten().enumerate() {
                if port.port == KUBELET_PORT {
                    errors.push(FieldError::invalid(
                        &path.child("ports").index(index),
                        port.port,
                        "may not expose port 10250 externally since it is used by kubelet",
                    ));
                }
            }
            if is_headless(spec) {
                let plural = if service_type == "NodePort" { "NodePort" } else { "LoadBalancer" };
                errors.push(FieldError::invalid(
                    &path.child("clusterIPs").index(0),
                    NONE,
                    format!("may not be set to 'None' for {plural} services"),
                ));
            }
        }
        "ExternalName" => external_name(spec, path, errors),
        _ => {}
    }
}

fn external_name(spec: &ServiceSpec, path: &FieldPath<'_>, errors: &mut Errors) {
    const FORBIDDEN: &str = "may not be set for ExternalName services";
    let has = |list: &Option<Vec<String>>| list.as_ref().is_some_and(|list| !list.is_empty());
    if has(&spec.cluster_ips) || spec.cluster_ip.as_deref().is_some_and(|ip| !ip.is_empty()) {
        errors.push(FieldError::forbidden(&path.child("clusterIPs"), FORBIDDEN));
    }
    if has(&spec.ip_families) {
        errors.push(FieldError::forbidden(&path.child("ipFamilies"), FORBIDDEN));
    }
    if spec.ip_family_policy.is_some() {
        errors.push(FieldError::forbidden(&path.child("ipFamilyPolicy"), FORBIDDEN));
    }
    let path = path.child("externalName");
    match spec.external_name.as_deref() {
        None | Some("") => errors.push(FieldError::required(&path, "")),
        Some(name) => {
            let bare = name.strip_suffix('.').unwrap_or(name);
            let problems = names::dns_1123_subdomain(bare);
            errors.extend(problems.into_iter().map(|text| FieldError::invalid(&path, name, text)));
        }
    }
}

fn ports(spec: &ServiceSpec, path: &FieldPath<'_>, errors: &mut Errors) {
    let ports = spec.ports.as_deref().unwrap_or_default();
    let list = path.child("ports");
    let mut seen = BTreeSet::new();
    for (index, port) in ports.iter().enumerate() {
        let path = list.index(index);
        let ServicePort { app_protocol, name, node_port, port, protocol, target_port } = port;
        let name = name.as_deref().unwrap_or_default();
        if name.is_empty() {
            if ports.len() > 1 {
                errors.push(FieldError::required(&path.child("name"), ""));
            }
        } else {
            let path = path.child("name");
            errors.extend(
                names::dns_1123_label(name)
                    .into_iter()
                    .map(|text| FieldError::invalid(&path, name, text)),
            );
            if !seen.insert(name) {
                errors.push(FieldError::duplicate(&path, name));
            }
        }
        if let Some(text) = names::port_number((*port).into()) {
            errors.push(FieldError::invalid(&path.child("port"), *port, text));
        }
        net::protocol(&path.child("protocol"), protocol.as_deref(), errors);
        match target_port {
            None => {}
            Some(IntOrString::Int(number)) => {
                if let Some(text) = names::port_number((*number).into()) {
                    errors.push(FieldError::invalid(&path.child("targetPort"), *number, text));
                }
            }
            Some(IntOrString::String(name)) => {
                errors.extend(names::port_name(name).into_iter().map(|text| {
                    FieldError::invalid(&path.child("targetPort"), name.as_str(), text)
                }))
            }
        }
        net::app_protocol(&path.child("appProtocol"), app_protocol.as_deref(), errors);
        let node_port = node_port.filter(|node_port| *node_port != 0);
        if let Some(node_port) = node_port {
            let path = path.child("nodePort");
            if type_of(spec) == "ClusterIP" {
                errors.push(FieldError::forbidden(
                    &path,
                    "may not be used when `type` is 'ClusterIP'",
                ));
            } else if let Some(text) = names::port_number(node_port.into()) {
                errors.push(FieldError::invalid(&path, node_port, text));
            }
        }
    }
}

fn repeated_ports(spec: &ServiceSpec, path: &FieldPath<'_>, errors: &mut Errors) {
    let list = path.child("ports");
    let mut ports = BTreeSet::new();
    let mut node_ports = BTreeSet::new();
    for (index, port) in spec.ports.iter().flatten().enumerate() {
        let path = list.index(index);
        let protocol = port.protocol.as_deref().unwrap_or("TCP");
        if let Some(node_port) = port.node_port.filter(|node_port| *node_port != 0)
            && !node_ports.insert((protocol, node_port))
        {
            errors.push(FieldError::duplicate(&path.child("nodePort"), node_port));
        }
        if !ports.insert((protocol, port.port)) {
            errors.push(FieldError::duplicate(
                &path,
                json!({"port": port.port, "protocol": protocol}),
            ));
        }
    }
}

fn session_affinity(spec: &ServiceSpec, path: &FieldPath<'_>, errors: &mut Errors) {
    let config_path = path.child("sessionAffinityConfig");
    match spec.session_affinity.as_deref() {
        None | Some("") => errors.push(FieldError::required(&path.child("sessionAffinity"), "")),
        Some("ClientIP") => {
            let client = spec.session_affinity_config.as_ref().and_then(|c| c.client_ip.as_ref());
            let path = config_path.child("clientIP");
            let path = path.child("timeoutSeconds");
            match client {
                Some(ClientIPConfig { timeout_seconds: Some(seconds) }) => {
                    if !(1..=SESSION_SECONDS_MAX).contains(seconds) {
                        errors.push(FieldError::invalid(
                            &path,
                            *seconds,
                            format!("must be greater than 0 and less than {SESSION_SECONDS_MAX}"),
                        ));
                    }
                }
                Some(ClientIPConfig { timeout_seconds: None }) | None => {
                    errors.push(FieldError::required(
                        &config_path,
                        "when session affinity type is ClientIP",
                    ));
                }
            }
        }
        Some("None") => {
            if spec.session_affinity_config.is_some() {
                errors.push(FieldError::forbidden(
                    &config_path,
                    "must not be set when session affinity is None",
                ));
            }
        }
        Some(other) => errors.push(FieldError::not_supported(
            &path.child("sessionAffinity"),
            other,
            &["ClientIP", "None"],
        )),
    }
}

fn cluster_ips(spec: &ServiceSpec, path: &FieldPath<'_>, errors: &mut Errors) {
    // A Service that is an alias may have none of these, which `external_name` sees to.
    if is_external_name(spec) {
        return;
    }
    let families = spec.ip_families.as_deref().unwrap_or_default();
    let families_path = path.child("ipFamilies");
    if families.len() > 2 {
        errors.push(FieldError::invalid(
            &families_path,
            families.to_vec(),
            "may only hold up to 2 values",
        ));
    }
    for (index, family) in families.iter().enumerate() {
        let path = families_path.index(index);
        if IpFamily::parse(family).is_none() {
            errors.push(FieldError::not_supported(&path, family.as_str(), &["IPv4", "IPv6"]));
        } else if families[..index].contains(family) {
            errors.push(FieldError::duplicate(&path, family.as_str()));
        }
    }
    if let Some(policy) = spec.ip_family_policy.as_deref()
        && !POLICIES.contains(&policy)
    {
        errors.push(FieldError::not_supported(&path.child("ipFamilyPolicy"), policy, &POLICIES));
    }

    let list = spec.cluster_ips.as_deref().unwrap_or_default();
    let first = spec.cluster_ip.as_deref().unwrap_or_default();
    let list_path = path.child("clusterIPs");
    match list.first() {
        None if !first.is_empty() => errors.push(FieldError::required(&list_path, "")),
        None => {}
        Some(_) if first.is_empty() => {
            errors.push(FieldError::required(&path.child("clusterIP"), ""));
        }
        Some(head) if head != first => errors.push(FieldError::invalid(
            &list_path,
            list.to_vec(),
            "first value must match `clusterIP`",
        )),
        Some(_) => {}
    }
    if list.len() > 2 {
        errors.push(FieldError::invalid(&list_path, list.to_vec(), "may only hold up to 2 values"));
    }
    let mut of_list: Vec<IpFamily> = Vec::new();
    for (index, address) in list.iter().enumerate() {
        let path = list_path.index(index);
        if address == NONE {
            if index > 0 || list.len() > 1 {
                errors.push(FieldError::invalid(
                    &list_path,
                    list.to_vec(),
                    "'None' must be the first and only value",
                ));
            }
            continue;
        }
        let Some(ip) = net::address(address) else {
            errors.push(FieldError::invalid(&path, address.as_str(), net::NOT_AN_ADDRESS));
            continue;
        };
        let family = IpFamily::of(ip);
        if let Some(expected) = families.get(index).and_then(|family| IpFamily::parse(family))
            && expected != family
        {
            errors.push(FieldError::invalid(
                &path,
                address.as_str(),
                format!("expected an {expected} value as indicated by `ipFamilies[{index}]`"),
            ));
        }
        if of_list.contains(&family) && list.len() == 2 {
            errors.push(FieldError::invalid(
                &list_path,
                list.to_vec(),
                "may specify no more than one IP for each IP family",
            ));
        }
        of_list.push(family);
    }
}

fn external_ips(spec: &ServiceSpec, path: &FieldPath<'_>, errors: &mut Errors) {
    let list = path.child("externalIPs");
    for (index, address) in spec.external_ips.iter().flatten().enumerate() {
        net::reachable_address(&list.index(index), address, errors);
    }
}

fn load_balancer(spec: &ServiceSpec, path: &FieldPath<'_>, errors: &mut Errors) {
    const ONLY: &str = "may only be used when `type` is 'LoadBalancer'";
    let is_load_balancer = type_of(spec) == "LoadBalancer";
    let ranges_path = path.child("loadBalancerSourceRanges");
    let ranges = spec.load_balancer_source_ranges.as_deref().unwrap_or_default();
    if !ranges.is_empty() && !is_load_balancer {
        errors.push(FieldError::forbidden(&ranges_path, ONLY));
    }
    for (index, range) in ranges.iter().enumerate() {
        if !net::is_cidr(range.trim()) {
            errors.push(FieldError::invalid(
                &ranges_path.index(index),
                range.as_str(),
                net::NOT_A_CIDR,
            ));
        }
    }
    let ports_path = path.child("allocateLoadBalancerNodePorts");
    match spec.allocate_load_balancer_node_ports {
        None if is_load_balancer => errors.push(FieldError::required(&ports_path, "")),
        Some(_) if !is_load_balancer => errors.push(FieldError::forbidden(&ports_path, ONLY)),
        None | Some(_) => {}
    }
    if let Some(class) = spec.load_balancer_class.as_deref() {
        let path = path.child("loadBalancerClass");
        if is_load_balancer {
            errors.extend(
                names::qualified_name(class)
                    .into_iter()
                    .map(|text| FieldError::invalid(&path, class, text)),
            );
        } else {
            errors.push(FieldError::forbidden(&path, ONLY));
        }
    }
}

fn traffic_policies(spec: &ServiceSpec, path: &FieldPath<'_>, errors: &mut Errors) {
    const POLICIES: [&str; 2] = ["Cluster", "Local"];
    let external = spec.external_traffic_policy.as_deref().unwrap_or_default();
    let external_path = path.child("externalTrafficPolicy");
    match (is_externally_accessible(spec), external) {
        (true, "") => errors.push(FieldError::required(&external_path, "")),
        (true, policy) if !POLICIES.contains(&policy) => {
            errors.push(FieldError::not_supported(&external_path, policy, &POLICIES));
        }
        (true, _) | (false, "") => {}
        (false, policy) => errors.push(FieldError::invalid(
            &external_path,
            policy,
            "may only be set for externally-accessible services",
        )),
    }
    let health_path = path.child("healthCheckNodePort");
    if let Some(port) = spec.health_check_node_port.filter(|port| *port != 0) {
        if type_of(spec) != "LoadBalancer" || external != "Local" {
            errors.push(FieldError::invalid(
                &health_path,
                port,
                "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
            ));
        } else if let Some(text) = names::port_number(port.into()) {
            errors.push(FieldError::invalid(&health_path, port, text));
        }
    }
    let internal_path = path.child("internalTrafficPolicy");
    match spec.internal_traffic_policy.as_deref() {
        None | Some("") if needs_cluster_ip(spec) => {
            errors.push(FieldError::required(&internal_path, ""));
        }
        None | Some("") => {}
        Some(policy) if POLICIES.contains(&policy) => {}
        Some(policy) => {
            errors.push(FieldError::not_supported(&internal_path, policy, &POLICIES));
        }
    }
    if let Some(distribution) = spec.traffic_distribution.as_deref()
        && !DISTRIBUTIONS.contains(&distribution)
    {
        let path = path.child("trafficDistribution");
        errors.push(FieldError::not_supported(&path, distribution, &DISTRIBUTIONS));
    }
}
