//! StatefulSets, Deployments and ReplicaSets.

use super::column::{AGE, Column, NAME};
use super::value::{age_of, label_selector, list_at, name_of, number_at, text_at};
use jiff::Timestamp;
use serde_json::Value;

pub(super) const CONTAINERS: Column =
    Column::text("Containers", "The names of the template's containers.").wide();
pub(super) const IMAGES: Column =
    Column::text("Images", "The images of the template's containers.").wide();
pub(super) const SELECTOR: Column =
    Column::text("Selector", "The labels of the pods that belong to this.").wide();

pub(super) const STATEFUL_SET_COLUMNS: &[Column] = &[
    NAME,
    Column::text("Ready", "How many pods are ready, of how many wanted."),
    AGE,
    CONTAINERS,
    IMAGES,
];

pub(super) const DEPLOYMENT_COLUMNS: &[Column] = &[
    NAME,
    Column::text("Ready", "How many pods are ready, of how many wanted."),
    Column::text("Up-to-date", "How many pods have the newest template."),
    Column::text("Available", "How many pods have been ready for minReadySeconds."),
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
];

pub(super) const REPLICA_SET_COLUMNS: &[Column] = &[
    NAME,
    Column::integer("Desired", "How many pods are wanted."),
    Column::integer("Current", "How many pods there are."),
    Column::integer("Ready", "How many pods are ready."),
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
];

pub(super) fn stateful_set_cells(item: &Value, now: Timestamp) -> Vec<Value> {
    vec![
        name_of(item),
        ready(item),
        age_of(item, now),
        containers(item, "/name"),
        containers(item, "/image"),
    ]
}

pub(super) fn deployment_cells(item: &Value, now: Timestamp) -> Vec<Value> {
    vec![
        name_of(item),
        ready(item),
        number_at(item, "/status/updatedReplicas").into(),
        number_at(item, "/status/availableReplicas").into(),
        age_of(item, now),
        containers(item, "/name"),
        containers(item, "/image"),
        label_selector(item.pointer("/spec/selector")).into(),
    ]
}

pub(super) fn replica_set_cells(item: &Value, now: Timestamp) -> Vec<Value> {
    vec![
        name_of(item),
        number_at(item, "/spec/replicas").into(),
        number_at(item, "/status/replicas").into(),
        number_at(item, "/status/readyReplicas").into(),
        age_of(item, now),
        containers(item, "/name"),
        containers(item, "/image"),
        label_selector(item.pointer("/spec/selector")).into(),
    ]
}

fn ready(item: &Value) -> Value {
    let (ready, wanted) =
        (number_at(item, "/status/readyReplicas"), number_at(item, "/spec/replicas"));
    format!("{ready}/{wanted}").into()
}

/// One field of all the template's containers.
pub(super) fn containers(item: &Value, field: &str) -> Value {
    let containers = list_at(item, "/spec/template/spec/containers");
    containers
        .iter()
        .map(|container| text_at(container, field))
        .collect::<Vec<_>>()
        .join(",")
        .into()
}
