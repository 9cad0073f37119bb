//! Endpoints, and the slices that mirror those without selector.

use reconcile::Propagation;
use serde_json::{Value, json};

use crate::model::{Model, reference};
use crate::slices::told;
use crate::stateful_sets::{headless, redis};

fn subsets(model: &Model, name: &str) -> Value {
    let mut subsets = model.value("Endpoints", name)["subsets"].clone();
    for subset in subsets.as_array_mut().into_iter().flatten() {
        for list in ["addresses", "notReadyAddresses"] {
            for address in subset[list].as_array_mut().into_iter().flatten() {
                *address =
                    json!(address["hostname"].as_str().or(address["targetRef"]["name"].as_str()));
            }
        }
        subset.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    }
    subsets
}

#[test]
fn endpoints_follow_the_pods() {
    let mut model = Model::new();
    model.apply(headless());
    model.apply(redis(json!({})));
    model.settle();
    let ports = json!([{"name": "redis", "port": 6379, "protocol": "TCP"}]);
    assert_eq!(
        subsets(&model, "redis-headless"),
        json!([{"addresses": ["redis-0", "redis-1", "redis-2"], "ports": ports}])
    );
    assert_eq!(
        model.value("Endpoints", "redis-headless")["metadata"]["labels"],
        json!({"endpoints.kubernetes.io/managed-by": "endpoint-controller", "service.kubernetes.io/headless": ""})
    );
    model.set_ready("redis-1", false);
    model.settle();
    assert_eq!(
        subsets(&model, "redis-headless"),
        json!([{"addresses": ["redis-0", "redis-2"], "notReadyAddresses": ["redis-1"], "ports": ports}])
    );
    model.delete(&reference("Service", "redis-headless"), Propagation::Background);
    model.settle();
    assert_eq!((model.names("Endpoints").len(), model.slices().len()), (0, 0));
}

#[test]
fn more_than_a_thousand_are_cut_ready_ones_last() {
    let mut model = Model::new();
    model.apply(headless());
    for number in 0..1010 {
        model.apply(json!({"kind": "Pod", "metadata": {
            "name": format!("p-{number}"),
            "labels": {"app": "redis"},
            "annotations": {"headcount.dev/ready": if number < 600 { "true" } else { "false" }},
        }, "spec": {"containers": [{"name": "c"}]}}));
    }
    model.settle();
    let endpoints = model.value("Endpoints", "redis-headless");
    let count = |list: &str| endpoints["subsets"][0][list].as_array().unwrap().len();
    assert_eq!((count("addresses"), count("notReadyAddresses")), (600, 400));
    assert_eq!(
        endpoints["metadata"]["annotations"]["endpoints.kubernetes.io/over-capacity"],
        "truncated"
    );
}

fn external(change: impl FnOnce(&mut Value)) -> Value {
    let mut endpoints = json!({
        "kind": "Endpoints",
        "metadata": {"name": "external-api", "labels": {"owner": "me"}},
        "subsets": [
            {"addresses": [{"ip": "192.0.2.1"}, {"ip": "2001:db8::1", "hostname": "six"}],
             "notReadyAddresses": [{"ip": "192.0.2.2"}],
             "ports": [{"name": "https", "port": 443, "protocol": "TCP"}]},
        ],
    });
    change(&mut endpoints);
    endpoints
}

fn bare_service() -> Value {
    json!({"kind": "Service", "metadata": {"name": "external-api"},
           "spec": {"clusterIP": "10.96.0.9", "ipFamilies": ["IPv4"], "ports": [{"port": 443}]}})
}

#[test]
fn endpoints_without_selector_are_mirrored() {
    let mut model = Model::new();
    // In the order in which they must not be taken for leftovers.
    model.apply(external(|_| {}));
    model.settle();
    assert_eq!(model.names("Endpoints"), ["external-api"], "{:?}", model.log);
    model.apply(bare_service());
    model.settle();
    let mirrored = [
        "IPv4 https:443/TCP: 192.0.2.1 R",
        "IPv4 https:443/TCP: 192.0.2.2 ",
        "IPv6 https:443/TCP: six R",
    ];
    assert_eq!(told(&model, "external-api"), mirrored);
    let labels = model.slices()[0].metadata.labels.clone().unwrap();
    assert_eq!(
        (labels["owner"].as_str(), labels["endpointslice.kubernetes.io/managed-by"].as_str()),
        ("me", "endpointslicemirroring-controller.k8s.io")
    );
    assert_eq!(model.slices()[0].metadata.owner_references.as_ref().unwrap()[0].kind, "Endpoints");

    let target = reference("Endpoints", "external-api");
    model.change(&target, |object| {
        let labels = object.metadata_mut().labels.as_mut().unwrap();
        labels.insert("endpointslice.kubernetes.io/skip-mirror".into(), "true".into());
    });
    model.settle();
    assert_eq!(told(&model, "external-api"), [""; 0]);
    model.change(&target, |object| {
        object.metadata_mut().labels = None;
    });
    model.settle();
    assert_eq!(told(&model, "external-api"), mirrored);
    model.delete(&target, Propagation::Background);
    model.settle();
    assert_eq!(model.slices().len(), 0);
}

#[test]
fn a_selector_ends_the_mirroring() {
    let mut model = Model::new();
    model.apply(bare_service());
    model.apply(external(|_| {}));
    model.settle();
    assert_eq!(model.slices().len(), 2);
    let mut selecting = bare_service();
    selecting["spec"]["selector"] = json!({"app": "none"});
    model.apply(selecting);
    model.settle();
    assert_eq!(told(&model, "external-api"), ["IPv4 : none"]);
}
