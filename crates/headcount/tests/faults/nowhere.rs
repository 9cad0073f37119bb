//! Where no pod can run as a process.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::Up;
use crate::support::who::Who;
use crate::{everybody, shell};

/// `headcount` where no user namespace can be had any more.
fn nowhere(who: Who, home: &Path) -> Command {
    let line = "echo 0 > /proc/sys/user/max_user_namespaces && exec \"$@\"";
    let mut command = who.command(Path::new("unshare"), home);
    command.args(["--user", "--map-root-user", "--", "sh", "-c", line, "sh"]);
    command.arg(who.program(home));
    command
}

#[test]
fn pods_are_simulated_and_it_is_said_why() {
    everybody(|who| {
        let home = who.folder();
        let command = nowhere(who, home.path());
        let up = Up::begin(command, home, &["--ephemeral", "--pods", "auto"]);
        let expected = "pods are simulated: this system gives out no user namespaces (no more are allowed); \
                        set with sysctl: user.max_user_namespaces is 0 (must be more than 0)";
        assert!(up.stderr().contains(expected), "{}", up.stderr());
        up.apply(&[shell("web", "sleep 1000")]);
        up.await_ready(&["web"]);
        let refused = up.kubectl_output(&["exec", "web", "--", "true"], "");
        let told = String::from_utf8_lossy(&refused.stderr);
        assert!(!refused.status.success() && told.contains("simulated"), "{told}");
    });
}

#[test]
fn who_insists_is_told_what_to_do() {
    everybody(|who| {
        let home = who.folder();
        let output = nowhere(who, home.path())
            .args(["up", "--ephemeral", "--pods", "process"])
            .args(["--api-listen", "127.0.0.1:0", "--dns-listen", "127.0.0.1:0"])
            .stdin(Stdio::null())
            .output()
            .expect("unshare runs");
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{told}");
        for part in [
            "pods cannot run as processes here",
            "this system gives out no user namespaces",
            "user.max_user_namespaces is 0 (must be more than 0)",
            "with --pods auto they are simulated where they cannot run",
        ] {
            assert!(told.contains(part), "{part:?} is not in {told}");
        }
        let left: Vec<_> = std::fs::read_dir(home.path())
            .expect("the home")
            .map(|entry| entry.expect("an entry").file_name())
            .filter(|name| name != "headcount")
            .collect();
        assert!(left.is_empty(), "{left:?} is left");
    });
}
