//! Many objects.

use serde_json::json;

use crate::lab::{self, pod, tcp};
use crate::objects::{namespace, policy, running, service, slice, world};

/// What nft makes of all these rules is more than a user's netlink socket takes at once.
#[test]
fn a_large_cluster_has_its_rules() {
    lab::run("scale::a_large_cluster_has_its_rules", |lab| {
        lab.pod("server", 1, 2);
        lab.pod("client", 1, 9);
        lab.serve(&pod("server"), 8080);
        let pods = (0..500_u16).map(|number| {
            let address = format!("10.244.{}.{}", 1 + number / 250, 2 + number % 250);
            running("default", &format!("pod-{number}"), &address)
        });
        let name = |number: u8| format!("service-{number}");
        let services = (1..=200_u8).flat_map(|number| {
            [service(&name(number), number), slice(&name(number), &["10.244.1.2", "10.244.1.2"])]
        });
        let policies = (0..50_u8).map(|number| {
            let rule = json!({ "from": [{ "podSelector": {} }], "ports": [{ "port": "web" }] });
            policy(&format!("policy-{number}"), json!({ "podSelector": {}, "ingress": [rule] }))
        });
        let objects = [namespace("default")].into_iter().chain(pods).chain(services);
        let world_before = world(objects.clone());
        lab.apply(&world_before);
        assert_eq!(tcp(&pod("client"), "10.96.0.200:80").by(), "server");
        lab.apply(&world(objects.chain(policies)));
        assert_eq!(tcp(&pod("client"), "10.96.0.200:80").by(), "server");
        lab.apply(&world_before);
        assert_eq!(tcp(&pod("client"), "10.96.0.1:80").by(), "server");
    });
}
