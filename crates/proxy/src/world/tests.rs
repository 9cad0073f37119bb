//! Objects come, change and go.

use manifest::{Kind, Object};
use serde_json::{Value, json};

use super::*;

fn object(value: Value) -> Object {
    let text = |field: &str| value[field].as_str().unwrap();
    let kind = Kind::by_type(text("apiVersion"), text("kind")).unwrap();
    Object::from_value(kind.id, &value).unwrap()
}

fn slice(name: &str, service: &str) -> Object {
    object(json!({ "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": { "name": name, "namespace": "default", "labels": { "kubernetes.io/service-name": service } },
        "addressType": "IPv4", "endpoints": [{ "addresses": ["10.244.1.2"] }] }))
}

fn service(more: Value) -> Object {
    let mut value = json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "name": "web", "namespace": "default" },
        "spec": { "clusterIP": "10.96.0.1" } });
    for (field, more) in more.as_object().unwrap() {
        value[field].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    }
    object(value)
}

#[test]
fn a_slice_belongs_to_one_service_at_a_time() {
    let mut world = World::default();
    assert_eq!(world.apply(&slice("one", "web")), Ok(true));
    assert_eq!(world.apply(&slice("one", "web")), Ok(false));
    assert_eq!(world.apply(&slice("one", "db")), Ok(true));
    let owners: Vec<&str> = world.slices.keys().map(|(_, name)| name.as_str()).collect();
    assert_eq!(owners, ["db"]);
    assert!(world.remove(&slice("one", "db").reference()));
    assert_eq!(world, World::default());
    assert!(!world.remove(&slice("one", "db").reference()));
}

#[test]
fn services_that_are_not_the_proxys() {
    let check = |more: Value, expected: bool| {
        let mut world = World::default();
        assert_eq!(world.apply(&service(more.clone())), Ok(expected), "{more}");
    };
    check(json!({}), true);
    check(json!({ "spec": { "clusterIP": "None", "clusterIPs": ["None"] } }), false);
    check(json!({ "spec": { "type": "ExternalName", "clusterIP": "" } }), false);
    check(
        json!({ "metadata": { "labels": { "service.kubernetes.io/service-proxy-name": "other" } } }),
        false,
    );
    check(json!({ "metadata": { "labels": { "service.kubernetes.io/headless": "" } } }), false);
}

#[test]
fn pods_that_policies_do_not_select() {
    let check = |spec: Value, status: Value, expected: bool| {
        let mut world = World::default();
        let pod = json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "a", "namespace": "default" },
            "spec": spec, "status": status });
        assert_eq!(world.apply(&object(pod.clone())), Ok(expected), "{pod}");
    };
    let (spec, host) =
        (json!({ "containers": [] }), json!({ "containers": [], "hostNetwork": true }));
    check(spec.clone(), json!({ "phase": "Running", "podIP": "10.244.1.2" }), true);
    check(spec.clone(), json!({ "phase": "Pending" }), false);
    check(spec, json!({ "phase": "Succeeded", "podIP": "10.244.1.2" }), false);
    check(host, json!({ "phase": "Running", "podIP": "172.18.0.2" }), false);
}

#[test]
fn a_policy_that_cannot_be_read_lets_no_more_pass() {
    let policy = |spec: Value| {
        object(json!({ "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": { "name": "one", "namespace": "default" }, "spec": spec }))
    };
    let near = json!({ "matchExpressions": [{ "key": "app", "operator": "Near" }] });
    let told = "spec.podSelector: \"Near\" is not a valid label selector operator; ";
    let nobody_knows = policy(json!({ "podSelector": near }));
    let mut world = World::default();
    let none = format!("{told}the policy isolates no pods");
    assert_eq!(world.apply(&nobody_knows), Err(none));
    assert_eq!(world, World::default());

    let good = json!({ "ports": [{ "port": 80 }] });
    let one_rule = policy(json!({ "podSelector": {}, "ingress": [good.clone()] }));
    assert_eq!(world.apply(&one_rule), Ok(true));
    let before = world.clone();
    let kept = format!("{told}the policy stays as it was before");
    assert_eq!(world.apply(&nobody_knows), Err(kept));
    assert_eq!(world, before);

    // The rule that can be read is all that lets pass.
    let peer = json!({ "from": [{ "podSelector": near }] });
    let wrong = policy(json!({ "podSelector": {}, "ingress": [peer, good] }));
    let told = "spec.ingress[0]: \"Near\" is not a valid label selector operator; this rule lets nothing pass";
    assert_eq!(world.apply(&wrong), Err(told.to_owned()));
    assert_eq!(world, before);
    assert!(world.remove(&wrong.reference()));
}

#[test]
fn ports_of_policies_are_in_order() {
    let check = |port: Value, told: Option<&str>| {
        let policy = object(json!({ "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": { "name": "one", "namespace": "default" },
            "spec": { "podSelector": {}, "ingress": [{ "ports": [port] }] } }));
        let applied = World::default().apply(&policy);
        match told {
            None => assert_eq!(applied, Ok(true), "{port}"),
            Some(told) => assert!(applied.unwrap_err().contains(told), "{port}"),
        }
    };
    check(json!({ "port": 80, "endPort": 80 }), None);
    check(json!({ "port": 1, "endPort": 65535 }), None);
    check(json!({ "port": 90, "endPort": 80 }), Some("ports end at 80, before they begin at 90"));
    check(json!({ "port": 0 }), Some("0 is no port"));
    check(json!({ "port": 1, "endPort": 65536 }), Some("65536 is no port"));
}
