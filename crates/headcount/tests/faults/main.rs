//! What goes wrong where pods run, and what somebody tries who means harm: `headcount up --pods process` as a whole, by root and
//! by a user without rights.

#![cfg(target_os = "linux")]

mod bombs;
mod disk;
mod ends;
mod hostile;
mod inside;
mod nowhere;
#[path = "../up/support/mod.rs"]
mod support;

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;
use support::Up;
use support::who::Who;

/// Tries something as each user.
fn everybody(check: impl Fn(Who)) {
    for who in Who::all() {
        eprintln!("as {who:?}");
        check(*who);
    }
}

/// A number that no other process has among its arguments; `sleep` takes it.
fn marker() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("9{:07}{:03}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// All processes of this machine that have something in their command line.
fn with_argument(argument: &str) -> Vec<u32> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").expect("processes").flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if line.windows(argument.len()).any(|part| part == argument.as_bytes()) {
            found.push(pid);
        }
    }
    found
}

/// Looks until there is something.
#[track_caller]
fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + support::PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what} is still not so");
        sleep(Duration::from_millis(20));
    }
}

impl Up {
    /// Applies objects.
    #[track_caller]
    fn apply(&self, objects: &[Value]) {
        let list = serde_json::json!({ "apiVersion": "v1", "kind": "List", "items": objects });
        let output = self.kubectl_output(&["apply", "-f", "-"], &list.to_string());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// An object, if it is there.
    fn object(&self, arguments: &[&str]) -> Option<Value> {
        let output = self.kubectl_output(&[&["get", "-o", "json"], arguments].concat(), "");
        serde_json::from_slice(&output.stdout).ok()
    }

    /// Waits until these pods are ready.
    #[track_caller]
    fn await_ready(&self, pods: &[&str]) {
        let mut arguments = vec!["wait", "--for=condition=Ready", "--timeout=30s", "pod"];
        arguments.extend(pods);
        self.kubectl(&arguments);
    }

    /// What a pod has logged.
    fn logs(&self, pod: &str) -> String {
        let output = self.kubectl_output(&["logs", pod], "");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Waits for something that a pod logs.
    #[track_caller]
    fn await_log(&self, pod: &str, text: &str) -> String {
        until(&format!("{text:?} in the log of {pod}"), || {
            Some(self.logs(pod)).filter(|log| log.contains(text))
        })
    }
}

/// A pod of one container that runs a line of shell.
fn shell(name: &str, line: &str) -> Value {
    pod(name, serde_json::json!({ "image": "busybox", "command": ["sh", "-c", line] }))
}

/// A pod of one container.
fn pod(name: &str, mut container: Value) -> Value {
    container["name"] = "main".into();
    serde_json::json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name, "labels": { "app": name } },
        "spec": { "containers": [container], "terminationGracePeriodSeconds": 0 } })
}
