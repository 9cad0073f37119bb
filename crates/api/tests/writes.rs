//! Writes, one by one: create, update, patch, delete, and the parts with a form of their own.

#![allow(clippy::unwrap_used)]

mod common;

use common::{PODS, SERVICES, SETS, call, check, check_answer, message, pod, server, service, set};
use serde_json::{Value, json};

#[tokio::test]
async fn creating() {
    let server = &server().await;
    let made = check(
        server,
        &format!("POST {SETS}"),
        set("db"),
        201,
        json!({
            "apiVersion": "apps/v1",
            "kind": "StatefulSet",
            "metadata": { "name": "db", "namespace": "default", "generation": 1 },
            "status": { "replicas": 0 },
        }),
    )
    .await;
    assert_eq!(made["metadata"]["uid"].as_str().unwrap().len(), 36);
    assert_eq!(made["metadata"]["creationTimestamp"].as_str().unwrap().len(), 20);
    let taken = json!({
        "message": "statefulsets.apps \"db\" already exists",
        "reason": "AlreadyExists",
        "details": { "name": "db", "group": "apps", "kind": "statefulsets" },
        "code": 409,
    });
    check(server, &format!("POST {SETS}"), set("db"), 409, taken).await;

    let mut generated = pod("");
    generated["metadata"] = json!({ "generateName": "job-", "uid": "mine", "managedFields": [{}] });
    let made = check(server, &format!("POST {PODS}"), generated, 201, json!({})).await;
    let name = made["metadata"]["name"].as_str().unwrap();
    assert!(name.starts_with("job-") && name.len() == 9, "{name}");
    assert_ne!(made["metadata"]["uid"], "mine");
    assert_eq!(made["metadata"]["managedFields"], Value::Null);
    assert_eq!(made["status"]["phase"], "Pending");

    let dry = format!("POST {SERVICES}?dryRun=All");
    let would = check(server, &dry, service("dry"), 201, json!({ "kind": "Service" })).await;
    assert!(would["spec"]["clusterIP"].is_string());
    check(
        server,
        &format!("GET {SERVICES}/dry"),
        Value::Null,
        404,
        message("services \"dry\" not found"),
    )
    .await;
}

#[tokio::test]
async fn updating() {
    let server = &server().await;
    let url = &format!("{SETS}/db");
    let put = &format!("PUT {url}");
    let made = check(server, &format!("POST {SETS}"), set("db"), 201, json!({})).await;

    // The specification changes: the generation counts it. What the server owns stays.
    let mut body = set("db");
    body["spec"]["replicas"] = 3.into();
    body["metadata"]["creationTimestamp"] = "2001-01-01T00:00:00Z".into();
    body["status"] = json!({ "replicas": 7 });
    let updated = check(
        server,
        put,
        body.clone(),
        200,
        json!({
            "metadata": {
                "generation": 2,
                "uid": made["metadata"]["uid"],
                "creationTimestamp": made["metadata"]["creationTimestamp"],
            },
            "spec": { "replicas": 3 },
            "status": { "replicas": 0 },
        }),
    )
    .await;
    // Nothing changes: nothing is written.
    let same = check(server, put, body.clone(), 200, json!({})).await;
    assert_eq!(same["metadata"]["resourceVersion"], updated["metadata"]["resourceVersion"]);
    // Metadata changes: the generation does not count it.
    body["metadata"]["labels"] = json!({ "a": "b" });
    check(server, put, body.clone(), 200, json!({ "metadata": { "generation": 2 } })).await;

    body["metadata"]["resourceVersion"] = made["metadata"]["resourceVersion"].clone();
    let modified = "Operation cannot be fulfilled on statefulsets.apps \"db\": the object has been modified; please apply \
                    your changes to the latest version and try again";
    let conflict = json!({ "message": modified, "reason": "Conflict", "code": 409 });
    check(server, put, body.clone(), 409, conflict.clone()).await;
    let stale = json!({ "metadata": { "resourceVersion": "1", "labels": { "x": "y" } } });
    check(server, &format!("PATCH {url}"), stale, 409, conflict).await;
    body["metadata"]["resourceVersion"] = Value::Null;
    body["metadata"]["uid"] = "other".into();
    check(server, put, body.clone(), 409, json!({ "reason": "Conflict" })).await;
    body["metadata"]["uid"] = Value::Null;
    body["metadata"]["name"] = "other".into();
    let name = message("the name of the object (other) does not match the name on the URL (db)");
    check(server, put, body, 400, name).await;
    check(
        server,
        &format!("PUT {SETS}/no"),
        set("no"),
        404,
        message("statefulsets.apps \"no\" not found"),
    )
    .await;

    // The status by itself.
    let mut body = set("db");
    body["spec"]["replicas"] = 9.into();
    body["metadata"]["labels"] = json!({ "ignored": "yes" });
    body["status"] = json!({ "replicas": 2, "readyReplicas": 1 });
    let updated = check(
        server,
        &format!("PUT {url}/status"),
        body,
        200,
        json!({
            "metadata": { "generation": 2, "labels": { "a": "b" } },
            "spec": { "replicas": 3 },
            "status": { "replicas": 2, "readyReplicas": 1 },
        }),
    )
    .await;
    assert_eq!(updated["metadata"]["labels"]["ignored"], Value::Null);
    let part = json!({ "status": { "replicas": 2, "readyReplicas": 2 } });
    check(
        server,
        &format!("PATCH {url}/status"),
        json!({ "status": { "readyReplicas": 2 } }),
        200,
        part,
    )
    .await;
}

