//! Namespaces: Active until deleted, then Terminating until their content is gone.

use serde_json::{Value, json};

/// The namespace controller has to agree before a namespace goes.
const FINALIZER: &str = "kubernetes";

/// A new namespace has the controller's finalizer, whatever else it has.
pub(crate) fn prepare_create(value: &mut Value) {
    if let Value::Array(finalizers) = &mut value["spec"]["finalizers"]
        && !finalizers.iter().any(|finalizer| finalizer == FINALIZER)
    {
        finalizers.push(FINALIZER.into());
    }
    value["status"] = json!({ "phase": "Active" });
}
