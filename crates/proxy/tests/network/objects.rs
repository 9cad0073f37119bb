//! Objects of tests.

use manifest::{Kind, Object};
use proxy::World;
use serde_json::{Value, json};

/// A world of these objects and two nodes.
pub(crate) fn world(objects: impl IntoIterator<Item = Value>) -> World {
    let mut world = World::default();
    for object in [node(1), node(2)].into_iter().chain(objects) {
        apply(&mut world, &object);
    }
    world
}

pub(crate) fn apply(world: &mut World, value: &Value) {
    let text = |field: &str| value[field].as_str().unwrap();
    let kind = Kind::by_type(text("apiVersion"), text("kind")).unwrap();
    let object = Object::from_value(kind.id, value).unwrap();
    world.apply(&object).unwrap();
}

pub(crate) fn node(number: u8) -> Value {
    json!({ "apiVersion": "v1", "kind": "Node", "metadata": { "name": format!("node-{number}") },
        "spec": { "podCIDRs": [format!("10.244.{number}.0/24"), format!("fd00:10:244:{number}::/64")] },
        "status": { "addresses": [{ "type": "InternalIP", "address": format!("172.18.0.{}", number + 1) }] } })
}

/// A Service of the address 10.96.0.N (and fd00:10:96::N), with a TCP and a UDP port 80 that are the endpoints' port 8080.
pub(crate) fn service(name: &str, number: u8) -> Value {
    json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "name": name, "namespace": "default" },
        "spec": { "clusterIP": format!("10.96.0.{number}"), "clusterIPs": [format!("10.96.0.{number}"), format!("fd00:10:96::{number}")],
            "ports": [{ "name": "tcp", "protocol": "TCP", "port": 80 }, { "name": "udp", "protocol": "UDP", "port": 80 }] } })
}

/// A slice of a Service whose endpoints are ready at these addresses.
pub(crate) fn slice(service: &str, addresses: &[&str]) -> Value {
    let endpoints: Vec<Value> =
        addresses.iter().map(|address| endpoint(address, true, false)).collect();
    slice_of(service, endpoints)
}

pub(crate) fn slice_of(service: &str, endpoints: Vec<Value>) -> Value {
    let v6 =
        endpoints.iter().any(|endpoint| endpoint["addresses"][0].as_str().unwrap().contains(':'));
    let (family, suffix) = if v6 { ("IPv6", "6") } else { ("IPv4", "") };
    json!({ "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": { "name": format!("{service}{suffix}"), "namespace": "default",
            "labels": { "kubernetes.io/service-name": service } },
        "addressType": family, "endpoints": endpoints,
        "ports": [{ "name": "tcp", "protocol": "TCP", "port": 8080 }, { "name": "udp", "protocol": "UDP", "port": 8080 }] })
}

pub(crate) fn endpoint(address: &str, ready: bool, terminating: bool) -> Value {
    let node = address.split('.').nth(2).map(|node| format!("node-{node}"));
    json!({ "addresses": [address], "nodeName": node,
        "conditions": { "ready": ready, "serving": ready || terminating, "terminating": terminating } })
}

/// A policy of the namespace `default`.
pub(crate) fn policy(name: &str, spec: Value) -> Value {
    json!({ "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": { "name": name, "namespace": "default" }, "spec": spec })
}

pub(crate) fn namespace(name: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "Namespace",
        "metadata": { "name": name, "labels": { "kubernetes.io/metadata.name": name } } })
}

/// A pod labelled `app` by its name.
pub(crate) fn running(namespace: &str, name: &str, address: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "Pod",
        "metadata": { "name": name, "namespace": namespace, "labels": { "app": name } },
        "spec": { "containers": [{ "name": "main", "image": "main", "ports": [{ "name": "web", "containerPort": 8080 }] }] },
        "status": { "phase": "Running", "podIPs": [{ "ip": address }] } })
}
