//! Behaviour scripts: objects applied, questions asked, answers expected.
//!
//! The format is described beside the scripts, in `tests/scripts/README.md`. A script is parsed here and run
//! wherever answers come from: the directory itself, or a server's socket.

mod expected;
mod objects;

use std::fmt;

pub use expected::{Expected, Outcome, Rcode};

use crate::{Change, Name, RecordType, ZoneConfig};

include!(concat!(env!("OUT_DIR"), "/each_script.rs"));

/// A parsed script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// The zone's settings.
    pub config: ZoneConfig,
    /// What happens, in order. Unless the script says otherwise, the first step is [`Action::Sync`].
    pub steps: Vec<Step>,
}

/// A step of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The line that it begins at, from 1.
    pub line: usize,
    /// What happens.
    pub action: Action,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::large_enum_variant)]
pub enum Action {
    /// An object changes.
    Apply(Change),
    /// The directory is synced.
    Sync,
    /// A question, and what it must be answered with.
    Ask {
        /// The name, in the case written.
        name: Name,
        /// The type.
        rtype: RecordType,
        /// The answer.
        expected: Expected,
    },
}

/// A line that is not understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptError {
    /// From 1.
    pub line: usize,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for ScriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}

impl std::error::Error for ScriptError {}

/// A statement: a line at the margin and the indented lines that belong to it, numbered, without comments.
struct Statement<'a> {
    line: usize,
    words: Vec<&'a str>,
    body: Vec<(usize, &'a str)>,
}

impl Script {
    /// Parses a script. One that asks nothing is an error: it would pass whatever happens.
    pub fn parse(text: &str) -> Result<Self, ScriptError> {
        let mut config = objects::default_zone();
        let mut synced = true;
        let mut steps = Vec::new();
        for statement in statements(text)? {
            let line = statement.line;
            let at = |message| ScriptError { line, message };
            let action = match statement.words[0] {
                "zone" if steps.is_empty() => {
                    synced &= objects::zone(&statement, &mut config)?;
                    continue;
                }
                "zone" => return Err(at("zone must come before everything else".to_owned())),
                "sync" if statement.words.len() == 1 => Action::Sync,
                "ask" => ask(&statement)?,
                _ => Action::Apply(objects::change(&statement)?),
            };
            steps.push(Step { line, action });
        }
        if !steps.iter().any(|step| matches!(step.action, Action::Ask { .. })) {
            return Err(ScriptError { line: 1, message: "the script asks nothing".to_owned() });
        }
        if synced {
            steps.insert(0, Step { line: 1, action: Action::Sync });
        }
        Ok(Self { config, steps })
    }
}

fn statements(text: &str) -> Result<Vec<Statement<'_>>, ScriptError> {
    let mut statements: Vec<Statement<'_>> = Vec::new();
    for (line, text) in (1..).zip(text.lines()) {
        let content = match text.split_once('#') {
            Some((before, _)) => before.trim(),
            None => text.trim(),
        };
        if content.is_empty() {
            continue;
        }
        if !text.starts_with([' ', '\t']) {
            let words = content.split_whitespace().collect();
            statements.push(Statement { line, words, body: Vec::new() });
        } else if let Some(statement) = statements.last_mut() {
            statement.body.push((line, content));
        } else {
            let message = "an indented line belongs to nothing".to_owned();
            return Err(ScriptError { line, message });
        }
    }
    Ok(statements)
}

/// `ask NAME TYPE` and the answer.
fn ask(statement: &Statement<'_>) -> Result<Action, ScriptError> {
    let at = |message| ScriptError { line: statement.line, message };
    let [_, name, rtype] = statement.words[..] else {
        return Err(at("expected: ask NAME TYPE".to_owned()));
    };
    let name = Name::parse(name).map_err(|error| at(format!("{name}: {error}")))?;
    let rtype = rtype.parse().map_err(|error| at(format!("{rtype}: {error}")))?;
    let expected = Expected::parse(&name, statement.line, &statement.body)?;
    Ok(Action::Ask { name, rtype, expected })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(script: &str, error: &str) {
        assert_eq!(Script::parse(script).unwrap_err().to_string(), error, "{script}");
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        let ask = "ask a.cluster.local A\n  NXDOMAIN\n";
        check("", "line 1: the script asks nothing");
        check("namespace prod\n", "line 1: the script asks nothing");
        check("  NOERROR\n", "line 1: an indented line belongs to nothing");
        check("ask a A\n", "line 1: expected an answer: NOERROR, NXDOMAIN, SERVFAIL or NOTOURS");
        check("ask a A\n  FINE\n", "line 2: FINE: not one of NOERROR, NXDOMAIN, SERVFAIL, NOTOURS");
        check("ask a B\n", "line 1: B: not a record type such as AAAA or TYPE65");
        check("ask a..b A\n", "line 1: a..b: a label is empty");
        check("ask a A\n  NOERROR\n  a. 5 A 1.2.3.4\n", "line 3: expected: OWNER TTL IN TYPE DATA");
        check(&format!("{ask}zone domain=x\n"), "line 3: zone must come before everything else");
        check(&format!("zone dumain=x\n{ask}"), "line 1: dumain=x: no such setting");
        check(&format!("frobnicate\n{ask}"), "line 1: frobnicate: no such statement");
        check(&format!("service db headless\n{ask}"), "line 1: db: expected NAMESPACE/NAME");
        check(
            &format!("service prod/db\n{ask}"),
            "line 1: one of headless, ip=ADDRESSES or external=NAME is missing",
        );
        check(&format!("slice prod/s pg:1\n{ask}"), "line 1: of=SERVICE is missing");
        check(
            &format!("slice prod/s of=db pg:x\n{ask}"),
            "line 1: pg:x: expected NAME:PORT or NAME:PORT/PROTOCOL",
        );
        check(&format!("slice prod/s of=db\n  1.2.3\n{ask}"), "line 2: 1.2.3: not an address");
        check(&format!("gone cat prod/s\n{ask}"), "line 1: cat: no such kind");
    }
}
