//! Services, as their clients find them.

use std::collections::BTreeSet;
use std::net::UdpSocket;

use serde_json::json;

use crate::lab::{self, Lab, Outcome, Place, ask, pod, tcp, udp, within};
use crate::objects::{endpoint, service, slice, slice_of, world};

/// Two pods that serve, one on each node, and one that asks.
fn pods(lab: &mut Lab) {
    lab.pod("a", 1, 2);
    lab.pod("b", 2, 2);
    lab.pod("client", 1, 9);
    lab.serve(&pod("a"), 8080);
    lab.serve(&pod("b"), 8080);
}

/// Who answers when one asks twenty times.
fn answerers(ask: impl Fn() -> Outcome) -> BTreeSet<String> {
    (0..20).map(|_| ask().by().to_owned()).collect()
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn a_cluster_ip_leads_to_ready_endpoints() {
    lab::run("services::a_cluster_ip_leads_to_ready_endpoints", |lab| {
        pods(lab);
        let check = |lab: &mut Lab, endpoints: Vec<serde_json::Value>, expected: &[&str]| {
            lab.apply(&world([service("web", 1), slice_of("web", endpoints)]));
            for from in [pod("client"), Place::Node] {
                assert_eq!(
                    answerers(|| tcp(&from, "10.96.0.1:80")),
                    names(expected),
                    "TCP of {from:?}"
                );
                assert_eq!(
                    answerers(|| udp(&from, "10.96.0.1:80")),
                    names(expected),
                    "UDP of {from:?}"
                );
            }
        };
        let (a, b) = ("10.244.1.2", "10.244.2.2");
        check(lab, vec![endpoint(a, true, false), endpoint(b, true, false)], &["a", "b"]);
        check(lab, vec![endpoint(a, true, false), endpoint(b, false, false)], &["a"]);
        check(lab, vec![endpoint(a, true, false), endpoint(b, false, true)], &["a"]);
        check(lab, vec![endpoint(a, false, false), endpoint(b, false, true)], &["b"]);
        check(lab, vec![endpoint(a, false, false)], &["refused"]);
        check(lab, vec![], &["refused"]);
    });
}

#[test]
fn pods_are_seen_as_they_are_and_reach_themselves() {
    lab::run("services::pods_are_seen_as_they_are_and_reach_themselves", |lab| {
        pods(lab);
        lab.apply(&world([
            service("web", 1),
            slice("web", &["10.244.1.2"]),
            slice("web", &["fd00:10:244:1::2"]),
        ]));
        let check = |from: &str, to: &str, expected: &str| {
            let expected = Outcome::Answered("a".to_owned(), expected.parse().unwrap());
            assert_eq!(tcp(&pod(from), to), expected, "TCP of {from} to {to}");
            assert_eq!(udp(&pod(from), to), expected, "UDP of {from} to {to}");
        };
        check("client", "10.96.0.1:80", "10.244.1.9");
        check("b", "10.96.0.1:80", "10.244.2.2");
        check("b", "10.244.1.2:8080", "10.244.2.2");
        check("b", "[fd00:10:96::1]:80", "fd00:10:244:2::2");
        check("a", "10.96.0.1:80", "10.244.1.1");
        check("a", "[fd00:10:96::1]:80", "fd00:10:244:1::1");
    });
}

#[test]
fn what_no_service_has() {
    lab::run("services::what_no_service_has", |lab| {
        pods(lab);
        let mut web = service("web", 1);
        web["spec"]["externalIPs"] = json!(["192.0.2.7"]);
        lab.serve_at(&Place::Node, "10.96.0.2:443");
        lab.config.served = vec!["10.96.0.2:443".parse().unwrap()];
        let far = [service("far", 4), slice("far", &["203.0.113.10"])];
        let objects = [web, slice("web", &["10.244.1.2"]), service("kubernetes", 2)];
        lab.apply(&world(objects.into_iter().chain(far)));
        let check = |to: &str, expected: [&str; 2]| {
            let seen = [tcp(&pod("client"), to), udp(&pod("client"), to)];
            assert_eq!(seen.each_ref().map(Outcome::by), expected, "{to}");
        };
        check("10.96.0.1:81", ["refused", "refused"]);
        check("10.96.0.3:80", ["no answer", "no answer"]);
        check("10.96.0.2:80", ["refused", "refused"]);
        assert_eq!(tcp(&pod("client"), "10.96.0.2:443").by(), "node");
        check("192.0.2.7:80", ["a", "a"]);
        // Nobody takes what goes outside here.
        check("192.0.2.7:81", ["refused", "prohibited"]);
        check("198.51.100.1:80", ["refused", "prohibited"]);
        lab.serve_at(&Place::Node, "172.18.0.2:15001");
        check("198.51.100.1:80", ["node", "prohibited"]);
        check("10.96.0.4:80", ["node", "prohibited"]);
        assert_eq!(tcp(&Place::Node, "10.96.0.4:80").by(), "node");
        check("172.18.0.2:15001", ["no answer", "node"]);
    });
}

#[test]
fn a_flow_of_udp_leaves_an_endpoint_that_has_gone() {
    lab::run("services::a_flow_of_udp_leaves_an_endpoint_that_has_gone", |lab| {
        pods(lab);
        lab.apply(&world([service("web", 1), slice("web", &["10.244.1.2"])]));
        let socket = within(&pod("client"), || UdpSocket::bind("0.0.0.0:0").unwrap());
        socket.connect("10.96.0.1:80").unwrap();
        assert_eq!(ask(&socket).by(), "a");
        lab.apply(&world([service("web", 1), slice("web", &["10.244.1.2", "10.244.2.2"])]));
        assert_eq!(answerers(|| ask(&socket)), names(&["a"]), "who still answers is not left");
        let draining = [endpoint("10.244.1.2", false, true), endpoint("10.244.2.2", true, false)];
        lab.apply(&world([service("web", 1), slice_of("web", draining.to_vec())]));
        assert_eq!(answerers(|| ask(&socket)), names(&["a"]), "nor is who drains");
        lab.apply(&world([service("web", 1), slice("web", &["10.244.2.2"])]));
        assert_eq!(answerers(|| ask(&socket)), names(&["b"]));
        lab.apply(&world([service("web", 1)]));
        assert_eq!(ask(&socket).by(), "refused");
    });
}

#[test]
fn a_client_stays_with_its_endpoint() {
    lab::run("services::a_client_stays_with_its_endpoint", |lab| {
        pods(lab);
        let mut web = service("web", 1);
        web["spec"]["sessionAffinity"] = json!("ClientIP");
        web["spec"]["sessionAffinityConfig"] = json!({ "clientIP": { "timeoutSeconds": 1 } });
        let both = slice("web", &["10.244.1.2", "10.244.2.2"]);
        lab.apply(&world([web.clone(), both.clone()]));
        let seen = answerers(|| tcp(&pod("client"), "10.96.0.1:80"));
        assert_eq!(seen.len(), 1, "{seen:?}");
        // Other changes are no reason to go elsewhere.
        lab.apply(&world([web.clone(), both, service("other", 2)]));
        assert_eq!(answerers(|| tcp(&pod("client"), "10.96.0.1:80")), seen);
        let (left, other) =
            if seen == names(&["a"]) { ("10.244.2.2", "b") } else { ("10.244.1.2", "a") };
        lab.apply(&world([web, slice("web", &[left])]));
        assert_eq!(answerers(|| tcp(&pod("client"), "10.96.0.1:80")), names(&[other]));
    });
}

#[test]
fn ports_of_nodes_and_addresses_of_load_balancers() {
    lab::run("services::ports_of_nodes_and_addresses_of_load_balancers", |lab| {
        pods(lab);
        let mut web = service("web", 1);
        web["spec"]["type"] = json!("LoadBalancer");
        web["spec"]["ports"][0]["nodePort"] = json!(30080);
        web["spec"]["ports"][1]["nodePort"] = json!(30080);
        web["status"] =
            json!({ "loadBalancer": { "ingress": [{ "ip": "172.18.255.1", "ipMode": "VIP" }] } });
        let both = slice("web", &["10.244.1.2", "10.244.2.2"]);
        let check =
            |lab: &mut Lab, objects: Vec<serde_json::Value>, expected: &[(&str, &str, &[&str])]| {
                lab.apply(&world(objects));
                for (from, to, answers) in expected {
                    assert_eq!(
                        answerers(|| tcp(&pod(from), to)),
                        names(answers),
                        "TCP of {from} to {to}"
                    );
                    assert_eq!(
                        answerers(|| udp(&pod(from), to)),
                        names(answers),
                        "UDP of {from} to {to}"
                    );
                }
            };
        let (node_1, node_2, balancer) =
            ("172.18.0.2:30080", "172.18.0.3:30080", "172.18.255.1:80");
        let everyone: &[&str] = &["a", "b"];
        check(
            lab,
            vec![web.clone(), both.clone()],
            &[
                ("client", node_1, everyone),
                ("client", node_2, everyone),
                ("client", balancer, everyone),
            ],
        );
        assert_eq!(answerers(|| tcp(&Place::Node, node_1)), names(everyone));
        check(
            lab,
            vec![web.clone()],
            &[("client", node_1, &["refused"]), ("client", balancer, &["refused"])],
        );
        let mut local = web.clone();
        local["spec"]["externalTrafficPolicy"] = json!("Local");
        check(
            lab,
            vec![local.clone(), both],
            &[
                ("client", node_1, everyone),
                ("client", node_2, &["b"]),
                ("b", node_1, &["a"]),
                ("b", balancer, everyone),
            ],
        );
        let mut ranged = web.clone();
        ranged["spec"]["loadBalancerSourceRanges"] = json!(["10.244.2.0/24"]);
        ranged["spec"]["internalTrafficPolicy"] = json!("Local");
        let at_b = slice("web", &["10.244.2.2"]);
        lab.apply(&world([ranged, at_b]));
        assert_eq!(tcp(&pod("b"), balancer).by(), "b");
        assert_eq!(tcp(&pod("client"), balancer).by(), "no answer");
        assert_eq!(tcp(&pod("b"), "10.96.0.1:80").by(), "b");
        assert_eq!(tcp(&pod("client"), "10.96.0.1:80").by(), "no answer");
    });
}
