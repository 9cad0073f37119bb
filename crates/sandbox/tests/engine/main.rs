//! The engine, asked as `headcount` asks it. Run by root, all tests are run once more without any right.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "tests")]

mod attacks;
mod bounds;
mod ends;
mod files;
mod networks;
mod processes;
mod support;
mod terminals;

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// The tests that measure what is true of the machine, and those that run others.
const ONCE: &[&str] = &["once_more_without_rights", "ends::holder"];

/// A user that has no rights anywhere.
const NOBODY: u32 = 65_534;

#[test]
fn once_more_without_rights() {
    if !rustix::process::getuid().is_root() {
        return;
    }
    // What is built may lie where nobody else may look.
    let folder = tempfile::tempdir().unwrap();
    let settings = support::settings(folder.path());
    let (tests, program) = (folder.path().join("tests"), folder.path().join("program"));
    fs::copy(std::env::current_exe().unwrap(), &tests).unwrap();
    fs::copy(settings.program.unwrap(), &program).unwrap();
    let mut command = Command::new(&tests);
    for test in ONCE {
        command.args(["--skip", test]);
    }
    let output = command
        .env(support::PROGRAM, &program)
        .current_dir("/")
        .uid(NOBODY)
        .gid(NOBODY)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(told.contains("test networks::a_pod_reaches_others"), "{told}");
}
