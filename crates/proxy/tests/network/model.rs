//! Policies of all kinds against a second reading of them, straight from their text.

use std::net::IpAddr;
use std::thread;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use crate::lab::{self, Place, net, pod, tcp_within};
use crate::objects::{namespace, policy, running, world};

/// Namespace, name and address of each pod. A pod's label `app` is its name.
const PODS: [(&str, &str, &str); 4] = [
    ("default", "db", "10.244.1.2"),
    ("default", "web", "10.244.1.3"),
    ("elsewhere", "db2", "10.244.2.2"),
    ("elsewhere", "web2", "10.244.2.3"),
];

/// The port 8080 of each is called `web`.
const PORTS: [u16; 2] = [8080, 9090];

/// Selectors of pods.
fn pods() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!({})),
        prop::sample::select(vec!["db", "web", "db2"]).prop_map(|app| json!({ "matchLabels": { "app": app } })),
        prop::sample::select(vec!["In", "NotIn"]).prop_map(|operator| {
            json!({ "matchExpressions": [{ "key": "app", "operator": operator, "values": ["web", "web2"] }] })
        }),
    ]
}

fn peer() -> impl Strategy<Value = Value> {
    let namespaces = prop_oneof![
        Just(json!({})),
        Just(json!({ "matchLabels": { "kubernetes.io/metadata.name": "elsewhere" } })),
    ];
    prop_oneof![
        pods().prop_map(|pods| json!({ "podSelector": pods })),
        namespaces.clone().prop_map(|namespaces| json!({ "namespaceSelector": namespaces })),
        (namespaces, pods()).prop_map(|(namespaces, pods)| {
            json!({ "namespaceSelector": namespaces, "podSelector": pods })
        }),
        Just(json!({ "ipBlock": { "cidr": "10.244.0.0/16", "except": ["10.244.1.3/32"] } })),
        Just(json!({ "ipBlock": { "cidr": "0.0.0.0/0", "except": ["10.244.2.0/24"] } })),
    ]
}

fn port() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![
        json!({ "port": 8080 }),
        json!({ "port": "web" }),
        json!({ "port": "nobody" }),
        json!({ "protocol": "TCP" }),
        json!({ "protocol": "UDP", "port": 8080 }),
        json!({ "port": 9000, "endPort": 9100 }),
    ])
}

/// Rules whose peers have this name: `from` or `to`.
fn rules(peers: &'static str) -> impl Strategy<Value = Value> {
    let rule = (prop::collection::vec(peer(), 0..3), prop::collection::vec(port(), 0..3));
    let rule = rule.prop_map(move |(of, ports)| json!({ peers: of, "ports": ports }));
    prop::collection::vec(rule, 0..3).prop_map(Value::from)
}

fn spec() -> impl Strategy<Value = Value> {
    let types = prop::sample::select(vec![
        json!(null),
        json!(["Ingress"]),
        json!(["Egress"]),
        json!(["Ingress", "Egress"]),
    ]);
    (pods(), types, prop::option::of(rules("from")), prop::option::of(rules("to"))).prop_map(
        |(pods, types, ingress, egress)| {
            json!({ "podSelector": pods, "policyTypes": types, "ingress": ingress, "egress": egress })
        },
    )
}

