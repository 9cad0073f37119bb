//! What a request costs in this process, over the memory store: `cargo bench -p api --bench registry`.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use api::store::Memory;
use api::{ApiServer, Config};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use serde_json::{Value, json};
use tower::Service as _;

const OBJECTS: usize = 10_000;

async fn call(server: &ApiServer, method: &str, path: &str, body: Bytes) -> usize {
    let content = match method {
        "PATCH" => "application/merge-patch+json",
        _ => "application/json",
    };
    let request = Request::builder().method(method).uri(path).header("content-type", content);
    let mut server = server.clone();
    let response = server.call(request.body(Full::new(body)).unwrap()).await.unwrap();
    assert!(response.status().is_success(), "{method} {path}: {}", response.status());
    response.into_body().collect().await.unwrap().to_bytes().len()
}

async fn measure<F: Future>(what: &str, count: usize, mut each: impl FnMut(usize) -> F) {
    let start = Instant::now();
    for index in 0..count {
        each(index).await;
    }
    let seconds = start.elapsed().as_secs_f64();
    let each_us = seconds * 1e6 / count as f64;
    println!("{what:<28} {:>9.0}/s  {each_us:>8.1} us each", count as f64 / seconds);
}

fn service(index: usize) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": { "name": format!("s{index}"), "labels": { "app": "bench" } },
        "spec": { "selector": { "app": format!("s{index}") }, "ports": [{ "name": "http", "port": 80 }] },
    })
}

fn slice(index: usize) -> Value {
    let endpoints: Vec<Value> = (0..100)
        .map(|host| {
            json!({
                "addresses": [format!("10.{}.{}.{host}", index >> 8 & 255, index & 255)],
                "conditions": { "ready": true, "serving": true, "terminating": false },
                "nodeName": "node-1",
                "targetRef": { "kind": "Pod", "namespace": "default", "name": format!("p{host}") },
            })
        })
        .collect();
    json!({
        "metadata": { "name": format!("e{index}"), "labels": { "kubernetes.io/service-name": "s" } },
        "addressType": "IPv4",
        "endpoints": endpoints,
        "ports": [{ "name": "http", "port": 80, "protocol": "TCP" }],
    })
}

fn pod(index: usize) -> Value {
    json!({
        "metadata": { "name": format!("p{index}"), "labels": { "app": format!("a{}", index % 100) } },
        "spec": { "containers": [{ "name": "c", "image": "i", "ports": [{ "containerPort": 80 }] }] },
    })
}

#[tokio::main]
async fn main() {
    let config = Config::new(
        vec!["10.96.0.0/12".parse().unwrap()],
        SocketAddr::from(([192, 0, 2, 1], 6443)),
    );
    let server = &ApiServer::new(Arc::new(Memory::new()), config).unwrap();
    server.bootstrap().await.unwrap();
    // Bodies are made beforehand: what is measured is the server.
    let bodies = |count: usize, make: fn(usize) -> Value| -> Vec<Bytes> {
        (0..count).map(|index| make(index).to_string().into()).collect()
    };
    let made = |bodies: &[Bytes], index: usize| bodies[index].clone();
    let none = Bytes::new;
    let services = "/api/v1/namespaces/default/services";
    let pods = "/api/v1/namespaces/default/pods";
    let slices = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices";

    let (new_services, new_pods) = (bodies(OBJECTS, service), bodies(OBJECTS, pod));
    let new_slices = bodies(1_000, slice);
    measure("create Service", OBJECTS, async |i| {
        call(server, "POST", services, made(&new_services, i)).await
    })
    .await;
    measure("create Pod", OBJECTS, async |i| call(server, "POST", pods, made(&new_pods, i)).await)
        .await;
    measure("create slice of 100", 1_000, async |i| {
        call(server, "POST", slices, made(&new_slices, i)).await
    })
    .await;
    measure("get Service", OBJECTS, async |i| {
        call(server, "GET", &format!("{services}/s{i}"), none()).await
    })
    .await;
    measure("patch Pod label", OBJECTS, async |i| {
        let patch = json!({ "metadata": { "labels": { "x": "y" } } });
        call(server, "PATCH", &format!("{pods}/p{i}"), patch.to_string().into()).await
    })
    .await;
    measure("patch Pod status", OBJECTS, async |i| {
        let patch = json!({ "status": { "phase": "Running", "podIP": "10.244.1.1" } });
        call(server, "PATCH", &format!("{pods}/p{i}/status"), patch.to_string().into()).await
    })
    .await;
    measure("list 10,000 Pods", 20, async |_| call(server, "GET", pods, none()).await).await;
    let labelled = format!("{pods}?labelSelector=app%3Da7");
    measure("list 100 of 10,000 by label", 20, async |_| {
        call(server, "GET", &labelled, none()).await
    })
    .await;
    let noded = format!("{pods}?fieldSelector=spec.nodeName%3Dn");
    measure("list of 10,000 by field", 20, async |_| call(server, "GET", &noded, none()).await)
        .await;
    measure("delete Pod", OBJECTS, async |i| {
        call(server, "DELETE", &format!("{pods}/p{i}"), none()).await
    })
    .await;
}
