//! What is wrong or remarkable in a text, and where.

use std::fmt;
use std::sync::Arc;

/// A place in a text; line and column begin at 1, columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl Position {
    /// The first character of a text.
    pub(crate) const START: Position = Position { line: 1, column: 1 };
}

/// A stretch of a text: from a character up to, not including, another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// The first character.
    pub start: Position,
    /// Behind the last one.
    pub end: Position,
}

/// How bad a problem is; what is worse is greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Level {
    /// The object is usable, but perhaps not what was meant.
    Note,
    /// The object is usable, and will not do what was meant.
    Warning,
    /// The object cannot be used.
    Error,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// What sort of problem it is, for who treats them differently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The text, or a document of it, holds no object: it is no YAML, JSON or UTF-8, or it has no kind.
    Text,
    /// The text, or a document of it, is evidently not meant for Kubernetes' API: a list, or a map without `apiVersion`,
    /// `kind` and `metadata`.
    NoObject,
    /// The object is of a kind that is not served.
    Kind,
    /// The API would refuse a value, or miss one.
    Value,
    /// The kind has no such field.
    Field,
    /// The object is there twice.
    Twice(Box<First>),
    /// The selector selects nothing.
    Selector,
}

/// Where an object that is there twice is first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct First {
    /// The text's name.
    pub source: Arc<str>,
    /// The object's name in it.
    pub span: Span,
}

/// One problem. Its `Display` is one line that editors understand, and a second with help if there is any:
///
/// ```text
/// db.yaml:12:9: error: spec.ports[0].port: Invalid value: 70000: must be between 1 and 65535, inclusive
///   help: …
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The text's name, usually a file's path.
    pub source: String,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1.
    pub column: usize,
    /// The field at fault, if it is one field.
    pub field: Option<Box<str>>,
    /// What sort of problem it is.
    pub fault: Fault,
    /// How bad it is.
    pub level: Level,
    /// What is wrong.
    pub message: String,
    /// How to mend it.
    pub help: Option<Box<str>>,
}

impl Problem {
    /// An error at a place, of a text unless it is said otherwise.
    pub fn error(source: &str, at: Position, message: impl Into<String>) -> Self {
        Self {
            source: source.to_owned(),
            line: at.line,
            column: at.column,
            field: None,
            fault: Fault::Text,
            level: Level::Error,
            message: message.into(),
            help: None,
        }
    }

    /// The same problem as a note.
    #[must_use]
    pub(crate) fn into_note(self) -> Self {
        Self { level: Level::Note, ..self }
    }

    /// The same problem in this field.
    #[must_use]
    pub fn in_field(self, field: impl Into<String>) -> Self {
        let field: String = field.into();
        Self { field: (!field.is_empty()).then(|| field.into()), ..self }
    }

    /// The same problem as one of this sort.
    #[must_use]
    pub fn of(self, fault: Fault) -> Self {
        Self { fault, ..self }
    }

    /// The same problem with this help, if any.
    #[must_use]
    pub fn with_help(self, help: Option<String>) -> Self {
        Self { help: help.map(Into::into), ..self }
    }

    /// Whether the object cannot be used.
    pub fn is_error(&self) -> bool {
        self.level == Level::Error
    }

    /// The place.
    pub fn position(&self) -> Position {
        Position { line: self.line, column: self.column }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { source, line, column, field, fault: _, level, message, help } = self;
        write!(f, "{source}:{line}:{column}: {level}: ")?;
        if let Some(field) = field {
            write!(f, "{field}: ")?;
        }
        f.write_str(message)?;
        if let Some(help) = help {
            write!(f, "\n  help: {help}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problem {}
