//! What people are told when endpoints cannot be written, in the words of Kubernetes' controllers. Of pods and
//! ReplicaSets that cannot be made, the decisions tell (`reconcile`).

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use manifest::{Object, ObjectRef};

use crate::kind;
use crate::recorder::Notice;

/// The notice that `error` came of making or changing this object; `None` where nobody would look for one.
pub(super) fn failed(object: &Object, error: &kube::Error) -> Option<Notice> {
    let owner = controller(object);
    let error = match error {
        kube::Error::Api(status) => status.message.clone(),
        other => other.to_string(),
    };
    let ObjectRef { namespace, name, .. } = object.reference();
    let (component, reason, message) = match (object, owner.map(|owner| owner.kind.as_str())) {
        (Object::EndpointSlice(_), Some("Service")) => {
            let service = owner.map_or("", |owner| &owner.name);
            (
                "endpoint-slice-controller",
                "FailedToUpdateEndpointSlices",
                format!(
                    "Error updating Endpoint Slices for Service {namespace}/{service}: {error}"
                ),
            )
        }
        (Object::EndpointSlice(_), _) => {
            let endpoints = owner.map_or("", |owner| &owner.name);
            (
                "endpoint-slice-mirroring-controller",
                "FailedToUpdateEndpointSlices",
                format!(
                    "Error updating Endpoint Slices for Endpoints {namespace}/{endpoints}: {error}"
                ),
            )
        }
        (Object::Endpoints(_), _) => (
            "endpoint-controller",
            "FailedToUpdateEndpoint",
            format!("Failed to update endpoint {namespace}/{name}: {error}"),
        ),
        _ => return None,
    };
    let (regarding, uid) = match owner {
        Some(owner) => {
            let kind = kind::name_of(kind::named(&owner.kind)?);
            let target = ObjectRef { kind, namespace, name: owner.name.clone() };
            (target, owner.uid.clone())
        }
        None => (object.reference(), object.metadata().uid.clone().unwrap_or_default()),
    };
    Some(Notice {
        regarding,
        uid,
        field: None,
        warning: true,
        reason,
        message,
        component,
        host: None,
    })
}

fn controller(object: &Object) -> Option<&OwnerReference> {
    let mut owners = object.metadata().owner_references.iter().flatten();
    owners.find(|owner| owner.controller == Some(true))
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Service;
    use k8s_openapi::api::discovery::v1::EndpointSlice;
    use serde::de::DeserializeOwned;
    use serde_json::{Value, json};

    use super::*;

    fn owned<K: DeserializeOwned + Into<Object>>(name: &str, kind: &str, owner: &str) -> Object {
        let owner: Value = json!([{"apiVersion": "x", "kind": kind, "name": owner, "uid": "u", "controller": true}]);
        let metadata = json!({"name": name, "namespace": "prod", "ownerReferences": owner});
        let object = match kind {
            "Service" | "Endpoints" => {
                json!({"metadata": metadata, "addressType": "IPv4", "endpoints": []})
            }
            _ => json!({"metadata": metadata}),
        };
        serde_json::from_value::<K>(object).unwrap().into()
    }

    #[test]
    fn failures_are_told_of_the_owner() {
        let error = kube::Error::Service("no".into());
        let check = |object: &Object, expected: &str| {
            let told = failed(object, &error).map(|notice| {
                let ObjectRef { kind, name, .. } = notice.regarding;
                format!("{kind}/{name} {} {}: {}", notice.component, notice.reason, notice.message)
            });
            assert_eq!(told.unwrap_or_default(), expected);
        };
        check(
            &owned::<EndpointSlice>("web-x", "Service", "web"),
            "Service/web endpoint-slice-controller FailedToUpdateEndpointSlices: Error updating Endpoint Slices for \
             Service prod/web: ServiceError: no",
        );
        check(
            &owned::<EndpointSlice>("api-x", "Endpoints", "api"),
            "Endpoints/api endpoint-slice-mirroring-controller FailedToUpdateEndpointSlices: Error updating Endpoint \
             Slices for Endpoints prod/api: ServiceError: no",
        );
        check(&Service::default().into(), "");
    }
}
