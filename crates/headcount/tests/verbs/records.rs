//! `headcount records` beyond its sessions: bad manifests, stdin, live clusters.

use std::io::Write as _;
use std::process::{Output, Stdio};

use serde_json::Value;

use crate::support::{Up, headcount, run};

fn records(arguments: &[&str]) -> Output {
    let home = tempfile::tempdir().expect("a temporary folder");
    run(home.path(), &[&["records"], arguments].concat())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

fn json(arguments: &[&str]) -> Value {
    let output = records(&[arguments, &["-o", "json"]].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn bad_manifests_are_reported_as_by_up_and_the_rest_is_shown() {
    let output = records(&["-f", "crates/headcount/tests/fixtures/bad", "-f", "examples/redis"]);
    assert_eq!(text(&output.stderr), include_str!("../fixtures/bad.stderr"));
    let shown = text(&output.stdout);
    for service in ["redis-headless", "before-the-error", "after-the-error", "matches-nothing"] {
        assert!(shown.contains(&format!("Service default/{service}: ")), "{shown}");
    }
    assert_eq!(output.status.code(), Some(1), "findings");
}

/// What is wrong only beside others is said at its line, too.
#[test]
fn what_a_cluster_would_refuse_is_a_finding() {
    let manifests = "
apiVersion: v1
kind: Service
metadata: { name: one }
spec: { clusterIP: 10.96.0.9, ports: [{ port: 80 }] }
---
apiVersion: v1
kind: Service
metadata: { name: two }
spec:
  clusterIP: 10.96.0.9
  ports: [{ port: 80 }]
";
    let home = tempfile::tempdir().expect("a temporary folder");
    let mut child = headcount(home.path())
        .args(["records", "-f", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("headcount starts");
    child.stdin.take().expect("piped").write_all(manifests.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("a child of ours");
    assert_eq!(
        text(&output.stderr),
        "<stdin>:11:14: error: spec.clusterIPs: Invalid value: [\"10.96.0.9\"]: failed to allocate IP 10.96.0.9: provided IP is already allocated\n"
    );
    let shown = text(&output.stdout);
    assert!(shown.contains("Service default/one: ClusterIP"), "{shown}");
    assert!(!shown.contains("default/two"), "{shown}");
    assert!(shown.contains("10.96.0.9 "), "{shown}");
    assert_eq!(output.status.code(), Some(1), "findings");
}

/// What a live cluster answers is what is printed of it.
#[test]
fn a_live_cluster_is_shown_as_it_answers() {
    let up = Up::ephemeral(&["-f", "examples/redis", "-f", "examples/prod-database"]);
    let kubeconfig = up.kubeconfig.display().to_string();
    let all = json(&["--kubeconfig", &kubeconfig]);
    assert_eq!(all["source"], "cluster");
    assert_eq!(all["symbolic"], false);
    let services = all["services"].as_array().expect("a list");
    let names: Vec<_> = services.iter().map(|service| service["name"].as_str()).collect();
    assert_eq!(
        names,
        [Some("kubernetes"), Some("prod-database"), Some("redis-headless"), Some("kube-dns")]
    );
    let mut compared = 0;
    for service in services {
        for record in service["records"].as_array().expect("a list") {
            let part = |field: &str| record[field].as_str().expect("text").to_owned();
            let (name, rtype, data) = (part("name"), part("type"), part("data"));
            let answered = up.records(&name, &rtype);
            assert!(answered.contains(&data), "{name} {rtype} {data}: {answered:?}");
            compared += 1;
        }
    }
    assert!(compared > 20, "{compared} records");

    // One namespace asks for nothing beyond it.
    let one = json(&["--kubeconfig", &kubeconfig, "--context", "headcount", "-n", "kube-system"]);
    assert_eq!(one["services"].as_array().map(Vec::len), Some(1));
    assert_eq!(one["services"][0]["name"], "kube-dns");
    let none = records(&["--kubeconfig", &kubeconfig, "-n", "empty"]);
    assert_eq!(text(&none.stdout), "There is no Service in namespace empty.\n");

    let wrong = records(&["--kubeconfig", &kubeconfig, "--context", "prod"]);
    assert_eq!(
        text(&wrong.stderr),
        "error: the kubeconfig has no context prod\n  help: its contexts are: headcount\n"
    );
    assert_eq!(wrong.status.code(), Some(2));

    // A token that is no longer good, and a cluster that is gone.
    let spoilt = up.home().join("spoilt");
    let config = std::fs::read_to_string(&up.kubeconfig).expect("its kubeconfig");
    let token = config.lines().find(|line| line.contains("token:")).expect("a token");
    std::fs::write(&spoilt, config.replace(token, "    token: wrong")).expect("written");
    let spoilt = records(&["--kubeconfig", &spoilt.display().to_string()]);
    let said = text(&spoilt.stderr);
    assert!(said.starts_with("error: could not list "), "{said}");
    assert!(said.contains("Unauthorized") && said.contains("  help: the credentials"), "{said}");
    assert_eq!(spoilt.status.code(), Some(2));
    let kept = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(kept.path(), config).expect("written");
    let (status, _) = up.stop();
    assert_eq!(status.code(), Some(0));
    let gone = records(&["--kubeconfig", &kept.path().display().to_string()]);
    let said = text(&gone.stderr);
    assert!(said.starts_with("error: could not reach the cluster at https://127.0.0.1:"), "{said}");
    assert_eq!(gone.status.code(), Some(2));
}