#[tokio::test]
async fn patching() {
    let server = &server().await;
    let mut body = service("a");
    body["spec"]["ports"] = json!([{ "name": "a", "port": 80 }, { "name": "b", "port": 81 }]);
    check(server, &format!("POST {SERVICES}"), body, 201, json!({})).await;
    let patch = async |kind: &str, body: Value, code: u16, part: Value| {
        let head = format!("PATCH {SERVICES}/a");
        let header = format!("Content-Type: application/{kind}+json");
        let answer = call(server, &head, &[&header], serde_json::to_vec(&body).unwrap()).await;
        check_answer(kind, answer, code, &part)
    };
    let strategic = "strategic-merge-patch";
    let target = json!({ "spec": { "ports": [{ "port": 81, "targetPort": 8081 }] } });
    let ports =
        json!({ "spec": { "ports": [{ "port": 80 }, { "port": 81, "targetPort": 8081 }] } });
    patch(strategic, target, 200, ports).await;
    let operations = json!([{ "op": "replace", "path": "/spec/ports/0/port", "value": 8080 }]);
    patch("json-patch", operations, 200, json!({ "spec": { "ports": [{ "port": 8080 }, {}] } }))
        .await;
    let invalid = json!({ "spec": { "ports": [{ "port": 70000, "targetPort": 80 }] } });
    let text = "Service \"a\" is invalid: spec.ports[0].port: Invalid value: 70000: must be between 1 and 65535, inclusive";
    patch("merge-patch", invalid, 422, message(text)).await;
    let failed = json!([{ "op": "test", "path": "/spec/type", "value": "NodePort" }]);
    patch("json-patch", failed, 422, json!({ "reason": "Invalid" })).await;
    patch("merge-patch", json!([]), 400, json!({ "reason": "BadRequest" })).await;
    patch("merge-patch", json!({ "metadata": { "name": "b" } }), 400, json!({})).await;
    patch("merge-patch", json!({ "metadata": null }), 200, json!({ "metadata": { "name": "a" } }))
        .await;
}

