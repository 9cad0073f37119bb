//! Runs the commands of a transcript.

use std::ffi::OsString;
use std::iter;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::{normal, terminal};
use crate::support::{PATIENCE, Up, root, stock_kubectl};

/// How often a command that reads is repeated.
const PAUSE: Duration = Duration::from_millis(50);

/// The cluster that commands speak to.
#[derive(Default)]
pub(super) struct Session {
    up: Option<Up>,
}

impl Session {
    /// What a command prints; one that only reads is repeated until that is what is expected, for as long as is patient.
    pub(super) fn run(&mut self, command: &str, expected: &[String]) -> Vec<String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let printed = self.once(command);
            let ends = !only_reads(command) || Instant::now() >= deadline;
            if ends || normal::lines(command, &printed) == expected {
                return printed;
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// What a command prints when the cluster has come to rest.
    pub(super) fn settled(&mut self, command: &str) -> Vec<String> {
        let mut printed = self.once(command);
        if !only_reads(command) {
            std::thread::sleep(PAUSE * 4);
            return printed;
        }
        loop {
            std::thread::sleep(PAUSE * 8);
            let again = self.once(command);
            if normal::lines(command, &again) == normal::lines(command, &printed) {
                return again;
            }
            printed = again;
        }
    }

    /// What the cluster said of itself.
    pub(super) fn stderr(&self) -> String {
        self.up.as_ref().map(Up::stderr).unwrap_or_default()
    }

    fn once(&mut self, command: &str) -> Vec<String> {
        let words: Vec<&str> = command.split_whitespace().collect();
        match words.as_slice() {
            ["headcount", "up", arguments @ ..] => {
                self.up = None;
                self.up = Some(Up::start(arguments));
                Vec::new()
            }
            ["dig", "+short", question @ ..] => {
                let (rtype, name) = match question {
                    [name] => ("A", name),
                    [rtype, name] => (*rtype, name),
                    _ => panic!("what to ask with {command:?}?"),
                };
                self.cluster().records(&format!("{}.", name.trim_end_matches('.')), rtype)
            }
            _ => self.shell(command),
        }
    }

    fn shell(&self, command: &str) -> Vec<String> {
        let up = self.cluster();
        stock_kubectl();
        let mut shell = Command::new("timeout");
        shell
            .args([&PATIENCE.as_secs().to_string(), "sh", "-c", &format!("exec 2>&1\n{command}")])
            .env("KUBECONFIG", &up.kubeconfig)
            .env("HOME", up.home())
            .env("TMPDIR", up.home())
            .env("PATH", path())
            .current_dir(root());
        let (output, status) = if wants_terminal(command) {
            terminal::run(shell)
        } else {
            let output = shell.stdin(Stdio::null()).output().expect("a shell");
            (output.stdout, output.status)
        };
        let text = String::from_utf8_lossy(&output);
        let mut lines: Vec<String> = text.lines().map(|line| line.trim_end().to_owned()).collect();
        if !status.success() {
            lines.push(format!("[exit {}]", status.code().unwrap_or(-1)));
        }
        lines
    }

    fn cluster(&self) -> &Up {
        self.up.as_ref().expect("a transcript begins with `$ headcount up …`")
    }
}

/// Where commands are: `headcount` is the one that is tested.
fn path() -> OsString {
    let own = Path::new(env!("CARGO_BIN_EXE_headcount")).parent().expect("a folder");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = iter::once(own.to_owned()).chain(std::env::split_paths(&path));
    std::env::join_paths(folders).expect("folders")
}

/// Whether a command asks for a terminal, as a person before one does.
fn wants_terminal(command: &str) -> bool {
    command.split_whitespace().any(|word| ["-it", "-ti", "-t"].contains(&word))
}

/// Whether a command leaves everything as it was, so that it may be repeated.
fn only_reads(command: &str) -> bool {
    const READ: [&str; 12] = [
        "api-resources",
        "api-versions",
        "auth",
        "cluster-info",
        "describe",
        "diff",
        "events",
        "explain",
        "get",
        "logs",
        "top",
        "version",
    ];
    let reads = |part: &str, first: bool| {
        let words: Vec<&str> = part.split_whitespace().collect();
        match words.as_slice() {
            ["dig", ..] | ["kubectl", "rollout", "history" | "status", ..] => true,
            ["kubectl", verb, ..] => READ.contains(verb),
            // A filter of what was read.
            _ => !first,
        }
    };
    command.split('|').enumerate().all(|(at, part)| reads(part, at == 0))
}
