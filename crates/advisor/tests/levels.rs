//! How bad each case is: the same rule warns where it is certain, and notes what is worth knowing. And that nothing else is
//! said of it.

use std::path::Path;

use advisor::lint::{Objects, Options, check as lint};
use manifest::read::{Level, read_any};

use Level::{Error, Note, Warning};

fn objects(fixture: &str, options: Options) -> Objects {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(fixture);
    let text = std::fs::read_to_string(path).expect("a fixture");
    let reading = read_any(fixture, &text);
    assert_eq!(reading.problems, []);
    Objects::new(reading.documents, reading.foreign, options)
}

/// Checks all that is found in a fixture: code, level, and the name of the object at fault.
#[track_caller]
fn check(fixture: &str, expected: &[(&str, Level, &str)]) {
    let mut options = Options::default();
    if fixture == "HC048/bad_older.yaml" {
        options.kubernetes = "1.24".parse().expect("a version");
    }
    let mut objects = objects(fixture, options);
    if fixture.starts_with("HC049/") {
        objects.live = Some(Box::new(self::objects("HC049/live.yaml", Options::default())));
    }
    let found = lint(&objects);
    let found: Vec<_> = found
        .iter()
        .map(|finding| (finding.code, finding.level, finding.subject.name.as_str()))
        .collect();
    assert_eq!(found, expected, "{fixture}");
}

#[test]
fn a_cluster_ip_is_not_simply_immutable() {
    // By way of ExternalName it may change, and what is left out is kept.
    check("HC049/good.yaml", &[]);
    check(
        "HC049/bad.yaml",
        &[
            ("HC049", Error, "addressed"),
            // Not refused: it silently stays headless.
            ("HC049", Warning, "headless"),
            ("HC049", Warning, "left"),
            ("HC049", Error, "exposed"),
            ("HC049", Error, "moved"),
            ("HC049", Error, "fixed"),
        ],
    );
}

#[test]
fn peers_that_start_alone_may_wait_for_one_another() {
    check("HC018/bad-first-alone.yaml", &[("HC018", Note, "cassandra")]);
    check("HC018/bad.yaml", &[("HC018", Warning, "etcd-peers")]);
}

#[test]
fn dns_that_a_policy_keeps_pods_from() {
    check("HC050/good.yaml", &[]);
    check("HC050/good_unknown.yaml", &[]);
    check("HC050/good_other_kinds.yaml", &[]);
    check("HC050/bad.yaml", &[("HC050", Warning, "all")]);
    check("HC050/bad_udp.yaml", &[("HC050", Warning, "web")]);
    check("HC050/bad_tcp.yaml", &[("HC050", Note, "web")]);
}

#[test]
fn connections_that_a_policy_drops() {
    check("HC062/good.yaml", &[]);
    check("HC062/good_unknown.yaml", &[]);
    // Who has no DNS dials no one: one fault.
    check("HC062/good_dns.yaml", &[("HC050", Warning, "web")]);
    check("HC062/bad.yaml", &[("HC062", Warning, "db")]);
    check("HC062/bad_namespace.yaml", &[("HC062", Warning, "db")]);
    check("HC062/bad_egress.yaml", &[("HC062", Warning, "web")]);
    check("HC062/bad_peers.yaml", &[("HC062", Warning, "db")]);
}

#[test]
fn names_and_how_they_are_asked_for() {
    check("HC048/good.yaml", &[]);
    check("HC048/bad_older.yaml", &[("HC048", Note, "web")]);
    check("HC053/good.yaml", &[]);
    check("HC056/good.yaml", &[]);
    check(
        "HC056/bad.yaml",
        &[
            ("HC056", Note, "more"),
            ("HC056", Note, "searches"),
            ("HC056", Note, "fewer"),
            ("HC056", Warning, "alpine"),
        ],
    );
}

#[test]
fn what_is_in_front_of_headless_services() {
    check("HC059/good.yaml", &[]);
    check("HC059/bad.yaml", &[("HC059", Error, "instance"), ("HC059", Warning, "unsaid")]);
    check("HC059/bad_class.yaml", &[("HC059", Warning, "web")]);
    check("HC060/good.yaml", &[]);
    check("HC060/bad_undeclared.yaml", &[("HC060", Note, "etcd")]);
    check("HC060/bad.yaml", &[("HC060", Warning, "etcd")]);
    check("HC060/bad_protocol.yaml", &[("HC060", Note, "etcd-peers")]);
    check("HC057/bad.yaml", &[("HC057", Warning, "db")]);
    check("HC057/bad_near.yaml", &[("HC057", Note, "db")]);
}
