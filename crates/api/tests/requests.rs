//! Requests and answers: what is refused, lists, forms.

#![allow(clippy::unwrap_used)]

mod common;

use api::ApiServer;
use common::{
    PODS, SERVICES, call, check, check_answer, message, pod, server, server_with, service,
};
use serde_json::{Value, json};

#[tokio::test]
async fn what_cannot_be_understood() {
    let server = &server().await;
    let text = "the server could not find the requested resource";
    let not_found = message(text);
    for path in [
        "/api/v2/pods",
        "/api/v1/namespaces/default/nodes",
        "/api/v1/services/x",
        "/api/v1/namespaces/default/services/x/scale",
        "/a/b",
        "/api/v1/namespaces/default/services/x/y/z",
    ] {
        check(server, &format!("GET {path}"), Value::Null, 404, not_found.clone()).await;
    }
    // What is not served is told what is.
    let apps = "controllerrevisions, daemonsets, deployments, replicasets, statefulsets";
    let apps = message(&format!("{text} (apps/v1 has {apps})"));
    check(server, "GET /apis/apps/v1/pods", Value::Null, 404, apps).await;
    for (path, part) in [
        ("/api/v1/foos", "(v1 has configmaps, endpoints, events, "),
        (
            "/apis/example.com/v1/foos",
            "(example.com/v1 is not served; served are v1, discovery.k8s.io/v1, apps/v1, ",
        ),
    ] {
        let answer = check(server, &format!("GET {path}"), Value::Null, 404, json!({})).await;
        let message = answer["message"].as_str().unwrap();
        assert!(message.starts_with(&format!("{text} {part}")), "{message}");
    }
    let method = json!({ "reason": "MethodNotAllowed" });
    for head in [
        "POST /api/v1/services",
        "DELETE /api/v1/services",
        "DELETE /api/v1/namespaces",
        "PUT /api/v1/namespaces/default/services",
        "POST /api/v1/namespaces/default/services/x",
        "DELETE /api/v1/namespaces/default/services/x/status",
        "GET /api/v1/namespaces/default/pods/p/binding",
        "POST /version",
    ] {
        check(server, head, Value::Null, 405, method.clone()).await;
    }
    let bad = json!({ "reason": "BadRequest", "code": 400 });
    for query in [
        "watch=maybe",
        "limit=x",
        "resourceVersion=abc",
        "labelSelector=a%20b%20c",
        "fieldSelector=spec.foo%3Dx",
        "continue=zzz",
        "labelSelector=%FF",
        "labelSelector=%2",
    ] {
        check(server, &format!("GET {SERVICES}?{query}"), Value::Null, 400, bad.clone()).await;
    }
    let text = message("field label not supported: spec.foo");
    check(server, &format!("GET {PODS}?fieldSelector=spec.foo%3Dx"), Value::Null, 400, text).await;
    for query in [
        "sendInitialEvents=true",
        "watch=true&sendInitialEvents=true",
        "resourceVersionMatch=Exact",
    ] {
        let invalid = json!({ "reason": "Invalid" });
        check(server, &format!("GET {SERVICES}?{query}"), Value::Null, 422, invalid).await;
    }
}

#[tokio::test]
async fn bodies_that_are_refused() {
    let server = &server().await;
    let post = &format!("POST {SERVICES}");
    let json_type: &[&str] = &["Content-Type: application/json"];
    let deep = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
    let deep_field = format!("{{\"spec\":{}1{}}}", "{\"a\":".repeat(5000), "}".repeat(5000));
    for body in
        ["", "  ", "{", "[]", "1", "null", "\"x\"", "{\"metadata\":1}", "\u{0}", &deep, &deep_field]
    {
        let answer = call(server, post, json_type, body.to_owned()).await;
        check_answer(body, answer, 400, &json!({ "reason": "BadRequest" }));
    }
    let large = vec![b' '; 3 * 1024 * 1024 + 1];
    let answer = call(server, post, json_type, large).await;
    check_answer("large", answer, 413, &message("Request entity too large: limit is 3145728"));
    for media_type in ["application/x", "text/plain"] {
        let answer = call(server, post, &[&format!("Content-Type: {media_type}")], "{}").await;
        check_answer(media_type, answer, 415, &json!({ "reason": "UnsupportedMediaType" }));
    }
    check(server, post, service("a"), 201, json!({})).await;
    for media_type in ["application/yaml", "application/json"] {
        let headers = [format!("Content-Type: {media_type}")];
        let answer = call(server, &format!("PATCH {SERVICES}/a"), &[&headers[0]], "{}").await;
        check_answer(media_type, answer, 415, &json!({ "reason": "UnsupportedMediaType" }));
    }
    let answer = call(
        server,
        &format!("GET {SERVICES}"),
        &["Accept: application/vnd.kubernetes.protobuf"],
        "",
    )
    .await;
    check_answer("protobuf", answer, 406, &json!({ "reason": "NotAcceptable" }));
    for (body, text) in [
        (
            json!({ "apiVersion": "v1", "kind": "Pod" }),
            "Pod in version \"v1\" cannot be handled as a Service",
        ),
        (
            json!({ "apiVersion": "apps/v1", "kind": "Service" }),
            "the API version in the data (apps/v1) does not match the expected API version (v1)",
        ),
        (
            json!({ "metadata": { "name": "b", "namespace": "other" } }),
            "the namespace of the provided object does not match the namespace sent on the request \
             (other is not default)",
        ),
        (
            json!({ "metadata": { "name": "b", "resourceVersion": "1" } }),
            "resourceVersion should not be set on objects to be created",
        ),
    ] {
        check(server, post, body, 400, message(text)).await;
    }
    let missing = message("namespaces \"nowhere\" not found");
    check(server, "POST /api/v1/namespaces/nowhere/services", service("a"), 404, missing).await;
}

