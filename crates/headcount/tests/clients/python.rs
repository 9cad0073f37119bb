//! The Kubernetes client for Python.

use std::path::PathBuf;
use std::process::Command;

use crate::support::{Up, root};

/// The Python that has the pinned client; a test that needs it fails with a clear message where there is none.
fn python() -> PathBuf {
    let python = root().join("target/tools/python/bin/python");
    let version = "import importlib.metadata as m; print('kubernetes==' + m.version('kubernetes'))";
    let output = Command::new(&python).args(["-c", version]).output();
    let installed = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    let pinned = include_str!("requirements.txt")
        .lines()
        .find(|line| line.starts_with("kubernetes=="))
        .expect("a pinned client");
    assert_eq!(
        installed.as_deref().unwrap_or("none"),
        pinned,
        "this test drives the Kubernetes client for Python (right), and {} has another or none (left); .ci/test installs it",
        python.display(),
    );
    python
}

#[test]
fn python_client_does_what_people_do_with_it() {
    let python = python();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = ["--data-dir", folder.path().to_str().expect("a UTF-8 path")];
    // What happened before a start is outside of the history of watches.
    Up::start(&data).stop();
    let up = Up::start(&data);
    let output = Command::new(python)
        .arg(root().join("crates/headcount/tests/clients/client.py"))
        .arg(&up.kubeconfig)
        .arg(root().join("examples"))
        .output()
        .expect("python starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "{}{}\n{}",
        text(&output.stdout),
        text(&output.stderr),
        up.stderr()
    );
}
