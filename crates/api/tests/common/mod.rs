//! A server over the memory store, and requests to it.
// Each test binary uses its part; a test may unwrap.
#![allow(dead_code, clippy::unwrap_used)]

use std::net::SocketAddr;
use std::sync::Arc;

use api::store::Memory;
use api::{ApiServer, Body, Config};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use serde_json::{Value, json};
use tower::Service as _;

/// A bootstrapped server with these service ranges.
pub(crate) async fn server_with(cidrs: &[&str]) -> ApiServer {
    let cidrs = cidrs.iter().map(|cidr| cidr.parse().unwrap()).collect();
    let config = Config::new(cidrs, SocketAddr::from(([192, 0, 2, 1], 6443)));
    let server = ApiServer::new(Arc::new(Memory::new()), config).unwrap();
    server.bootstrap().await.unwrap();
    server
}

/// A bootstrapped server with the default service range.
pub(crate) async fn server() -> ApiServer {
    server_with(&["10.96.0.0/12"]).await
}

/// Sends a request.
pub(crate) async fn send(server: &ApiServer, request: Request<Full<Bytes>>) -> Response<Body> {
    let mut server = server.clone();
    server.call(request).await.unwrap()
}

/// What came back, whole.
pub(crate) struct Answer {
    pub(crate) code: u16,
    pub(crate) warnings: Vec<String>,
    pub(crate) body: Value,
}

/// Sends `METHOD path`, with further headers as `Name: value`, and reads the answer.
pub(crate) async fn call(
    server: &ApiServer,
    head: &str,
    headers: &[&str],
    body: impl Into<Bytes>,
) -> Answer {
    let (method, path) = head.split_once(' ').unwrap();
    let mut request = Request::builder().method(method).uri(path);
    for header in headers {
        let (name, value) = header.split_once(": ").unwrap();
        request = request.header(name, value);
    }
    let response = send(server, request.body(Full::new(body.into())).unwrap()).await;
    let warnings = response
        .headers()
        .get_all("warning")
        .iter()
        .map(|value| value.to_str().unwrap().to_owned())
        .collect();
    let code = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    Answer { code, warnings, body }
}

/// Whether `part` is in `whole`: objects by their fields, everything else equal.
pub(crate) fn contains(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => part
            .iter()
            .all(|(field, part)| contains(whole.get(field).unwrap_or(&Value::Null), part)),
        (Value::Array(whole), Value::Array(part)) => {
            whole.len() == part.len()
                && whole.iter().zip(part).all(|(whole, part)| contains(whole, part))
        }
        (whole, part) => whole == part,
    }
}

/// Sends `head` with `body` and compares code and a part of the answer; returns the whole answer.
#[track_caller]
pub(crate) fn check_answer(head: &str, answer: Answer, code: u16, part: &Value) -> Value {
    let Answer { code: actual, body, warnings: _ } = answer;
    assert!(
        actual == code && contains(&body, part),
        "{head}: {actual} {body:#}\nexpected {code} {part:#}"
    );
    body
}

pub(crate) async fn check(
    server: &ApiServer,
    head: &str,
    body: Value,
    code: u16,
    part: Value,
) -> Value {
    let headers: &[&str] = match head.split(' ').next() {
        Some("PATCH") => &["Content-Type: application/merge-patch+json"],
        _ => &["Content-Type: application/json"],
    };
    let bytes = if body.is_null() { Vec::new() } else { serde_json::to_vec(&body).unwrap() };
    check_answer(head, call(server, head, headers, bytes).await, code, &part)
}

pub(crate) const SERVICES: &str = "/api/v1/namespaces/default/services";
pub(crate) const PODS: &str = "/api/v1/namespaces/default/pods";
pub(crate) const SETS: &str = "/apis/apps/v1/namespaces/default/statefulsets";

pub(crate) fn message(text: &str) -> Value {
    json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "message": text })
}

pub(crate) fn pod(name: &str) -> Value {
    json!({ "metadata": { "name": name }, "spec": { "containers": [{ "name": "c", "image": "i" }] } })
}

pub(crate) fn set(name: &str) -> Value {
    json!({
        "metadata": { "name": name },
        "spec": {
            "serviceName": name,
            "selector": { "matchLabels": { "app": name } },
            "template": {
                "metadata": { "labels": { "app": name } },
                "spec": { "containers": [{ "name": "c", "image": "i" }] },
            },
        },
    })
}

pub(crate) fn service(name: &str) -> Value {
    json!({ "metadata": { "name": name }, "spec": { "ports": [{ "port": 80 }] } })
}
