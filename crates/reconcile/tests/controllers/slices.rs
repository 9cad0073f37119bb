//! EndpointSlices of Services.

use std::collections::BTreeSet;

use manifest::Object;
use reconcile::{Action, Propagation};
use serde_json::{Value, json};

use crate::model::{Model, reference};

/// `address(hostname) ready serving terminating` of every endpoint, with the slice's family and ports.
pub(crate) fn told(model: &Model, service: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for slice in model.slices() {
        let labels = slice.metadata.labels.as_ref().unwrap();
        if labels["kubernetes.io/service-name"] != service {
            continue;
        }
        let ports: Vec<String> = slice
            .ports
            .iter()
            .flatten()
            .map(|port| {
                let name = port.name.as_deref().unwrap_or_default();
                format!("{name}:{}/{}", port.port.unwrap(), port.protocol.as_deref().unwrap())
            })
            .collect();
        let group = format!("{} {}", slice.address_type, ports.join(","));
        if slice.endpoints.as_ref().is_none_or(Vec::is_empty) {
            lines.push(format!("{group}: none"));
        }
        for endpoint in slice.endpoints.iter().flatten() {
            let conditions = endpoint.conditions.as_ref().unwrap();
            let flag = |name: &'static str, value: Option<bool>| {
                if value == Some(true) { name } else { "" }
            };
            let name = endpoint.hostname.clone().or(endpoint
                .target_ref
                .as_ref()
                .map(|target| format!("({})", target.name.as_deref().unwrap())));
            lines.push(format!(
                "{group}: {} {}{}{}",
                name.unwrap_or_else(|| endpoint.addresses.join(",")),
                flag("R", conditions.ready),
                flag("S", conditions.serving),
                flag("T", conditions.terminating),
            ));
        }
    }
    lines.sort();
    lines
}

fn service(change: Value) -> Value {
    let mut service = json!({
        "kind": "Service",
        "metadata": {"name": "db", "labels": {"team": "a"}},
        "spec": {"clusterIP": "None", "ipFamilies": ["IPv4"], "selector": {"app": "db"},
                 "ports": [{"name": "pg", "port": 5432, "protocol": "TCP", "targetPort": "pg"}]},
    });
    merge(&mut service, change);
    service
}

fn pod(change: Value) -> Value {
    let mut pod = json!({
        "kind": "Pod",
        "metadata": {"name": "p", "namespace": "default", "uid": "u-p", "labels": {"app": "db"}},
        "spec": {"nodeName": "node-1", "containers": [{"name": "c", "image": "i",
                 "ports": [{"name": "pg", "containerPort": 15432, "protocol": "TCP"}]}]},
        "status": {"phase": "Running", "podIP": "10.1.0.1", "podIPs": [{"ip": "10.1.0.1"}],
                   "conditions": [{"type": "Ready", "status": "True"}]},
    });
    merge(&mut pod, change);
    pod
}

pub(crate) fn merge(into: &mut Value, change: Value) {
    match (into, change) {
        (Value::Object(into), Value::Object(change)) => {
            for (key, value) in change {
                if value.is_null() {
                    into.remove(&key);
                } else {
                    merge(into.entry(key).or_insert(Value::Null), value);
                }
            }
        }
        (into, change) => *into = change,
    }
}

/// One Service and one pod as given, and what the slices say.
#[track_caller]
fn check(service_change: Value, pod_change: Value, wanted: &[&str]) {
    let mut model = Model::new();
    model.apply(service(service_change));
    // As it is: no node touches it.
    let pod = crate::model::object(pod(pod_change));
    let target = pod.reference();
    model.objects.insert(target.clone(), pod);
    model.change(&target, |_| {});
    model.settle();
    assert_eq!(told(&model, "db"), wanted);
}

#[test]
fn a_pod_is_an_endpoint() {
    let same = || json!({});
    check(same(), same(), &["IPv4 pg:15432/TCP: (p) RS"]);
    // Readiness, and what publishNotReadyAddresses does to it.
    let unready = || json!({"status": {"conditions": [{"type": "Ready", "status": "False"}]}});
    let published = || json!({"spec": {"publishNotReadyAddresses": true}});
    check(same(), unready(), &["IPv4 pg:15432/TCP: (p) "]);
    check(published(), unready(), &["IPv4 pg:15432/TCP: (p) R"]);
    let going = || json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["x/y"]}});
    check(same(), going(), &["IPv4 pg:15432/TCP: (p) ST"]);
    check(published(), going(), &["IPv4 pg:15432/TCP: (p) RST"]);
    // Pods that are none.
    check(same(), json!({"status": {"phase": "Failed"}}), &["IPv4 : none"]);
    check(same(), json!({"status": {"phase": "Succeeded"}}), &["IPv4 : none"]);
    check(same(), json!({"status": {"podIP": null, "podIPs": null}}), &["IPv4 : none"]);
    check(same(), json!({"metadata": {"labels": {"app": "other"}}}), &["IPv4 : none"]);
    check(same(), json!({"spec": {"nodeName": "no-such-node"}}), &["IPv4 : none"]);
    check(
        published(),
        json!({"spec": {"nodeName": "no-such-node"}}),
        &["IPv4 pg:15432/TCP: (p) RS"],
    );
}

