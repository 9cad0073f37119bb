//! Server-side apply and the ownership of fields, through the service.

#![allow(clippy::unwrap_used)]

mod common;

use api::ApiServer;
use common::{SERVICES, SETS, call, check, check_answer, message, server, set};
use serde_json::{Value, json};

const NAME: &str = "/api/v1/namespaces/default/services/web";

async fn apply(server: &ApiServer, query: &str, body: Value, code: u16, part: Value) -> Value {
    apply_to(server, NAME, query, body, code, part).await
}

async fn apply_to(
    server: &ApiServer,
    path: &str,
    query: &str,
    body: Value,
    code: u16,
    part: Value,
) -> Value {
    let head = format!("PATCH {path}?{query}");
    let answer =
        call(server, &head, &["Content-Type: application/apply-patch+yaml"], body.to_string())
            .await;
    check_answer(&head, answer, code, &part)
}

fn web(labels: Value, ports: Value) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": { "name": "web", "labels": labels },
        "spec": { "selector": { "app": "web" }, "ports": ports },
    })
}

/// `manager operation subresource` and the fields of each entry.
fn owned(object: &Value) -> Value {
    let entries = object["metadata"]["managedFields"].as_array().cloned().unwrap_or_default();
    let entry = |entry: &Value| {
        let text = |name: &str| entry[name].as_str().unwrap_or("");
        let who = format!("{} {} {}", text("manager"), text("operation"), text("subresource"));
        (who.trim_end().to_owned(), entry["fieldsV1"].clone())
    };
    entries.iter().map(entry).collect::<serde_json::Map<_, _>>().into()
}

#[tokio::test]
async fn applying_creates_merges_and_removes() {
    let server = &server().await;
    let ports = json!([{ "port": 80, "name": "http" }, { "port": 443, "name": "https" }]);
    let made =
        apply(server, "fieldManager=a", web(json!({ "x": "1", "y": "2" }), ports), 201, json!({}))
            .await;
    let name = json!({ ".": {}, "f:name": {}, "f:port": {} });
    assert_eq!(
        owned(&made),
        json!({ "a Apply": {
            "f:metadata": { "f:labels": { "f:x": {}, "f:y": {} } },
            "f:spec": {
                "f:selector": {},
                "f:ports": {
                    "k:{\"port\":443,\"protocol\":\"TCP\"}": name,
                    "k:{\"port\":80,\"protocol\":\"TCP\"}": name,
                },
            },
        } })
    );
    // Another applier adds a port of its own.
    let other = json!({
        "apiVersion": "v1",
        "kind": "Service",
        "spec": { "ports": [{ "port": 9, "name": "other" }] },
    });
    let ports = json!([{ "port": 80 }, { "port": 443 }, { "port": 9, "protocol": "TCP" }]);
    let part = json!({ "metadata": { "labels": { "x": "1" } } });
    let both = apply(server, "fieldManager=b", other, 200, part).await;
    for (index, port) in ports.as_array().unwrap().iter().enumerate() {
        assert_eq!(both["spec"]["ports"][index]["port"], port["port"]);
    }
    // What the first no longer applies goes; what the server and the other set stays.
    let less = web(json!({ "x": "1" }), json!([{ "port": 80, "name": "http" }]));
    let after = apply(server, "fieldManager=a", less.clone(), 200, json!({})).await;
    assert_eq!(after["metadata"]["labels"], json!({ "x": "1" }));
    let left: Vec<&Value> =
        after["spec"]["ports"].as_array().unwrap().iter().map(|port| &port["port"]).collect();
    assert_eq!(left, [80, 9]);
    assert_eq!(after["spec"]["clusterIP"], both["spec"]["clusterIP"]);
    // The same again changes nothing.
    let revision =
        json!({ "metadata": { "resourceVersion": after["metadata"]["resourceVersion"] } });
    apply(server, "fieldManager=a", less, 200, revision).await;
    // Without labels at all, none are left.
    let mut bare = web(json!({}), json!([{ "port": 80, "name": "http" }]));
    bare["metadata"] = json!({});
    let bare = apply(server, "fieldManager=a", bare, 200, json!({})).await;
    assert_eq!(bare["metadata"]["labels"], Value::Null);
}

