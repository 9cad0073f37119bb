//! Services.

use super::column::{AGE, Column, NAME};
use super::value::{age_of, labels, list_at, name_of, number_at, or, text_at};
use jiff::Timestamp;
use serde_json::Value;
use std::collections::BTreeSet;

pub(super) const COLUMNS: &[Column] = &[
    NAME,
    Column::text(
        "Type",
        "How the Service is exposed: ClusterIP, NodePort, LoadBalancer or ExternalName.",
    ),
    Column::text("Cluster-IP", "The Service's own address; None for a headless Service."),
    Column::text("External-IP", "The addresses or the name outside the cluster."),
    Column::text("Port(s)", "The ports, with their node ports and protocols."),
    AGE,
    Column::text("Selector", "The labels of the pods that the Service selects.").wide(),
];

pub(super) fn cells(item: &Value, now: Timestamp) -> Vec<Value> {
    let cluster_ip = list_at(item, "/spec/clusterIPs").first().and_then(Value::as_str);
    let cluster_ip = cluster_ip.unwrap_or_else(|| text_at(item, "/spec/clusterIP"));
    let ports: Vec<String> = list_at(item, "/spec/ports").iter().map(port).collect();
    vec![
        name_of(item),
        text_at(item, "/spec/type").into(),
        or(cluster_ip, "<none>").into(),
        external_ip(item).into(),
        or(&ports.join(","), "<none>").into(),
        age_of(item, now),
        labels(item.pointer("/spec/selector")).into(),
    ]
}

/// `5432/TCP`, with a node port `80:30080/TCP`.
fn port(port: &Value) -> String {
    let (number, protocol) = (number_at(port, "/port"), text_at(port, "/protocol"));
    match number_at(port, "/nodePort") {
        0 => format!("{number}/{protocol}"),
        node_port => format!("{number}:{node_port}/{protocol}"),
    }
}

fn external_ip(item: &Value) -> String {
    let external: Vec<&str> =
        list_at(item, "/spec/externalIPs").iter().filter_map(Value::as_str).collect();
    match text_at(item, "/spec/type") {
        "ClusterIP" | "NodePort" => or(&external.join(","), "<none>").to_owned(),
        "LoadBalancer" => {
            let mut all: Vec<&str> = ingress(item).into_iter().collect();
            all.extend(external);
            or(&all.join(","), "<pending>").to_owned()
        }
        "ExternalName" => text_at(item, "/spec/externalName").to_owned(),
        _ => "<unknown>".to_owned(),
    }
}

/// The load balancer's addresses and names, sorted.
fn ingress(item: &Value) -> BTreeSet<&str> {
    list_at(item, "/status/loadBalancer/ingress")
        .iter()
        .map(|ingress| or(text_at(ingress, "/ip"), text_at(ingress, "/hostname")))
        .filter(|address| !address.is_empty())
        .collect()
}