/// Sends a body in three ways of validation: under Strict it is refused with this text, under Warn these warnings come
/// with the answer, and under Ignore nothing is said.
async fn check_validation(
    server: &ApiServer,
    head: &str,
    content_type: &str,
    body: &str,
    (code, refusal): (u16, &str),
    warnings: &[&str],
) {
    let headers = [format!("Content-Type: application/{content_type}")];
    let headers = [headers[0].as_str()];
    let of =
        |validation: &str| format!("{head}?dryRun=All&fieldManager=m&fieldValidation={validation}");
    let answer = call(server, &of("Strict"), &headers, body.to_owned()).await;
    check_answer(&of("Strict"), answer, code, &message(refusal));
    let answer = call(server, &of("Warn"), &headers, body.to_owned()).await;
    let quoted = |text: &&str| format!("299 - \"{}\"", text.replace('"', "\\\""));
    assert_eq!(answer.warnings, warnings.iter().map(quoted).collect::<Vec<_>>(), "{head}");
    assert!(answer.code < 300, "{head}: {}", answer.body);
    let answer = call(server, &of("Ignore"), &headers, body.to_owned()).await;
    assert!(answer.warnings.is_empty() && answer.code < 300, "{head}: {}", answer.body);
}

#[tokio::test]
async fn unknown_and_duplicate_fields() {
    let server = &server().await;
    check(server, &format!("POST {SERVICES}"), service("a"), 201, json!({})).await;
    let (post, one) = (format!("POST {SERVICES}"), format!("{SERVICES}/a"));
    let (put, patch) = (format!("PUT {one}"), format!("PATCH {one}"));
    let unknown = "unknown field \"spec.x\"";
    let twice = "duplicate field \"spec.ports[0].name\"";
    let whole = |name: &str| {
        format!(
            r#"{{"apiVersion": "v1", "kind": "Service", "metadata": {{"name": "{name}"}},
            "spec": {{"x": 1, "ports": [{{"name": "a", "port": 80, "name": "b"}}]}}}}"#
        )
    };
    let refusal = format!(
        "Service in version \"v1\" cannot be handled as a Service: strict decoding error: {unknown}, {twice}"
    );
    for (head, body) in [(&post, whole("b")), (&put, whole("a"))] {
        check_validation(server, head, "json", &body, (400, &refusal), &[unknown, twice]).await;
    }
    // Patches answer as invalid; the value is what was sent.
    let body = r#"{"spec":{"ports":[{"name":"b","port":80}],"x":1}}"#;
    let invalid = |body: &str, why: &str| {
        format!(" \"\" is invalid: patch: Invalid value: {body:?}: strict decoding error: {why}")
    };
    let refusal = invalid(body, unknown);
    for format in ["merge-patch+json", "strategic-merge-patch+json"] {
        check_validation(server, &patch, format, body, (422, &refusal), &[unknown]).await;
    }
    let refusal = invalid(
        r#"{"spec":{"sessionAffinity":"ClientIP"}}"#,
        "duplicate field \"spec.sessionAffinity\"",
    );
    let body = r#"{"spec": {"sessionAffinity": "None", "sessionAffinity": "ClientIP"}}"#;
    let warning = "duplicate field \"spec.sessionAffinity\"";
    check_validation(server, &patch, "merge-patch+json", body, (422, &refusal), &[warning]).await;
    let operation = r#"[{"op":"add","path":"/spec/x","value":1}]"#;
    let refusal = invalid(operation, unknown);
    check_validation(server, &patch, "json-patch+json", operation, (422, &refusal), &[unknown])
        .await;
    // What is applied must be known in any case.
    let body = whole("a").replace("\"x\": 1, ", "");
    let refusal = format!("error strict decoding YAML: strict decoding error: {twice}");
    check_validation(server, &patch, "apply-patch+yaml", &body, (400, &refusal), &[twice]).await;
    let refusal = "failed to create typed patch object (/a; /v1, Kind=Service): .spec.x: field not declared in schema";
    let apply = ["Content-Type: application/apply-patch+yaml"];
    let head = format!("{patch}?fieldManager=m&fieldValidation=Ignore");
    check_answer(&head, call(server, &head, &apply, whole("a")).await, 400, &message(refusal));
}

