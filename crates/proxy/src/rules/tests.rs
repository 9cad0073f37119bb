//! Scripts, as they follow from objects.

use manifest::{Kind, Object};
use serde_json::{Value, json};

use super::*;

fn rules(objects: &[Value]) -> Ruleset {
    let mut world = World::default();
    let nodes = [1, 2].map(|number| {
        json!({ "apiVersion": "v1", "kind": "Node", "metadata": { "name": format!("node-{number}") },
            "spec": { "podCIDRs": [format!("10.244.{number}.0/24")] },
            "status": { "addresses": [{ "type": "InternalIP", "address": format!("172.18.0.{}", number + 1) }] } })
    });
    for value in nodes.iter().chain(objects) {
        let text = |field: &str| value[field].as_str().unwrap();
        let kind = Kind::by_type(text("apiVersion"), text("kind")).unwrap();
        world.apply(&Object::from_value(kind.id, value).unwrap()).unwrap();
    }
    let config = Config {
        pod_ranges: vec!["10.244.0.0/16".parse().unwrap()],
        service_ranges: vec!["10.96.0.0/16".parse().unwrap()],
        egress: vec!["172.18.0.2:15001".parse().unwrap()],
        ..Config::default()
    };
    Ruleset::of(&world, &config)
}

/// Those lines of the script that hold one of these words.
fn lines(objects: &[Value], words: &[&str]) -> String {
    let script = rules(objects).whole().scripts().collect::<String>();
    let lines = script.lines().filter(|line| words.iter().any(|word| line.contains(word)));
    lines.collect::<Vec<_>>().join("\n")
}

/// The Service `web` at 10.96.0.1, port 80, with more in its `spec`; a node's port is 30080.
fn service(more: Value) -> Value {
    let mut value = json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "name": "web", "namespace": "default" },
        "spec": { "clusterIPs": ["10.96.0.1"], "ports": [{ "name": "http", "port": 80 }] },
        "status": { "loadBalancer": { "ingress": [{ "ip": "172.18.255.1" }, { "ip": "192.0.2.9", "ipMode": "Proxy" }] } } });
    if more["type"].is_string() {
        value["spec"]["ports"][0]["nodePort"] = 30080.into();
    }
    value["spec"].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    value
}

fn slice(endpoints: Value) -> Value {
    json!({ "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": { "name": "web", "namespace": "default", "labels": { "kubernetes.io/service-name": "web" } },
        "addressType": "IPv4", "endpoints": endpoints, "ports": [{ "name": "http", "port": 8080 }, { "name": "other", "port": 9090 }] })
}

fn ready(address: &str) -> Value {
    let node = address.split('.').nth(2).map(|node| format!("node-{node}"));
    json!({ "addresses": [address], "nodeName": node })
}

fn namespace() -> Value {
    json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "default" } })
}

/// A pod labelled by its name, `db` at 10.244.1.2, any other at 10.244.1.3; its port 5432 is called `main`.
fn pod(name: &str) -> Value {
    let address = if name == "db" { "10.244.1.2" } else { "10.244.1.3" };
    json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name, "namespace": "default", "labels": { "app": name } },
        "spec": { "containers": [{ "name": "main", "ports": [{ "name": "main", "containerPort": 5432 }] }] },
        "status": { "podIP": address } })
}

fn policy(spec: Value) -> Value {
    json!({ "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": { "name": "rule", "namespace": "default" }, "spec": spec })
}