#[test]
fn hostnames_need_the_services_name_as_subdomain() {
    let named = |subdomain: &str| json!({"spec": {"hostname": "h", "subdomain": subdomain}});
    check(json!({}), named("db"), &["IPv4 pg:15432/TCP: h RS"]);
    check(json!({}), named("other"), &["IPv4 pg:15432/TCP: (p) RS"]);
}

#[test]
fn ports_are_resolved_on_the_pod() {
    let port = |port: Value| json!({"spec": {"ports": [port]}});
    check(port(json!({"port": 80, "targetPort": 8080})), json!({}), &["IPv4 :8080/TCP: (p) RS"]);
    check(port(json!({"port": 80})), json!({}), &["IPv4 :80/TCP: (p) RS"]);
    check(
        port(json!({"name": "x", "port": 80, "targetPort": "absent"})),
        json!({}),
        &["IPv4 : (p) RS"],
    );
    check(json!({"spec": {"ports": null}}), json!({}), &["IPv4 : (p) RS"]);
    let sidecar = json!({"spec": {
        "containers": [{"name": "c", "image": "i"}],
        "initContainers": [{"name": "s", "image": "i", "restartPolicy": "Always",
                            "ports": [{"name": "pg", "containerPort": 7}]}],
    }});
    check(json!({}), sidecar, &["IPv4 pg:7/TCP: (p) RS"]);
}

#[test]
fn each_family_has_its_slices() {
    let dual = || json!({"status": {"podIPs": [{"ip": "10.1.0.1"}, {"ip": "FD00:0:0::1"}]}});
    let both = || json!({"spec": {"ipFamilies": ["IPv4", "IPv6"]}});
    check(both(), dual(), &["IPv4 pg:15432/TCP: (p) RS", "IPv6 pg:15432/TCP: (p) RS"]);
    check(both(), json!({}), &["IPv4 pg:15432/TCP: (p) RS", "IPv6 : none"]);
    check(json!({"spec": {"ipFamilies": ["IPv6"]}}), json!({}), &["IPv6 : none"]);
    check(
        json!({"spec": {"ipFamilies": null, "clusterIP": "fd00::1"}}),
        dual(),
        &["IPv6 pg:15432/TCP: (p) RS"],
    );
}

#[test]
fn services_without_selector_have_none_of_ours() {
    check(json!({"spec": {"selector": null}}), json!({}), &[]);
    check(json!({"spec": {"type": "ExternalName", "externalName": "x.example"}}), json!({}), &[]);
}

#[test]
fn a_slice_says_whose_it_is() {
    let mut model = Model::new();
    let reserved = json!({"metadata": {"labels": {"kubernetes.io/service-name": "mine"}}});
    model.apply(service(reserved));
    model.apply(pod(json!({})));
    model.settle();
    let slice = model.slices()[0].clone();
    let service = &model.objects[&reference("Service", "db")];
    let name = slice.metadata.name.clone().unwrap();
    let suffix = name.strip_prefix("db-").unwrap();
    assert!(
        suffix.len() == 5
            && suffix.bytes().all(|byte| b"bcdfghjklmnpqrstvwxz2456789".contains(&byte)),
        "{name}"
    );
    let value = Object::from(slice).to_value();
    assert_eq!(
        value["metadata"]["labels"],
        json!({
            "team": "a",
            "kubernetes.io/service-name": "db",
            "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
            "service.kubernetes.io/headless": "",
        })
    );
    assert_eq!(
        value["metadata"]["ownerReferences"],
        json!([{"apiVersion": "v1", "kind": "Service", "name": "db", "uid": service.metadata().uid,
                "controller": true, "blockOwnerDeletion": true}])
    );
    assert_eq!(
        value["metadata"]["annotations"],
        json!({"endpoints.kubernetes.io/last-change-trigger-time": "2026-01-01T00:00:00Z"})
    );
    let node = value["endpoints"][0]["nodeName"].as_str().unwrap();
    assert_eq!(value["endpoints"][0]["zone"], node.replace("node", "zone"));
}

/// A Service and `count` pods that nothing controls.
fn crowd(count: usize) -> Model {
    let mut model = Model::new();
    model.apply(service(json!({})));
    for number in 0..count {
        add(&mut model, number);
    }
    model.settle();
    model.log.clear();
    model
}

