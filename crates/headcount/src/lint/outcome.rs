//! What there is to print.

use advisor::lint::{Finding, Report};
use manifest::read::Level;

use super::places::Sources;

/// All that a format may need.
pub(crate) struct Outcome {
    pub(crate) report: Report,
    pub(crate) sources: Sources,
    /// The names of the texts, in the order given.
    pub(crate) files: Vec<String>,
    /// How many objects were looked at.
    pub(crate) objects: usize,
    /// Findings of this level or worse make the exit status 1.
    pub(crate) deny: Level,
    /// Findings that were mended in the texts.
    pub(crate) fixed: Vec<Finding>,
    /// How many findings have a fix.
    pub(crate) fixable: usize,
}

impl Outcome {
    /// Whether a finding counts as a failure.
    pub(crate) fn is_denied(&self, finding: &Finding) -> bool {
        finding.level >= self.deny
    }

    pub(crate) fn is_clean(&self) -> bool {
        !self.report.findings.iter().any(|finding| self.is_denied(finding))
    }

    /// One line: what was found, or what was looked at.
    pub(crate) fn summary(&self) -> String {
        let Report { findings, allowed, rules, unused: _ } = &self.report;
        let of = |level: Level| findings.iter().filter(|finding| finding.level == level).count();
        let found: Vec<String> = [Level::Error, Level::Warning, Level::Note]
            .into_iter()
            .map(|level| (of(level), level.to_string()))
            .filter(|(number, _)| *number > 0)
            .map(|(number, level)| count(number, &level))
            .collect();
        let mut text = match found.as_slice() {
            [] => "nothing found".to_owned(),
            [one] => format!("found {one}"),
            [most @ .., last] => format!("found {} and {last}", most.join(", ")),
        };
        text.push_str(&format!(
            " in {} of {}, with {}",
            count(self.objects, "object"),
            count(self.files.len(), "file"),
            count(*rules, "rule")
        ));
        if !allowed.is_empty() {
            text.push_str(&format!("; {} allowed", count(allowed.len(), "finding")));
        }
        if !self.fixed.is_empty() {
            text.push_str(&format!("; {} fixed", count(self.fixed.len(), "finding")));
        }
        match self.fixable {
            0 => {}
            1 => text.push_str("; --fix mends 1 of them"),
            more => text.push_str(&format!("; --fix mends {more} of them")),
        }
        text
    }
}

fn count(number: usize, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        _ => format!("{number} {what}s"),
    }
}
