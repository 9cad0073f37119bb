//! Namespaces: Active until deleted, then Terminating until their content is gone.

use serde_json::{Value, json};

/// The label that every namespace carries, so that selectors can name it.
const NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// A new namespace is Active, and the namespace controller has to agree before it goes.
pub(crate) fn prepare_create(value: &mut Value) {
    value["status"] = json!({ "phase": "Active" });
    if !value["spec"].is_object() {
        value["spec"] = json!({});
    }
    let finalizers = &mut value["spec"]["finalizers"];
    match finalizers {
        Value::Array(list) => {
            if !list.iter().any(|finalizer| finalizer == "kubernetes") {
                list.push("kubernetes".into());
            }
        }
        other => *other = json!(["kubernetes"]),
    }
}

/// Sets the label with the namespace's own name.
pub(crate) fn label_with_name(value: &mut Value) {
    let name = value["metadata"]["name"].clone();
    value["metadata"]["labels"][NAME_LABEL] = name;
}
