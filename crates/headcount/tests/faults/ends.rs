//! Nothing is left when `up` ends, whatever way it ends, and the next start finds its data.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::who::Who;
use crate::support::{PATIENCE, Up, children, is_there, signal};
use crate::{everybody, marker, pod, until, with_argument};

/// How it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// In order: Ctrl-C, a service manager, the terminal.
    Asked(&'static str),
    /// Without a chance to clean up.
    Killed,
    /// What runs the pods is killed: its first process, or the next.
    EngineKilled { depth: usize },
}

/// So long it may take until nothing is left, however much there is.
const SOON: Duration = Duration::from_secs(10);

/// Pods that do not want to end, among others that do not care, and one that writes to its volume when it is asked to end.
fn stubborn(marker: &str) -> Vec<Value> {
    let sh = |name: &str, line: &str| {
        let line = line.replace("MARKER", marker);
        pod(name, json!({ "image": "bash", "command": ["bash", "-c", line] }))
    };
    let mut terminal = sh("terminal", "trap '' HUP TERM INT; while :; do sleep MARKER; done");
    terminal["spec"]["containers"][0]["tty"] = true.into();
    terminal["spec"]["containers"][0]["stdin"] = true.into();
    let mut careful = sh(
        "careful",
        "trap 'sleep 0.3; echo flushed >> /data/file; exit 0' TERM; echo up >> /data/file; sleep MARKER & while :; do wait; done",
    );
    careful["spec"]["volumes"] =
        json!([{ "name": "data", "persistentVolumeClaim": { "claimName": "data" } }]);
    careful["spec"]["containers"][0]["volumeMounts"] =
        json!([{ "name": "data", "mountPath": "/data" }]);
    let claim = json!({ "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": { "name": "data" },
        "spec": { "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "1Mi" } } } });
    let sleepers = json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "sleepers" },
        "spec": { "replicas": 15, "selector": { "matchLabels": { "app": "sleepers" } },
            "template": { "metadata": { "labels": { "app": "sleepers" } },
                "spec": { "containers": [{ "name": "main", "image": "busybox", "command": ["sleep", marker] }] } } } });
    vec![
        claim,
        sleepers,
        careful,
        terminal,
        sh("deaf", "trap '' TERM INT HUP; sleep MARKER & sleep MARKER"),
        sh("daemon", "setsid bash -c 'setsid sleep MARKER & disown' & sleep MARKER"),
        sh("stopped", "sleep MARKER & kill -STOP $!; bash -c 'kill -STOP $$; sleep MARKER' & wait"),
    ]
}

const PODS: usize = 20;

/// So many of their processes have the marker at least.
const PROCESSES: usize = 23;

