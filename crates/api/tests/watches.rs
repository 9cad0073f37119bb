//! Watches, line by line.

#![allow(clippy::unwrap_used)]

mod common;

use std::net::SocketAddr;
use std::sync::Arc;

use api::store::{Limits, Memory};
use api::{ApiServer, Body, Config};
use common::{PODS, call, check, pod, send, server};
use http::Request;
use http_body_util::{BodyExt as _, Full};
use serde_json::{Value, json};

/// An open watch.
struct Watching {
    body: Body,
    lines: Vec<Value>,
}

impl Watching {
    async fn open(server: &ApiServer, path: &str, accept: &str) -> Self {
        let request = Request::get(path).header("accept", accept).body(Full::default()).unwrap();
        let response = send(server, request).await;
        assert_eq!(response.status(), 200, "{path}");
        Self { body: response.into_body(), lines: Vec::new() }
    }

    /// The next event; none when the watch has ended.
    async fn next(&mut self) -> Option<Value> {
        while self.lines.is_empty() {
            let data = self.body.frame().await?.unwrap().into_data().unwrap();
            let lines = data.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
            self.lines = lines.map(|line| serde_json::from_slice(line).unwrap()).collect();
        }
        Some(self.lines.remove(0))
    }

    /// The next events as `TYPE name`.
    async fn names(&mut self, count: usize) -> Vec<String> {
        let mut names = Vec::new();
        for _ in 0..count {
            let event = self.next().await.unwrap();
            let object = &event["object"];
            let name = object["metadata"]["name"].as_str();
            let text = name.or(object["reason"].as_str()).unwrap_or("");
            names.push(format!("{} {text}", event["type"].as_str().unwrap()).trim_end().to_owned());
        }
        names
    }
}

const JSON: &str = "application/json";

#[tokio::test]
async fn what_is_there_comes_first() {
    let server = &server().await;
    for name in ["a", "b"] {
        check(server, &format!("POST {PODS}"), pod(name), 201, json!({})).await;
    }
    for version in ["", "&resourceVersion=0"] {
        let mut watch = Watching::open(server, &format!("{PODS}?watch=true{version}"), JSON).await;
        assert_eq!(watch.names(2).await, ["ADDED a", "ADDED b"]);
        check(server, &format!("POST {PODS}"), pod("c"), 201, json!({})).await;
        check(server, &format!("DELETE {PODS}/c"), Value::Null, 200, json!({})).await;
        assert_eq!(watch.names(2).await, ["ADDED c", "DELETED c"]);
    }
    let query = "watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
    let mut watch = Watching::open(server, &format!("{PODS}?{query}"), JSON).await;
    assert_eq!(watch.names(2).await, ["ADDED a", "ADDED b"]);
    let bookmark = watch.next().await.unwrap();
    assert_eq!(bookmark["type"], "BOOKMARK");
    assert_eq!(bookmark["object"]["kind"], "Pod");
    assert_eq!(bookmark["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"], "true");
    assert!(bookmark["object"]["metadata"]["resourceVersion"].is_string());
}

#[tokio::test]
async fn one_place_and_one_name() {
    let server = &server().await;
    check(
        server,
        "POST /api/v1/namespaces",
        json!({ "metadata": { "name": "prod" } }),
        201,
        json!({}),
    )
    .await;
    let prod = "/api/v1/namespaces/prod/pods";
    let mut everywhere = Watching::open(server, "/api/v1/pods?watch=1", JSON).await;
    let mut in_prod = Watching::open(server, &format!("{prod}?watch=1"), JSON).await;
    let mut named =
        Watching::open(server, &format!("{PODS}?watch=1&fieldSelector=metadata.name%3Db"), JSON)
            .await;
    let mut old_form = Watching::open(server, &format!("{PODS}/b?watch=true"), JSON).await;
    for (place, name) in [(PODS, "a"), (prod, "b"), (PODS, "b")] {
        check(server, &format!("POST {place}"), pod(name), 201, json!({})).await;
    }
    assert_eq!(everywhere.names(3).await, ["ADDED a", "ADDED b", "ADDED b"]);
    assert_eq!(in_prod.names(1).await, ["ADDED b"]);
    for watch in [&mut named, &mut old_form] {
        let event = watch.next().await.unwrap();
        assert_eq!(event["object"]["metadata"]["namespace"], "default");
    }
}

#[tokio::test]
async fn a_watch_ends_with_a_bookmark() {
    let server = &server().await;
    check(server, &format!("POST {PODS}"), pod("a"), 201, json!({})).await;
    let query = "watch=true&resourceVersion=1&timeoutSeconds=1";
    let mut plain = Watching::open(server, &format!("{PODS}?{query}"), JSON).await;
    let mut marked =
        Watching::open(server, &format!("{PODS}?{query}&allowWatchBookmarks=true"), JSON).await;
    assert_eq!(plain.names(1).await, ["ADDED a"]);
    assert_eq!(marked.names(1).await, ["ADDED a"]);
    assert_eq!(plain.next().await, None);
    assert_eq!(marked.names(1).await, ["BOOKMARK"]);
    assert_eq!(marked.next().await, None);
}

