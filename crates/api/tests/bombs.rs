//! Small requests that would cost much, and large ones within the limit: each is answered soon, with a clear word.

#![allow(clippy::unwrap_used)]

mod common;

use std::time::{Duration, Instant};

use api::ApiServer;
use common::{Answer, PODS, SERVICES, call, pod, server};
use serde_json::{Value, json};

const MIB: usize = 1024 * 1024;

/// A debug build on a busy machine; what grows with the square of its size takes far longer.
const SOON: Duration = Duration::from_secs(20);

const JSON: &str = "application/json";
const MERGE: &str = "application/merge-patch+json";
const STRATEGIC: &str = "application/strategic-merge-patch+json";
const PATCH: &str = "application/json-patch+json";
const APPLY: &str = "application/apply-patch+yaml";

/// Sends it; the answer comes soon, has the code, and its message says `says`.
async fn check(
    server: &ApiServer,
    head: &str,
    content: &str,
    body: impl Into<bytes::Bytes>,
    code: u16,
    says: &str,
) -> Value {
    let body = body.into();
    assert!(body.len() <= 3 * MIB, "{head}: {} bytes would be refused unread", body.len());
    let start = Instant::now();
    let content = format!("Content-Type: {content}");
    let Answer { code: actual, body, .. } = call(server, head, &[&content], body).await;
    let message = body["message"].as_str().unwrap_or_default();
    let shown: String = message.chars().take(300).collect();
    let shortened: String = head.chars().take(100).collect();
    assert!(actual == code && message.contains(says), "{shortened}: {actual} {shown}");
    assert!(start.elapsed() < SOON, "{shortened}: {:?}", start.elapsed());
    body
}

#[tokio::test]
async fn deep_bodies() {
    let server = &server().await;
    let deep = |open: &str, close: &str, levels| open.repeat(levels) + &close.repeat(levels);
    for levels in [200, 100_000] {
        let lists = deep("[", "]", levels);
        let objects = deep("{\"a\":", "}", levels).replacen("}", "1}", 1);
        for body in [&lists, &objects] {
            let create = format!("POST {PODS}");
            check(server, &create, JSON, body.clone(), 400, "recursion limit exceeded").await;
            let within = format!(r#"{{"metadata":{{"name":"p"}},"spec":{body}}}"#);
            check(server, &create, JSON, within, 400, "recursion limit exceeded").await;
            for content in [MERGE, STRATEGIC, PATCH] {
                let patch = format!("PATCH {PODS}/p");
                check(server, &patch, content, body.clone(), 400, "recursion limit exceeded").await;
            }
            let applied = format!("apiVersion: v1\nkind: Pod\nspec: {body}\n");
            let apply = format!("PATCH {PODS}/p?fieldManager=m");
            check(server, &apply, APPLY, applied, 400, "error decoding YAML").await;
        }
    }
    // By indentation, and by aliases that stand for one another.
    let apply = format!("PATCH {PODS}/p?fieldManager=m");
    let mut indented = String::new();
    for level in 0..2000 {
        indented += &format!("{}a:\n", " ".repeat(level));
    }
    check(server, &apply, APPLY, indented, 400, "error decoding YAML").await;
    let mut laughs = "apiVersion: v1\nkind: Pod\na0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let before = format!("*a{}", level - 1);
        laughs += &format!("a{level}: &a{level} [{}]\n", vec![before; 9].join(", "));
    }
    check(server, &apply, APPLY, laughs, 400, "error decoding YAML").await;
}

#[tokio::test]
async fn json_patches() {
    let server = &server().await;
    let maps = "/api/v1/namespaces/default/configmaps";
    let data: Value = (0..60_000)
        .map(|key| (format!("k{key}"), json!("v")))
        .collect::<serde_json::Map<_, _>>()
        .into();
    let map = json!({ "metadata": { "name": "m" }, "data": data });
    check(server, &format!("POST {maps}"), JSON, map.to_string(), 201, "").await;
    let patch = format!("PATCH {maps}/m");
    let send = async |operations: Vec<Value>, code, says| {
        check(server, &patch, PATCH, Value::from(operations).to_string(), code, says).await;
    };
    let test = json!({ "op": "test", "path": "/metadata/name", "value": "m" });
    send(vec![test.clone(); 10_001], 413, "at most 10000 are allowed").await;
    send(vec![test; 10_000], 200, "").await;
    // Doubles with every operation.
    let copy = json!({ "op": "copy", "from": "", "path": "/data/x" });
    send(vec![copy; 100], 413, "carry more than 3145728 bytes").await;
    // Carries a large map about.
    let there = json!({ "op": "move", "from": "/data", "path": "/binaryData" });
    let back = json!({ "op": "move", "from": "/binaryData", "path": "/data" });
    send(vec![[there, back]; 5000].concat(), 413, "carry more than 3145728 bytes").await;
    // Shifts a long list about.
    let arguments = vec![""; 200_000];
    let mut long = pod("long");
    long["spec"]["containers"][0]["args"] = arguments.into();
    check(server, &format!("POST {PODS}"), JSON, long.to_string(), 201, "").await;
    let first = json!({ "op": "add", "path": "/spec/containers/0/args/0", "value": "" });
    let gone = json!({ "op": "remove", "path": "/spec/containers/0/args/0" });
    let shifts = Value::from(vec![[first, gone]; 5000].concat()).to_string();
    let says = "shift more than 20000000 elements of lists";
    check(server, &format!("PATCH {PODS}/long"), PATCH, shifts, 413, says).await;
}

