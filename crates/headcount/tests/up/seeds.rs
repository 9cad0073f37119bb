//! The answers that the scenarios under `examples/` promise, asked of a running `headcount up`.

use std::collections::BTreeSet;

use crate::support::Up;
use hickory_proto::op::ResponseCode;

/// A StatefulSet's scenario: the headless name answers `replicas` addresses; each pod's name answers one of
/// them, and that address's PTR is the pod's name; SRV lists every pod with its port.
#[track_caller]
fn check_peers(
    example: &str,
    set: &str,
    service: &str,
    namespace: &str,
    port: u16,
    replicas: usize,
) {
    let up = Up::ephemeral(&["-f", example]);
    let base = format!("{service}.{namespace}.svc.cluster.local.");

    let addresses = up.records(&base, "A");
    assert_eq!(addresses.len(), replicas, "{base} A: {addresses:?}\n{}", up.stderr());
    assert_eq!(addresses.iter().collect::<BTreeSet<_>>().len(), replicas, "{addresses:?}");

    let mut targets = Vec::new();
    for ordinal in 0..replicas {
        let pod = format!("{set}-{ordinal}.{base}");
        let address = up.records(&pod, "A");
        assert_eq!(address.len(), 1, "{pod} A: {address:?}");
        assert!(addresses.contains(&address[0]), "{address:?} is one of {addresses:?}");
        assert_eq!(up.records(&reverse(&address[0]), "PTR"), std::slice::from_ref(&pod));
        targets.push(format!("0 {} {port} {pod}", 100 / replicas));
    }
    assert_eq!(up.records(&base, "SRV"), targets);
}

fn reverse(address: &str) -> String {
    let mut octets: Vec<_> = address.split('.').collect();
    octets.reverse();
    format!("{}.in-addr.arpa.", octets.join("."))
}

#[test]
fn database() {
    check_peers("examples/database", "db", "db-headless", "default", 5432, 3);
}

#[test]
fn redis() {
    check_peers("examples/redis", "redis", "redis-headless", "default", 6379, 3);
}

#[test]
fn elasticsearch() {
    check_peers("examples/elasticsearch", "elasticsearch", "elasticsearch-hl", "logging", 9200, 3);
}

#[test]
fn mysql() {
    check_peers("examples/mysql", "mysql", "mysql", "default", 3306, 3);
}

#[test]
fn mongodb() {
    check_peers("examples/mongodb", "mongodb", "my-db-headless", "default", 27017, 3);
}

#[test]
fn an_unnamed_port_has_no_srv_name_of_its_own_until_it_is_named() {
    let base = "elasticsearch-hl.logging.svc.cluster.local.";
    let unnamed = Up::ephemeral(&["-f", "examples/elasticsearch"]);
    assert_eq!(unnamed.ask(&format!("_http._tcp.{base}"), "SRV").rcode(), ResponseCode::NXDomain);
    assert_eq!(unnamed.records(base, "SRV").len(), 3);

    let named = Up::ephemeral(&["-f", "examples/elasticsearch/named-port"]);
    assert_eq!(named.records(&format!("_http._tcp.{base}"), "SRV").len(), 3);
    assert_eq!(named.records(base, "SRV").len(), 3);
}

#[test]
fn an_external_name_is_a_cname_and_after_the_migration_an_address() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().to_str().expect("a UTF-8 path");
    let up = Up::start(&["--data-dir", data, "-f", "examples/prod-database"]);
    let name = "prod-database.default.svc.cluster.local.";
    for rtype in ["CNAME", "A", "AAAA"] {
        assert_eq!(up.records(name, rtype).len(), usize::from(rtype == "CNAME"), "{rtype}");
        assert_eq!(up.ask(name, rtype).data("CNAME"), ["db.prod.example.com."], "{rtype}");
    }
    up.stop();

    let up = Up::start(&["--data-dir", data, "-f", "examples/prod-database/migration"]);
    let addresses = up.records(name, "A");
    assert_eq!(addresses.len(), 1, "{}", up.stderr());
    assert!(addresses[0].starts_with("10."), "{addresses:?}");
    assert!(up.ask(name, "CNAME").data("CNAME").is_empty());
    assert_eq!(up.records(&reverse(&addresses[0]), "PTR"), [name]);
}

#[test]
fn a_service_without_selector_answers_its_cluster_ip_and_its_endpoints_have_names() {
    for example in ["examples/external-api", "examples/external-api/endpointslice"] {
        let up = Up::ephemeral(&["-f", example]);
        let name = "external-api.default.svc.cluster.local.";
        assert_eq!(up.records(name, "A").len(), 1, "{example}");
        for address in ["203.0.113.10", "203.0.113.11"] {
            let endpoint = format!("{}.{name}", address.replace('.', "-"));
            assert_eq!(up.records(&endpoint, "A"), [address], "{example}");
        }
    }
}

#[test]
fn peers_that_are_not_ready_answer_where_the_service_publishes_them() {
    let up = Up::ephemeral(&["-f", "examples/bootstrap"]);
    let printed = &up.printed;
    let peers = up.ask("etcd-peers.default.svc.cluster.local.", "A");
    assert_eq!(peers.data("A").len(), 3, "{printed}");
    let clients = up.ask("etcd-clients.default.svc.cluster.local.", "A");
    assert_eq!(
        clients.rcode(),
        ResponseCode::NXDomain,
        "the clients' Service does not publish them; {printed}"
    );
}

#[test]
fn dual_stack_services_answer_both_families() {
    let up = Up::ephemeral(&[
        "--pod-cidr",
        "10.244.0.0/16,fd00:10:244::/48",
        "--service-cidr",
        "10.96.0.0/12,fd00:10:96::/112",
        "-f",
        "examples/dual-stack",
    ]);
    for service in ["memcached", "memcached-headless"] {
        let name = format!("{service}.default.svc.cluster.local.");
        let (v4, v6) = (up.records(&name, "A"), up.records(&name, "AAAA"));
        assert!(!v4.is_empty() && v4.len() == v6.len(), "{name} {v4:?} {v6:?}\n{}", up.printed);
    }
}

#[test]
fn the_cluster_has_its_own_names() {
    let up = Up::ephemeral(&[]);
    assert_eq!(up.records("kubernetes.default.svc.cluster.local.", "A"), ["10.96.0.1"]);
    assert_eq!(up.records("kube-dns.kube-system.svc.cluster.local.", "A"), ["10.96.0.10"]);
    assert_eq!(
        up.records("10.0.96.10.in-addr.arpa.", "PTR"),
        ["kube-dns.kube-system.svc.cluster.local."]
    );
    assert_eq!(up.records("dns-version.cluster.local.", "TXT"), ["1.1.0"]);
    assert_eq!(up.records("cluster.local.", "NS"), ["kube-dns.kube-system.svc.cluster.local."]);
    assert_eq!(up.records("_dns._udp.kube-dns.kube-system.svc.cluster.local.", "SRV").len(), 1);
}