/// A world of nothing has the same chains; what follows from objects is in sets and in further chains.
#[test]
fn the_chains_that_are_always_there() {
    insta::assert_snapshot!(lines(&[], &["{ type", "add rule"]), @r#"
    add set ip headcount cluster-ips { type ipv4_addr; }
    add map ip headcount egress { type ipv4_addr : verdict; }
    add set ip headcount hairpin { type ipv4_addr . ipv4_addr; }
    add map ip headcount ingress { type ipv4_addr : verdict; }
    add set ip headcount no-endpoint-ips { type ipv4_addr . inet_proto . inet_service; }
    add set ip headcount no-endpoint-node-ports { type inet_proto . inet_service; }
    add set ip headcount node-ips { type ipv4_addr; }
    add set ip headcount outer-ips { type ipv4_addr . inet_proto . inet_service; }
    add set ip headcount self { type ipv4_addr . ipv4_addr; }
    add map ip headcount service-ips { type ipv4_addr . inet_proto . inet_service : verdict; }
    add map ip headcount service-node-ports { type inet_proto . inet_service : verdict; }
    add chain ip headcount egress-forward { type filter hook forward priority 0; }
    add chain ip headcount egress-input { type filter hook input priority 0; }
    add chain ip headcount ingress-forward { type filter hook forward priority 10; }
    add chain ip headcount ingress-input { type filter hook input priority 10; }
    add chain ip headcount local-input { type filter hook input priority 20; }
    add chain ip headcount nat-output { type nat hook output priority -100; }
    add chain ip headcount nat-postrouting { type nat hook postrouting priority 100; }
    add chain ip headcount nat-prerouting { type nat hook prerouting priority -100; }
    add chain ip headcount no-endpoints-output { type filter hook output priority -120; }
    add chain ip headcount no-endpoints-prerouting { type filter hook prerouting priority -120; }
    add chain ip headcount outside { type filter hook prerouting priority -110; }
    add chain ip headcount outside-egress { type filter hook prerouting priority -115; }
    add rule ip headcount egress-forward ct state established,related accept
    add rule ip headcount egress-forward ip saddr . ip daddr @self accept
    add rule ip headcount egress-forward ip saddr vmap @egress
    add rule ip headcount egress-input iifname "lo" accept
    add rule ip headcount egress-input ct status dnat ip daddr 172.18.0.2 tcp dport 15001 accept
    add rule ip headcount egress-input ct state established,related accept
    add rule ip headcount egress-input ip saddr . ip daddr @self accept
    add rule ip headcount egress-input ip saddr vmap @egress
    add rule ip headcount ingress-forward ct state established,related accept
    add rule ip headcount ingress-forward ip saddr . ip daddr @self accept
    add rule ip headcount ingress-forward ip daddr vmap @ingress
    add rule ip headcount ingress-input iifname "lo" accept
    add rule ip headcount ingress-input ct status dnat ip daddr 172.18.0.2 tcp dport 15001 accept
    add rule ip headcount ingress-input ct state established,related accept
    add rule ip headcount ingress-input ip saddr . ip daddr @self accept
    add rule ip headcount ingress-input ip daddr vmap @ingress
    add rule ip headcount local-input ct state != new accept
    add rule ip headcount local-input ct status & dnat == 0 ip daddr 172.18.0.2 tcp dport 15001 drop
    add rule ip headcount local-input meta l4proto tcp ip daddr @cluster-ips reject with tcp reset
    add rule ip headcount local-input ip daddr @cluster-ips reject
    add rule ip headcount local-input ip daddr { 10.96.0.0/16 } drop
    add rule ip headcount nat-output jump services
    add rule ip headcount nat-output ip daddr != { 10.96.0.0/16, 10.244.0.0/16, 127.0.0.0/8, 169.254.0.0/16, 224.0.0.0/4, 255.255.255.255/32 } ip daddr != @node-ips meta l4proto tcp dnat to 172.18.0.2:15001
    add rule ip headcount nat-postrouting oifname "lo" accept
    add rule ip headcount nat-postrouting ct status dnat ip saddr . ip daddr @hairpin masquerade
    add rule ip headcount nat-postrouting ct status dnat fib saddr type local masquerade
    add rule ip headcount nat-prerouting jump services
    add rule ip headcount nat-prerouting iifname != "lo" ip daddr != { 10.96.0.0/16, 10.244.0.0/16, 127.0.0.0/8, 169.254.0.0/16, 224.0.0.0/4, 255.255.255.255/32 } ip daddr != @node-ips meta l4proto tcp dnat to 172.18.0.2:15001
    add rule ip headcount no-endpoints meta l4proto tcp ip daddr . meta l4proto . th dport @no-endpoint-ips reject with tcp reset
    add rule ip headcount no-endpoints meta l4proto tcp ip daddr @node-ips meta l4proto . th dport @no-endpoint-node-ports reject with tcp reset
    add rule ip headcount no-endpoints ip daddr . meta l4proto . th dport @no-endpoint-ips reject
    add rule ip headcount no-endpoints ip daddr @node-ips meta l4proto . th dport @no-endpoint-node-ports reject
    add rule ip headcount no-endpoints-output ct state new jump no-endpoints
    add rule ip headcount no-endpoints-prerouting ct state new jump no-endpoints
    add rule ip headcount outside iifname "lo" accept
    add rule ip headcount outside ct state != new accept
    add rule ip headcount outside ip daddr { 10.96.0.0/16, 10.244.0.0/16, 127.0.0.0/8, 169.254.0.0/16, 224.0.0.0/4, 255.255.255.255/32 } accept
    add rule ip headcount outside ip daddr @node-ips accept
    add rule ip headcount outside ip daddr . meta l4proto . th dport @outer-ips accept
    add rule ip headcount outside meta l4proto tcp accept
    add rule ip headcount outside reject with icmp type admin-prohibited
    add rule ip headcount outside-egress iifname "lo" accept
    add rule ip headcount outside-egress ct state != new accept
    add rule ip headcount outside-egress ip daddr { 10.96.0.0/16, 10.244.0.0/16, 127.0.0.0/8, 169.254.0.0/16, 224.0.0.0/4, 255.255.255.255/32 } accept
    add rule ip headcount outside-egress ip daddr @node-ips accept
    add rule ip headcount outside-egress ip daddr . meta l4proto . th dport @outer-ips accept
    add rule ip headcount outside-egress ip saddr vmap @egress
    add rule ip headcount services ip daddr . meta l4proto . th dport vmap @service-ips
    add rule ip headcount services ip daddr @node-ips meta l4proto . th dport vmap @service-node-ports
    "#);
}

#[test]
fn a_cluster_ip_by_chance() {
    let objects =
        vec![service(json!({})), slice(json!([ready("10.244.1.2"), ready("10.244.2.2")]))];
    insta::assert_snapshot!(lines(&objects, &["web"]), @r#"
    add chain ip headcount endpoint/default/web/tcp/http/10.244.1.2/8080
    add chain ip headcount endpoint/default/web/tcp/http/10.244.2.2/8080
    add chain ip headcount service/default/web/tcp/http
    add rule ip headcount endpoint/default/web/tcp/http/10.244.1.2/8080 meta l4proto tcp dnat to 10.244.1.2:8080
    add rule ip headcount endpoint/default/web/tcp/http/10.244.2.2/8080 meta l4proto tcp dnat to 10.244.2.2:8080
    add rule ip headcount service/default/web/tcp/http numgen random mod 2 vmap { 0 : goto endpoint/default/web/tcp/http/10.244.1.2/8080, 1 : goto endpoint/default/web/tcp/http/10.244.2.2/8080 }
    add element ip headcount service-ips { 10.96.0.1 . tcp . 80 : goto service/default/web/tcp/http }
    "#);
}

#[test]
fn no_endpoint_that_takes_connections() {
    let objects = vec![
        service(json!({ "type": "NodePort" })),
        slice(json!([{ "addresses": ["10.244.1.2"], "conditions": { "ready": false } }])),
    ];
    insta::assert_snapshot!(lines(&objects, &["no-endpoint-ips {", "no-endpoint-node-ports {", "web"]), @r#"
    add set ip headcount no-endpoint-ips { type ipv4_addr . inet_proto . inet_service; }
    add set ip headcount no-endpoint-node-ports { type inet_proto . inet_service; }
    add element ip headcount no-endpoint-ips { 10.96.0.1 . tcp . 80 }
    add element ip headcount no-endpoint-node-ports { tcp . 30080 }
    "#);
}

#[test]
fn a_client_that_stays() {
    let objects = vec![
        service(json!({ "sessionAffinity": "ClientIP" })),
        slice(json!([ready("10.244.1.2")])),
    ];
    insta::assert_snapshot!(lines(&objects, &["web"]), @r#"
    add set ip headcount affinity/10800/default/web/tcp/http/10.244.1.2/8080 { type ipv4_addr; flags dynamic,timeout; timeout 10800s; }
    add chain ip headcount endpoint/default/web/tcp/http/10.244.1.2/8080
    add chain ip headcount service/default/web/tcp/http
    add rule ip headcount endpoint/default/web/tcp/http/10.244.1.2/8080 update @affinity/10800/default/web/tcp/http/10.244.1.2/8080 { ip saddr }
    add rule ip headcount endpoint/default/web/tcp/http/10.244.1.2/8080 meta l4proto tcp dnat to 10.244.1.2:8080
    add rule ip headcount service/default/web/tcp/http ip saddr @affinity/10800/default/web/tcp/http/10.244.1.2/8080 goto endpoint/default/web/tcp/http/10.244.1.2/8080
    add rule ip headcount service/default/web/tcp/http numgen random mod 1 vmap { 0 : goto endpoint/default/web/tcp/http/10.244.1.2/8080 }
    add element ip headcount service-ips { 10.96.0.1 . tcp . 80 : goto service/default/web/tcp/http }
    "#);
}

#[test]
fn only_what_is_on_the_nodes() {
    let objects = vec![
        service(
            json!({ "type": "NodePort", "internalTrafficPolicy": "Local", "externalTrafficPolicy": "Local" }),
        ),
        slice(json!([ready("10.244.1.2")])),
    ];
    insta::assert_snapshot!(lines(&objects, &["web"]), @r#"
    add chain ip headcount endpoint/default/web/tcp/http/10.244.1.2/8080
    add chain ip headcount external/default/web/tcp/http
    add chain ip headcount internal/default/web/tcp/http
    add chain ip headcount local/node-1/default/web/tcp/http
    add chain ip headcount service/default/web/tcp/http
    add rule ip headcount endpoint/default/web/tcp/http/10.244.1.2/8080 meta l4proto tcp dnat to 10.244.1.2:8080
    add rule ip headcount external/default/web/tcp/http fib saddr type local goto service/default/web/tcp/http
    add rule ip headcount external/default/web/tcp/http ip daddr { 172.18.0.2/32 } ip saddr { 10.244.1.0/24 } goto service/default/web/tcp/http
    add rule ip headcount external/default/web/tcp/http ip daddr { 172.18.0.2/32 } goto local/node-1/default/web/tcp/http
    add rule ip headcount external/default/web/tcp/http ip daddr { 172.18.0.3/32 } ip saddr { 10.244.2.0/24 } goto service/default/web/tcp/http
    add rule ip headcount external/default/web/tcp/http ip daddr { 172.18.0.3/32 } drop
    add rule ip headcount external/default/web/tcp/http drop
    add rule ip headcount internal/default/web/tcp/http ip saddr { 10.244.1.0/24 } goto local/node-1/default/web/tcp/http
    add rule ip headcount internal/default/web/tcp/http ip saddr { 10.244.2.0/24 } drop
    add rule ip headcount internal/default/web/tcp/http goto service/default/web/tcp/http
    add rule ip headcount local/node-1/default/web/tcp/http numgen random mod 1 vmap { 0 : goto endpoint/default/web/tcp/http/10.244.1.2/8080 }
    add rule ip headcount service/default/web/tcp/http numgen random mod 1 vmap { 0 : goto endpoint/default/web/tcp/http/10.244.1.2/8080 }
    add element ip headcount service-ips { 10.96.0.1 . tcp . 80 : goto internal/default/web/tcp/http }
    add element ip headcount service-node-ports { tcp . 30080 : goto external/default/web/tcp/http }
    "#);
}

#[test]
fn a_load_balancer_for_some() {
    let objects = vec![
        service(
            json!({ "type": "LoadBalancer", "externalIPs": ["192.0.2.1"], "loadBalancerSourceRanges": ["10.244.1.0/24", "fd00::/8"] }),
        ),
        slice(json!([ready("10.244.1.2")])),
    ];
    insta::assert_snapshot!(lines(&objects, &["web", "outer-ips {"]), @r#"
    add set ip headcount outer-ips { type ipv4_addr . inet_proto . inet_service; }
    add chain ip headcount endpoint/default/web/tcp/http/10.244.1.2/8080
    add chain ip headcount firewall/default/web/tcp/http
    add chain ip headcount service/default/web/tcp/http
    add rule ip headcount endpoint/default/web/tcp/http/10.244.1.2/8080 meta l4proto tcp dnat to 10.244.1.2:8080
    add rule ip headcount firewall/default/web/tcp/http ip saddr { 10.244.1.0/24 } goto service/default/web/tcp/http
    add rule ip headcount firewall/default/web/tcp/http drop
    add rule ip headcount service/default/web/tcp/http numgen random mod 1 vmap { 0 : goto endpoint/default/web/tcp/http/10.244.1.2/8080 }
    add element ip headcount outer-ips { 172.18.255.1 . tcp . 80, 192.0.2.1 . tcp . 80 }
    add element ip headcount service-ips { 10.96.0.1 . tcp . 80 : goto service/default/web/tcp/http, 172.18.255.1 . tcp . 80 : goto firewall/default/web/tcp/http, 192.0.2.1 . tcp . 80 : goto service/default/web/tcp/http }
    add element ip headcount service-node-ports { tcp . 30080 : goto service/default/web/tcp/http }
    "#);
}

#[test]
fn an_endpoint_outside() {
    let objects = vec![service(json!({})), slice(json!([ready("203.0.113.10")]))];
    insta::assert_snapshot!(lines(&objects, &["web", "hairpin {"]), @r#"
    add set ip headcount hairpin { type ipv4_addr . ipv4_addr; }
    add chain ip headcount endpoint/default/web/tcp/http/203.0.113.10/8080
    add chain ip headcount service/default/web/tcp/http
    add rule ip headcount endpoint/default/web/tcp/http/203.0.113.10/8080 meta l4proto tcp dnat to 172.18.0.2:15001
    add rule ip headcount service/default/web/tcp/http numgen random mod 1 vmap { 0 : goto endpoint/default/web/tcp/http/203.0.113.10/8080 }
    add element ip headcount service-ips { 10.96.0.1 . tcp . 80 : goto service/default/web/tcp/http }
    "#);
}

#[test]
fn a_policy() {
    let objects = vec![
        pod("db"),
        pod("web"),
        namespace(),
        policy(json!({ "podSelector": { "matchLabels": { "app": "db" } }, "ingress": [
            { "from": [{ "podSelector": { "matchLabels": { "app": "web" } } }, { "ipBlock": { "cidr": "10.0.0.0/8", "except": ["10.1.0.0/16", "10.0.0.0/16"] } }],
              "ports": [{ "port": "main" }, { "port": 80, "endPort": 90 }, { "protocol": "UDP" }] },
            { "ports": [{ "port": 443 }] }] })),
    ];
    insta::assert_snapshot!(lines(&objects, &["policy", "selected", "peers", "ports/", "self {"]), @r#"
    add set ip headcount peers/ingress/default/rule/0 { type ipv4_addr; }
    add set ip headcount ports/ingress/default/rule/0 { type ipv4_addr . inet_proto . inet_service; }
    add set ip headcount self { type ipv4_addr . ipv4_addr; }
    add chain ip headcount policy/ingress/default/rule
    add chain ip headcount selected/ingress/739fb6f3ec9f4fa0
    add rule ip headcount policy/ingress/default/rule ip saddr @peers/ingress/default/rule/0 tcp dport 80-90 accept
    add rule ip headcount policy/ingress/default/rule ip saddr @peers/ingress/default/rule/0 meta l4proto udp accept
    add rule ip headcount policy/ingress/default/rule ip saddr @peers/ingress/default/rule/0 ip daddr . meta l4proto . th dport @ports/ingress/default/rule/0 accept
    add rule ip headcount policy/ingress/default/rule ip saddr 10.0.0.0/8 ip saddr != { 10.0.0.0/15 } tcp dport 80-90 accept
    add rule ip headcount policy/ingress/default/rule ip saddr 10.0.0.0/8 ip saddr != { 10.0.0.0/15 } meta l4proto udp accept
    add rule ip headcount policy/ingress/default/rule ip saddr 10.0.0.0/8 ip saddr != { 10.0.0.0/15 } ip daddr . meta l4proto . th dport @ports/ingress/default/rule/0 accept
    add rule ip headcount policy/ingress/default/rule tcp dport 443 accept
    add rule ip headcount selected/ingress/739fb6f3ec9f4fa0 jump policy/ingress/default/rule
    add rule ip headcount selected/ingress/739fb6f3ec9f4fa0 drop
    add element ip headcount ingress { 10.244.1.2 : goto selected/ingress/739fb6f3ec9f4fa0 }
    add element ip headcount peers/ingress/default/rule/0 { 10.244.1.3 }
    add element ip headcount ports/ingress/default/rule/0 { 10.244.1.2 . tcp . 5432 }
    add element ip headcount self { 10.244.1.2 . 10.244.1.2 }
    "#);
}

#[test]
fn a_policy_of_both_directions() {
    let objects = vec![
        pod("db"),
        policy(json!({ "podSelector": {}, "policyTypes": ["Ingress", "Egress"], "egress": [{}] })),
    ];
    insta::assert_snapshot!(lines(&objects, &["policy", "selected", "peers", "ports/", "self {"]), @r#"
    add set ip headcount self { type ipv4_addr . ipv4_addr; }
    add chain ip headcount policy/egress/default/rule
    add chain ip headcount policy/ingress/default/rule
    add chain ip headcount selected/egress/8eb8978fb428b2a0
    add chain ip headcount selected/ingress/739fb6f3ec9f4fa0
    add rule ip headcount policy/egress/default/rule accept
    add rule ip headcount selected/egress/8eb8978fb428b2a0 jump policy/egress/default/rule
    add rule ip headcount selected/egress/8eb8978fb428b2a0 drop
    add rule ip headcount selected/ingress/739fb6f3ec9f4fa0 jump policy/ingress/default/rule
    add rule ip headcount selected/ingress/739fb6f3ec9f4fa0 drop
    add element ip headcount egress { 10.244.1.2 : goto selected/egress/8eb8978fb428b2a0 }
    add element ip headcount ingress { 10.244.1.2 : goto selected/ingress/739fb6f3ec9f4fa0 }
    add element ip headcount self { 10.244.1.2 . 10.244.1.2 }
    "#);
}

#[test]
fn only_what_differs_is_changed() {
    let before = rules(&[
        service(json!({ "sessionAffinity": "ClientIP" })),
        slice(json!([ready("10.244.1.2"), ready("10.244.1.3")])),
    ]);
    let after = rules(&[
        service(json!({ "sessionAffinity": "ClientIP" })),
        slice(json!([ready("10.244.1.3")])),
    ]);
    assert!(after.change_from(&after).is_empty());
    let change = after.change_from(&before);
    let scripts: Vec<&str> = change.scripts().collect();
    insta::assert_snapshot!(scripts.join("then\n"), @r#"
    flush chain ip headcount service/default/web/tcp/http
    add rule ip headcount service/default/web/tcp/http ip saddr @affinity/10800/default/web/tcp/http/10.244.1.3/8080 goto endpoint/default/web/tcp/http/10.244.1.3/8080
    add rule ip headcount service/default/web/tcp/http numgen random mod 1 vmap { 0 : goto endpoint/default/web/tcp/http/10.244.1.3/8080 }
    delete element ip headcount hairpin { 10.244.1.2 . 10.244.1.2 }
    then
    flush chain ip headcount endpoint/default/web/tcp/http/10.244.1.2/8080
    delete chain ip headcount endpoint/default/web/tcp/http/10.244.1.2/8080
    delete set ip headcount affinity/10800/default/web/tcp/http/10.244.1.2/8080
    "#);
}