fn add(model: &mut Model, number: usize) {
    model.apply(pod(json!({"metadata": {"name": format!("p-{number:04}")}, "status": null})));
}

fn sizes(model: &Model) -> Vec<usize> {
    let mut sizes: Vec<usize> =
        model.slices().iter().map(|slice| slice.endpoints.as_ref().map_or(0, Vec::len)).collect();
    sizes.sort_unstable();
    sizes
}

/// Which slices were written, and how often.
fn written(model: &Model) -> usize {
    let kinds = model.log.iter().filter(|action| match action {
        Action::Create(object) | Action::Update(object) => object.kind() == "EndpointSlice",
        Action::Delete { target, .. } => target.kind == "EndpointSlice",
        _ => false,
    });
    kinds.count()
}

#[test]
fn a_hundred_endpoints_fill_a_slice() {
    let mut model = crowd(250);
    assert_eq!(sizes(&model), [50, 100, 100]);

    // One that turns not ready changes one slice, in place.
    model.set_ready("p-0120", false);
    model.settle();
    assert_eq!((written(&model), sizes(&model)), (1, vec![50, 100, 100]));

    // A new one goes where there is room.
    model.log.clear();
    add(&mut model, 250);
    model.settle();
    assert_eq!((written(&model), sizes(&model)), (1, vec![51, 100, 100]));

    // One that goes leaves a gap; the next fills a slice that takes it and is then fullest.
    model.log.clear();
    model.delete(&reference("Pod", "p-0000"), Propagation::Background);
    model.settle();
    assert_eq!((written(&model), sizes(&model)), (1, vec![51, 99, 100]));
    model.log.clear();
    add(&mut model, 251);
    model.settle();
    assert_eq!((written(&model), sizes(&model)), (1, vec![51, 100, 100]));
}

#[test]
fn mixed_ports_are_mixed_slices() {
    let mut model = Model::new();
    model.apply(service(json!({})));
    for (name, port) in [("a", 1), ("b", 2), ("c", 1)] {
        let containers =
            json!([{"name": "c", "image": "i", "ports": [{"name": "pg", "containerPort": port}]}]);
        model.apply(pod(json!({"metadata": {"name": name}, "spec": {"containers": containers}})));
    }
    model.settle();
    assert_eq!(
        told(&model, "db"),
        ["IPv4 pg:1/TCP: (a) RS", "IPv4 pg:1/TCP: (c) RS", "IPv4 pg:2/TCP: (b) RS"]
    );
    assert_eq!(model.slices().len(), 2);
}

#[test]
fn the_placeholder_becomes_the_slice_and_back() {
    let mut model = Model::new();
    model.apply(service(json!({})));
    model.settle();
    let placeholder: BTreeSet<String> =
        model.names("EndpointSlice").into_iter().map(str::to_owned).collect();
    assert_eq!(told(&model, "db"), ["IPv4 : none"]);
    model.apply(pod(json!({})));
    model.settle();
    assert_eq!(told(&model, "db"), ["IPv4 pg:15432/TCP: (p) RS"]);
    model.delete(&reference("Pod", "p"), Propagation::Background);
    model.settle();
    assert_eq!(told(&model, "db"), ["IPv4 : none"]);
    assert_eq!(
        model.names("EndpointSlice"),
        placeholder.iter().map(String::as_str).collect::<Vec<_>>()
    );
}

#[test]
fn a_node_that_goes_takes_its_endpoints() {
    let mut model = crowd(1);
    let Object::Pod(pod) = model.objects[&reference("Pod", "p-0000")].clone() else { panic!() };
    let node = manifest::ObjectRef {
        kind: "Node",
        namespace: String::new(),
        name: pod.spec.unwrap().node_name.unwrap(),
    };
    model.delete(&node, Propagation::Background);
    model.settle();
    assert_eq!(told(&model, "db"), ["IPv4 : none"]);
}

#[test]
fn labels_follow_the_service_and_selectors_move_endpoints() {
    let mut model = crowd(2);
    model.apply(service(json!({"metadata": {"labels": {"team": "b"}}})));
    model.settle();
    assert_eq!(model.slices()[0].metadata.labels.as_ref().unwrap()["team"], "b");
    model.apply(service(json!({"spec": {"selector": {"app": "none"}}})));
    model.settle();
    assert_eq!(told(&model, "db"), ["IPv4 : none"]);
}

#[test]
fn long_and_foreign_names_are_cut_between_letters() {
    for name in ["s".repeat(63), "é".repeat(40)] {
        let mut model = Model::new();
        model.apply(service(json!({"metadata": {"name": name}})));
        model.settle();
        let [slice] = model.names("EndpointSlice")[..] else { panic!() };
        assert!(slice.len() <= 63 && slice.starts_with(&name[..2]), "{slice}");
    }
}
