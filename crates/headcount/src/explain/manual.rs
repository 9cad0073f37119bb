//! The manual of codes: one entry as text, and all of them as a page.

use std::fmt::Write as _;

use advisor::lint::{Finding, Rule, examples, findings_in_example};
use annotate_snippets::Renderer;

use crate::lint::{Sources, render};

/// A rule for the terminal.
pub(super) fn text(rule: &Rule, renderer: &Renderer) -> String {
    let Rule { code, level, title, explanation, remedy, sources, check: _ } = rule;
    let mut text = format!("{code} ({level}): {title}\n\n{explanation}\n\n{remedy}\n");
    for (name, example) in examples(code) {
        _ = write!(text, "\n{name}:\n\n");
        for line in example.lines() {
            let line = format!("    {line}");
            _ = writeln!(text, "{}", line.trim_end());
        }
    }
    text.push_str("\nheadcount lint says of it:\n\n");
    text.push_str(&said(&findings_in_example(rule), rule, renderer));
    text.push_str("\nKnown from:\n");
    for source in *sources {
        _ = writeln!(text, "  {source}");
    }
    text
}

/// What lint prints of findings in a rule's example.
fn said(findings: &[Finding], rule: &Rule, renderer: &Renderer) -> String {
    let mut sources = Sources::default();
    for (name, text) in examples(rule.code) {
        sources.add(name, text.to_owned());
    }
    let said = findings.iter().map(|finding| render(finding, &sources, renderer) + "\n");
    said.collect::<Vec<_>>().join("\n")
}