#[tokio::test]
async fn a_warning_goes_with_a_refusal_too() {
    let server = &server().await;
    let bad = r#"{"metadata":{"name":"b"},"spec":{"x":1,"ports":[{"port":0}]}}"#;
    let answer = call(server, &format!("POST {SERVICES}?fieldValidation=Warn"), &[], bad).await;
    assert_eq!(answer.warnings, ["299 - \"unknown field \\\"spec.x\\\"\""]);
    check_answer("refused", answer, 422, &json!({ "reason": "Invalid" }));
}

#[tokio::test]
async fn unknown_fields_are_not_kept_and_endpoints_are_deprecated() {
    let server = &server().await;
    let mut body = service("a");
    body["spec"]["x"] = 1.into();
    let head = format!("POST {SERVICES}?fieldValidation=Ignore");
    let made = check(server, &head, body, 201, json!({ "kind": "Service" })).await;
    assert_eq!(made["spec"]["x"], Value::Null);
    let answer = call(server, &format!("GET {}", "/api/v1/endpoints"), &[], "").await;
    assert_eq!(
        answer.warnings,
        ["299 - \"v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice\""]
    );
}

#[tokio::test]
async fn lists_in_pages_are_consistent() {
    let server = &server().await;
    for name in ["a", "b", "c", "d"] {
        check(server, &format!("POST {PODS}"), pod(name), 201, json!({})).await;
    }
    let names = |list: &Value| -> Vec<String> {
        let items = list["items"].as_array().unwrap();
        items.iter().map(|item| item["metadata"]["name"].as_str().unwrap().to_owned()).collect()
    };
    let first = check(
        server,
        &format!("GET {PODS}?limit=2"),
        Value::Null,
        200,
        json!({ "kind": "PodList", "apiVersion": "v1", "metadata": { "remainingItemCount": 2 } }),
    )
    .await;
    assert_eq!(names(&first), ["a", "b"]);
    // What happens now is not in the later pages.
    check(server, &format!("DELETE {PODS}/c"), Value::Null, 200, json!({})).await;
    check(server, &format!("POST {PODS}"), pod("ca"), 201, json!({})).await;
    let patch = json!({ "metadata": { "labels": { "x": "y" } } });
    check(server, &format!("PATCH {PODS}/d"), patch, 200, json!({})).await;
    let token = first["metadata"]["continue"].as_str().unwrap();
    let next = format!("GET {PODS}?limit=2&continue={token}");
    let second = check(server, &next, Value::Null, 200, json!({})).await;
    assert_eq!(names(&second), ["c", "d"]);
    assert_eq!(second["items"][1]["metadata"]["labels"], Value::Null);
    assert_eq!(second["metadata"]["resourceVersion"], first["metadata"]["resourceVersion"]);
    assert_eq!(second["metadata"]["continue"], Value::Null);

    let revision = first["metadata"]["resourceVersion"].as_str().unwrap();
    let exact = format!("GET {PODS}?resourceVersion={revision}&resourceVersionMatch=Exact");
    assert_eq!(
        names(&check(server, &exact, Value::Null, 200, json!({})).await),
        ["a", "b", "c", "d"]
    );
    let newer = format!("GET {PODS}?resourceVersion={revision}");
    assert_eq!(
        names(&check(server, &newer, Value::Null, 200, json!({})).await),
        ["a", "b", "ca", "d"]
    );
    let future = json!({
        "reason": "Timeout",
        "details": { "causes": [{ "reason": "ResourceVersionTooLarge" }], "retryAfterSeconds": 1 },
    });
    check(server, &format!("GET {PODS}?resourceVersion=9999"), Value::Null, 504, future).await;
}