#[tokio::test]
async fn long_lists() {
    let server = &server().await;
    const ITEMS: usize = 10_000;
    let variables = |value: &str| -> Value {
        (0..ITEMS).map(|index| json!({ "name": format!("V{index}"), "value": value })).collect()
    };
    let spec = |value: &str| json!({ "containers": [{ "name": "c", "image": "i", "env": variables(value) }] });
    let mut wide = pod("wide");
    wide["spec"] = spec("a");
    check(server, &format!("POST {PODS}?fieldManager=m"), JSON, wide.to_string(), 201, "").await;
    let change = json!({ "metadata": { "labels": { "a": "b" } } });
    let patch = format!("PATCH {PODS}/wide?fieldManager=other");
    check(server, &patch, STRATEGIC, change.to_string(), 200, "").await;
    // A merge of ten thousand items into ten thousand, which the pod's rules then refuse.
    let change = json!({ "spec": spec("b") }).to_string();
    check(server, &patch, STRATEGIC, change, 422, "").await;

    let template =
        |value: &str| json!({ "metadata": { "labels": { "app": "d" } }, "spec": spec(value) });
    let mut deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "d" },
        "spec": { "selector": { "matchLabels": { "app": "d" } }, "template": template("a") },
    });
    let deployments = "/apis/apps/v1/namespaces/default/deployments";
    let apply = format!("PATCH {deployments}/d?fieldManager=m");
    check(server, &apply, APPLY, deployment.to_string(), 201, "").await;
    deployment["spec"]["template"] = template("b");
    check(server, &apply, APPLY, deployment.to_string(), 200, "").await;
    let other = format!("PATCH {deployments}/d?fieldManager=other");
    deployment["spec"]["template"] = template("c");
    check(server, &other, APPLY, deployment.to_string(), 409, "conflict").await;

    let ports: Value =
        (1..=ITEMS).map(|port| json!({ "port": port, "name": format!("p{port}") })).collect();
    let service = json!({ "metadata": { "name": "s" }, "spec": { "ports": ports } });
    check(server, &format!("POST {SERVICES}"), JSON, service.to_string(), 201, "").await;

    let finalizers: Vec<String> = (0..ITEMS).map(|index| format!("a.b/c{index}")).collect();
    let mut held = pod("held");
    held["metadata"]["finalizers"] = json!(finalizers);
    check(server, &format!("POST {PODS}?fieldManager=m"), JSON, held.to_string(), 201, "").await;
    let change = json!({ "metadata": { "$deleteFromPrimitiveList/finalizers": finalizers } });
    let held = format!("PATCH {PODS}/held");
    check(server, &held, STRATEGIC, change.to_string(), 200, "").await;
}

#[tokio::test]
async fn what_many_patches_add_up_to() {
    let server = &server().await;
    let mut large = pod("large");
    large["spec"]["containers"][0]["args"] = json!(["x".repeat(2 * MIB)]);
    check(server, &format!("POST {PODS}"), JSON, large.to_string(), 201, "").await;
    let patch = format!("PATCH {PODS}/large/status");
    let grow = json!([{ "op": "add", "path": "/status/message", "value": "y".repeat(MIB) }]);
    check(server, &patch, PATCH, grow.to_string(), 200, "").await;
    let grow = json!([{ "op": "add", "path": "/status/reason", "value": "z".repeat(MIB) }]);
    check(server, &patch, PATCH, grow.to_string(), 413, "limit is 4194304").await;
}

#[tokio::test]
async fn annotations_and_names() {
    let server = &server().await;
    let mut noted = pod("noted");
    noted["metadata"]["annotations"] = json!({ "a": "x".repeat(262_144) });
    let says = "metadata.annotations: Too long: may not be more than 262144 bytes";
    check(server, &format!("POST {PODS}"), JSON, noted.to_string(), 422, says).await;
    for name in ["%00", "a%00b", "a%2Fb", "%2E%2E", "%", "%F", "%FF"] {
        check(server, &format!("GET {PODS}/{name}"), JSON, "", 400, "invalid path segment").await;
    }
    let mut named = pod("a\0b");
    check(server, &format!("POST {PODS}"), JSON, named.to_string(), 422, "Invalid value").await;
    named["metadata"]["name"] = "a/b".into();
    check(server, &format!("POST {PODS}"), JSON, named.to_string(), 422, "Invalid value").await;
    named["metadata"]["name"] = "a".repeat(MIB).into();
    check(server, &format!("POST {PODS}"), JSON, named.to_string(), 422, "253").await;
}

#[tokio::test]
async fn long_selectors() {
    let server = &server().await;
    for index in 0..200 {
        let mut labelled = pod(&format!("p{index}"));
        labelled["metadata"]["labels"] = json!({ "k": "v" });
        check(server, &format!("POST {PODS}"), JSON, labelled.to_string(), 201, "").await;
    }
    // As long as a path may be (64 KiB).
    let values: Vec<String> = (0..9000).map(|index| format!("v{index}")).collect();
    for selector in [
        vec!["a!=b"; 12_000].join(","),
        vec!["k=v"; 12_000].join(","),
        format!("k%20in%20(v,{})", values.join(",")),
        format!("k%20notin%20({})", values.join(",")),
    ] {
        let list = format!("GET {PODS}?labelSelector={selector}");
        let listed = check(server, &list, JSON, "", 200, "").await;
        assert_eq!(listed["items"].as_array().unwrap().len(), 200);
    }
    let fields = vec!["metadata.name!=x"; 3500].join(",");
    let listed =
        check(server, &format!("GET {PODS}?fieldSelector={fields}"), JSON, "", 200, "").await;
    assert_eq!(listed["items"].as_array().unwrap().len(), 200);
    let open = "(".repeat(60_000);
    let list = format!("GET {PODS}?labelSelector={open}");
    check(server, &list, JSON, "", 400, "").await;
    let list = format!("GET {PODS}?continue={}", "A".repeat(60_000));
    check(server, &list, JSON, "", 400, "continue key is not valid").await;
}
