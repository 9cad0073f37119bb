//! Objects in, decisions and conditions out.

mod gateways;
mod ingresses;
mod routes;

use std::sync::Arc;

use http::{HeaderMap, HeaderName, Method};
use manifest::{Kind, Object};
use serde_json::{Value, json};

use super::*;

const GATEWAY: &str = "gateway.networking.k8s.io/v1";

/// Objects as the API serves them: with defaults, and with an age that follows from their place.
fn objects(values: &[Value]) -> Objects {
    let mut objects = Objects::default();
    let classes = [
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "metadata": {
            "name": "headcount", "annotations": {IS_DEFAULT: "true"}}, "spec": {"controller": CONTROLLER}}),
        json!({"apiVersion": GATEWAY, "kind": "GatewayClass", "metadata": {"name": "headcount"},
            "spec": {"controllerName": CONTROLLER}}),
    ];
    for (second, value) in classes.iter().chain(values).enumerate() {
        let text = |field: &str| value[field].as_str().unwrap();
        let kind = Kind::by_type(text("apiVersion"), text("kind")).unwrap();
        let mut value = value.clone();
        manifest::rules::default(kind, &mut value);
        if kind.namespaced && value["metadata"]["namespace"].is_null() {
            value["metadata"]["namespace"] = "default".into();
        }
        value["metadata"]["creationTimestamp"] = format!("2026-01-01T00:00:{second:02}Z").into();
        let object = Object::from_value(kind.id, &value).unwrap();
        assert!(objects.apply(Arc::new(object)), "{value}");
    }
    objects
}

/// A Service and its slice with one endpoint.
fn service(name: &str, namespace: &str, ready: bool) -> [Value; 2] {
    let last = name.bytes().map(u32::from).sum::<u32>() % 200 + 1;
    [
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": namespace},
            "spec": {"clusterIP": format!("10.96.0.{last}"), "selector": {"app": name},
                "ports": [{"name": "web", "port": 80}]}}),
        json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {"name": name, "namespace": namespace, "labels": {"kubernetes.io/service-name": name}},
            "ports": [{"name": "web", "port": 8080}],
            "endpoints": [{"addresses": ["10.244.1.2"], "conditions": {"ready": ready}}]}),
    ]
}

fn services(names: &[&str]) -> Vec<Value> {
    names.iter().flat_map(|name| service(name, "default", true)).collect()
}

fn ingress(name: &str, spec: Value) -> Value {
    json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": name}, "spec": spec})
}

fn to(name: &str) -> Value {
    json!({"service": {"name": name, "port": {"number": 80}}})
}

fn path(kind: &str, path: &str, service: &str) -> Value {
    json!({"path": path, "pathType": kind, "backend": to(service)})
}

fn gateway(name: &str, listeners: Value) -> Value {
    json!({"apiVersion": GATEWAY, "kind": "Gateway", "metadata": {"name": name},
        "spec": {"gatewayClassName": "headcount", "listeners": listeners}})
}

fn route(name: &str, spec: Value) -> Value {
    json!({"apiVersion": GATEWAY, "kind": "HTTPRoute", "metadata": {"name": name}, "spec": spec})
}

fn web(name: &str, hostname: Option<&str>) -> Value {
    json!({"name": name, "port": 80, "protocol": "HTTP", "hostname": hostname})
}

fn place() -> Place {
    let bound = [80, 443, 8080].map(|port| (port, Ok(())));
    Place {
        address: "10.96.0.254".parse().unwrap(),
        ingress_ports: (80, 443),
        bound: bound.into_iter().collect(),
    }
}

/// What becomes of `[METHOD ]host/path[?query]`: the Service, the code and why, or the target of a redirect.
fn decide(plan: &Plan, request: &str, headers: &[(&str, &str)], chance: u64) -> String {
    let (method, url) = request.split_once(' ').unwrap_or(("GET", request));
    let (host, target) = url.split_at(url.find('/').unwrap());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
    }
    let method: Method = method.parse().unwrap();
    let head = RequestHead { host, path, query, method: &method, headers: &map };
    match plan.table.decide(80, &head, chance) {
        Decision::Forward { backend, .. } => {
            backend.name.split([' ', '/']).nth(1).unwrap().to_owned()
        }
        Decision::Redirect { redirect, .. } => {
            redirect.location(Arrived { scheme: "http", host, port: 80 }, path, None)
        }
        Decision::Refuse(code, why) => format!("{code} {}", why.trim_end()),
    }
}

fn check(values: &[Value], expected: &[(&str, &str)]) {
    let plan = plan(&objects(values), &place());
    for (request, wanted) in expected {
        let decided = decide(&plan, request, &[], 0);
        assert!(
            decided == *wanted
                || wanted.ends_with("...") && decided.starts_with(wanted.trim_end_matches("...")),
            "{request}: {decided} instead of {wanted}"
        );
    }
}

/// A route's conditions at each parent: `Accepted Accepted, ResolvedRefs=False BackendNotFound`.
fn said(conditions: &[Said]) -> String {
    let one = |said: &Said| match said.holds {
        true => format!("{} {}", said.kind, said.reason),
        false => format!("{}=False {}", said.kind, said.reason),
    };
    conditions.iter().map(one).collect::<Vec<_>>().join(", ")
}
