//! A StatefulSet's pods, as processes.

use std::ops::Deref;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::who::Who;
use crate::support::{Up, headcount};

/// How long anything may take before a test calls it broken: three servers start beside those of another test.
const PATIENCE: Duration = Duration::from_secs(60);

/// The members of an example, all ready.
pub(crate) struct Members {
    who: Who,
    up: Up,
    /// The StatefulSet's name, with which the pods' begin.
    pub(crate) set: &'static str,
    /// The headless Service below which each has its name.
    service: &'static str,
}

/// How a pod is killed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Death {
    /// It is asked to end, and has its grace.
    Asked,
    /// At once, without waiting.
    Forced,
}

/// A pod at one time.
#[derive(Debug, PartialEq)]
struct Seen {
    uid: String,
    address: String,
}

impl Deref for Members {
    type Target = Up;

    fn deref(&self) -> &Up {
        &self.up
    }
}

impl Members {
    /// Starts a cluster as somebody, applies an example, and waits until all its members are ready.
    pub(crate) fn form(who: Who, example: &str, set: &'static str, service: &'static str) -> Self {
        let up = who.up(&["--ephemeral"]);
        let begin = Instant::now();
        up.kubectl(&["apply", "-f", &format!("examples/peers/{example}")]);
        up.kubectl(&["rollout", "status", &format!("statefulset/{set}"), "--timeout=90s"]);
        println!("{example} ({who:?}): all ready after {:?}", begin.elapsed());
        Self { who, up, set, service }
    }

    /// A member's pod.
    pub(crate) fn pod(&self, ordinal: usize) -> String {
        format!("{}-{ordinal}", self.set)
    }

    /// A member's name, whole.
    pub(crate) fn host(&self, ordinal: usize) -> String {
        format!("{}.{}.default.svc.cluster.local", self.pod(ordinal), self.service)
    }

    /// What a command says that runs in a member's container; it must succeed.
    pub(crate) fn exec(&self, ordinal: usize, command: &[&str]) -> String {
        let pod = self.pod(ordinal);
        self.kubectl(&[&["exec", &pod, "-q", "--"], command].concat())
    }

    /// As [`Self::exec`], in a container by its name; what it says when it fails is of no interest.
    pub(crate) fn exec_in(&self, ordinal: usize, container: &str, command: &[&str]) -> String {
        let pod = self.pod(ordinal);
        let arguments = [&["exec", &pod, "-q", "-c", container, "--"], command].concat();
        String::from_utf8(self.kubectl_output(&arguments, "").stdout).expect("text")
    }

    /// What a program of this machine says that runs in the cluster's network; it must succeed.
    pub(crate) fn run(&self, command: &[&str]) -> String {
        let mut headcount = match self.who {
            Who::Me => headcount(self.home()),
            Who::Nobody => self.who.command(&self.home().join("headcount"), self.home()),
        };
        let output = headcount
            .args(["run", "--kubeconfig"])
            .arg(&self.kubeconfig)
            .arg("--")
            .args(command)
            .stdin(Stdio::null())
            .output()
            .expect("headcount runs");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command:?}: {stderr}");
        String::from_utf8(output.stdout).expect("text")
    }

    /// Kills a member and waits until it is ready again: another pod under the same name, at another address, which is what the
    /// name answers with.
    pub(crate) fn kill(&self, ordinal: usize, death: Death) {
        self.kill_all(&[ordinal], death);
    }

    /// As [`Self::kill`], for members that go at the same time.
    pub(crate) fn kill_all(&self, ordinals: &[usize], death: Death) {
        let ready = |ordinal: &usize| self.ready(*ordinal).expect("a member that is ready");
        let before: Vec<Seen> = ordinals.iter().map(ready).collect();
        let pods: Vec<String> = ordinals.iter().map(|ordinal| self.pod(*ordinal)).collect();
        let pods: Vec<&str> = pods.iter().map(String::as_str).collect();
        let force: &[&str] = match death {
            Death::Asked => &[],
            Death::Forced => &["--force", "--grace-period=0"],
        };
        let begin = Instant::now();
        self.kubectl(&[&["delete", "--wait=false", "pods"], &pods[..], force].concat());
        for (ordinal, before) in ordinals.iter().zip(before) {
            let after = eventually("a member is back", || {
                let after = self.ready(*ordinal).filter(|after| after.uid != before.uid);
                after.ok_or_else(|| self.pods())
            });
            assert_ne!(after.address, before.address, "an address rests before another pod has it");
            let host = self.host(*ordinal);
            self.until(&host, "A", |reply| reply.data("A") == [after.address.clone()]);
        }
        println!("{}: {death:?}, ready again after {:?}", pods.join(", "), begin.elapsed());
    }

    /// A member's pod, if it is ready.
    fn ready(&self, ordinal: usize) -> Option<Seen> {
        let pod = self.pod(ordinal);
        let text = self.kubectl(&["get", "pod", &pod, "--ignore-not-found", "-o", "json"]);
        let pod: Value = serde_json::from_str(&text).ok()?;
        let mut conditions = pod["status"]["conditions"].as_array()?.iter();
        let is_ready = conditions.any(|it| it["type"] == "Ready" && it["status"] == "True");
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let seen =
            Seen { uid: text(&pod["metadata"]["uid"])?, address: text(&pod["status"]["podIP"])? };
        (is_ready && pod["metadata"]["deletionTimestamp"].is_null()).then_some(seen)
    }

    fn pods(&self) -> String {
        self.kubectl(&["get", "pods", "-o", "wide"])
    }
}

/// One without rights, where the tests run as root: each of both has its share of the examples.
pub(crate) fn without_rights() -> Who {
    *Who::all().last().expect("somebody")
}

/// Looks until there is something; what was there instead is told when that takes too long.
#[track_caller]
pub(crate) fn eventually<T>(what: &str, look: impl Fn() -> Result<T, String>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match look() {
            Ok(found) => return found,
            Err(instead) => {
                assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}\n{instead}");
            }
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Looks until it is this.
#[track_caller]
pub(crate) fn becomes<T: PartialEq + std::fmt::Debug>(
    what: &str,
    expected: T,
    look: impl Fn() -> T,
) {
    eventually(what, || {
        let seen = look();
        if seen == expected { Ok(()) } else { Err(format!("{seen:?}, not {expected:?}")) }
    });
}
