//! What kinds do beyond the generic registry: fields that the server sets, transitions that take more than
//! validation.

pub(crate) mod namespace;
pub(crate) mod pod;
pub(crate) mod service;

use manifest::field::FieldError;
use manifest::kind::{Kind, KindId};
use serde_json::{Value, json};

use crate::allocate::Family;
use crate::object;

/// Sets what a new object begins with, before defaults.
pub(crate) fn prepare_create(kind: &Kind, value: &mut Value, families: &[Family]) {
    match kind.id {
        KindId::Namespace => namespace::prepare_create(value),
        KindId::Pod => pod::prepare_create(value),
        KindId::Service => {
            value["status"] = json!({ "loadBalancer": {} });
            service::prepare_create(value, families);
        }
        KindId::StatefulSet => value["status"] = json!({ "replicas": 0, "availableReplicas": 0 }),
        KindId::Deployment => value["status"] = json!({}),
        KindId::ReplicaSet => value["status"] = json!({ "replicas": 0 }),
        // A node may bring its status along; the others have none.
        KindId::Node | KindId::Endpoints | KindId::Event | KindId::EndpointSlice => {}
    }
}

/// Sets what depends on the name, which may have been generated.
pub(crate) fn prepare_named(kind: &Kind, value: &mut Value) {
    match kind.id {
        KindId::Namespace => namespace::label_with_name(value),
        KindId::Node
        | KindId::Pod
        | KindId::Service
        | KindId::Endpoints
        | KindId::Event
        | KindId::EndpointSlice
        | KindId::StatefulSet
        | KindId::Deployment
        | KindId::ReplicaSet => {}
    }
}

/// Brings what an update leaves out over from the old object, where the kind has it so.
pub(crate) fn prepare_update(
    kind: &Kind,
    old: &Value,
    new: &mut Value,
    families: &[Family],
) -> Result<(), Vec<FieldError>> {
    match kind.id {
        KindId::Namespace => {
            namespace::label_with_name(new);
            // Finalizers of the content go by `finalize` alone.
            let finalizers = old["spec"]["finalizers"].clone();
            if new["spec"].is_null() {
                new["spec"] = json!({});
            }
            object::set(&mut new["spec"], "finalizers", finalizers);
            Ok(())
        }
        KindId::Pod => pod::check_update(old, new),
        KindId::Service => {
            service::prepare_update(old, new, families);
            Ok(())
        }
        KindId::Node
        | KindId::Endpoints
        | KindId::Event
        | KindId::EndpointSlice
        | KindId::StatefulSet
        | KindId::Deployment
        | KindId::ReplicaSet => Ok(()),
    }
}
