//! Terminal sessions with the stock kubectl, written down in `tests/transcripts/*.console` and run as they stand.
//!
//! ```text
//! # what this is about
//! $ headcount up --ephemeral -f examples/redis
//! $ kubectl get svc redis-headless
//! NAME             TYPE        CLUSTER-IP   EXTERNAL-IP   PORT(S)    AGE
//! redis-headless   ClusterIP   None         <none>        6379/TCP   5m
//! $ kubectl apply -f - <<END
//! > apiVersion: v1
//! > …
//! > END
//! ```
//!
//! A line with `$ ` is a command for the shell, those with `> ` go on with it, and what follows is all that it prints,
//! on stdout and stderr, up to the next command or a blank line with a remark (`# `) behind it. `[exit N]` ends the output of one that fails. `headcount up` starts a cluster, and `dig +short`
//! asks it; the rest finds `kubectl` on PATH, and has a terminal where it asks for one (`-it`). What differs from run to run (ages, times, generated names, addresses) is made alike on
//! both sides before they are compared, see [`normal`]. A command that only reads is repeated until it prints what
//! the file says, for a cluster takes a moment to follow.
//!
//! `UPDATE_TRANSCRIPTS=1 cargo test -p headcount --test up transcripts` writes what commands print now into the files
//! where that differs; read the difference before you keep it.

mod ledger;
mod normal;
mod session;
mod terminal;

use std::path::PathBuf;

use crate::support::root;
use session::Session;

/// One command of a session and what it prints.
#[derive(Debug)]
struct Step {
    /// The lines as they are in the file.
    lines: Vec<String>,
    /// What the shell gets.
    command: String,
    /// The output's lines.
    output: Vec<String>,
    /// Blank lines and remarks after it.
    after: Vec<String>,
}

fn folder() -> PathBuf {
    root().join("crates/headcount/tests/transcripts")
}

/// The remarks before the first command, and the commands.
fn parse(text: &str) -> (Vec<String>, Vec<Step>) {
    let mut head = Vec::new();
    let mut steps: Vec<Step> = Vec::new();
    for line in text.lines() {
        if let Some(command) = line.strip_prefix("$ ") {
            steps.push(Step {
                lines: vec![line.to_owned()],
                command: command.to_owned(),
                output: Vec::new(),
                after: Vec::new(),
            });
            continue;
        }
        let Some(step) = steps.last_mut() else {
            head.push(line.to_owned());
            continue;
        };
        match line.strip_prefix("> ").or((line == ">").then_some("")) {
            Some(more) if step.output.is_empty() => {
                step.lines.push(line.to_owned());
                step.command.push('\n');
                step.command.push_str(more);
            }
            _ if !step.after.is_empty() => step.after.push(line.to_owned()),
            _ if line.starts_with("# ") && step.output.last().is_some_and(String::is_empty) => {
                step.after.push(line.to_owned());
            }
            _ => step.output.push(line.to_owned()),
        }
    }
    for step in &mut steps {
        // The blank lines that part it from what follows are no output.
        let printed =
            step.output.iter().rposition(|line| !line.is_empty()).map_or(0, |last| last + 1);
        let blank = step.output.split_off(printed);
        step.after.splice(0..0, blank);
    }
    (head, steps)
}

fn render(head: &[String], steps: &[Step]) -> String {
    let steps =
        steps.iter().flat_map(|step| step.lines.iter().chain(&step.output).chain(&step.after));
    head.iter().chain(steps).map(|line| format!("{line}\n")).collect()
}

/// Runs a file of `tests/transcripts`.
fn run(name: &str) {
    let path = folder().join(format!("{name}.console"));
    let text = std::fs::read_to_string(&path).expect("the transcript");
    let (head, mut steps) = parse(&text);
    assert_eq!(render(&head, &steps), text, "{name}: what is read is what is there");
    assert!(!steps.is_empty(), "{name} has no command");
    let update = std::env::var_os("UPDATE_TRANSCRIPTS").is_some();
    let mut session = Session::default();
    for step in &mut steps {
        let expected = normal::lines(&step.command, &step.output);
        if update {
            let printed = session.settled(&step.command);
            if normal::lines(&step.command, &printed) != expected {
                step.output = printed;
            }
            continue;
        }
        let printed = session.run(&step.command, &expected);
        let seen = normal::lines(&step.command, &printed);
        assert!(
            seen == expected,
            "{name}: $ {}\n--- the transcript says\n{}\n--- it printed\n{}\n--- made alike\n{}\n--- and\n{}\n{}",
            step.command,
            step.output.join("\n"),
            printed.join("\n"),
            expected.join("\n"),
            seen.join("\n"),
            session.stderr(),
        );
    }
    if update {
        std::fs::write(&path, render(&head, &steps)).expect("the transcript is written");
    }
}

/// One test for each file, and one that finds a file without a test.
macro_rules! transcripts {
    ($($name:ident),* $(,)?) => {
        $(#[test] fn $name() { run(stringify!($name)); })*

        const NAMES: &[&str] = &[$(stringify!($name)),*];
    };
}

transcripts!(
    kubectl_apply,
    kubectl_change,
    kubectl_chart,
    kubectl_create,
    kubectl_explain,
    kubectl_gateway,
    kubectl_logs,
    kubectl_look,
    kubectl_refused,
    kubectl_rollout,
    kubectl_seed_000_design,
    kubectl_seed_001_checklist,
    kubectl_seed_001_external_api,
    kubectl_seed_001_migration,
    kubectl_seed_001_redis,
    kubectl_seed_001_walkthrough,
    kubectl_seed_002_mysql,
    kubectl_seed_003_elasticsearch,
    kubectl_seed_004_exposure,
    pods_configuration,
    pods_gateway,
    pods_logs,
    pods_seed_000_design,
    pods_seed_001_checklist,
    pods_seed_001_external_name,
    pods_seed_001_headless,
    pods_seed_001_walkthrough,
    pods_seed_002_exposure,
    pods_seed_003_elasticsearch,
    pods_seed_004_exposure,
    pods_streams,
);

#[test]
fn every_transcript_is_run() {
    let mut found: Vec<String> = std::fs::read_dir(folder())
        .expect("the transcripts")
        .map(|entry| entry.expect("an entry").path())
        .map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned())
        .collect();
    found.sort();
    let mut run = NAMES.to_vec();
    run.sort_unstable();
    assert_eq!(found, run, "the files (left) and the tests (right)");
}
