//! Commands in the log of a GitHub workflow, which become annotations of the change.

use std::io::{self, Write};

use manifest::read::Level;

use super::{Finding, Outcome};

pub(super) fn write(outcome: &Outcome, out: &mut dyn Write) -> io::Result<()> {
    for Finding { code, level, message, primary, help, .. } in &outcome.report.findings {
        let command = match level {
            Level::Error => "error",
            Level::Warning => "warning",
            Level::Note => "notice",
        };
        let (start, end) = (primary.span.start, primary.span.end);
        write!(out, "::{command} file={},line={}", property(&primary.source), start.line)?;
        // Columns are for an annotation of one line.
        if end.line == start.line && end.column > start.column {
            write!(out, ",endLine={},col={},endColumn={}", end.line, start.column, end.column)?;
        } else {
            write!(out, ",col={}", start.column)?;
        }
        let text = std::iter::once(message).chain(help).map(String::as_str).collect::<Vec<_>>();
        writeln!(out, ",title={}::{}", property(code), data(&text.join("\n")))?;
    }
    Ok(())
}

/// The message of a command.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A value among the command's properties.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
