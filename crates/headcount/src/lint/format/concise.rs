//! A line for each finding, as compilers write them and editors read them.

use std::io::{self, Write};

use super::{Finding, Outcome};

pub(super) fn write(outcome: &Outcome, out: &mut dyn Write) -> io::Result<()> {
    for Finding { code, level, message, primary, .. } in &outcome.report.findings {
        let at = primary.span.start;
        let source = &primary.source;
        writeln!(out, "{source}:{}:{}: {level}[{code}]: {message}", at.line, at.column)?;
    }
    Ok(())
}