#[tokio::test]
async fn conflicts() {
    let server = &server().await;
    let head = format!("POST {SETS}?fieldManager=kubectl");
    let made = check(server, &head, set("db"), 201, json!({})).await;
    assert!(owned(&made)["kubectl Update"]["f:spec"]["f:serviceName"].is_object(), "{made:#}");
    let path = format!("{SETS}/db");
    let scale = |replicas: u8| {
        json!({
            "apiVersion": "apps/v1",
            "kind": "StatefulSet",
            "spec": { "replicas": replicas },
        })
    };
    // The same value is shared, another one is a conflict.
    apply_to(server, &path, "fieldManager=me", scale(1), 200, json!({})).await;
    let mut conflict = message(
        "Apply failed with 1 conflict: conflict with \"kubectl\" using apps/v1: .spec.replicas",
    );
    conflict["reason"] = "Conflict".into();
    conflict["details"] = json!({ "causes": [{
        "reason": "FieldManagerConflict",
        "message": "conflict with \"kubectl\" using apps/v1",
        "field": ".spec.replicas",
    }] });
    apply_to(server, &path, "fieldManager=me", scale(3), 409, conflict).await;
    let mut two = scale(3);
    two["spec"]["serviceName"] = "other".into();
    let text = "Apply failed with 2 conflicts: conflicts with \"kubectl\" using apps/v1:\n- .spec.replicas\n- .spec.serviceName";
    apply_to(server, &path, "fieldManager=me", two, 409, message(text)).await;
    // By force the field changes hands.
    let taken = apply_to(
        server,
        &path,
        "fieldManager=me&force=true",
        scale(3),
        200,
        json!({ "spec": { "replicas": 3 } }),
    )
    .await;
    assert_eq!(owned(&taken)["kubectl Update"]["f:spec"]["f:replicas"], Value::Null);
    assert_eq!(owned(&taken)["me Apply"], json!({ "f:spec": { "f:replicas": {} } }));
    // Scaling takes it again, under its subresource, and one who does not name himself leaves it to nobody.
    let body = json!({ "spec": { "replicas": 5 } });
    check(server, &format!("PATCH {path}/scale?fieldManager=hpa"), body, 200, json!({})).await;
    let text = "Apply failed with 1 conflict: conflict with \"hpa\" with subresource \"scale\" using apps/v1: .spec.replicas";
    apply_to(server, &path, "fieldManager=me", scale(3), 409, message(text)).await;
    check(server, &format!("PATCH {path}"), json!({ "spec": { "replicas": 6 } }), 200, json!({}))
        .await;
    apply_to(server, &path, "fieldManager=me", scale(3), 200, json!({})).await;
}

#[tokio::test]
async fn applying_a_scale() {
    let server = &server().await;
    check(server, &format!("POST {SETS}?fieldManager=kubectl"), set("db"), 201, json!({})).await;
    let (path, scale) = (format!("{SETS}/db"), format!("{SETS}/db/scale"));
    let replicas = |count: Value| json!({ "apiVersion": "autoscaling/v1", "kind": "Scale", "spec": { "replicas": count } });
    let text =
        "Apply failed with 1 conflict: conflict with \"kubectl\" using apps/v1: .spec.replicas";
    let three = replicas(json!(3));
    apply_to(server, &scale, "fieldManager=hpa", three.clone(), 409, message(text)).await;
    let forced = "fieldManager=hpa&force=true";
    apply_to(server, &scale, forced, three.clone(), 200, three).await;
    let scaled = json!({ "metadata": { "generation": 2 }, "spec": { "replicas": 3 } });
    let scaled = check(server, &format!("GET {path}"), Value::Null, 200, scaled).await;
    assert_eq!(owned(&scaled)["hpa Apply scale"], json!({ "f:spec": { "f:replicas": {} } }));
    // What a scale no longer applies falls back to its default.
    let nothing = replicas(Value::Null);
    apply_to(server, &scale, forced, nothing, 200, json!({ "spec": { "replicas": 1 } })).await;
    apply_to(server, &scale, forced, replicas(json!("x")), 400, json!({})).await;
    apply_to(server, &scale, forced, replicas(json!(-1)), 422, json!({})).await;
    let other = json!({ "apiVersion": "apps/v1", "kind": "StatefulSet" });
    apply_to(server, &scale, forced, other, 400, json!({})).await;
    let missing = format!("{SETS}/none/scale");
    apply_to(server, &missing, forced, replicas(json!(1)), 404, json!({})).await;
}