#[tokio::test]
async fn deleting() {
    let server = &server().await;
    let url = &format!("{SETS}/db");
    let delete = &format!("DELETE {url}");
    let made = check(server, &format!("POST {SETS}"), set("db"), 201, json!({})).await;
    let uid = made["metadata"]["uid"].clone();

    let other = json!({ "preconditions": { "uid": "other" } });
    check(server, delete, other, 409, json!({ "reason": "Conflict" })).await;
    let other = json!({ "preconditions": { "resourceVersion": "1" } });
    check(server, delete, other, 409, json!({ "reason": "Conflict" })).await;
    check(
        server,
        delete,
        json!({ "propagationPolicy": "Sideways" }),
        422,
        json!({ "reason": "Invalid" }),
    )
    .await;
    check(
        server,
        &format!("{delete}?dryRun=All"),
        Value::Null,
        200,
        json!({ "status": "Success" }),
    )
    .await;

    // Foreground: it stays until the collector of owned objects takes the finalizer away.
    let foreground = json!({ "propagationPolicy": "Foreground", "preconditions": { "uid": uid } });
    let held = check(
        server,
        delete,
        foreground,
        200,
        json!({ "metadata": { "finalizers": ["foregroundDeletion"], "deletionGracePeriodSeconds": 0, "generation": 2 } }),
    )
    .await;
    assert!(held["metadata"]["deletionTimestamp"].is_string());
    let add = json!({ "metadata": { "finalizers": ["foregroundDeletion", "x.io/y"] } });
    let text = "StatefulSet.apps \"db\" is invalid: metadata.finalizers: Forbidden: no new finalizers can be added if the \
                object is being deleted, found new finalizers [\"x.io/y\"]";
    check(server, &format!("PATCH {url}"), add, 422, message(text)).await;
    let done = json!({ "metadata": { "finalizers": null } });
    check(server, &format!("PATCH {url}"), done, 200, json!({ "metadata": { "name": "db" } }))
        .await;
    check(server, &format!("GET {url}"), Value::Null, 404, json!({})).await;

    check(server, &format!("POST {SETS}"), set("db"), 201, json!({})).await;
    let orphan = json!({ "metadata": { "finalizers": ["orphan"] } });
    check(server, &format!("{delete}?propagationPolicy=Orphan"), Value::Null, 200, orphan).await;
    // Background drops both finalizers, and so it goes.
    let success = json!({
        "kind": "Status",
        "status": "Success",
        "details": { "name": "db", "group": "apps", "kind": "statefulsets" },
    });
    check(server, delete, json!({ "propagationPolicy": "Background" }), 200, success).await;
    check(server, delete, Value::Null, 404, message("statefulsets.apps \"db\" not found")).await;

    // Pods go at once, and answer what they were.
    check(server, &format!("POST {PODS}"), pod("p"), 201, json!({})).await;
    let grace = json!({ "gracePeriodSeconds": 30 });
    check(server, &format!("DELETE {PODS}/p"), grace, 200, json!({ "kind": "Pod" })).await;
    check(server, &format!("GET {PODS}/p"), Value::Null, 404, json!({})).await;

    for (name, app) in [("a", "x"), ("b", "y"), ("c", "x")] {
        let mut pod = pod(name);
        pod["metadata"]["labels"] = json!({ "app": app });
        check(server, &format!("POST {PODS}"), pod, 201, json!({})).await;
    }
    let gone = json!({ "kind": "PodList", "items": [{ "metadata": { "name": "a" } }, { "metadata": { "name": "c" } }] });
    check(server, &format!("DELETE {PODS}?labelSelector=app%3Dx"), Value::Null, 200, gone).await;
    let left = json!({ "items": [{ "metadata": { "name": "b" } }] });
    check(server, &format!("GET {PODS}"), Value::Null, 200, left).await;
}

#[tokio::test]
async fn namespaces_come_and_go() {
    let server = &server().await;
    let url = "/api/v1/namespaces/prod";
    let body = json!({ "metadata": { "name": "prod" } });
    let active = json!({
        "metadata": { "labels": { "kubernetes.io/metadata.name": "prod" } },
        "spec": { "finalizers": ["kubernetes"] },
        "status": { "phase": "Active" },
    });
    check(server, "POST /api/v1/namespaces", body, 201, active).await;
    check(server, &format!("POST {url}/services"), service("a"), 201, json!({})).await;
    let terminating =
        json!({ "spec": { "finalizers": ["kubernetes"] }, "status": { "phase": "Terminating" } });
    check(server, &format!("DELETE {url}"), Value::Null, 200, terminating.clone()).await;
    check(server, &format!("DELETE {url}"), Value::Null, 200, terminating).await;
    let refused = json!({
        "message": "services \"b\" is forbidden: unable to create new content in namespace prod because it is being terminated",
        "reason": "Forbidden",
        "details": { "causes": [{ "reason": "NamespaceTerminating", "field": "metadata.namespace" }] },
    });
    check(server, &format!("POST {url}/services"), service("b"), 403, refused).await;
    // Ordinary updates leave the namespace controller's finalizer alone.
    let patch = json!({ "spec": { "finalizers": null } });
    check(
        server,
        &format!("PATCH {url}"),
        patch,
        200,
        json!({ "spec": { "finalizers": ["kubernetes"] } }),
    )
    .await;
    let finalized = json!({ "metadata": { "name": "prod" }, "spec": { "finalizers": [] } });
    check(server, &format!("PUT {url}/finalize"), finalized, 200, json!({ "kind": "Namespace" }))
        .await;
    check(
        server,
        &format!("GET {url}"),
        Value::Null,
        404,
        message("namespaces \"prod\" not found"),
    )
    .await;
    let kept = message("namespaces \"default\" is forbidden: this namespace may not be deleted");
    check(server, "DELETE /api/v1/namespaces/default", Value::Null, 403, kept).await;
}

