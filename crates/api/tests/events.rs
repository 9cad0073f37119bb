//! Events in both of their versions: the same objects, other names.

#![allow(clippy::unwrap_used)]

mod common;

use common::{call, check, check_answer, message, server};
use serde_json::{Value, json};

const CORE: &str = "/api/v1/namespaces/default/events";
const NEWER: &str = "/apis/events.k8s.io/v1/namespaces/default/events";

fn core(name: &str) -> Value {
    json!({
        "metadata": { "name": name },
        "involvedObject": { "apiVersion": "v1", "kind": "Pod", "namespace": "default", "name": name },
        "reason": "Started", "message": "m", "type": "Normal", "count": 2,
        "firstTimestamp": "2026-01-01T00:00:00Z", "lastTimestamp": "2026-01-01T00:00:01Z",
        "source": { "component": "kubelet", "host": "node-1" }, "reportingComponent": "kubelet",
    })
}

fn newer(name: &str) -> Value {
    json!({
        "metadata": { "name": name },
        "regarding": { "kind": "Pod", "namespace": "default", "name": name }, "note": "n", "reason": "Seen",
        "eventTime": "2026-01-01T00:00:00.000000Z", "type": "Warning", "action": "Look",
        "reportingController": "example.com/c", "reportingInstance": "c-1",
    })
}

#[tokio::test]
async fn one_object_has_two_versions() {
    let server = &server().await;
    check(server, &format!("POST {CORE}"), core("a"), 201, json!({ "apiVersion": "v1" })).await;
    let converted = json!({
        "apiVersion": "events.k8s.io/v1", "kind": "Event", "note": "m", "regarding": { "name": "a" },
        "deprecatedCount": 2, "deprecatedFirstTimestamp": "2026-01-01T00:00:00Z",
        "deprecatedLastTimestamp": "2026-01-01T00:00:01Z", "deprecatedSource": { "host": "node-1" },
        "reportingController": "kubelet", "message": null, "involvedObject": null, "count": null,
    });
    check(server, &format!("GET {NEWER}/a"), Value::Null, 200, converted.clone()).await;
    let posted =
        json!({ "apiVersion": "events.k8s.io/v1", "note": "n", "regarding": { "name": "b" } });
    check(server, &format!("POST {NEWER}"), newer("b"), 201, posted).await;
    let stored = json!({
        "apiVersion": "v1", "message": "n", "involvedObject": { "name": "b" }, "reportingComponent": "example.com/c",
        "note": null, "regarding": null,
    });
    check(server, &format!("GET {CORE}/b"), Value::Null, 200, stored).await;

    let list =
        check(server, &format!("GET {NEWER}"), Value::Null, 200, json!({ "kind": "EventList" }))
            .await;
    assert_eq!(list["apiVersion"], "events.k8s.io/v1");
    assert_eq!((&list["items"][0]["note"], &list["items"][1]["note"]), (&json!("m"), &json!("n")));
    let exists = message("events \"a\" already exists");
    check(server, &format!("POST {NEWER}"), newer("a"), 409, exists).await;

    let series =
        json!({ "series": { "count": 2, "lastObservedTime": "2026-01-01T00:00:05.000000Z" } });
    check(server, &format!("PATCH {NEWER}/b"), series.clone(), 200, series.clone()).await;
    check(server, &format!("GET {CORE}/b"), Value::Null, 200, series).await;
    let json_patch = json!([{ "op": "test", "path": "/note", "value": "n" },
        { "op": "replace", "path": "/series/count", "value": 3 }]);
    let headers = ["Content-Type: application/json-patch+json"];
    let answer = call(server, &format!("PATCH {NEWER}/b"), &headers, json_patch.to_string()).await;
    check_answer("json patch", answer, 200, &json!({ "note": "n", "series": { "count": 3 } }));
    check(server, &format!("DELETE {NEWER}/b"), Value::Null, 200, json!({ "status": "Success" }))
        .await;
    check(server, &format!("GET {CORE}/b"), Value::Null, 404, json!({})).await;
}

#[tokio::test]
async fn each_version_is_checked_by_its_rules() {
    let server = &server().await;
    let mut event = newer("a");
    event["eventTime"] = Value::Null;
    let text = "Event \"a\" is invalid: eventTime: Required value";
    check(server, &format!("POST {NEWER}"), event, 422, message(text)).await;
    let mut event = newer("a");
    event["message"] = "of the other version".into();
    let strict = format!("POST {NEWER}?fieldValidation=Strict");
    let text = "Event in version \"v1\" cannot be handled as a Event: strict decoding error: unknown field \"message\"";
    check(server, &strict, event, 400, message(text)).await;
    check(server, &format!("POST {NEWER}"), newer("a"), 201, json!({})).await;
    let text = "Event \"a\" is invalid: message: Invalid value: \"other\": field is immutable";
    check(server, &format!("PATCH {NEWER}/a"), json!({ "note": "other" }), 422, message(text))
        .await;
    check(
        server,
        &format!("PATCH {CORE}/a"),
        json!({ "message": "other" }),
        200,
        json!({ "message": "other" }),
    )
    .await;
}

#[tokio::test]
async fn each_version_selects_by_its_names() {
    let server = &server().await;
    for name in ["a", "b"] {
        check(server, &format!("POST {CORE}"), core(name), 201, json!({})).await;
    }
    let selected = async |url: &str, selector: &str| {
        let list = check(
            server,
            &format!("GET {url}?fieldSelector={selector}"),
            Value::Null,
            200,
            json!({}),
        )
        .await;
        let items = list["items"].as_array().unwrap().iter();
        items.map(|item| item["metadata"]["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(selected(CORE, "involvedObject.name%3Da").await, ["a"]);
    assert_eq!(selected(NEWER, "regarding.name%3Db,reportingController%3Dkubelet").await, ["b"]);
    assert_eq!(selected(NEWER, "metadata.name%3Db,type!%3DWarning").await, ["b"]);
    for (url, field) in [(CORE, "regarding.name"), (NEWER, "involvedObject.name")] {
        let text = message(&format!("field label not supported: {field}"));
        check(server, &format!("GET {url}?fieldSelector={field}%3Da"), Value::Null, 400, text)
            .await;
    }
}

#[tokio::test]
async fn each_version_is_applied_shown_and_watched() {
    let server = &server().await;
    let apply = ["Content-Type: application/apply-patch+yaml"];
    let config = json!({ "apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": { "name": "a" }, "note": "n",
        "regarding": { "kind": "Pod", "namespace": "default", "name": "p" } });
    let head = format!("PATCH {NEWER}/a?fieldManager=m");
    let answer = call(server, &head, &apply, config.to_string()).await;
    check_answer("apply", answer, 201, &json!({ "apiVersion": "events.k8s.io/v1", "note": "n" }));

    let table = ["Accept: application/json;as=Table;v=v1;g=meta.k8s.io"];
    let answer = call(server, &format!("GET {NEWER}?includeObject=Object"), &table, "").await;
    let shown = check_answer("table", answer, 200, &json!({ "kind": "Table" }));
    assert_eq!(shown["columnDefinitions"][2]["name"], "Reason");
    assert_eq!(
        (&shown["rows"][0]["cells"][3], &shown["rows"][0]["object"]["note"]),
        (&json!("pod/p"), &json!("n"))
    );

    let watch = format!("GET {NEWER}?watch=true&resourceVersion=0&timeoutSeconds=1");
    let answer = call(server, &watch, &[], "").await;
    check_answer(
        "watch",
        answer,
        200,
        &json!({ "type": "ADDED", "object": { "note": "n", "message": null } }),
    );
}
