//! Every kind: created, read, listed, patched, shown as a table, deleted.

#![allow(clippy::unwrap_used)]

mod common;

use common::{call, check, check_answer, pod, server, service, set};
use manifest::{Kind, KindId, Stored};
use serde_json::{Value, json};

/// A valid object of a kind, and a part that must be seen when it is read.
fn example(kind: &Kind) -> (Value, Value) {
    let template = set("a")["spec"]["template"].clone();
    let selector = json!({ "matchLabels": { "app": "a" } });
    let role = json!({ "kind": "ClusterRole", "name": "admin" });
    let (object, seen) = match kind.id {
        KindId::Namespace => (json!({}), json!({ "status": { "phase": "Active" } })),
        KindId::Node | KindId::Endpoints => (json!({}), json!({})),
        KindId::Event => (json!({ "involvedObject": { "namespace": "default" } }), json!({})),
        KindId::Pod => (pod("a"), json!({ "status": { "phase": "Pending" } })),
        KindId::Service => (service("a"), json!({ "spec": { "type": "ClusterIP" } })),
        KindId::EndpointSlice => (json!({ "addressType": "IPv4" }), json!({})),
        KindId::StatefulSet | KindId::Deployment | KindId::ReplicaSet => {
            (set("a"), json!({ "spec": { "replicas": 1 } }))
        }
        KindId::Stored(stored) => match stored {
            Stored::ConfigMap => (json!({ "data": { "k": "v" } }), json!({ "data": { "k": "v" } })),
            Stored::Secret => (
                json!({ "stringData": { "k": "v" } }),
                json!({ "type": "Opaque", "data": { "k": "dg==" }, "stringData": null }),
            ),
            Stored::ServiceAccount | Stored::LimitRange | Stored::IngressClass => {
                (json!({}), json!({}))
            }
            Stored::ResourceQuota => (
                json!({ "spec": { "hard": { "pods": "4" } } }),
                json!({ "spec": { "hard": { "pods": "4" } } }),
            ),
            Stored::PersistentVolumeClaim => (
                json!({ "spec": { "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "1Gi" } } } }),
                json!({
                    "spec": { "volumeMode": "Filesystem" },
                    "status": { "phase": "Bound", "capacity": { "storage": "1Gi" } },
                }),
            ),
            Stored::PersistentVolume => (
                json!({ "spec": { "capacity": { "storage": "1Gi" }, "hostPath": { "path": "/x" } } }),
                json!({ "status": { "phase": "Available" } }),
            ),
            Stored::ControllerRevision => (
                json!({ "revision": 3, "data": { "x": 1 } }),
                json!({ "revision": 3, "data": { "x": 1 } }),
            ),
            Stored::DaemonSet => (
                json!({ "spec": { "selector": selector, "template": template } }),
                json!({ "metadata": { "generation": 1 }, "spec": { "updateStrategy": { "type": "RollingUpdate" } } }),
            ),
            Stored::HorizontalPodAutoscaler => (
                json!({ "spec": { "maxReplicas": 3, "scaleTargetRef": { "kind": "Deployment", "name": "a" } } }),
                json!({ "spec": { "minReplicas": 1 } }),
            ),
            Stored::Job => (
                json!({ "spec": { "template": template } }),
                json!({ "spec": { "completions": 1, "backoffLimit": 6 } }),
            ),
            Stored::CronJob => (
                json!({ "spec": { "schedule": "* * * * *", "jobTemplate": { "spec": { "template": template } } } }),
                json!({ "spec": { "concurrencyPolicy": "Allow" } }),
            ),
            Stored::Lease => (
                json!({ "spec": { "holderIdentity": "me" } }),
                json!({ "spec": { "holderIdentity": "me" } }),
            ),
            Stored::Event => (
                json!({
                    "regarding": { "kind": "Pod", "namespace": "default", "name": "p" }, "note": "n",
                    "eventTime": "2026-01-01T00:00:00.000000Z", "type": "Normal", "reason": "R", "action": "A",
                    "reportingController": "example.com/c", "reportingInstance": "c-1",
                }),
                json!({ "apiVersion": "events.k8s.io/v1", "regarding": { "name": "p" }, "note": "n", "message": null }),
            ),
            Stored::NetworkPolicy => (
                json!({ "spec": { "podSelector": {}, "ingress": [{ "ports": [{ "port": 80 }] }] } }),
                json!({ "spec": { "policyTypes": ["Ingress"], "ingress": [{ "ports": [{ "protocol": "TCP" }] }] } }),
            ),
            Stored::Ingress => (
                json!({ "spec": { "rules": [{ "host": "a.example.com" }] } }),
                json!({ "spec": { "rules": [{ "host": "a.example.com" }] } }),
            ),
            Stored::PodDisruptionBudget => (
                json!({ "spec": { "minAvailable": "50%" } }),
                json!({ "spec": { "minAvailable": "50%" } }),
            ),
            Stored::Role | Stored::ClusterRole => {
                let rules = json!({ "rules": [{ "apiGroups": [""], "resources": ["pods"], "verbs": ["get"] }] });
                (rules.clone(), rules)
            }
            Stored::RoleBinding | Stored::ClusterRoleBinding => (
                json!({ "roleRef": role, "subjects": [{ "kind": "User", "name": "x" }] }),
                json!({ "subjects": [{ "apiGroup": "rbac.authorization.k8s.io" }] }),
            ),
            Stored::ServiceImport => (
                json!({ "spec": { "type": "ClusterSetIP", "ips": ["10.0.0.9"], "ports": [{ "port": 80 }] } }),
                json!({ "metadata": { "generation": 1 }, "spec": { "ips": ["10.0.0.9"] } }),
            ),
            Stored::GatewayClass => (
                json!({ "spec": { "controllerName": "example.com/x" } }),
                json!({ "status": { "conditions": [{ "type": "Accepted", "status": "Unknown" }] } }),
            ),
            Stored::Gateway => (
                json!({ "spec": { "gatewayClassName": "x", "listeners": [{ "name": "web", "port": 80, "protocol": "HTTP" }] } }),
                json!({ "spec": { "listeners": [{ "allowedRoutes": { "namespaces": { "from": "Same" } } }] } }),
            ),
            Stored::HTTPRoute => (
                json!({ "spec": { "parentRefs": [{ "name": "x" }], "hostnames": ["a.example.com"] } }),
                json!({ "spec": { "rules": [{ "matches": [{ "path": { "type": "PathPrefix", "value": "/" } }] }] } }),
            ),
            Stored::ReferenceGrant => (
                json!({ "spec": { "from": [{ "group": "", "kind": "HTTPRoute", "namespace": "b" }], "to": [{ "group": "", "kind": "Service" }] } }),
                json!({ "apiVersion": "gateway.networking.k8s.io/v1beta1" }),
            ),
            Stored::PriorityClass => {
                (json!({ "value": 7 }), json!({ "preemptionPolicy": "PreemptLowerPriority" }))
            }
            Stored::StorageClass => {
                (json!({ "provisioner": "example.com/x" }), json!({ "reclaimPolicy": "Delete" }))
            }
        },
    };
    let mut object = object;
    object["metadata"] = json!({ "name": "a" });
    (object, seen)
}

#[tokio::test]
async fn the_life_of_an_object_of_every_kind() {
    let server = &server().await;
    for kind in Kind::all() {
        let root =
            if kind.group.is_empty() { "/api".to_owned() } else { format!("/apis/{}", kind.group) };
        let within = if kind.namespaced { "/namespaces/default" } else { "" };
        let url = format!("{root}/{}{within}/{}", kind.version, kind.plural);
        let (object, seen) = example(kind);
        let named = json!({ "apiVersion": kind.api_version(), "kind": kind.kind, "metadata": { "name": "a" } });
        check(server, &format!("POST {url}"), object, 201, named.clone()).await;
        let one = format!("GET {url}/a");
        check(server, &one, Value::Null, 200, seen).await;

        let list = check(
            server,
            &format!("GET {url}"),
            Value::Null,
            200,
            json!({ "apiVersion": kind.api_version(), "kind": format!("{}List", kind.kind) }),
        )
        .await;
        let items = list["items"].as_array().unwrap();
        assert!(items.iter().any(|item| item["metadata"]["name"] == "a"), "{list}");

        let patch = format!("PATCH {url}/a");
        let labelled = json!({ "metadata": { "labels": { "x": "y" } } });
        let strategic = ["Content-Type: application/strategic-merge-patch+json"];
        let answer = call(server, &patch, &strategic, labelled.to_string()).await;
        check_answer(&patch, answer, 200, &labelled);

        let accept = ["Accept: application/json;as=Table;v=v1;g=meta.k8s.io"];
        let table = check_answer(
            &one,
            call(server, &one, &accept, "").await,
            200,
            &json!({ "kind": "Table" }),
        );
        let (columns, row) = (&table["columnDefinitions"], &table["rows"][0]["cells"]);
        let is_event = kind.stored_as().id == KindId::Event;
        assert_eq!(columns[if is_event { 9 } else { 0 }]["name"], "Name");
        assert_eq!(columns.as_array().unwrap().len(), row.as_array().unwrap().len(), "{table}");

        check(server, &format!("DELETE {url}/a"), Value::Null, 200, json!({})).await;
        // A namespace stays until its content is gone.
        let code = if kind.id == KindId::Namespace { 200 } else { 404 };
        check(server, &one, Value::Null, code, json!({})).await;
    }
}

#[tokio::test]
async fn keys_and_immutability_of_config_maps_and_secrets() {
    let server = &server().await;
    let url = "/api/v1/namespaces/default/configmaps";
    let bad = json!({ "metadata": { "name": "a" }, "data": { "a/b": "" } });
    check(server, &format!("POST {url}"), bad, 422, json!({ "reason": "Invalid" })).await;
    let fixed = json!({ "metadata": { "name": "a" }, "immutable": true, "data": { "a": "b" } });
    check(server, &format!("POST {url}"), fixed, 201, json!({})).await;
    let refused =
        "ConfigMap \"a\" is invalid: data: Forbidden: field is immutable when `immutable` is set";
    let change = json!({ "data": { "a": "c" } });
    check(server, &format!("PATCH {url}/a"), change, 422, json!({ "message": refused })).await;
}