#[tokio::test]
async fn outside_the_history() {
    let limits = Limits { events: 4, age: std::time::Duration::ZERO, ..Limits::default() };
    let config = Config::new(
        vec!["10.96.0.0/12".parse().unwrap()],
        SocketAddr::from(([192, 0, 2, 1], 6443)),
    );
    let server = &ApiServer::new(Arc::new(Memory::with_limits(limits)), config).unwrap();
    server.bootstrap().await.unwrap();
    let first = check(server, &format!("GET {PODS}?limit=1"), Value::Null, 200, json!({})).await;
    for index in 0..20 {
        check(server, &format!("POST {PODS}"), pod(&format!("p{index:02}")), 201, json!({})).await;
    }
    let version = first["metadata"]["resourceVersion"].as_str().unwrap();
    for version in [version, "1", "9999"] {
        let mut watch =
            Watching::open(server, &format!("{PODS}?watch=true&resourceVersion={version}"), JSON)
                .await;
        let event = watch.next().await.unwrap();
        assert_eq!(event["type"], "ERROR");
        assert_eq!(event["object"]["code"], 410);
        assert_eq!(event["object"]["reason"], "Expired");
        assert_eq!(watch.next().await, None);
    }
    let text = "The resourceVersion for the provided list is too old.";
    let head = format!("GET {PODS}?resourceVersion={version}&resourceVersionMatch=Exact");
    check(server, &head, Value::Null, 410, json!({ "reason": "Expired", "message": text })).await;
    // A page whose list is forgotten: 410, with a token that goes on from the present.
    let page = check(server, &format!("GET {PODS}?limit=2"), Value::Null, 200, json!({})).await;
    for index in 0..20 {
        check(server, &format!("DELETE {PODS}/p{index:02}"), Value::Null, 200, json!({})).await;
        check(server, &format!("POST {PODS}"), pod(&format!("q{index:02}")), 201, json!({})).await;
    }
    let token = page["metadata"]["continue"].as_str().unwrap();
    let head = format!("GET {PODS}?limit=2&continue={token}");
    let expired = check(server, &head, Value::Null, 410, json!({ "reason": "Expired" })).await;
    let token = expired["metadata"]["continue"].as_str().unwrap();
    let rest =
        json!({ "items": [{ "metadata": { "name": "q00" } }, { "metadata": { "name": "q01" } }] });
    check(server, &format!("GET {PODS}?limit=2&continue={token}"), Value::Null, 200, rest).await;
}

#[tokio::test]
async fn tables_and_metadata() {
    let server = &server().await;
    let table = "application/json;as=Table;v=v1;g=meta.k8s.io";
    let mut tables = Watching::open(server, &format!("{PODS}?watch=true"), table).await;
    let partial = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io";
    let mut metadata = Watching::open(server, &format!("{PODS}?watch=true"), partial).await;
    for name in ["a", "b"] {
        check(server, &format!("POST {PODS}"), pod(name), 201, json!({})).await;
    }
    let first = tables.next().await.unwrap();
    assert_eq!(first["object"]["kind"], "Table");
    assert_eq!(first["object"]["rows"][0]["cells"][0], "a");
    assert!(first["object"]["columnDefinitions"].is_array());
    let second = tables.next().await.unwrap();
    assert_eq!(second["object"]["rows"][0]["cells"][0], "b");
    assert_eq!(second["object"]["columnDefinitions"], Value::Null, "columns are named once");
    let event = metadata.next().await.unwrap();
    assert_eq!(event["object"]["kind"], "PartialObjectMetadata");
    assert_eq!(event["object"]["spec"], Value::Null);
}

#[tokio::test]
async fn events_expire_after_an_hour() {
    use jiff::{SignedDuration, Timestamp};
    use std::sync::Mutex;

    let now = Arc::new(Mutex::new(Timestamp::from_second(1_700_000_000).unwrap()));
    let mut config = Config::new(
        vec!["10.96.0.0/12".parse().unwrap()],
        SocketAddr::from(([192, 0, 2, 1], 6443)),
    );
    let clock = now.clone();
    config.clock = Arc::new(move || *clock.lock().unwrap());
    let server = &ApiServer::new(Arc::new(Memory::new()), config).unwrap();
    server.bootstrap().await.unwrap();
    let events = "/api/v1/namespaces/default/events";
    let event = |name: &str| {
        let involved = json!({ "kind": "Pod", "name": "p", "namespace": "default" });
        json!({ "metadata": { "name": name }, "involvedObject": involved, "reason": "R", "type": "Normal",
                "source": { "component": "c" } })
    };
    check(server, &format!("POST {events}"), event("old"), 201, json!({})).await;
    check(server, &format!("POST {events}"), event("seen-again"), 201, json!({})).await;
    for (query, count) in
        [("reason%3DR", 2), ("involvedObject.name%3Dp,source%3Dc", 2), ("type%3DWarning", 0)]
    {
        let list = call(server, &format!("GET {events}?fieldSelector={query}"), &[], "").await.body;
        assert_eq!(list["items"].as_array().unwrap().len(), count, "{query}");
    }
    let later = *now.lock().unwrap() + SignedDuration::from_mins(40);
    *now.lock().unwrap() = later;
    check(server, &format!("POST {events}"), event("young"), 201, json!({})).await;
    let seen = json!({ "lastTimestamp": later.to_string() });
    check(server, &format!("PATCH {events}/seen-again"), seen, 200, json!({})).await;
    assert_eq!(server.expire_events().await, 0);
    *now.lock().unwrap() = later + SignedDuration::from_mins(21);
    assert_eq!(server.expire_events().await, 1);
    let left = json!({ "items": [{ "metadata": { "name": "seen-again" } }, { "metadata": { "name": "young" } }] });
    check(server, &format!("GET {events}"), Value::Null, 200, left).await;
}
