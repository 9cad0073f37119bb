//! Changes of fields, made in the text that an object was read from: comments, order and layout stay as they are.
//!
//! ```text
//! text, object, changes ──► byte-located tree ──► replaced stretches ──► new text, read again and compared
//! ```
//!
//! A change whose outcome, read again, is not exactly the change meant is refused, so that what this module does not know
//! of YAML costs a refusal and never a wrong file.

mod stretch;
#[cfg(test)]
mod tests;
mod tree;
mod value;

use std::fmt;

use serde_json::Value;

use self::stretch::Style;
use self::tree::Tree;
use crate::read::{Position, Reading, read_any};

/// A change of one field.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Give a scalar that is there another value, written as YAML: `None`, `"8080"`, `true`.
    Set {
        /// Its path: `spec.clusterIP`.
        field: String,
        /// The new text.
        to: String,
    },
    /// Take a field or an element of a list out, with all below it.
    Remove {
        /// Its path: `spec.ports[1]`.
        field: String,
    },
    /// Add a field to a map that is there.
    Add {
        /// The map's path: `spec`.
        parent: String,
        /// The key.
        key: String,
        /// The value, written as YAML on one line.
        value: String,
    },
}

/// Why a text was not changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no object at that place, or the text is none that can be read.
    NoObject,
    /// The object has no such field, or it is there already.
    Field(String),
    /// The field comes from an alias or a merge key, and others share it.
    Shared(String),
    /// The field is written in a way that cannot be changed without touching more than it.
    Layout(String),
    /// The text, read again, would not be what was meant.
    Different,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoObject => f.write_str("the object is not where it was"),
            Self::Field(field) => write!(f, "{field} is not there to be changed"),
            Self::Shared(field) => {
                write!(f, "{field} comes from an anchor that others may share")
            }
            Self::Layout(field) => {
                write!(f, "{field} is written in a way that only a person should change")
            }
            Self::Different => f.write_str("the change would have changed more than was meant"),
        }
    }
}

impl std::error::Error for Refusal {}

/// Makes changes of the object that begins at `object`, in order, and returns the whole text. `source` is the text's name.
///
/// # Errors
///
/// Why the text cannot be changed so; then nothing is.
pub fn edit(
    source: &str,
    text: &str,
    object: Position,
    changes: &[Change],
) -> Result<String, Refusal> {
    let (mark, body) = match text.strip_prefix('\u{feff}') {
        Some(body) => ("\u{feff}", body),
        None => ("", text),
    };
    let mut start = 0;
    let mut found = None;
    for (lines_before, chunk) in crate::read::chunks(body) {
        if lines_before < object.line {
            found = Some((start, chunk, Position { line: object.line - lines_before, ..object }));
        }
        start += chunk.len();
    }
    let (start, chunk, object) = found.ok_or(Refusal::NoObject)?;
    let changed = edit_chunk(source, chunk, object, changes)?;
    Ok([mark, &body[..start], &changed, &body[start + chunk.len()..]].concat())
}

/// As [`edit`], of a text with one document; documents do not share anchors.
fn edit_chunk(
    source: &str,
    chunk: &str,
    object: Position,
    changes: &[Change],
) -> Result<String, Refusal> {
    let before = read_any(source, chunk);
    let style = Style::of(chunk);
    let mut values = values(&before);
    let mut target = values
        .iter()
        .position(|(at, _)| *at == object)
        .map(|at| std::mem::take(&mut values[at].1))
        .ok_or(Refusal::NoObject)?;
    let mut text = chunk.to_owned();
    for change in changes {
        let tree = Tree::of(&text).ok_or(Refusal::NoObject)?;
        let root = tree.map_at(stretch::offset(&text, object)).ok_or(Refusal::NoObject)?;
        let (stretches, steps) = stretch::of(&text, &tree, root, change, style)?;
        value::change(&mut target, &steps, change)?;
        text = stretch::replace(&text, stretches);
    }
    let after = read_any(source, &text);
    let (old, new) = (before.problems.len(), after.problems.len());
    let same = |(before, after): ((Position, Value), (Position, Value))| {
        after.1 == if before.0 == object { std::mem::take(&mut target) } else { before.1 }
    };
    let after = self::values(&after);
    let whole =
        old == new && values.len() == after.len() && values.into_iter().zip(after).all(same);
    if whole { Ok(text) } else { Err(Refusal::Different) }
}

/// All objects, those of known kinds first, and where they begin.
fn values(reading: &Reading) -> Vec<(Position, Value)> {
    let known = reading.documents.iter().map(|document| &document.located);
    let foreign = reading.foreign.iter().map(|foreign| &foreign.located);
    known.chain(foreign).map(|located| (located.start(), located.value.clone())).collect()
}
