//! What a rule has to say, where, and how to mend it.

use std::fmt;
use std::sync::Arc;

pub use manifest::edit::Change;
use manifest::read::{Level, Located, Span};

/// An object that a finding is about, of whatever kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Subject {
    /// The kind, for example `Service`; `File` for a text that holds no object, with its name in `name`.
    pub kind: String,
    /// The namespace; empty for cluster-scoped kinds.
    pub namespace: String,
    /// The name.
    pub name: String,
}

/// `Service/prod/db`, as `--allow` takes it.
impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, namespace, name } = self;
        match namespace.as_str() {
            "" => write!(f, "{kind}/{name}"),
            _ => write!(f, "{kind}/{namespace}/{name}"),
        }
    }
}

/// A place in a manifest, and what is to be seen there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The text's name, usually a file's path.
    pub source: Arc<str>,
    /// The field's value, or its key; the nearest parent where the field is missing.
    pub span: Span,
    /// The field, for example `spec.ports[0].port`; empty for the object itself.
    pub field: String,
    /// A few words that stand at the place; may be empty.
    pub text: String,
}

impl Label {
    /// A field of an object.
    pub fn new(located: &Located, field: &str, text: impl Into<String>) -> Self {
        Self {
            source: Arc::clone(&located.source),
            span: located.span(field),
            field: field.to_owned(),
            text: text.into(),
        }
    }
}

/// A change of one manifest that is safe: it does what the author evidently meant, and nothing else.
#[derive(Clone, Debug, PartialEq)]
pub struct Fix {
    /// What it does, as an order: `remove spec.sessionAffinity`.
    pub title: String,
    /// The text to change.
    pub source: Arc<str>,
    /// Where the object begins, which tells it from others of the text.
    pub object: manifest::read::Position,
    /// What to change, in order.
    pub changes: Vec<Change>,
}

/// What a rule found.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The rule's code: `HC001`.
    pub code: &'static str,
    /// How bad it is.
    pub level: Level,
    /// The object at fault.
    pub subject: Subject,
    /// One sentence, without a full stop: what is wrong, with the names and values of this case.
    pub message: String,
    /// Where it is wrong.
    pub primary: Label,
    /// What it is to be compared with, perhaps in another file.
    pub secondary: Vec<Label>,
    /// What follows for whom, and how to mend it; a sentence each.
    pub help: Vec<String>,
    /// The mending, where there is a safe one.
    pub fix: Option<Fix>,
}