#[tokio::test]
async fn selecting() {
    let server = &server().await;
    for (name, node, app) in [("a", "n1", "x"), ("b", "n2", "x"), ("c", "n1", "y")] {
        let mut pod = pod(name);
        pod["metadata"]["labels"] = json!({ "app": app });
        pod["spec"]["nodeName"] = node.into();
        check(server, &format!("POST {PODS}"), pod, 201, json!({})).await;
    }
    for (query, expected) in [
        ("labelSelector=app%3Dx", vec!["a", "b"]),
        ("labelSelector=app+in+(x,y),app!%3Dx", vec!["c"]),
        ("fieldSelector=metadata.name%3Db", vec!["b"]),
        ("fieldSelector=metadata.namespace!%3Ddefault", vec![]),
        ("fieldSelector=spec.nodeName%3Dn1", vec!["a", "c"]),
        (
            "fieldSelector=spec.nodeName%3Dn1,status.phase%3DPending&labelSelector=app%3Dx",
            vec!["a"],
        ),
        ("fieldSelector=status.podIP%3D", vec!["a", "b", "c"]),
        ("fieldSelector=spec.hostNetwork%3Dfalse", vec!["a", "b", "c"]),
    ] {
        let items: Vec<Value> =
            expected.iter().map(|name| json!({ "metadata": { "name": name } })).collect();
        check(server, &format!("GET {PODS}?{query}"), Value::Null, 200, json!({ "items": items }))
            .await;
        check(
            server,
            &format!("GET /api/v1/pods?{query}"),
            Value::Null,
            200,
            json!({ "items": items }),
        )
        .await;
    }
    let services = json!({ "items": [{ "metadata": { "name": "kubernetes" } }] });
    let query = "fieldSelector=spec.clusterIP%3D10.96.0.1,spec.type%3DClusterIP";
    check(server, &format!("GET {SERVICES}?{query}"), Value::Null, 200, services).await;
}

#[tokio::test]
async fn other_forms() {
    let server = &server().await;
    let table = "Accept: application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
    let answer = call(server, "GET /api/v1/namespaces", &[table], "").await;
    let part = json!({ "kind": "Table", "apiVersion": "meta.k8s.io/v1", "rows": [{}, {}, {}, {}] });
    let whole = check_answer("table", answer, 200, &part);
    assert!(whole["metadata"]["resourceVersion"].is_string());
    assert_eq!(whole["rows"][0]["object"]["kind"], "PartialObjectMetadata");
    let answer =
        call(server, "GET /api/v1/namespaces/default?includeObject=None", &[table], "").await;
    let whole = check_answer("row", answer, 200, &json!({ "kind": "Table", "rows": [{}] }));
    assert_eq!(whole["rows"][0]["object"], Value::Null);
    let partial = "Accept: application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io";
    let answer = call(server, "GET /api/v1/namespaces", &[partial], "").await;
    let whole =
        check_answer("partial", answer, 200, &json!({ "kind": "PartialObjectMetadataList" }));
    assert_eq!(whole["items"][0]["status"], Value::Null);
    let preferred = "Accept: application/vnd.kubernetes.protobuf,application/json";
    let answer = call(server, "GET /api/v1/namespaces", &[preferred], "").await;
    check_answer("json", answer, 200, &json!({ "kind": "NamespaceList" }));
    let answer = call(server, "GET /api/v1/namespaces/none", &[table], "").await;
    check_answer("failure", answer, 404, &json!({ "kind": "Status" }));
    for path in ["/api", "/apis", "/api/v1", "/apis/apps/v1", "/version", "/openapi/v3"] {
        check(server, &format!("GET {path}"), Value::Null, 200, json!({})).await;
    }
}

#[tokio::test]
async fn bootstrap_is_idempotent() {
    let server = &server_with(&["10.96.0.0/12", "fd00:10::/112"]).await;
    let kubernetes = json!({
        "spec": { "clusterIP": "10.96.0.1", "ports": [{ "name": "https", "port": 443, "targetPort": 6443 }] },
    });
    let before =
        check(server, &format!("GET {SERVICES}/kubernetes"), Value::Null, 200, kubernetes).await;
    let slice = json!({
        "addressType": "IPv4",
        "endpoints": [{ "addresses": ["192.0.2.1"], "conditions": { "ready": true } }],
    });
    let slices = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes";
    check(server, &format!("GET {slices}"), Value::Null, 200, slice.clone()).await;
    server.bootstrap().await.unwrap();
    check(server, &format!("GET {SERVICES}/kubernetes"), Value::Null, 200, before).await;
    // It mends its own endpoints.
    let other = json!({ "endpoints": [{ "addresses": ["192.0.2.9"] }] });
    check(server, &format!("PATCH {slices}"), other, 200, json!({})).await;
    server.bootstrap().await.unwrap();
    check(server, &format!("GET {slices}"), Value::Null, 200, slice).await;
}
