//! `docs/kubectl.md`, the ledger of kubectl's commands, held to what kubectl has and to what transcripts and tests show.

use std::collections::BTreeMap;
use std::process::Command;

use super::{folder, parse};
use crate::support::{root, stock_kubectl};

/// How a command stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Works,
    InPart,
    Refused,
    Local,
}

/// A row of the ledger.
#[derive(Debug)]
struct Row {
    state: State,
    shown_by: Vec<String>,
}

/// The rows: `` | `COMMAND` | state | shown by | to know | ``.
fn ledger() -> BTreeMap<String, Row> {
    let text = std::fs::read_to_string(root().join("docs/kubectl.md")).expect("docs/kubectl.md");
    let mut rows = BTreeMap::new();
    for line in text.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [command, state, shown_by, _] = cells[..] else { panic!("four cells in {line}") };
        let state = match state {
            "works" => State::Works,
            "in part" => State::InPart,
            "refused" => State::Refused,
            "local" => State::Local,
            other => panic!("{command}: what is the state {other:?}?"),
        };
        let shown_by = shown_by.split(", ").map(|name| name.trim_matches('`').to_owned()).collect();
        let command = command.trim_matches('`').to_owned();
        assert!(rows.insert(command.clone(), Row { state, shown_by }).is_none(), "{command} twice");
    }
    rows
}

/// The commands that `kubectl WORDS --help` lists.
fn listed(words: &[&str]) -> Vec<String> {
    let output = Command::new("kubectl")
        .args(words)
        .arg("--help")
        .env_remove("KUBECONFIG")
        .output()
        .expect("kubectl runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let mut commands = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        if line.ends_with(':') || line.contains("Commands (") {
            inside = line.contains("Commands") && !line.contains("plugins");
        } else if let Some((command, _)) = line.trim().split_once("  ").filter(|_| inside) {
            commands.push([words, &[command]].concat().join(" "));
        }
    }
    commands
}

/// The commands of the kubectl on PATH, those with commands of their own by these.
fn commands() -> Vec<String> {
    let parents =
        ["apply", "auth", "certificate", "cluster-info", "create", "rollout", "set", "top"];
    let mut commands = listed(&[]);
    assert!(commands.len() > 30, "what kubectl --help lists: {commands:?}");
    for parent in parents {
        let below = listed(&[parent]);
        assert!(!below.is_empty(), "what kubectl {parent} --help lists");
        commands.extend(below);
    }
    // Those that do nothing but hold others, and what is in development.
    let only_parents = ["auth", "certificate", "rollout", "set", "top", "alpha"];
    commands.retain(|command| !only_parents.contains(&command.as_str()));
    commands
}

#[test]
fn kubectl_has_no_command_that_the_ledger_does_not_name() {
    stock_kubectl();
    let rows = ledger();
    let missing: Vec<_> =
        commands().into_iter().filter(|command| !rows.contains_key(command)).collect();
    assert!(missing.is_empty(), "docs/kubectl.md lacks {missing:?}");
}

/// Every row is shown by a transcript in which the command ends as the row says, or by a test of that name.
#[test]
fn what_the_ledger_says_is_shown() {
    let tests: String = std::fs::read_dir(root().join("crates/headcount/tests/up"))
        .expect("the tests")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| std::fs::read_to_string(path).expect("a test's source"))
        .collect();
    for (command, Row { state, shown_by }) in ledger() {
        for name in shown_by {
            // Nothing of ours could show it, or not every kubectl has it.
            if state == State::Local && name == "–" {
                continue;
            }
            let path = folder().join(format!("{name}.console"));
            let Ok(text) = std::fs::read_to_string(path) else {
                assert!(tests.contains(&format!("fn {name}()")), "{command}: there is no {name}");
                continue;
            };
            let (_, steps) = parse(&text);
            let call = format!("kubectl {command}");
            let runs: Vec<_> = steps.iter().filter(|step| calls(&step.command, &call)).collect();
            assert!(!runs.is_empty(), "{name} does not run {call}");
            let fails = |step: &&&super::Step| {
                step.output.last().is_some_and(|line| line.starts_with("[exit "))
            };
            let failed = runs.iter().filter(fails).count();
            match state {
                State::Works | State::InPart | State::Local => {
                    assert!(failed < runs.len(), "{name}: {call} always fails");
                }
                State::Refused => assert_eq!(failed, runs.len(), "{name}: {call} is not refused"),
            }
        }
    }
}

/// Whether a shell's command line runs this command.
fn calls(line: &str, call: &str) -> bool {
    line.match_indices(call).any(|(at, _)| {
        let rest = &line[at + call.len()..];
        rest.is_empty() || rest.starts_with([' ', '\n'])
    })
}
