//! Texts on their way to objects, and what of them holds none.

use std::sync::Arc;

use manifest::read::{
    Document, Fault, Foreign, Located, Position, Problem, Reading, Span, read_any, text,
};

use super::finding::Label;

/// What some texts hold.
#[derive(Debug, Default)]
pub struct Texts {
    pub(super) documents: Vec<Document>,
    pub(super) foreign: Vec<Foreign>,
    pub(super) unread: Vec<Unread>,
}

/// A text or a document of it that holds no object.
#[derive(Clone, Debug)]
pub struct Unread {
    /// Why not.
    pub why: Why,
    /// Where.
    pub label: Label,
    /// What is wrong, in a sentence.
    pub message: String,
    /// How to mend it.
    pub help: Option<String>,
}

/// Why a text holds no object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It cannot be read, or is half an object.
    Broken,
    /// It is evidently meant for something else than Kubernetes' API.
    Other,
    /// It becomes a manifest only when something fills it in.
    Template,
}

impl Texts {
    /// Reads a text: its bytes, or why there are none.
    pub fn add(&mut self, source: &str, content: Result<&[u8], String>) {
        let source_name: Arc<str> = Arc::from(source);
        let text = match content {
            Ok(bytes) => text(source, bytes),
            Err(error) => {
                let start = Position { line: 1, column: 1 };
                Err(Problem::error(source, start, format!("could not be read: {error}")))
            }
        };
        match text {
            Ok(text) => self.read(&source_name, text),
            Err(problem) => self.unread.push(Unread::of(&source_name, Why::Broken, &problem)),
        }
    }

    fn read(&mut self, source: &Arc<str>, text: &str) {
        let Reading { documents, foreign, problems } = read_any(source, text);
        let read = documents.len() + foreign.len();
        let before = self.documents.len() + self.foreign.len();
        self.documents.extend(documents.into_iter().filter(|it| !is_template(&it.located)));
        self.foreign.extend(foreign.into_iter().filter(|it| !is_template(&it.located)));
        let taken = self.documents.len() + self.foreign.len() - before;
        let is_broken = problems.iter().any(|problem| problem.fault == Fault::Text);
        let placeholder = placeholder(text).filter(|_| is_broken || taken < read);
        if let Some(span) = placeholder {
            self.unread.push(Unread::template(source, span));
            return;
        }
        let purpose = purpose(source);
        let mut last = None;
        for problem in &problems {
            // `apiVersion` and `kind` are missing in the same document, which is said once.
            let other = problem.fault == Fault::NoObject || purpose.is_some();
            let place = problem.position();
            if other && last.replace(place) == Some(place) {
                continue;
            }
            let mut unread =
                Unread::of(source, if other { Why::Other } else { Why::Broken }, problem);
            if other {
                let (what, help) = purpose.unwrap_or(OTHER);
                unread.message = format!("{what}: nothing in it is checked");
                unread.help = Some(help.to_owned());
            }
            self.unread.push(unread);
            if purpose.is_some() {
                break;
            }
        }
    }
}

const OTHER: (&str, &str) =
    ("this is not a Kubernetes object", "an object begins with apiVersion, kind and metadata");

/// What a file of this name is for, where that is not to be applied, and what to lint in its place.
fn purpose(source: &str) -> Option<(&'static str, &'static str)> {
    let name = source.rsplit(['/', '\\']).next().unwrap_or(source);
    let stem = name.strip_suffix(".yaml").or_else(|| name.strip_suffix(".yml"))?;
    match stem {
        "kustomization" => Some((
            "this is for kustomize, not an object",
            "lint what it makes: kubectl kustomize FOLDER | headcount lint -",
        )),
        "Chart" | "values" => Some((
            "this is a part of a Helm chart, not an object",
            "lint what the chart makes: helm template CHART | headcount lint -",
        )),
        _ => None,
    }
}

/// Whether what makes an object one is still to be filled in.
fn is_template(located: &Located) -> bool {
    let metadata = &located.value["metadata"];
    [&located.value["kind"], &metadata["name"], &metadata["namespace"]]
        .into_iter()
        .any(|value| value.as_str().is_some_and(|text| text.contains("{{")))
}

/// The first place that Helm or the like fills in.
fn placeholder(text: &str) -> Option<Span> {
    let (index, line) = text.lines().enumerate().find(|(_, line)| line.contains("{{"))?;
    let before = line.find("{{")?;
    let column = |at: usize| line[..at].chars().count() + 1;
    let end = line[before..].find("}}").map_or(line.len(), |at| before + at + 2);
    let at = |column| Position { line: index + 1, column };
    Some(Span { start: at(column(before)), end: at(column(end)) })
}

impl Unread {
    fn of(source: &Arc<str>, why: Why, problem: &Problem) -> Self {
        let at = problem.position();
        let (field, message) = match &problem.field {
            Some(field) => (field.to_string(), format!("{field}: {}", problem.message)),
            None => (String::new(), problem.message.clone()),
        };
        Self {
            why,
            label: Label {
                source: Arc::clone(source),
                span: Span { start: at, end: at },
                field,
                text: String::new(),
            },
            message,
            help: problem.help.as_deref().map(str::to_owned),
        }
    }

    fn template(source: &Arc<str>, span: Span) -> Self {
        let label = Label {
            source: Arc::clone(source),
            span,
            field: String::new(),
            text: "to be filled in".to_owned(),
        };
        Self {
            why: Why::Template,
            label,
            message: "this looks like a Helm template: it is checked only when it is filled in"
                .to_owned(),
            help: Some("lint what it becomes: helm template CHART | headcount lint -".to_owned()),
        }
    }
}

/// What stands for a text where findings name their object.
pub(super) const FILE: &str = "File";
