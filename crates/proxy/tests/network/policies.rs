//! NetworkPolicies, as pods find them.

use proxy::World;
use serde_json::{Value, json};

use crate::lab::{self, Lab, Place, pod, tcp, udp};
use crate::objects::{apply, namespace, policy, running, service, slice, world};

/// `db` and `web` of the namespace default and `other` of another; all serve at 8080, `db` at 9090 as well.
fn cluster(lab: &mut Lab) -> World {
    for (name, node, host) in [("db", 1, 2), ("web", 1, 3), ("other", 2, 2)] {
        lab.pod(name, node, host);
        lab.serve(&pod(name), 8080);
    }
    lab.serve(&pod("db"), 9090);
    lab.serve_at(&Place::Node, "172.18.0.2:15001");
    world([
        namespace("default"),
        namespace("elsewhere"),
        running("default", "db", "10.244.1.2"),
        running("default", "web", "10.244.1.3"),
        running("elsewhere", "other", "10.244.2.2"),
        service("db", 1),
        slice("db", &["10.244.1.2"]),
    ])
}

#[test]
fn a_table_of_policies() {
    lab::run("policies::a_table_of_policies", |lab| {
        let world = cluster(lab);
        let check = |lab: &mut Lab, specs: &[Value], expected: &[(&str, &str, bool)]| {
            let mut world = world.clone();
            for (index, spec) in specs.iter().enumerate() {
                apply(&mut world, &policy(&format!("policy-{index}"), spec.clone()));
            }
            lab.apply(&world);
            let connections = expected.iter().map(|(from, to, allowed)| {
                let (from, to) = (from.to_string(), to.to_string());
                let place = if from == "node" { Place::Node } else { pod(&from) };
                let thread = std::thread::spawn({
                    let to = to.clone();
                    move || tcp(&place, &to)
                });
                (from, to, *allowed, thread)
            });
            for (from, to, allowed, thread) in connections.collect::<Vec<_>>() {
                let seen = thread.join().unwrap();
                assert_eq!(
                    seen.by() != "no answer",
                    allowed,
                    "{from} to {to} is {seen:?}: {specs:?}"
                );
            }
        };
        let (db, db_admin, service) = ("10.244.1.2:8080", "10.244.1.2:9090", "10.96.0.1:80");
        let (web, other, outside) = ("10.244.1.3:8080", "10.244.2.2:8080", "198.51.100.7:443");
        check(lab, &[], &[("web", db, true), ("other", service, true), ("web", outside, true)]);
        let of_db = json!({ "matchLabels": { "app": "db" } });
        let nothing_in = json!({ "podSelector": of_db });
        check(
            lab,
            std::slice::from_ref(&nothing_in),
            &[
                ("web", db, false),
                ("web", service, false),
                ("node", db, true),
                ("node", service, true),
                ("db", web, true),
                ("db", db, true),
                ("db", service, true),
                ("web", other, true),
                ("db", outside, true),
            ],
        );
        let from_web = json!({ "podSelector": of_db, "ingress": [
            { "from": [{ "podSelector": { "matchLabels": { "app": "web" } } }], "ports": [{ "port": "web" }] }] });
        check(
            lab,
            &[nothing_in.clone(), from_web],
            &[
                ("web", db, true),
                ("web", service, true),
                ("web", db_admin, false),
                ("other", db, false),
            ],
        );
        let from_elsewhere = json!({ "podSelector": of_db, "ingress": [{ "from": [{ "namespaceSelector":
            { "matchLabels": { "kubernetes.io/metadata.name": "elsewhere" } } }],
            "ports": [{ "port": 9000, "endPort": 9100 }, { "protocol": "UDP" }] }] });
        check(
            lab,
            &[nothing_in, from_elsewhere],
            &[("other", db_admin, true), ("other", db, false), ("web", db_admin, false)],
        );
        assert_eq!(udp(&pod("other"), service).by(), "db");
        assert_eq!(udp(&pod("web"), service).by(), "no answer");
        let all_in = json!({ "podSelector": {}, "ingress": [{}] });
        let nothing_out = json!({ "podSelector": {}, "policyTypes": ["Egress"] });
        check(
            lab,
            &[all_in.clone(), nothing_out.clone()],
            &[
                ("web", db, false),
                ("web", web, true),
                ("other", web, true),
                ("web", outside, false),
                ("node", web, true),
            ],
        );
        let block_out = json!({ "podSelector": {}, "policyTypes": ["Egress"], "egress": [
            { "to": [{ "ipBlock": { "cidr": "198.51.100.0/24", "except": ["198.51.100.128/25"] } }] },
            { "to": [{ "namespaceSelector": {}, "podSelector": { "matchLabels": { "app": "db" } } }] }] });
        check(
            lab,
            &[all_in, nothing_out, block_out],
            &[
                ("web", outside, true),
                ("web", "198.51.100.200:443", false),
                ("web", service, true),
                ("web", other, false),
            ],
        );
        // Without policies all is as it was.
        check(lab, &[], &[("web", other, true), ("web", "198.51.100.200:443", true)]);
    });
}
