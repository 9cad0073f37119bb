//! EndpointSlices.

use std::collections::BTreeSet;

use k8s_openapi::api::discovery::v1::{Endpoint, EndpointPort, EndpointSlice};
use serde_json::{Map, Value};

use super::defaults::{items, set};
use super::{names, net, workload};
use crate::field::{FieldError, FieldPath};

const ADDRESS_TYPES: [&str; 3] = ["FQDN", "IPv4", "IPv6"];
const ENDPOINTS_MAX: usize = 1000;
const ADDRESSES_MAX: usize = 100;
const PORTS_MAX: usize = 20_000;

/// Kubernetes' `SetDefaults_EndpointPort`.
pub(crate) fn default(slice: &mut Map<String, Value>) {
    for port in items(slice, "ports") {
        set(port, "name", "");
        set(port, "protocol", "TCP");
    }
}

/// Kubernetes' `ValidateEndpointSlice` and `ValidateEndpointSliceUpdate`.
pub(crate) fn validate(
    new: &EndpointSlice,
    old: Option<&EndpointSlice>,
    errors: &mut Vec<FieldError>,
) {
    let EndpointSlice { address_type, endpoints, metadata: _, ports } = new;
    let path = FieldPath::new("addressType");
    if address_type.is_empty() {
        errors.push(FieldError::required(&path, ""));
    } else if !ADDRESS_TYPES.contains(&address_type.as_str()) {
        errors.push(FieldError::not_supported(&path, address_type.as_str(), &ADDRESS_TYPES));
    }
    let endpoints = endpoints.as_deref().unwrap_or_default();
    let list = FieldPath::new("endpoints");
    if endpoints.len() > ENDPOINTS_MAX {
        errors.push(FieldError::too_many(&list, endpoints.len(), ENDPOINTS_MAX));
    } else {
        for (index, endpoint) in endpoints.iter().enumerate() {
            validate_endpoint(endpoint, address_type, &list.index(index), errors);
        }
    }
    validate_ports(ports.as_deref().unwrap_or_default(), errors);
    if let Some(old) = old {
        workload::immutable(address_type, &old.address_type, &path, errors);
    }
}

fn validate_endpoint(
    endpoint: &Endpoint,
    address_type: &str,
    path: &FieldPath<'_>,
    errors: &mut Vec<FieldError>,
) {
    let list = path.child("addresses");
    let addresses = &endpoint.addresses;
    if addresses.is_empty() {
        errors.push(FieldError::required(&list, "must contain at least 1 address"));
    } else if addresses.len() > ADDRESSES_MAX {
        errors.push(FieldError::too_many(&list, addresses.len(), ADDRESSES_MAX));
    }
    for (index, address) in addresses.iter().enumerate().take(ADDRESSES_MAX) {
        let path = list.index(index);
        match (address_type, net::address(address)) {
            ("IPv4", Some(ip)) if ip.is_ipv4() => net::reachable_address(&path, address, errors),
            ("IPv6", Some(ip)) if ip.is_ipv6() => net::reachable_address(&path, address, errors),
            ("IPv4", _) => errors.push(FieldError::invalid(
                &path,
                address.as_str(),
                "must be a valid IPv4 address",
            )),
            ("IPv6", _) => errors.push(FieldError::invalid(
                &path,
                address.as_str(),
                "must be a valid IPv6 address",
            )),
            ("FQDN", _) => errors.extend(
                names::dns_1123_subdomain(address.strip_suffix('.').unwrap_or(address))
                    .into_iter()
                    .map(|text| FieldError::invalid(&path, address.as_str(), text)),
            ),
            _ => {}
        }
    }
    for (field, value, rule) in [
        ("hostname", &endpoint.hostname, names::dns_1123_label as fn(&str) -> Vec<String>),
        ("nodeName", &endpoint.node_name, names::dns_1123_subdomain),
    ] {
        if let Some(value) = value.as_deref() {
            let path = path.child(field);
            errors.extend(
                rule(value).into_iter().map(|text| FieldError::invalid(&path, value, text)),
            );
        }
    }
}

fn validate_ports(ports: &[EndpointPort], errors: &mut Vec<FieldError>) {
    let list = FieldPath::new("ports");
    if ports.len() > PORTS_MAX {
        errors.push(FieldError::too_many(&list, ports.len(), PORTS_MAX));
        return;
    }
    let mut seen = BTreeSet::new();
    for (index, port) in ports.iter().enumerate() {
        let path = list.index(index);
        let EndpointPort { app_protocol, name, port, protocol } = port;
        let name = name.as_deref().unwrap_or_default();
        let name_path = path.child("name");
        if !name.is_empty() {
            errors.extend(
                names::dns_1123_label(name)
                    .into_iter()
                    .map(|text| FieldError::invalid(&name_path, name, text)),
            );
        }
        if !seen.insert(name) {
            errors.push(FieldError::duplicate(&name_path, name));
        }
        if let Some(port) = port
            && let Some(text) = names::port_number((*port).into())
        {
            errors.push(FieldError::invalid(&path.child("port"), *port, text));
        }
        net::protocol(&path.child("protocol"), protocol.as_deref(), errors);
        net::app_protocol(&path.child("appProtocol"), app_protocol.as_deref(), errors);
    }
}
