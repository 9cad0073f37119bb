//! What a person gave, word by word, each with its place, before anyone knows whether it makes sense.

use std::fmt;
use std::sync::Arc;

use manifest::kind::distance;
use manifest::read::{Position, Problem};

use super::intent::Existing;

/// Where a word was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A flag of the command line: `--port`.
    Flag(&'static str),
    /// A field of a file.
    Field {
        /// The file.
        source: Arc<str>,
        /// Where in it.
        at: Position,
        /// The field's path.
        field: String,
    },
    /// An answer to a question.
    Answer(&'static str),
}

/// A word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// The text.
    pub text: String,
    /// Where it was given.
    pub place: Place,
}

impl Given {
    /// A flag's value.
    pub fn flag(flag: &'static str, text: impl Into<String>) -> Self {
        Self { text: text.into(), place: Place::Flag(flag) }
    }

    /// Something that is wrong with it.
    pub(super) fn trouble(&self, message: impl Into<String>) -> Trouble {
        Trouble {
            place: Some((self.place.clone(), self.text.clone())),
            message: message.into(),
            help: None,
        }
    }
}

/// Why an intent cannot be made of what was given. Its `Display` is one line, and a second with help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    place: Option<(Place, String)>,
    message: String,
    help: Option<String>,
}

impl Trouble {
    /// Something that was not given.
    pub(super) fn missing(message: impl Into<String>) -> Self {
        Self { place: None, message: message.into(), help: None }
    }

    /// Why the answer to a question will not do, and how to mend it, if it is of that answer.
    pub fn of_answer(&self, question: &str) -> Option<String> {
        match &self.place {
            Some((Place::Answer(of), _)) if *of == question => Some(match &self.help {
                Some(help) => format!("{}: {help}", self.message),
                None => self.message.clone(),
            }),
            Some((Place::Answer(_) | Place::Flag(_) | Place::Field { .. }, _)) | None => None,
        }
    }

    /// With a way to mend it.
    #[must_use]
    pub(super) fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }
}

impl From<Problem> for Trouble {
    fn from(problem: Problem) -> Self {
        let at = problem.position();
        let Problem { source, field, message, help, .. } = problem;
        let field = field.unwrap_or_default().into_string();
        let place = Place::Field { source: Arc::from(source), at, field };
        Self { place: Some((place, String::new())), message, help: help.map(Into::into) }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            None => write!(f, "error: {}", self.message)?,
            Some((Place::Flag(flag), text)) => write!(f, "error: {flag} {text}: {}", self.message)?,
            Some((Place::Answer(question), text)) => {
                write!(f, "error: {question} {text}: {}", self.message)?;
            }
            Some((Place::Field { source, at, field }, _)) => {
                write!(f, "{source}:{}:{}: error: ", at.line, at.column)?;
                if !field.is_empty() {
                    write!(f, "{field}: ")?;
                }
                f.write_str(&self.message)?;
            }
        }
        if let Some(help) = &self.help {
            write!(f, "\n  help: {help}")?;
        }
        Ok(())
    }
}

/// All that was given.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// `statefulset`, `deployment` or `external`.
    pub workload: Option<Given>,
    /// The name that clients use.
    pub name: Option<Given>,
    /// The namespace.
    pub namespace: Option<Given>,
    /// The image.
    pub image: Option<Given>,
    /// The software's name.
    pub software: Option<Given>,
    /// How many pods.
    pub replicas: Option<Given>,
    /// `name:number[:target]`, each.
    pub ports: Vec<Given>,
    /// `stable` or `any`.
    pub identity: Option<Given>,
    /// The clients' namespaces.
    pub client_namespaces: Vec<Given>,
    /// A host, perhaps with a port, or addresses.
    pub external: Option<Given>,
    /// `none`, `ingress`, `gateway`, `loadbalancer` or `nodeport`.
    pub expose: Option<Given>,
    /// The host name for clients outside.
    pub host: Option<Given>,
    /// The zone of the cluster's names.
    pub cluster_domain: Option<Given>,
    /// `none`, `istio` or `linkerd`.
    pub mesh: Option<Given>,
    /// What manifests have already.
    pub existing: Existing,
}

impl Draft {
    /// This, and what another has where this has nothing.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        let list = |mine: Vec<Given>, theirs| if mine.is_empty() { theirs } else { mine };
        let had = |existing: &Existing| {
            existing.workload.is_some()
                || existing.governing.is_some()
                || existing.client.is_some()
                || !existing.labels.is_empty()
        };
        Self {
            workload: self.workload.or(other.workload),
            name: self.name.or(other.name),
            namespace: self.namespace.or(other.namespace),
            image: self.image.or(other.image),
            software: self.software.or(other.software),
            replicas: self.replicas.or(other.replicas),
            ports: list(self.ports, other.ports),
            identity: self.identity.or(other.identity),
            client_namespaces: list(self.client_namespaces, other.client_namespaces),
            external: self.external.or(other.external),
            expose: self.expose.or(other.expose),
            host: self.host.or(other.host),
            cluster_domain: self.cluster_domain.or(other.cluster_domain),
            mesh: self.mesh.or(other.mesh),
            existing: if had(&self.existing) { self.existing } else { other.existing },
        }
    }
}

/// The word that was probably meant: it differs by a slip or two, and not in more than half of it.
pub(super) fn nearest<'w, T: Ord>(
    written: &str,
    words: impl Iterator<Item = (&'w str, T)>,
) -> Option<T> {
    let plain = |text: &str| text.to_lowercase().replace(['-', '_', ' '], "");
    let written = plain(written);
    let slips = words.map(|(word, meant)| (distance(&plain(word), &written), word.len(), meant));
    let near = slips.filter(|(slips, length, _)| *slips <= 2.min(length / 2));
    near.min().map(|(_, _, meant)| meant)
}