#[tokio::test]
async fn binding_pods() {
    let server = &server().await;
    check(server, &format!("POST {PODS}"), pod("p"), 201, json!({})).await;
    let bind = &format!("POST {PODS}/p/binding");
    let to = |node: &str| json!({ "target": { "kind": "Node", "name": node } });
    check(
        server,
        bind,
        to(""),
        422,
        message("Binding \"p\" is invalid: target.name: Required value"),
    )
    .await;
    check(server, bind, to("node-1"), 201, json!({ "status": "Success" })).await;
    let bound = json!({
        "spec": { "nodeName": "node-1" },
        "status": { "conditions": [{ "type": "PodScheduled", "status": "True" }] },
    });
    check(server, &format!("GET {PODS}/p"), Value::Null, 200, bound).await;
    let twice = message(
        "Operation cannot be fulfilled on pods \"p\": pod p is already assigned to node \"node-1\"",
    );
    check(server, bind, to("node-2"), 409, twice).await;
    let moved = json!({ "spec": { "nodeName": "node-2" } });
    check(server, &format!("PATCH {PODS}/p"), moved, 422, json!({ "reason": "Invalid" })).await;
    check(server, &format!("POST {PODS}/q/binding"), to("n"), 404, message("pods \"q\" not found"))
        .await;
}

#[tokio::test]
async fn scaling() {
    let server = &server().await;
    let made = check(server, &format!("POST {SETS}"), set("db"), 201, json!({})).await;
    let url = &format!("{SETS}/db/scale");
    let scale = json!({
        "apiVersion": "autoscaling/v1",
        "kind": "Scale",
        "metadata": { "name": "db", "resourceVersion": made["metadata"]["resourceVersion"] },
        "spec": { "replicas": 1 },
        "status": { "replicas": 0, "selector": "app=db" },
    });
    let mut scale = check(server, &format!("GET {url}"), Value::Null, 200, scale).await;
    scale["spec"]["replicas"] = 4.into();
    let four = json!({ "kind": "Scale", "spec": { "replicas": 4 } });
    check(server, &format!("PUT {url}"), scale.clone(), 200, four).await;
    scale["spec"]["replicas"] = 5.into();
    check(server, &format!("PUT {url}"), scale, 409, json!({ "reason": "Conflict" })).await;
    let six = json!({ "spec": { "replicas": 6 } });
    check(server, &format!("PATCH {url}"), six.clone(), 200, six.clone()).await;
    let counted = json!({ "metadata": { "generation": 3 }, "spec": { "replicas": 6 } });
    check(server, &format!("GET {SETS}/db"), Value::Null, 200, counted).await;
    let text = "Scale.autoscaling \"db\" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0";
    check(
        server,
        &format!("PATCH {url}"),
        json!({ "spec": { "replicas": -1 } }),
        422,
        message(text),
    )
    .await;
    for bad in [json!("x"), json!({}), json!(1.5), json!(1u64 << 40)] {
        let body = json!({ "spec": { "replicas": bad } });
        check(server, &format!("PATCH {url}"), body, 400, json!({ "reason": "BadRequest" })).await;
    }
    for odd in
        [json!({ "metadata": 1 }), json!({ "metadata": { "name": 1, "uid": [], "namespace": {} } })]
    {
        check(server, &format!("PATCH {url}"), odd, 200, json!({ "kind": "Scale" })).await;
    }
}