#[tokio::test]
async fn ordinary_writes_are_recorded() {
    let server = &server().await;
    let service = json!({ "metadata": { "name": "web" }, "spec": { "ports": [{ "port": 80 }] } });
    let head = format!("POST {SERVICES}");
    let agent = ["Content-Type: application/json", "User-Agent: curl/8.5 (linux)"];
    let answer = call(server, &head, &agent, service.to_string()).await;
    let made = check_answer(&head, answer, 201, &json!({}));
    assert_eq!(owned(&made).as_object().unwrap().keys().collect::<Vec<_>>(), ["curl Update"]);
    let label = json!({ "metadata": { "labels": { "a": "b" } } });
    let head = format!("PATCH {NAME}?fieldManager=label");
    let made = check(server, &head, label, 200, json!({})).await;
    assert_eq!(
        owned(&made)["label Update"],
        json!({ "f:metadata": { "f:labels": { "f:a": {} } } })
    );
    // A replacement that sends back what it read keeps it; one entry that is empty forgets it.
    let head = format!("PUT {NAME}");
    let mut same = made.clone();
    check(server, &head, same.clone(), 200, made.clone()).await;
    same["metadata"].as_object_mut().unwrap().remove("managedFields");
    check(server, &head, same.clone(), 200, made.clone()).await;
    same["metadata"]["managedFields"] = json!([{}]);
    let forgotten = check(server, &head, same, 200, json!({})).await;
    assert_eq!(forgotten["metadata"].get("managedFields"), None);
}

#[tokio::test]
async fn what_cannot_be_applied() {
    let server = &server().await;
    let plain = || web(json!({}), json!([{ "port": 80 }]));
    let text = "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch";
    apply(server, "", plain(), 422, message(text)).await;
    let mut unknown = plain();
    unknown["spec"]["x"] = 1.into();
    let text = "failed to create typed patch object (/web; /v1, Kind=Service): .spec.x: field not declared in schema";
    apply(server, "fieldManager=a", unknown, 400, message(text)).await;
    let text = "failed to create typed patch object (/web; /v1, Kind=Service): .spec.ports: element 0: associative list with keys has an element that omits key field \"port\" (and doesn't have default value)";
    let keyless = web(json!({}), json!([{ "name": "x" }]));
    apply(server, "fieldManager=a", keyless, 400, message(text)).await;
    let text = "failed to create typed patch object (/web; /v1, Kind=Service): .spec.ports: duplicate entries for key [port=80,protocol=\"TCP\"]";
    let twice = web(json!({}), json!([{ "port": 80 }, { "port": 80 }]));
    apply(server, "fieldManager=a", twice, 400, message(text)).await;
    let mut managed = plain();
    managed["metadata"]["managedFields"] = json!([{}]);
    let text = "metadata.managedFields must be nil";
    apply(server, "fieldManager=a", managed, 400, message(text)).await;
    for body in ["", "[]", "a: b", "{"] {
        let head = format!("PATCH {NAME}?fieldManager=a");
        let answer =
            call(server, &head, &["Content-Type: application/apply-patch+yaml"], body).await;
        check_answer(body, answer, 400, &json!({ "reason": "BadRequest" }));
    }
    // YAML, and a run that keeps nothing.
    let head = format!("PATCH {NAME}?fieldManager=a&dryRun=All");
    let yaml =
        "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 80}]}\n";
    let answer = call(server, &head, &["Content-Type: application/apply-patch+yaml"], yaml).await;
    check_answer(&head, answer, 201, &json!({ "spec": { "type": "ClusterIP" } }));
    check(server, &format!("GET {NAME}"), json!(null), 404, json!({})).await;
}

