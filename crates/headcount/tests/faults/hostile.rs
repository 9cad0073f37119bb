//! Pods that somebody writes who wants more of the machine than a pod has.

use std::io::ErrorKind;
use std::net::TcpListener;

use serde_json::{Value, json};

use crate::everybody;
use crate::support::Up;
use crate::support::who::Who;

/// What becomes of a pod.
enum Outcome {
    /// The API does not take it, and says this.
    Refused(&'static str),
    /// It does not start, and its events or its status say this.
    Held(&'static str),
    /// It runs, and logs this.
    Logs(&'static str),
}
use Outcome::{Held, Logs, Refused};

/// A pod with these fields in its container and its spec.
fn pod(name: &str, container: Value, spec: Value) -> Value {
    let mut pod = crate::pod(
        name,
        json!({ "image": "busybox", "command": ["sh", "-c", "echo runs; sleep 1000"] }),
    );
    let mut put = |at: &str, fields: Value| {
        let into = pod.pointer_mut(at).and_then(Value::as_object_mut).expect("an object");
        into.extend(fields.as_object().expect("an object").clone());
    };
    put("/spec", spec);
    put("/spec/containers/0", container);
    pod
}

/// An emptyDir mounted there.
fn mounted(path: &str) -> (Value, Value) {
    (
        json!({ "volumeMounts": [{ "name": "v", "mountPath": path }] }),
        json!({ "volumes": [{ "name": "v", "emptyDir": {} }] }),
    )
}

fn runs(line: &str) -> Value {
    json!({ "command": ["sh", "-c", format!("{line}; sleep 1000")] })
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn pods(who: Who, port: u16) -> Vec<(Value, Outcome)> {
    let none = || json!({});
    let huge = "x".repeat(200_000);
    let mut pods = Vec::new();
    let mut add = |name: &str, container: Value, spec: Value, outcome: Outcome| {
        pods.push((pod(name, container, spec), outcome));
    };

    // Files of the host.
    let (mount, _) = mounted("/x");
    let host = json!({ "volumes": [{ "name": "v", "hostPath": { "path": "/" } }] });
    add(
        "host-path",
        mount,
        host,
        Held("hostPath / is not mounted: pods get no files of this machine"),
    );
    let (_, volume) = mounted("/x");
    let sub = |path: &str| json!({ "volumeMounts": [{ "name": "v", "mountPath": "/x", "subPath": path }] });
    add("sub-path", sub("../../x"), volume.clone(), Held("must not contain '..'"));
    let mut linked = volume.clone();
    linked["initContainers"] = json!([{ "name": "link", "image": "busybox", "command": ["ln", "-s", "/etc", "/v/link"],
        "volumeMounts": [{ "name": "v", "mountPath": "/v" }] }]);
    add("sub-path-link", sub("link"), linked, Held("failed to prepare subPath for volumeMount"));
    for (name, path, outcome) in [
        ("at-root", "/", Held("it is the root of the container")),
        ("at-proc", "/proc/sys", Held("it is inside /proc")),
        ("at-sys", "/x/../sys", Held("it is inside /sys")),
        ("at-programs", "/usr/bin", Held("executable file not found in $PATH")),
        ("at-relative", "x/../y", Logs("runs")),
        ("at-etc", "/etc", Logs("runs")),
    ] {
        let (mount, volume) = mounted(path);
        add(name, mount, volume, outcome);
    }
    let device = json!({ "volumeDevices": [{ "name": "v", "devicePath": "/dev/x" }] });
    add("device", device, volume.clone(), Held("there are no block devices here"));
    for (name, path, outcome) in [
        ("words-proc", "/proc/1/x", Held("it is inside /proc")),
        ("words-root", "/", Held("it is the root of the container")),
    ] {
        add(name, json!({ "terminationMessagePath": path }), none(), outcome);
    }
    for (name, folder, outcome) in [
        ("folder-up", "../../etc", Held("a path that goes back with `..`")),
        ("folder-proc", "/proc/1/root/x", Held("Too many levels of symbolic links")),
    ] {
        add(name, json!({ "workingDir": folder }), none(), outcome);
    }

    // Rights.
    let mounts = "mount -t tmpfs x /mnt 2>/dev/null && echo mounted || echo refused";
    let all = json!({ "securityContext": { "privileged": true, "procMount": "Unmasked", "capabilities": { "add": ["SYS_ADMIN", "NET_ADMIN"] } } });
    let mut privileged = runs(mounts);
    privileged["securityContext"] = all["securityContext"].clone();
    add("privileged", privileged, none(), Logs("refused"));
    let space = json!({ "hostPID": true, "hostIPC": true });
    add("host-pid", runs("echo /proc/[0-9]*"), space, Logs("/proc/1\n"));
    let links = "ip link set lo down 2>/dev/null && echo down || echo refused";
    add("host-network", runs(links), json!({ "hostNetwork": true }), Logs("refused"));
    for (name, user, outcome) in [
        ("user-negative", -1_i64, Held("runAsUser: -1 is no user or group")),
        ("user-huge", 1 << 32, Held("runAsUser: 4294967296 is no user or group")),
    ] {
        add(name, json!({ "securityContext": { "runAsUser": user } }), none(), outcome);
    }
    if who.is_root() {
        let user = json!({ "securityContext": { "runAsUser": 1_879_048_192 } });
        add("user-mapped", user, none(), Held("users and groups have numbers below 65536"));
    }

    // Names and texts that end up in files and in environments.
    add(
        "volume-name",
        none(),
        json!({ "volumes": [{ "name": "../v", "emptyDir": {} }] }),
        Refused("Invalid value: \"../v\""),
    );
    add("container-name", json!({ "name": "../c" }), none(), Refused("Invalid value: \"../c\""));
    add(
        "image-name",
        json!({ "image": "../../etc/passwd" }),
        none(),
        Held("invalid reference format"),
    );
    add(
        "host-name",
        none(),
        json!({ "hostname": "a\n1.2.3.4 kubernetes" }),
        Refused("spec.hostname"),
    );
    for (name, alias) in [
        ("alias-name", json!({ "ip": "1.2.3.4", "hostnames": ["a\n6.6.6.6 kubernetes"] })),
        ("alias-address", json!({ "ip": "1.2.3.4 x\n6.6.6.6", "hostnames": ["a"] })),
    ] {
        add(name, none(), json!({ "hostAliases": [alias] }), Refused("spec.hostAliases[0]"));
    }
    let variable = |name: &str, value: &str, line: &str| {
        let mut container = runs(line);
        container["env"] = json!([{ "name": name, "value": value }]);
        container
    };
    add("variable-lines", variable("A", "1\nB=2", "echo $A.$B."), none(), Logs("1 B=2..\n"));
    add("variable-name", variable("A=B", "1", "true"), none(), Refused("env[0].name"));
    add("variable-nul", variable("A", "a\0b", "true"), none(), Held("contains a NUL character"));
    add("variable-huge", variable("A", &huge, "true"), none(), Held("Argument list too long"));
    add("argument-nul", json!({ "args": ["a\0b"] }), none(), Held("contains a NUL character"));
    add("argument-huge", json!({ "args": [huge] }), none(), Held("Argument list too long"));

    // A probe goes from the cluster's network, whatever host it names.
    let probe = json!({ "readinessProbe": { "httpGet": { "host": "127.0.0.1", "port": port }, "periodSeconds": 1 } });
    add("probe", probe, none(), Held("connection refused"));
    pods
}

/// All that is said of a pod.
fn said(up: &Up, name: &str) -> String {
    let of = format!("--field-selector=involvedObject.name={name}");
    let objects = [up.object(&["pod", name]), up.object(&["events", &of])];
    objects.map(|object| object.unwrap_or_default().to_string()).concat()
}

#[test]
fn what_pods_ask_for() {
    everybody(|who| {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("a socket");
        let port = listener.local_addr().expect("bound").port();
        let up = who.up(&["--ephemeral"]);
        let pods = pods(who, port);
        let (refused, taken): (Vec<_>, Vec<_>) =
            pods.iter().partition(|(_, outcome)| matches!(outcome, Refused(_)));
        let taken: Vec<Value> = taken.iter().map(|(pod, _)| pod.clone()).collect();
        up.apply(&taken);
        for (pod, outcome) in refused {
            let Refused(expected) = outcome else { continue };
            let output = up.kubectl_output(&["create", "-f", "-"], &pod.to_string());
            let told = String::from_utf8_lossy(&output.stderr);
            assert!(!output.status.success() && told.contains(expected), "{expected}: {told}");
        }
        for (pod, outcome) in &pods {
            let name = pod["metadata"]["name"].as_str().expect("a name");
            match outcome {
                Refused(_) => {}
                Held(expected) => {
                    // As JSON has it.
                    let expected = expected.replace('"', "\\\"");
                    crate::until(&format!("{name}: {expected}"), || {
                        said(&up, name).contains(&expected).then_some(())
                    });
                }
                Logs(expected) => drop(up.await_log(name, expected)),
            }
        }
        let none = listener.accept().expect_err("no probe reaches this machine's loopback");
        assert_eq!(none.kind(), ErrorKind::WouldBlock);
        up.apply(&[crate::shell("web", "sleep 1000")]);
        up.await_ready(&["web"]);
    });
}
