//! JUnit XML: a suite for each file, a case for each finding. What does not fail is a case that passes or is skipped.

use std::collections::BTreeMap;
use std::io::{self, Write};

use advisor::lint::Allowed;

use super::{Finding, Outcome};

/// The cases of a file.
#[derive(Default)]
struct Suite<'o> {
    findings: Vec<&'o Finding>,
    allowed: Vec<&'o Allowed>,
}

pub(super) fn write(outcome: &Outcome, out: &mut dyn Write) -> io::Result<()> {
    let mut suites: BTreeMap<&str, Suite<'_>> =
        outcome.files.iter().map(|file| (file.as_str(), Suite::default())).collect();
    for finding in &outcome.report.findings {
        suites.entry(&finding.primary.source).or_default().findings.push(finding);
    }
    for allowed in &outcome.report.allowed {
        suites.entry(&allowed.finding.primary.source).or_default().allowed.push(allowed);
    }
    let failures = |suite: &Suite<'_>| {
        suite.findings.iter().filter(|finding| outcome.is_denied(finding)).count()
    };
    // A file without findings is a case that passes.
    let tests = |suite: &Suite<'_>| (suite.findings.len() + suite.allowed.len()).max(1);
    writeln!(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
    writeln!(
        out,
        "<testsuites name=\"headcount lint\" tests=\"{}\" failures=\"{}\">",
        suites.values().map(tests).sum::<usize>(),
        suites.values().map(failures).sum::<usize>()
    )?;
    for (file, suite) in &suites {
        let name = escape(file);
        writeln!(
            out,
            "  <testsuite name=\"{name}\" tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"{}\">",
            tests(suite),
            failures(suite),
            suite.allowed.len()
        )?;
        if suite.findings.is_empty() && suite.allowed.is_empty() {
            writeln!(out, "    <testcase name=\"lint\" classname=\"{name}\"/>")?;
        }
        for finding in &suite.findings {
            case(out, file, finding, &body(finding, outcome.is_denied(finding)))?;
        }
        for Allowed { finding, reason } in &suite.allowed {
            let reason = reason.as_deref().unwrap_or("allowed by --allow");
            case(out, file, finding, &format!("<skipped message=\"{}\"/>", escape(reason)))?;
        }
        writeln!(out, "  </testsuite>")?;
    }
    writeln!(out, "</testsuites>")
}

fn case(out: &mut dyn Write, file: &str, finding: &Finding, body: &str) -> io::Result<()> {
    let Finding { code, subject, primary, .. } = finding;
    let at = primary.span.start;
    writeln!(
        out,
        "    <testcase name=\"{}\" classname=\"{}\" file=\"{2}\" line=\"{3}\">{body}</testcase>",
        escape(&format!("{code} {subject} {}:{}", at.line, at.column)),
        escape(file),
        escape(file),
        at.line,
    )
}

fn body(finding: &Finding, fails: bool) -> String {
    let Finding { code, level, message, primary, help, .. } = finding;
    let at = primary.span.start;
    let mut text =
        format!("{}:{}:{}: {level}[{code}]: {message}", primary.source, at.line, at.column);
    for help in help {
        text.push_str("\nhelp: ");
        text.push_str(help);
    }
    let text = escape(&text);
    if fails {
        format!("<failure type=\"{level}\" message=\"{}\">{text}</failure>", escape(message))
    } else {
        format!("<system-out>{text}</system-out>")
    }
}

/// A text as XML has it, in and outside of quotes; characters that XML has none for are left out.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\t' | '\n' => escaped.push(c),
            '\u{fffe}' | '\u{ffff}' => {}
            c if c.is_control() && u32::from(c) < 0x20 => {}
            c => escaped.push(c),
        }
    }
    escaped
}
