//! Endpoints, the older form of EndpointSlices.

use k8s_openapi::api::core::v1::{EndpointAddress, EndpointPort, EndpointSubset, Endpoints};
use serde_json::{Map, Value};

use super::defaults::{items, set};
use super::{names, net};
use crate::field::{FieldError, FieldPath};

/// Kubernetes' `SetDefaults_Endpoints`.
pub(crate) fn default(endpoints: &mut Map<String, Value>) {
    for subset in items(endpoints, "subsets") {
        for port in items(subset, "ports") {
            set(port, "protocol", "TCP");
        }
    }
}

/// Kubernetes' `ValidateEndpoints`.
pub(crate) fn validate(endpoints: &Endpoints, errors: &mut Vec<FieldError>) {
    let list = FieldPath::new("subsets");
    for (index, subset) in endpoints.subsets.iter().flatten().enumerate() {
        let path = list.index(index);
        let EndpointSubset { addresses, not_ready_addresses, ports } = subset;
        let ready = addresses.as_deref().unwrap_or_default();
        let not_ready = not_ready_addresses.as_deref().unwrap_or_default();
        if ready.is_empty() && not_ready.is_empty() {
            errors.push(FieldError::required(
                &path,
                "must specify `addresses` or `notReadyAddresses`",
            ));
        }
        for (field, addresses) in [("addresses", ready), ("notReadyAddresses", not_ready)] {
            let list = path.child(field);
            for (index, address) in addresses.iter().enumerate() {
                validate_address(address, &list.index(index), errors);
            }
        }
        let ports = ports.as_deref().unwrap_or_default();
        let list = path.child("ports");
        for (index, port) in ports.iter().enumerate() {
            validate_port(port, ports.len() > 1, &list.index(index), errors);
        }
    }
}

fn validate_address(address: &EndpointAddress, path: &FieldPath<'_>, errors: &mut Vec<FieldError>) {
    let EndpointAddress { hostname, ip, node_name, target_ref: _ } = address;
    net::reachable_address(&path.child("ip"), ip, errors);
    for (field, value, rule) in [
        ("hostname", hostname, names::dns_1123_label as fn(&str) -> Vec<String>),
        ("nodeName", node_name, names::dns_1123_subdomain),
    ] {
        if let Some(value) = value.as_deref().filter(|value| !value.is_empty()) {
            let path = path.child(field);
            errors.extend(
                rule(value).into_iter().map(|text| FieldError::invalid(&path, value, text)),
            );
        }
    }
}

fn validate_port(
    port: &EndpointPort,
    requires_name: bool,
    path: &FieldPath<'_>,
    errors: &mut Vec<FieldError>,
) {
    let EndpointPort { app_protocol, name, port, protocol } = port;
    let name_path = path.child("name");
    match name.as_deref() {
        None | Some("") => {
            if requires_name {
                errors.push(FieldError::required(&name_path, ""));
            }
        }
        Some(name) => errors.extend(
            names::dns_1123_label(name)
                .into_iter()
                .map(|text| FieldError::invalid(&name_path, name, text)),
        ),
    }
    if let Some(text) = names::port_number((*port).into()) {
        errors.push(FieldError::invalid(&path.child("port"), *port, text));
    }
    net::protocol(&path.child("protocol"), protocol.as_deref(), errors);
    net::app_protocol(&path.child("appProtocol"), app_protocol.as_deref(), errors);
}
