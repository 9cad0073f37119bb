//! Endpoints and EndpointSlices.

use super::column::{AGE, Column, NAME};
use super::value::{age_of, first_three, list_at, name_of, number_at, or, text_at};
use jiff::Timestamp;
use serde_json::Value;

pub(super) const COLUMNS: &[Column] =
    &[NAME, Column::text("Endpoints", "The ready addresses with their ports."), AGE];

pub(super) const SLICE_COLUMNS: &[Column] = &[
    NAME,
    Column::text("AddressType", "What the addresses are: IPv4, IPv6 or FQDN."),
    Column::text("Ports", "The ports of every endpoint in this slice."),
    Column::text("Endpoints", "The addresses of the endpoints, ready or not."),
    AGE,
];

pub(super) fn cells(item: &Value, now: Timestamp) -> Vec<Value> {
    let subsets = list_at(item, "/subsets");
    let endpoints = if subsets.is_empty() {
        "<none>".to_owned()
    } else {
        first_three(subsets.iter().flat_map(addresses))
    };
    vec![name_of(item), endpoints.into(), age_of(item, now)]
}

/// Every ready address of a subset with each of its ports; the addresses alone when it has no ports.
fn addresses(subset: &Value) -> Vec<String> {
    let addresses = || list_at(subset, "/addresses").iter().map(|address| text_at(address, "/ip"));
    let ports = list_at(subset, "/ports");
    if ports.is_empty() {
        return addresses().map(str::to_owned).collect();
    }
    let port_numbers = ports.iter().map(|port| number_at(port, "/port"));
    port_numbers.flat_map(|port| addresses().map(move |ip| host_port(ip, port))).collect()
}

fn host_port(ip: &str, port: i64) -> String {
    if ip.contains(':') { format!("[{ip}]:{port}") } else { format!("{ip}:{port}") }
}

pub(super) fn slice_cells(item: &Value, now: Timestamp) -> Vec<Value> {
    let ports = first_three(list_at(item, "/ports").iter().map(port));
    let addresses =
        list_at(item, "/endpoints").iter().flat_map(|endpoint| list_at(endpoint, "/addresses"));
    let addresses =
        first_three(addresses.map(|address| address.as_str().unwrap_or_default().to_owned()));
    vec![
        name_of(item),
        text_at(item, "/addressType").into(),
        or(&ports, "<unset>").into(),
        or(&addresses, "<unset>").into(),
        age_of(item, now),
    ]
}

/// A port's number; its name when it has no number, `*` when it has neither: all ports.
fn port(port: &Value) -> String {
    match (port.get("port").and_then(Value::as_i64), port.get("name").and_then(Value::as_str)) {
        (Some(number), _) => number.to_string(),
        (None, Some(name)) => name.to_owned(),
        (None, None) => "*".to_owned(),
    }
}
