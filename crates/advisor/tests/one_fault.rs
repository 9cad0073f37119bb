//! One fault is told once: where two rules could speak, the more specific one does.

use std::path::Path;

use advisor::lint::{Objects, Options, check as lint};
use manifest::read::read_any;

/// Checks what is found in a fixture of a rule.
#[track_caller]
fn check(fixture: &str, expected: &[&str]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(fixture);
    let text = std::fs::read_to_string(path).expect("a fixture");
    let reading = read_any(fixture, &text);
    assert_eq!(reading.problems, []);
    let objects = Objects::new(reading.documents, reading.foreign, Options::default());
    let found: Vec<_> = lint(&objects).iter().map(|finding| finding.code).collect();
    assert_eq!(found, expected, "{fixture}");
}

#[test]
fn one_fault_is_one_finding() {
    // The field is meant, and written as an annotation.
    check("HC018/good-annotation.yaml", &["HC020"]);
    // The field is on the clients' Service in place of the peers'.
    check("HC019/good-misplaced.yaml", &["HC018"]);
    // The peers' Service has a cluster IP; that it is published follows from what it is for.
    check("HC019/good-governing.yaml", &["HC061"]);
    // `serviceName` names the wrong of two Services, whatever the software.
    check("HC061/good-wrong-of-two.yaml", &["HC002"]);
    // One member has no peers to be led to, and its name is no more promised than others'.
    check("HC061/good-single.yaml", &["HC002"]);
    // Peers that are ready only together get no list, and not a part of one.
    check("HC026/good-deadlock.yaml", &["HC018"]);
    // Each of two must be mended for the cluster to start.
    check("HC018/bad-ordered.yaml", &["HC018", "HC022"]);
}
