//! What kinds do beyond the generic registry and the rules of manifest: what the server sets of a new object, and what
//! ordinary updates leave alone.

pub(crate) mod namespace;
pub(crate) mod pod;
pub(crate) mod service;
mod stored;

use manifest::field::FieldError;
use manifest::kind::{Kind, KindId};
use serde_json::{Value, json};

use crate::object;

/// Sets what a new object begins with, before defaults: no client says what state it is in.
pub(crate) fn prepare_create(kind: &Kind, value: &mut Value) {
    match kind.id {
        KindId::Namespace => namespace::prepare_create(value),
        KindId::Pod => pod::prepare_create(value),
        KindId::Service => value["status"] = json!({ "loadBalancer": {} }),
        KindId::StatefulSet => value["status"] = json!({ "replicas": 0, "availableReplicas": 0 }),
        KindId::Deployment => value["status"] = json!({}),
        KindId::ReplicaSet => value["status"] = json!({ "replicas": 0 }),
        // A node may bring its status along; the others have none.
        KindId::Node | KindId::Endpoints | KindId::Event | KindId::EndpointSlice => {}
        KindId::Stored(stored) => stored::prepare_create(stored, value),
    }
}

/// Brings over from the old object what an ordinary update leaves alone.
pub(crate) fn prepare_update(
    kind: &Kind,
    old: &Value,
    new: &mut Value,
) -> Result<(), Vec<FieldError>> {
    match kind.id {
        KindId::Namespace => {
            // Finalizers of the content go by `finalize` alone.
            if new["spec"].is_null() {
                new["spec"] = json!({});
            }
            object::set(&mut new["spec"], "finalizers", old["spec"]["finalizers"].clone());
            Ok(())
        }
        KindId::Pod => pod::check_update(old, new),
        KindId::Service
        | KindId::Node
        | KindId::Endpoints
        | KindId::Event
        | KindId::EndpointSlice
        | KindId::StatefulSet
        | KindId::Deployment
        | KindId::ReplicaSet
        | KindId::Stored(_) => Ok(()),
    }
}
