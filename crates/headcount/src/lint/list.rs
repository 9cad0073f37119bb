//! `--list`: the rules.

use std::io::{self, Write};

use advisor::lint::{Rule, Selection};

/// A line for each rule: code, level, title.
pub(super) fn write(selection: &Selection, out: &mut dyn Write) -> io::Result<()> {
    for Rule { code, level, title, .. } in selection.rules() {
        writeln!(out, "{code}  {:<7}  {title}", level.to_string())?;
    }
    Ok(())
}