type Pod = (&'static str, &'static str, &'static str);

fn selects(selector: &Value, name: &str) -> bool {
    let label = selector.pointer("/matchLabels/app").is_none_or(|wanted| wanted == name);
    let expression = selector.pointer("/matchExpressions/0").is_none_or(|expression| {
        let listed = expression["values"].as_array().unwrap().iter().any(|value| value == name);
        listed == (expression["operator"] == "In")
    });
    label && expression
}

fn is_peer(peer: &Value, own: &str, (namespace, name, address): Pod) -> bool {
    if let Some(block) = peer.get("ipBlock") {
        let address: IpAddr = address.parse().unwrap();
        let holds = |range: &Value| net(range.as_str().unwrap()).contains(&address);
        return holds(&block["cidr"]) && !block["except"].as_array().unwrap().iter().any(holds);
    }
    let in_namespace = match peer.get("namespaceSelector") {
        None => namespace == own,
        Some(selector) => {
            let wanted = selector.pointer("/matchLabels/kubernetes.io~1metadata.name");
            wanted.is_none_or(|wanted| wanted == namespace)
        }
    };
    in_namespace && peer.get("podSelector").is_none_or(|selector| selects(selector, name))
}

/// Whether a port of TCP is meant.
fn is_port(listed: &Value, port: u16) -> bool {
    if listed.get("protocol").is_some_and(|protocol| protocol == "UDP") {
        return false;
    }
    match (&listed["port"], &listed["endPort"]) {
        (Value::Null, _) => true,
        (Value::String(name), _) => name == "web" && port == 8080,
        (first, Value::Null) => first == port,
        (first, last) => (first.as_u64()..=last.as_u64()).contains(&Some(port.into())),
    }
}

/// Whether the policies of one direction let a pod speak with, or be spoken to by, another.
fn passes(
    policies: &[Value],
    [direction, rules, peers]: [&str; 3],
    of: Pod,
    with: Pod,
    port: u16,
) -> bool {
    let isolating = policies.iter().filter(|spec| {
        let of_direction = match spec["policyTypes"].as_array() {
            Some(types) => types.iter().any(|kind| kind == direction),
            None => direction == "Ingress" || !spec["egress"].is_null(),
        };
        // All policies are in the namespace default.
        of_direction && of.0 == "default" && selects(&spec["podSelector"], of.1)
    });
    let mut isolating = isolating.peekable();
    if isolating.peek().is_none() {
        return true;
    }
    let mut allowed = isolating.flat_map(|spec| spec[rules].as_array().into_iter().flatten());
    allowed.any(|rule| {
        let any = |field: &str, holds: &dyn Fn(&Value) -> bool| {
            let listed = rule[field].as_array().unwrap();
            listed.is_empty() || listed.iter().any(holds)
        };
        any(peers, &|peer| is_peer(peer, "default", with))
            && any("ports", &|listed| is_port(listed, port))
    })
}

#[test]
fn policies_are_judged_as_they_read() {
    lab::run("model::policies_are_judged_as_they_read", |lab| {
        for ((_, name, _), (node, host)) in PODS.into_iter().zip([(1, 2), (1, 3), (2, 2), (2, 3)]) {
            lab.pod(name, node, host);
            for port in PORTS {
                lab.serve(&pod(name), port);
            }
        }
        let lab = std::cell::RefCell::new(lab);
        let mut runner =
            TestRunner::new(Config { cases: 16, failure_persistence: None, ..Config::default() });
        let result = runner.run(&prop::collection::vec(spec(), 1..4), |policies| {
            let of_cluster =
                PODS.map(|(namespace, name, address)| running(namespace, name, address));
            let namespaces = [namespace("default"), namespace("elsewhere")];
            let written = policies
                .iter()
                .enumerate()
                .map(|(index, spec)| policy(&format!("p{index}"), spec.clone()));
            lab.borrow_mut().apply(&world(of_cluster.into_iter().chain(namespaces).chain(written)));
            let mut asked = Vec::new();
            for (from, to) in PODS.into_iter().flat_map(|from| PODS.map(|to| (from, to))) {
                for port in PORTS {
                    let expected = from == to
                        || passes(&policies, ["Egress", "egress", "to"], from, to, port)
                            && passes(&policies, ["Ingress", "ingress", "from"], to, from, port);
                    let answers = move || {
                        let ask = |patience| {
                            let to = format!("{}:{port}", to.2);
                            tcp_within(
                                &Place::Pod(from.1.to_owned()),
                                &to,
                                Duration::from_millis(patience),
                            )
                        };
                        // Who waits in vain on a busy machine waits once more.
                        let seen = ask(200).by() == to.1;
                        if seen == expected { seen } else { ask(3000).by() == to.1 }
                    };
                    asked.push((from, to, port, expected, thread::spawn(answers)));
                }
            }
            for (from, to, port, expected, answers) in asked {
                let seen = answers.join().unwrap();
                prop_assert_eq!(seen, expected, "{:?} to {:?} at {}", from, to, port);
            }
            Ok(())
        });
        result.unwrap();
    });
}
