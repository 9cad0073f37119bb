//! The commands in README.md and examples/README.md, executed as they stand, and what they say comes back.

use std::net::IpAddr;

use hickory_proto::op::ResponseCode;

use crate::support::{Up, root};

/// One command of a document, with the output that the document shows below it.
struct Command {
    words: Vec<String>,
    shown: Vec<String>,
}

/// The commands of a Markdown text, in order: the lines of its `console` blocks (with or without `$ `), and those
/// that stand as inline code. Only the programs named here are commands.
fn commands(text: &str) -> Vec<Command> {
    const PROGRAMS: [&str; 4] = ["cargo", "dig", "headcount", "kubectl"];
    let is_command =
        |line: &str| PROGRAMS.iter().any(|program| line.starts_with(&format!("{program} ")));
    let words = |line: &str| {
        line.split(" #").next().unwrap_or("").split_whitespace().map(str::to_owned).collect()
    };
    // Prose also names parts of commands.
    let is_whole = |code: &str| {
        !code.contains('…')
            && !code.ends_with("-f")
            && !code.ends_with("-f -")
            && !code.ends_with("+answer")
    };
    let mut commands: Vec<Command> = Vec::new();
    let mut block: Option<bool> = None; // inside a block, and whether it is of commands
    let mut outputs = false; // whether a line that is no command is the last command's output
    let joined = text.replace("\\\n", " ");
    for line in joined.lines() {
        if let Some(language) = line.strip_prefix("```") {
            block = if block.is_some() { None } else { Some(language == "console") };
            outputs = false;
        } else if block == Some(true) {
            let command = line.strip_prefix("$ ").unwrap_or(line);
            if is_command(command) {
                commands.push(Command { words: words(command), shown: Vec::new() });
                outputs = true;
            } else if let Some(last) = commands.last_mut().filter(|_| outputs && !line.is_empty()) {
                last.shown.push(line.to_owned());
            }
        } else if block.is_none() {
            let inline = line
                .split('`')
                .skip(1)
                .step_by(2)
                .filter(|code| is_command(code) && is_whole(code));
            commands.extend(inline.map(|code| Command { words: words(code), shown: Vec::new() }));
        }
    }
    commands
}

/// Runs commands against the cluster that the last `up` among them started.
#[derive(Default)]
struct Session {
    up: Option<Up>,
    digs: usize,
}

impl Session {
    fn run(&mut self, command: &Command) {
        let words: Vec<&str> = command.words.iter().map(String::as_str).collect();
        match words[..] {
            ["headcount", "up", ref arguments @ ..]
            | ["cargo", "run", "--release", "--", "up", ref arguments @ ..] => {
                // Prose speaks of other starts, too.
                if arguments.contains(&"--ephemeral") {
                    self.up = None;
                    self.up = Some(Up::start(arguments));
                }
            }
            ["cargo", "build", "--release"] => {}
            // What they print is compared by the sessions of the verbs.
            ["headcount", "lint" | "records" | "design" | "explain", ..] => {}
            // A verb's name alone is no command to try.
            ["headcount", "dns"] => {}
            ["dig", ref arguments @ ..] => self.dig(arguments, &command.shown),
            ["kubectl", ref arguments @ ..] => {
                self.up.as_ref().expect("an `up` before kubectl").kubectl(arguments);
            }
            _ => panic!("what to do with {words:?}?"),
        }
    }

    /// The answer section is what the document shows (addresses of the cluster apart); where it shows nothing, the
    /// name answers with something.
    fn dig(&mut self, arguments: &[&str], shown: &[String]) {
        let up = self.up.as_ref().expect("an `up` before dig");
        self.digs += 1;
        let mut words = arguments
            .iter()
            .copied()
            .filter(|word| !word.starts_with(['@', '+']) && *word != "-p" && *word != "1053");
        let (first, second) = (words.next().expect("a name"), words.next());
        let (name, rtype) = match (first, second) {
            ("-x", Some(_)) => {
                let target = shown[0].split_whitespace().last().expect("a PTR record");
                let address = up.records(target, "A").remove(0);
                (reverse(&address), "PTR")
            }
            (rtype, Some(name)) => (name.to_owned(), rtype),
            (name, None) => (name.to_owned(), "A"),
        };
        let wanted: Vec<_> = shown.iter().map(|line| normal(line)).collect();
        let answers = |reply: &crate::support::dns::Reply| {
            let mut lines: Vec<_> = reply
                .message
                .answers
                .iter()
                .map(|record| {
                    normal(&format!("{} IN {} {}", record.name, record.record_type(), record.data))
                })
                .collect();
            lines.sort();
            lines
        };
        // A change that the document makes before this question may take a moment.
        let reply = up.until(&name, rtype, |reply| {
            if wanted.is_empty() {
                !reply.message.answers.is_empty()
            } else {
                answers(reply) == wanted
            }
        });
        assert_eq!(reply.rcode(), ResponseCode::NoError, "{name} {rtype}");
    }
}

/// A record's text with the addresses that a cluster chooses made alike.
fn normal(line: &str) -> String {
    let words = line.split_whitespace().map(|word| {
        if word.ends_with(".in-addr.arpa.") {
            return "REVERSE".to_owned();
        }
        match word.parse() {
            Ok(IpAddr::V4(v4)) if v4.octets()[0] == 10 => "ADDRESS".to_owned(),
            Ok(IpAddr::V6(_)) => "ADDRESS".to_owned(),
            _ => word.to_owned(),
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

fn reverse(address: &str) -> String {
    let mut octets: Vec<_> = address.split('.').collect();
    octets.reverse();
    format!("{}.in-addr.arpa.", octets.join("."))
}

fn document(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).expect(path)
}

#[track_caller]
fn check(path: &str, ups: usize, digs: usize) {
    let mut session = Session::default();
    let mut started = 0;
    for command in &commands(&document(path)) {
        session.run(command);
        started += usize::from(command.words.contains(&"up".to_owned()) && session.up.is_some());
    }
    assert!(
        started >= ups && session.digs >= digs,
        "{path}: found {started} of {ups} starts, {} digs",
        session.digs
    );
}

#[test]
fn kubectl_and_dig_do_what_the_readme_says() {
    check("README.md", 1, 3);
}

#[test]
fn kubectl_and_dig_do_what_the_examples_say() {
    check("examples/README.md", 9, 20);
}

/// Every scenario is in the list, and all of them start together.
#[test]
fn all_examples_start_together() {
    let up = Up::ephemeral(&["-f", "examples/"]);
    assert_eq!(up.stderr(), "");
    let text = document("examples/README.md");
    for entry in std::fs::read_dir(root().join("examples")).expect("examples") {
        let entry = entry.expect("an entry");
        let name = entry.file_name().into_string().expect("a UTF-8 name");
        if entry.path().is_dir() {
            assert!(
                text.contains(&format!("## {name}\n")),
                "examples/README.md does not speak of {name}"
            );
        }
    }
}

/// The messages that the README shows are those of `up`.
#[test]
fn the_readme_shows_real_messages() {
    let real =
        include_str!("../fixtures/bad.stderr").replace("crates/headcount/tests/fixtures/bad/", "");
    let text = document("README.md");
    let block = text
        .split("```text\n")
        .find(|block| block.contains(": error: "))
        .expect("a block of messages");
    let shown = block.split("```").next().expect("its end");
    for line in shown.lines() {
        assert!(
            real.lines().any(|real| real == line),
            "README.md shows a message that up does not print: {line}"
        );
    }
}
