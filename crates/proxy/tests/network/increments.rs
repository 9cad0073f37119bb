//! A change of the rules leads where making them anew leads.

use std::process::Command;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use crate::lab;
use crate::objects::{endpoint, namespace, policy, running, service, slice_of, world};

/// What may stand in each place of a cluster; nothing is always among it.
fn places() -> Vec<Vec<Value>> {
    let mut sticky = service("web", 1);
    sticky["spec"]["sessionAffinity"] = json!("ClientIP");
    let mut balanced = service("web", 1);
    balanced["spec"]["type"] = json!("LoadBalancer");
    balanced["spec"]["ports"][0]["nodePort"] = json!(30080);
    balanced["spec"]["externalTrafficPolicy"] = json!("Local");
    balanced["spec"]["loadBalancerSourceRanges"] = json!(["10.244.2.0/24"]);
    balanced["status"] = json!({ "loadBalancer": { "ingress": [{ "ip": "172.18.255.1" }] } });
    let mut local = service("web", 2);
    local["spec"]["internalTrafficPolicy"] = json!("Local");
    let (a, b) = ("10.244.1.2", "10.244.2.2");
    let endpoints = |endpoints: &[Value]| slice_of("web", endpoints.to_vec());
    let of_app = |app: &str| json!({ "matchLabels": { "app": app } });
    vec![
        vec![service("web", 1), sticky, balanced, local],
        vec![
            endpoints(&[endpoint(a, true, false)]),
            endpoints(&[endpoint(a, true, false), endpoint(b, true, false)]),
            endpoints(&[endpoint(a, false, true), endpoint(b, false, false)]),
            endpoints(&[endpoint(a, true, false), endpoint("203.0.113.10", true, false)]),
        ],
        vec![slice_of("web", vec![endpoint("fd00:10:244:1::2", true, false)])],
        vec![running("default", "db", a), running("default", "db", "10.244.1.7")],
        vec![running("default", "web", b)],
        vec![running("elsewhere", "other", "10.244.2.3")],
        vec![namespace("default")],
        vec![namespace("elsewhere")],
        vec![
            policy("one", json!({ "podSelector": {} })),
            policy(
                "one",
                json!({ "podSelector": of_app("db"), "ingress": [
                { "from": [{ "podSelector": of_app("web") }], "ports": [{ "port": "web" }, { "port": 1, "endPort": 9 }] }] }),
            ),
            policy(
                "one",
                json!({ "podSelector": of_app("web"), "egress": [
                { "to": [{ "ipBlock": { "cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"] } }] },
                { "to": [{ "namespaceSelector": {} }], "ports": [{ "port": "web" }] }] }),
            ),
        ],
        vec![policy(
            "two",
            json!({ "podSelector": {}, "policyTypes": ["Ingress", "Egress"], "ingress": [{}], "egress": [
            { "ports": [{ "protocol": "UDP", "port": 53 }] }] }),
        )],
    ]
}

/// The rules in force, without what depends on how they came to be: numbers, and the order of what has none.
fn in_force() -> Value {
    let output = Command::new("nft").args(["--json", "list", "ruleset"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut value: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut objects: Vec<Value> = std::mem::take(value["nftables"].as_array_mut().unwrap());
    for object in &mut objects {
        for part in object.as_object_mut().unwrap().values_mut() {
            part.as_object_mut().unwrap().remove("handle");
            if let Some(elements) = part.get_mut("elem").and_then(Value::as_array_mut) {
                elements.sort_by_key(Value::to_string);
            }
        }
    }
    // Rules stay in order within their chain: the sort is stable and knows no more of them.
    objects.sort_by_key(|object| match object.get("rule") {
        Some(rule) => format!("rule {} {}", rule["family"], rule["chain"]),
        None => object.to_string(),
    });
    Value::Array(objects)
}

#[test]
fn changes_lead_where_a_new_start_leads() {
    lab::run("increments::changes_lead_where_a_new_start_leads", |lab| {
        let places = places();
        let steps = prop::collection::vec((0..places.len(), 0..5_usize), 1..12);
        let mut runner =
            TestRunner::new(Config { cases: 24, failure_persistence: None, ..Config::default() });
        let lab = std::cell::RefCell::new(lab);
        let result = runner.run(&steps, |steps| {
            let mut lab = lab.borrow_mut();
            let mut chosen = vec![None; places.len()];
            for (place, choice) in steps {
                chosen[place] = places[place].get(choice);
                lab.apply(&world(chosen.iter().flatten().map(|value| (*value).clone())));
            }
            let changed = in_force();
            lab.apply_whole(&world(chosen.iter().flatten().map(|value| (*value).clone())));
            prop_assert_eq!(changed, in_force());
            Ok(())
        });
        result.unwrap();
    });
}