/// Ends it that way, with all that runs; tells how long that took.
fn check(who: Who, end: End) {
    let marker = marker();
    let folder = who.folder();
    let data = folder.path().join("data");
    let arguments = ["--data-dir", data.to_str().expect("UTF-8")];
    let up = who.up(&arguments);
    up.apply(&stubborn(&marker));
    until("all pods are ready", || (ready(&up) == PODS).then_some(()));
    until("all processes run", || (with_argument(&marker).len() >= PROCESSES).then_some(()));
    let guard = children(up.pid());
    assert_eq!(guard.len(), 1, "{guard:?}");
    let engine = children(guard[0]);
    let networks = networks(&marker);
    assert_eq!(networks.len(), PODS, "a network for each pod");

    let there = all_processes();
    let begun = Instant::now();
    let stderr = up.home().join("stderr");
    match end {
        End::Asked(name) => {
            signal(up.pid(), name);
            let (status, _) = up.wait();
            assert_eq!(status.code(), Some(0), "{end:?}");
        }
        End::Killed => up.kill(),
        End::EngineKilled { depth } => {
            // Held open, for the folder goes with `up`.
            let told = fs::File::open(&stderr).expect("its stderr");
            signal([&guard, &engine][depth][0], "KILL");
            let (status, _) = up.wait();
            assert_eq!(status.code(), Some(2), "{end:?}");
            let told = std::io::read_to_string(told).expect("text");
            assert!(told.contains("the engine that ran the pods has ended"), "{told}");
        }
    }
    let left = loop {
        let mut left = with_argument(&marker);
        left.extend(guard.iter().chain(&engine).filter(|pid| is_there(**pid)));
        if left.is_empty() || begun.elapsed() > SOON {
            break left;
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    assert!(left.is_empty(), "{end:?} as {who:?}: {left:?} are left after {:?}", begun.elapsed());
    // Numbers of networks are given out again: who came later may be in a new one of an old number.
    let here: Vec<_> = there.iter().filter_map(|pid| network(pid)).collect();
    assert!(networks.iter().all(|network| !here.contains(network)), "a network is left");

    let written = fs::read_to_string(volume(&data).join("file")).expect("what was written");
    let expected = if matches!(end, End::Asked(_)) { "up\nflushed\n" } else { "up\n" };
    assert_eq!(written, expected, "{end:?}");
    if end == End::Killed {
        let again = who.up(&arguments);
        until("all pods are back", || (ready(&again) == PODS).then_some(()));
        let seen = again.kubectl(&["exec", "careful", "--", "cat", "/data/file"]);
        assert_eq!(seen, "up\nup\n");
    }
}

fn ready(up: &Up) -> usize {
    let pods = up.object(&["pods"]).expect("pods");
    let is_ready = |pod: &&Value| {
        let status = &pod["status"]["containerStatuses"][0];
        status["ready"] == true && status["state"]["running"].is_object()
    };
    pods["items"].as_array().expect("a list").iter().filter(is_ready).count()
}

/// The networks that processes with this in their command line are in.
fn networks(marker: &str) -> Vec<PathBuf> {
    let mut networks: Vec<_> =
        with_argument(marker).into_iter().filter_map(|pid| network(&pid.to_string())).collect();
    networks.sort();
    networks.dedup();
    networks
}

fn network(pid: &str) -> Option<PathBuf> {
    fs::read_link(Path::new("/proc").join(pid).join("ns/net")).ok()
}

fn all_processes() -> Vec<String> {
    let entries = fs::read_dir("/proc").expect("processes").flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| name.bytes().all(|byte| byte.is_ascii_digit())).collect()
}

/// The folder of the one claim that there is.
fn volume(data: &Path) -> PathBuf {
    let mut volumes = fs::read_dir(data.join("pods/volumes")).expect("the claims' folder");
    volumes.next().expect("one").expect("readable").path()
}

#[test]
fn by_an_interrupt() {
    everybody(|who| check(who, End::Asked("INT")));
}

#[test]
fn by_a_service_manager() {
    check(Who::Me, End::Asked("TERM"));
}

#[test]
fn with_its_terminal() {
    check(*Who::all().last().expect("somebody"), End::Asked("HUP"));
}

#[test]
fn killed() {
    everybody(|who| check(who, End::Killed));
}

#[test]
fn with_its_engine() {
    everybody(|who| check(who, End::EngineKilled { depth: usize::from(who == Who::Me) }));
}

#[test]
fn an_ephemeral_folder_goes_and_a_slow_pod_is_not_waited_for_forever() {
    // The other user is in `a_second_signal_does_not_wait`.
    let who = *Who::all().last().expect("somebody");
    let marker = marker();
    let up = who.up(&["--ephemeral"]);
    let line = format!("trap : TERM; while :; do sleep 0.1; done # {marker}");
    up.apply(&[pod("slow", json!({ "image": "bash", "command": ["bash", "-c", line] }))]);
    up.await_ready(&["slow"]);
    let home = up.home().to_owned();
    let folders = || {
        let entries = fs::read_dir(&home).into_iter().flatten().flatten();
        entries
            .filter(|entry| entry.file_name().to_string_lossy().starts_with("headcount-"))
            .count()
    };
    assert_eq!(folders(), 1);
    let begun = Instant::now();
    let told = fs::File::open(home.join("stderr")).expect("its stderr");
    signal(up.pid(), "INT");
    until("the folder is gone", || (folders() == 0).then_some(()));
    let (status, _) = up.wait();
    assert_eq!(status.code(), Some(0));
    let took = begun.elapsed();
    assert!(took > Duration::from_secs(4) && took < PATIENCE, "it had its time: {took:?}");
    assert!(with_argument(&marker).is_empty());
    let told = std::io::read_to_string(told).expect("text");
    assert!(told.contains("waiting for pods to end, 5 s at most"), "{told}");
}

/// Nobody has to wait who does not want to.
#[test]
fn a_second_signal_does_not_wait() {
    let marker = marker();
    let up = Who::Me.up(&["--ephemeral"]);
    let line = format!("trap : TERM; while :; do sleep 0.1; done # {marker}");
    up.apply(&[pod("slow", json!({ "image": "bash", "command": ["bash", "-c", line] }))]);
    up.await_ready(&["slow"]);
    signal(up.pid(), "INT");
    until("it waits", || up.stderr().contains("waiting for pods to end").then_some(()));
    signal(up.pid(), "INT");
    let (status, _) = up.wait();
    assert_eq!(status.code(), Some(130));
    until("nothing is left", || with_argument(&marker).is_empty().then_some(()));
}

/// Who is killed from outside is started again, as one that ends by itself.
#[test]
fn a_pod_whose_first_process_is_killed_comes_back() {
    everybody(|who| {
        let marker = marker();
        let up = who.up(&["--ephemeral"]);
        up.apply(&[pod("web", json!({ "image": "busybox", "command": ["sleep", marker] }))]);
        up.await_ready(&["web"]);
        let first = with_argument(&marker);
        assert_eq!(first.len(), 1);
        signal(first[0], "KILL");
        until("it runs again", || {
            let pod = up.object(&["pod", "web"])?;
            let status = &pod["status"]["containerStatuses"][0];
            (status["restartCount"] == 1 && status["ready"] == true).then_some(())
        });
        let pod = up.object(&["pod", "web"]).expect("there");
        let last = &pod["status"]["containerStatuses"][0]["lastState"]["terminated"];
        assert_eq!(
            (last["exitCode"].as_i64(), last["reason"].as_str()),
            (Some(137), Some("Error"))
        );
    });
}