const CONFIG: &str = "/api/v1/namespaces/default/configmaps/shared";

fn config(key: &str, value: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "ConfigMap", "data": { key: value } })
}

/// Who applies is never told that another one was first, or that what it would have changed was just removed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_apply_one_new_object_at_once() {
    let server = server().await;
    for round in 0..10 {
        let mut appliers = tokio::task::JoinSet::new();
        let start = std::sync::Arc::new(tokio::sync::Barrier::new(32));
        for index in 0..32 {
            let (server, start) = (server.clone(), std::sync::Arc::clone(&start));
            appliers.spawn(async move {
                let head = format!("PATCH {CONFIG}?fieldManager=m{index}");
                let body = config(&format!("k{index}"), "v").to_string();
                start.wait().await;
                let headers = ["Content-Type: application/apply-patch+yaml"];
                call(&server, &head, &headers, body).await
            });
        }
        let answers = appliers.join_all().await;
        let codes: Vec<u16> = answers.iter().map(|answer| answer.code).collect();
        let counts = [200, 201].map(|code| codes.iter().filter(|held| **held == code).count());
        assert_eq!(counts, [31, 1], "round {round}: {codes:?}");
        let whole = check(&server, &format!("GET {CONFIG}"), json!(null), 200, json!({})).await;
        assert_eq!(whole["data"].as_object().unwrap().len(), 32, "{whole:#}");
        assert_eq!(owned(&whole).as_object().unwrap().len(), 32, "{whole:#}");
        check(&server, &format!("DELETE {CONFIG}"), json!(null), 200, json!({})).await;
    }
}

/// A field that very many own: the conflicts are all counted, and the first of them listed.
#[tokio::test]
async fn a_conflict_with_very_many() {
    const MANAGERS: usize = 20_000;
    let server = &server().await;
    let entry = |index: usize| {
        json!({
            "manager": format!("m{index:05}"), "operation": "Apply", "apiVersion": "v1",
            "fieldsType": "FieldsV1", "fieldsV1": { "f:data": { "f:k": {} } },
        })
    };
    let mut object = config("k", "v");
    object["metadata"] = json!({ "name": "shared" });
    let head = "POST /api/v1/namespaces/default/configmaps";
    check(server, head, object.clone(), 201, json!({})).await;
    object["metadata"]["managedFields"] = (0..MANAGERS).map(entry).collect();
    check(server, &format!("PUT {CONFIG}"), object, 200, json!({})).await;

    let begun = std::time::Instant::now();
    let other = config("k", "other");
    let refused = apply_to(server, CONFIG, "fieldManager=me", other, 409, json!({})).await;
    let took = begun.elapsed();
    let causes = refused["details"]["causes"].as_array().unwrap();
    // Each takes 15 bytes of the room, `"m00000"` and `.data.k`, and the last one what is left.
    assert_eq!(causes.len(), 64 * 1024 / 15 + 1);
    let text = refused["message"].as_str().unwrap();
    let first = "Apply failed with 20000 conflicts: conflicts with \"m00000\":\n- .data.k\nconflicts with \"m00001\":\n- .data.k\n";
    assert!(text.starts_with(first), "{}", &text[..200]);
    let last = format!("- .data.k\n… and {} more", MANAGERS - causes.len());
    assert!(text.ends_with(&last), "{}", &text[text.len() - 200..]);
    assert!(took.as_secs() < 5, "{took:?}");
}
