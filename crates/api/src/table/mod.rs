//! `meta.k8s.io/v1` Table: what `kubectl get` prints, with Kubernetes' columns and cells.
//!
//! A client asks for it with `Accept: application/json;as=Table;v=v1;g=meta.k8s.io`. Every row has all cells;
//! columns of priority 1 are shown by `-o wide` only. One file per kind that is more than a few fields.
//!
//! Rules: Kubernetes, `pkg/printers/internalversion`.

mod age;
mod autoscaler;
mod column;
mod endpoints;
mod event;
mod node;
mod pod;
mod service;
mod stored;
mod value;
mod workload;

use column::{AGE, Column, NAME};
use jiff::Timestamp;
use manifest::kind::{Kind, KindId, Stored};
use serde_json::{Map, Value, json};
use value::{age_of, name_of, text_at};

/// How much of its object each row carries (`includeObject`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum IncludeObject {
    /// Nothing.
    None,
    /// The metadata, as a `PartialObjectMetadata`: the default.
    #[default]
    Metadata,
    /// The whole object.
    Object,
}

impl IncludeObject {
    /// Reads the query parameter; empty means the default. `None`: a value that Kubernetes does not know either.
    pub(crate) fn from_query(text: &str) -> Option<Self> {
        match text {
            "" | "Metadata" => Some(Self::Metadata),
            "None" => Some(Self::None),
            "Object" => Some(Self::Object),
            _ => None,
        }
    }
}

/// The Table of `items`, objects of `kind` in their stored form, at the time `now`.
///
/// `list_metadata` is the list's `metadata` (`resourceVersion`, `continue`, `remainingItemCount`), or for a single
/// object a map with its `resourceVersion`. A watch event's object is the Table of that one object.
pub(crate) fn table(
    kind: &Kind,
    items: &[Value],
    list_metadata: &Map<String, Value>,
    include: IncludeObject,
    now: Timestamp,
) -> Value {
    let rows: Vec<Value> = items.iter().map(|item| row(kind, item, include, now)).collect();
    let mut table = head(kind, list_metadata);
    table["rows"] = rows.into();
    table
}

/// A Table without its rows.
pub(crate) fn head(kind: &Kind, list_metadata: &Map<String, Value>) -> Value {
    json!({
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": list_metadata,
        "columnDefinitions": columns(kind.id).iter().map(|column| column.to_value()).collect::<Vec<_>>(),
    })
}

/// One row of a Table.
pub(crate) fn row(kind: &Kind, item: &Value, include: IncludeObject, now: Timestamp) -> Value {
    let mut row = Map::new();
    row.insert("cells".to_owned(), cells(kind.id, item, now).into());
    if kind.id == KindId::Pod
        && let Some(conditions) = pod::row_conditions(item)
    {
        row.insert("conditions".to_owned(), conditions);
    }
    let object = match include {
        IncludeObject::None => None,
        IncludeObject::Metadata => Some(json!({
            "kind": "PartialObjectMetadata",
            "apiVersion": "meta.k8s.io/v1",
            "metadata": item.get("metadata"),
        })),
        IncludeObject::Object => {
            let mut object = item.clone();
            kind.to_served(&mut object);
            Some(object)
        }
    };
    if let Some(object) = object {
        row.insert("object".to_owned(), object);
    }
    Value::Object(row)
}

fn columns(kind: KindId) -> Vec<Column> {
    let columns = match kind {
        KindId::Namespace => NAMESPACE,
        KindId::Node => node::COLUMNS,
        KindId::Pod => pod::COLUMNS,
        KindId::Service => service::COLUMNS,
        KindId::Endpoints => endpoints::COLUMNS,
        KindId::Event | KindId::Stored(Stored::Event) => event::COLUMNS,
        KindId::EndpointSlice => endpoints::SLICE_COLUMNS,
        KindId::StatefulSet => workload::STATEFUL_SET_COLUMNS,
        KindId::Deployment => workload::DEPLOYMENT_COLUMNS,
        KindId::ReplicaSet => workload::REPLICA_SET_COLUMNS,
        KindId::Stored(stored) => return stored::columns(stored),
    };
    columns.to_vec()
}

fn cells(kind: KindId, item: &Value, now: Timestamp) -> Vec<Value> {
    match kind {
        KindId::Namespace => {
            vec![name_of(item), text_at(item, "/status/phase").into(), age_of(item, now)]
        }
        KindId::Node => node::cells(item, now),
        KindId::Pod => pod::cells(item, now),
        KindId::Service => service::cells(item, now),
        KindId::Endpoints => endpoints::cells(item, now),
        KindId::Event | KindId::Stored(Stored::Event) => event::cells(item, now),
        KindId::EndpointSlice => endpoints::slice_cells(item, now),
        KindId::StatefulSet => workload::stateful_set_cells(item, now),
        KindId::Deployment => workload::deployment_cells(item, now),
        KindId::ReplicaSet => workload::replica_set_cells(item, now),
        KindId::Stored(kind) => stored::cells(kind, item, now),
    }
}

const NAMESPACE: &[Column] =
    &[NAME, Column::text("Status", "Whether the namespace is Active or Terminating."), AGE];

#[cfg(test)]
mod tests;
