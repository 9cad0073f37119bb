//! Sessions with verbs that need no cluster, written down in `sessions/*.console` and in the blocks ` ```console ` of pages of
//! `docs/` and README.md, and run as they stand.
//!
//! ```text
//! # what this is about
//! $ headcount records -f examples/redis
//! Service default/redis-headless: …
//!
//! $ headcount records -f examples/redis nothing
//! error: …
//! [exit 2]
//! ```
//!
//! A line with `$ ` is a command for a shell that finds `headcount`; what follows is all that it prints, on stdout and stderr, up
//! to the next command or remark (`# `), without the blank lines at its end. `[exit N]` ends the output of one that fails.
//!
//! `UPDATE_TRANSCRIPTS=1 cargo test -p headcount --test verbs sessions` writes what commands print now; read the difference
//! before you keep it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::root;

/// The pages whose blocks are run, of these the lines with `$ `.
const PAGES: &[&str] =
    &["README.md", "docs/dns.md", "docs/design.md", "docs/lint.md", "docs/records.md"];

fn folder() -> PathBuf {
    root().join("crates/headcount/tests/verbs/sessions")
}

/// Everything that a command prints.
fn output(command: &str) -> Vec<String> {
    let home = tempfile::tempdir().expect("a temporary folder");
    let program = Path::new(env!("CARGO_BIN_EXE_headcount"));
    let path = format!(
        "{}:{}",
        program.parent().expect("a folder").display(),
        std::env::var("PATH").unwrap_or_default()
    );
    let output = Command::new("sh")
        .args(["-c", &format!("exec 2>&1\n{command}")])
        .env_clear()
        .env("HOME", home.path())
        .env("PATH", path)
        .current_dir(root())
        .stdin(Stdio::null())
        .output()
        .expect("a shell");
    let text = String::from_utf8(output.stdout).expect("text");
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    if !output.status.success() {
        lines.push(format!("[exit {}]", output.status.code().unwrap_or(-1)));
    }
    lines
}

/// The session with what its commands print now.
fn rerun(text: &str) -> String {
    let mut lines = Vec::new();
    let mut within_output = false;
    for line in text.lines() {
        match line.strip_prefix("$ ") {
            Some(command) => {
                lines.push(line.to_owned());
                lines.extend(output(command));
                lines.push(String::new());
                within_output = true;
            }
            None if line.starts_with("# ") => {
                lines.push(line.to_owned());
                within_output = false;
            }
            None if !within_output => lines.push(line.to_owned()),
            None => {}
        }
    }
    let text = lines.join("\n");
    format!("{}\n", text.trim_end())
}

/// The page with what the commands in its blocks print now.
fn rerun_page(text: &str) -> String {
    let mut page = String::new();
    let mut rest = text;
    while let Some((before, from)) = rest.split_once("```console\n") {
        let (block, after) = from.split_once("```\n").expect("a block ends");
        page.push_str(&format!("{before}```console\n{}```\n", rerun(block)));
        rest = after;
    }
    page + rest
}

fn check(path: &Path, rerun: fn(&str) -> String) {
    let text = std::fs::read_to_string(path).expect("a session");
    assert!(text.contains("\n$ headcount "), "{} runs nothing", path.display());
    let now = rerun(&text);
    if std::env::var_os("UPDATE_TRANSCRIPTS").is_some() {
        std::fs::write(path, &now).expect("the session is written");
    } else {
        let differs = text.lines().zip(now.lines()).position(|(old, new)| old != new);
        let at = differs.unwrap_or_else(|| text.lines().count().min(now.lines().count()));
        let line = |text: &str| text.lines().nth(at).map(str::to_owned);
        assert_eq!(line(&text), line(&now), "{}:{}", path.display(), at + 1);
        assert!(text == now, "{}: the end differs", path.display());
    }
}

#[test]
fn every_session_prints_what_it_says() {
    let entries = std::fs::read_dir(folder()).expect("the sessions");
    let paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    assert!(!paths.is_empty(), "there are sessions");
    paths.iter().for_each(|path| check(path, rerun));
}

#[test]
fn every_page_shows_what_is_printed() {
    for page in PAGES {
        check(&root().join(page), rerun_page);
    }
}
