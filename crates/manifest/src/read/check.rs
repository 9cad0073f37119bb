//! Whether the objects of some texts would be accepted, and what in them looks unintended.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::Value;

use super::document::Document;
use super::help;
use super::problem::{Fault, First, Problem};
use super::unmatched;
use crate::field::FieldError;
use crate::object::ObjectRef;
use crate::rules;

/// An object that would be accepted.
#[derive(Clone, Debug, PartialEq)]
pub struct Checked {
    /// The object as its author wrote it.
    pub document: Document,
    /// What names it.
    pub reference: ObjectRef,
    /// The object with its namespace and defaults, of known fields only.
    pub value: Value,
}

/// An object, whether it would be accepted or not.
#[derive(Clone, Debug, PartialEq)]
pub struct Examined {
    /// The object as its author wrote it.
    pub document: Document,
    /// What names it.
    pub reference: ObjectRef,
    /// The object with its namespace and defaults, of known fields only; `None` when its shape is wrong.
    pub value: Option<Value>,
    /// What is wrong with it, by place.
    pub problems: Vec<Problem>,
}

/// Examines objects one after the other, and remembers the names that are taken.
#[derive(Debug)]
pub struct Examiner {
    default_namespace: String,
    first: HashMap<ObjectRef, First>,
}

impl Examiner {
    /// Nothing examined yet; objects that name no namespace are in this one.
    pub fn new(default_namespace: &str) -> Self {
        Self { default_namespace: default_namespace.to_owned(), first: HashMap::new() }
    }

    /// Examines one object by itself and whether its name is taken.
    ///
    /// A field that the kind does not have is an error, as with kubectl's `--validate=strict`.
    pub fn examine(&mut self, document: Document) -> Examined {
        let reference = document.reference(&self.default_namespace);
        let mut problems = Vec::new();
        let value = one(&document, &reference, &mut problems);
        if !reference.name.is_empty() {
            match self.first.get(&reference) {
                Some(first) => problems.push(twice(&document, first, &reference)),
                None => {
                    let source = Arc::clone(&document.source);
                    let first = First { source, span: document.span("metadata.name") };
                    self.first.insert(reference.clone(), first);
                }
            }
        }
        problems.sort_by_key(Problem::position);
        Examined { document, reference, value, problems }
    }
}

/// Examines the objects of any number of texts together, as [`Examiner::examine`] does.
pub fn examine(documents: Vec<Document>, default_namespace: &str) -> Vec<Examined> {
    let mut examiner = Examiner::new(default_namespace);
    documents.into_iter().map(|document| examiner.examine(document)).collect()
}

/// Checks the objects of any number of texts together.
///
/// Those without errors are returned, in their order, with all problems in the order of the texts, and a note for each
/// Service that selects no pod of them.
pub fn check(documents: Vec<Document>, default_namespace: &str) -> (Vec<Checked>, Vec<Problem>) {
    let mut notes: HashMap<usize, Problem> =
        unmatched::notes(&documents, default_namespace).into_iter().collect();
    let (mut checked, mut all) = (Vec::new(), Vec::new());
    for (index, examined) in examine(documents, default_namespace).into_iter().enumerate() {
        let Examined { document, reference, value, mut problems } = examined;
        if let Some(value) = value.filter(|_| !problems.iter().any(Problem::is_error)) {
            problems.extend(notes.remove(&index));
            problems.sort_by_key(Problem::position);
            checked.push(Checked { document, reference, value });
        }
        all.extend(problems);
    }
    (checked, all)
}

/// Checks one object by itself; returns it with its defaults unless its shape is wrong.
fn one(document: &Document, reference: &ObjectRef, problems: &mut Vec<Problem>) -> Option<Value> {
    let kind = document.kind;
    let normalized = match rules::normalize(kind, document.value.clone()) {
        Ok(normalized) => normalized,
        Err(errors) => {
            problems.extend(errors.iter().map(|error| problem(document, error)));
            return None;
        }
    };
    let rules::Normalized { mut value, unknown, nearest } = normalized;
    problems.extend(unknown.iter().map(|field| unknown_field(document, field, &nearest)));
    if !reference.namespace.is_empty() {
        value["metadata"]["namespace"] = reference.namespace.as_str().into();
    }
    rules::default(kind, &mut value);
    let errors = rules::validate(kind, &value, None);
    // A default made of a bad value is not its author's mistake.
    let is_derived =
        |error: &FieldError| error.field.ends_with(".targetPort") && !document.has(&error.field);
    let errors = errors.iter().filter(|error| !is_derived(error));
    problems.extend(errors.map(|error| problem(document, error)));
    Some(value)
}

fn problem(document: &Document, error: &FieldError) -> Problem {
    document.problem(&error.field, error.body()).with_help(help::for_error(document, error))
}

fn unknown_field(
    document: &Document,
    field: &str,
    nearest: &BTreeMap<String, &'static str>,
) -> Problem {
    let help = nearest.get(field).map(|near| format!("did you mean {near}?"));
    let message = format!("{} has no such field", document.kind.kind);
    document.problem(field, message).of(Fault::Field).with_help(help)
}

fn twice(document: &Document, first: &First, reference: &ObjectRef) -> Problem {
    let at = first.span.start;
    let ObjectRef { kind, namespace, name } = reference;
    let place =
        if namespace.is_empty() { String::new() } else { format!(" in namespace {namespace}") };
    let (source, line, column) = (&first.source, at.line, at.column);
    document
        .problem(
            "metadata.name",
            format!("{kind} {name}{place} is there twice, first at {source}:{line}:{column}"),
        )
        .of(Fault::Twice(Box::new(first.clone())))
        .with_help(Some("remove or rename one of the two".to_owned()))
}
