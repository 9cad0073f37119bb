//! A disk that is full.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::Up;
use crate::support::who::Who;
use crate::{everybody, shell, until};

/// Takes a part of the disk, writes more lines than fit into the rest, then one now and then.
const CHATTY: &str = "head -c 1000000 /dev/zero > /data/part; i=0; while [ $i -lt 60000 ]; do i=$((i+1)); echo line $i of many that fill the disk; done; \
                      while :; do echo still here; sleep 0.2; done";

/// `up` with its data on a disk of that size, in mounts of its own, kept in a folder of this name or ephemeral; and where the disk is, as others see it.
fn on_small_disk(who: Who, size: &str, keep: Option<&str>) -> (Up, PathBuf) {
    let home = who.folder();
    let disk = home.path().join("disk");
    std::fs::create_dir(&disk).expect("a folder");
    let line =
        format!("mount -t tmpfs -o size={size},mode=0777 disk \"$1\" && shift && exec \"$@\"");
    let mut command = who.command(Path::new("unshare"), home.path());
    match who.is_root() {
        true => command.arg("--mount"),
        // Root of a user namespace that has one number.
        false => command.args(["--user", "--map-root-user", "--mount"]),
    };
    command.args(["--", "sh", "-c", &line, "sh"]).arg(&disk).arg(who.program(home.path()));
    command.env("TMPDIR", &disk);
    let data = keep.map(|name| disk.join(name).display().to_string());
    let data = data.as_ref().map_or_else(|| vec!["--ephemeral"], |data| vec!["--data-dir", data]);
    let up = Up::begin(command, home, &[&["--pods", "process"], &data[..]].concat());
    let seen = format!("/proc/{}/root{}", up.pid(), disk.display()).into();
    (up, seen)
}

fn restarts(up: &Up, pod: &str) -> Value {
    let pod = up.object(&["pod", pod]).expect("there");
    pod["status"]["containerStatuses"][0]["restartCount"].clone()
}

#[test]
fn logs_are_dropped_and_nothing_else_suffers() {
    everybody(|who| {
        let (up, disk) = on_small_disk(who, "2m", None);
        let mut chatty = shell("chatty", CHATTY);
        let mounted = json!([{ "name": "data", "mountPath": "/data" }]);
        chatty["spec"]["containers"][0]["volumeMounts"] = mounted;
        chatty["spec"]["volumes"] = json!([{ "name": "data", "emptyDir": {} }]);
        up.apply(&[chatty, shell("quiet", "sleep 1000")]);
        up.await_ready(&["chatty", "quiet"]);
        until("the disk is full", || up.stderr().contains("cannot be written").then_some(()));

        // It is said once, and everything else goes on.
        let told = up.stderr();
        assert_eq!(told.matches("its lines are lost").count(), 1, "{told}");
        assert!(
            told.contains("No space left on device") && told.contains("/logs/main/0.log"),
            "{told}"
        );
        assert!(
            up.kubectl(&["logs", "chatty"]).starts_with("line 1 of many"),
            "what is kept is given"
        );
        assert_eq!(up.kubectl(&["exec", "quiet", "--", "echo", "alive"]), "alive\n");
        assert!(!up.records("kubernetes.default.svc.cluster.local.", "A").is_empty());

        // What is to start says where there is no room.
        up.kubectl(&["exec", "chatty", "--", "sh", "-c", "cat /dev/zero > /data/rest || true"]);
        up.apply(&[shell("late", "sleep 1000")]);
        let message = until("an event of the full disk", || {
            let events = up.object(&["events", "--field-selector=involvedObject.name=late"])?;
            let messages =
                events["items"].as_array()?.iter().filter_map(|event| event["message"].as_str());
            messages.map(str::to_owned).find(|message| message.contains("No space left on device"))
        });
        assert!(message.contains("/disk/headcount-"), "{message}");
        assert_eq!(restarts(&up, "chatty"), 0, "it ran on");

        // With room again, all goes on by itself.
        up.kubectl(&["exec", "chatty", "--", "rm", "/data/part"]);
        up.await_ready(&["late"]);
        up.await_log("chatty", "lines before this one could not be kept");
        up.await_log("chatty", "still here");
        assert!(disk.exists());
    });
}

#[test]
fn what_cannot_be_stored_is_refused_and_the_rest_is_served() {
    everybody(|who| {
        let (up, _) = on_small_disk(who, "16m", Some("data"));
        let mut eater = shell("eater", "sleep 1000");
        eater["spec"]["containers"][0]["volumeMounts"] =
            json!([{ "name": "data", "mountPath": "/data" }]);
        eater["spec"]["volumes"] = json!([{ "name": "data", "emptyDir": {} }]);
        up.apply(&[eater]);
        up.await_ready(&["eater"]);
        let told = up
            .kubectl_output(&["exec", "eater", "--", "sh", "-c", "cat /dev/zero > /data/zero"], "");
        assert!(String::from_utf8_lossy(&told.stderr).contains("No space left on device"));

        let create = ["create", "configmap", "late", "--from-literal=a=b"];
        let refused = until("a change is refused", || {
            let output = up.kubectl_output(&create, "");
            if output.status.success() {
                up.kubectl(&["delete", "configmap", "late"]);
                return None;
            }
            Some(String::from_utf8_lossy(&output.stderr).into_owned())
        });
        assert!(refused.contains("disk is full"), "{refused}");
        assert!(up.kubectl(&["get", "pods"]).contains("eater"));
        assert!(!up.records("kubernetes.default.svc.cluster.local.", "A").is_empty());

        up.kubectl(&["exec", "eater", "--", "rm", "/data/zero"]);
        until("changes are taken again", || {
            up.kubectl_output(&create, "").status.success().then_some(())
        });
    });
}
