//! Nodes.

use super::column::{AGE, Column, NAME};
use super::value::{age_of, list_at, name_of, or, text_at};
use jiff::Timestamp;
use serde_json::Value;
use std::collections::BTreeSet;

pub(super) const COLUMNS: &[Column] = &[
    NAME,
    Column::text("Status", "Whether the node is ready and takes new pods."),
    Column::text("Roles", "The node's roles, from its labels."),
    AGE,
    Column::text("Version", "The version of the kubelet."),
    Column::text("Internal-IP", "The node's first internal address.").wide(),
    Column::text("External-IP", "The node's first external address.").wide(),
    Column::text("OS-Image", "The operating system.").wide(),
    Column::text("Kernel-Version", "The kernel's version.").wide(),
    Column::text("Container-Runtime", "The container runtime and its version.").wide(),
];

pub(super) fn cells(item: &Value, now: Timestamp) -> Vec<Value> {
    let info = |field: &str, fallback: &'static str| {
        Value::from(or(text_at(item, &format!("/status/nodeInfo/{field}")), fallback))
    };
    vec![
        name_of(item),
        status(item).into(),
        roles(item).into(),
        age_of(item, now),
        info("kubeletVersion", ""),
        address(item, "InternalIP").into(),
        address(item, "ExternalIP").into(),
        info("osImage", "<unknown>"),
        info("kernelVersion", "<unknown>"),
        info("containerRuntimeVersion", "<unknown>"),
    ]
}

fn status(item: &Value) -> String {
    let conditions = list_at(item, "/status/conditions");
    let ready = conditions.iter().rfind(|condition| text_at(condition, "/type") == "Ready");
    let ready = match ready.map(|condition| text_at(condition, "/status")) {
        Some("True") => "Ready",
        Some(_) => "NotReady",
        None => "Unknown",
    };
    match item.pointer("/spec/unschedulable").and_then(Value::as_bool) {
        Some(true) => format!("{ready},SchedulingDisabled"),
        Some(false) | None => ready.to_owned(),
    }
}

/// From the labels `node-role.kubernetes.io/ROLE` and `kubernetes.io/role=ROLE`.
fn roles(item: &Value) -> String {
    let labels = item.pointer("/metadata/labels").and_then(Value::as_object);
    let roles: BTreeSet<&str> = labels
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| match key.strip_prefix("node-role.kubernetes.io/") {
            Some(role) => Some(role),
            None if key == "kubernetes.io/role" => value.as_str(),
            None => None,
        })
        .filter(|role| !role.is_empty())
        .collect();
    if roles.is_empty() {
        "<none>".to_owned()
    } else {
        roles.into_iter().collect::<Vec<_>>().join(",")
    }
}

fn address<'a>(item: &'a Value, kind: &str) -> &'a str {
    let addresses = list_at(item, "/status/addresses");
    let found = addresses.iter().find(|address| text_at(address, "/type") == kind);
    found.map_or("<none>", |address| text_at(address, "/address"))
}
