//! What one pod takes, others still have.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{Up, is_there};
use crate::{everybody, marker, pod, shell, until, with_argument};

/// Each of its processes makes more for ever.
const FORKS: &str = "
import os, time
said = False
while True:
    try:
        os.fork()
    except OSError:
        if os.getpid() == 1 and not said:
            print('no more', flush=True)
            said = True
        time.sleep(0.05)
";

/// Opens files until it may not, in many processes, and connections to the API and to DNS.
const DESCRIPTORS: &str = "
import os, socket, time
held = []
for address in (('10.96.0.1', 443), ('10.96.0.10', 53)):
    try:
        for _ in range(3000):
            client = socket.socket()
            client.settimeout(0.5)
            held.append(client)
            client.connect(address)
    except OSError as why:
        print(address, why, flush=True)
try:
    while True:
        held.append(os.open('/dev/null', 0))
except OSError as why:
    print('no more', why, flush=True)
time.sleep(1000)
";

/// Fills all that it can write to: its root, its memory file systems, and their numbers of files.
const FILLS: &str = "
import os, time
for folder in ('/var', '/tmp', '/dev/shm', '/run'):
    try:
        with open(folder + '/fill', 'wb') as file:
            while True:
                file.write(b'x' * (1 << 20))
    except OSError as why:
        print(folder, why.strerror, flush=True)
os.remove('/var/fill')
try:
    for number in range(1 << 20):
        os.close(os.open(f'/var/{number}', os.O_CREAT | os.O_WRONLY))
except OSError as why:
    print('no more', why.strerror, flush=True)
time.sleep(1000)
";

/// How long a look at the API, at DNS and into a pod takes.
fn look(up: &Up) -> Duration {
    let begun = Instant::now();
    assert!(up.kubectl(&["get", "pods"]).contains("quiet"));
    assert!(!up.records("kubernetes.default.svc.cluster.local.", "A").is_empty());
    assert_eq!(up.kubectl(&["exec", "quiet", "--", "echo", "alive"]), "alive\n");
    begun.elapsed()
}

/// Runs a pod that takes what it can get; meanwhile others start and answer, and then it can be deleted.
fn check(name: &str, bomb: serde_json::Value, lit: impl Fn(&Up)) {
    everybody(|who| {
        let marker = marker();
        let up = who.up(&["--ephemeral"]);
        let mut bomb = bomb.clone();
        bomb["command"].as_array_mut().expect("a command").push(marker.clone().into());
        up.apply(&[shell("quiet", "sleep 1000"), pod(name, bomb)]);
        up.await_ready(&["quiet"]);
        let before = up.resident_kib();
        lit(&up);
        let took = look(&up);
        assert!(took < Duration::from_secs(15), "{name}: {took:?}");
        up.apply(&[shell("late", "sleep 1000")]);
        up.await_ready(&["late"]);
        let grown = up.resident_kib().saturating_sub(before);
        assert!(grown < 100 << 10, "{name}: {grown} KiB more");
        up.kubectl(&["delete", "pod", name, "--wait=true", "--timeout=20s"]);
        until("nothing of it is left", || with_argument(&marker).is_empty().then_some(()));
        look(&up);
        assert!(is_there(up.pid()));
    });
}

fn python(script: &str) -> serde_json::Value {
    json!({ "image": "python", "command": ["python3", "-c", script] })
}

#[test]
fn processes() {
    check("forks", python(FORKS), |up| drop(up.await_log("forks", "no more")));
}

#[test]
fn descriptors_and_connections() {
    check("descriptors", python(DESCRIPTORS), |up| drop(up.await_log("descriptors", "no more")));
}

#[test]
fn files() {
    check("fills", python(FILLS), |up| {
        let log = up.await_log("fills", "no more");
        assert_eq!(log.matches("No space left on device").count(), 5, "{log}");
    });
}

#[test]
fn lines() {
    let flood = json!({ "image": "bash", "command": ["bash", "-c", "yes 'a line of a flood, of which the last ones are kept alone'; # $0"] });
    check("floods", flood, |up| {
        let size = |name: &str| -> Option<u64> {
            let folders = std::fs::read_dir(up.home()).ok()?.flatten();
            let mut folders = folders.map(|entry| entry.path());
            let data = folders.find(|path| path.to_string_lossy().contains("headcount-"))?;
            let uid = up.object(&["pod", "floods"])?["metadata"]["uid"].as_str()?.to_owned();
            let logs = data.join("pods/pods").join(uid).join("logs/main");
            Some(std::fs::metadata(logs.join(name)).ok()?.len())
        };
        // Both files are full: twice what is kept has been written at least.
        until("the older file is there", || size("0.log.1"));
        let sizes = [size("0.log"), size("0.log.1")].map(Option::unwrap_or_default);
        assert!(sizes.iter().all(|size| *size <= 10 << 20), "{sizes:?}");
    });
}
