//! What a trial found: what was asked, what should have been answered, and what was.

use std::fmt::Write as _;

use serde::Serialize;

/// So many records of a long answer are shown to people; JSON has them all.
const SHOWN_MAX: usize = 6;

/// One thing that was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Check {
    /// When: "at first", "while db-2 is not ready".
    pub(crate) when: String,
    /// What: `A db-0.db-peers.prod.svc.cluster.local.`
    pub(crate) asked: String,
    /// What it is for: "one peer by its name".
    pub(crate) purpose: String,
    /// What should be answered; empty where that is nothing.
    pub(crate) expected: Vec<String>,
    /// What was answered.
    pub(crate) answered: Vec<String>,
    /// Whether these agree.
    pub(crate) ok: bool,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Outcome {
    /// All was asked, and all was answered as expected.
    Passed,
    /// Something was answered that was not expected.
    Failed,
    /// Nothing was found wrong, and not all could be asked.
    Incomplete,
}

/// Where it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Where {
    /// A trial cluster in this process.
    Trial,
    /// A cluster of the user's, read-only.
    Cluster,
}

/// What a trial found. As JSON: `where`, `outcome`, `checks`, `notes`, `milliseconds`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Report {
    /// Where.
    #[serde(rename = "where")]
    pub(crate) place: Where,
    /// How it ended.
    pub(crate) outcome: Outcome,
    /// All that was asked, in order.
    pub(crate) checks: Vec<Check>,
    /// What people should know of how it was tried, and what was not.
    pub(crate) notes: Vec<String>,
    /// How long it took.
    pub(crate) milliseconds: u64,
}

impl Report {
    /// Nothing asked yet.
    pub(super) fn new(place: Where) -> Self {
        Self {
            place,
            outcome: Outcome::Incomplete,
            checks: Vec::new(),
            notes: Vec::new(),
            milliseconds: 0,
        }
    }

    /// All was as expected.
    pub(crate) fn passed(&self) -> bool {
        self.outcome == Outcome::Passed
    }

    /// What was not answered as expected.
    pub(crate) fn failures(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|check| !check.ok)
    }

    pub(super) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// Something that is no question to DNS was not as it should be.
    pub(super) fn fail(&mut self, when: &str, asked: String, expected: &str, answered: String) {
        self.checks.push(Check {
            when: when.to_owned(),
            asked,
            purpose: String::new(),
            expected: vec![expected.to_owned()],
            answered: vec![answered],
            ok: false,
        });
    }

    /// Says how it ended. Without a single question, nothing is verified.
    pub(super) fn end(&mut self, complete: bool, milliseconds: u64) {
        self.milliseconds = milliseconds;
        self.outcome = if self.failures().next().is_some() {
            Outcome::Failed
        } else if complete && !self.checks.is_empty() {
            Outcome::Passed
        } else {
            Outcome::Incomplete
        };
    }

    /// What people read, a line each, without markup: a summary; per time, what was asked and answered; notes. Of later times
    /// only what differs from the first, or is not as expected, is shown.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines = vec![self.summary()];
        let mut times: Vec<&str> = Vec::new();
        for check in &self.checks {
            if !times.contains(&check.when.as_str()) {
                times.push(&check.when);
            }
        }
        let first: Vec<&Check> = self
            .checks
            .iter()
            .filter(|check| Some(&check.when.as_str()) == times.first())
            .collect();
        for (number, when) in times.iter().enumerate() {
            lines.push(format!("{}:", capitalized(when)));
            let mut unchanged = 0;
            for check in self.checks.iter().filter(|check| check.when == *when) {
                let same = |first: &&&Check| {
                    first.asked == check.asked && first.answered == check.answered
                };
                if number > 0 && check.ok && first.iter().any(|check| same(&check)) {
                    unchanged += 1;
                } else {
                    lines.push(check.line());
                }
            }
            if unchanged > 0 {
                lines.push(format!("  ok      {} as at first", answers(unchanged)));
            }
        }
        lines.extend(self.notes.iter().map(|note| format!("Note: {note}")));
        lines
    }

    /// `Tried in a cluster in this process: 42 answers as expected, in 310 ms.`
    pub(crate) fn summary(&self) -> String {
        let place = match self.place {
            Where::Trial => "Tried in a cluster in this process",
            Where::Cluster => "Asked the cluster, read-only",
        };
        let failed = self.failures().count();
        let good = self.checks.len() - failed;
        let mut text = format!("{place}: {} as expected", answers(good));
        if failed > 0 {
            let _ = write!(text, ", {failed} not");
        }
        if self.outcome == Outcome::Incomplete {
            text.push_str("; not all could be asked");
        }
        let _ = write!(text, ", in {} ms.", self.milliseconds);
        text
    }
}

/// `1 answer`, `42 answers`.
fn answers(count: usize) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} answer{plural}")
}

impl Check {
    /// `  ok      A db-0.…  →  10.244.1.2 (db-0)`, or what was expected and what was answered.
    pub(crate) fn line(&self) -> String {
        let Self { asked, expected, answered, ok, when: _, purpose: _ } = self;
        match ok {
            // What was expected names whose each address is.
            true if !expected.is_empty() => format!("  ok      {asked} → {}", shortened(expected)),
            true => format!("  ok      {asked} → {}", shortened(answered)),
            false => format!(
                "  FAILED  {asked}: expected {}; answered {}",
                shortened(expected),
                shortened(answered)
            ),
        }
    }
}

/// A list for people, of which not more is shown than one reads.
fn shortened(items: &[String]) -> String {
    match items {
        [] => "nothing".to_owned(),
        items if items.len() > SHOWN_MAX => {
            format!("{} and {} more", items[..SHOWN_MAX].join(", "), items.len() - SHOWN_MAX)
        }
        items => items.join(", "),
    }
}

fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().collect::<String>() + letters.as_str()
    })
}
