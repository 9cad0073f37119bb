//! The objects of manifests, and what is wrong with the rest.

use manifest::read::{Checked, Problem};

use crate::files::File;

/// The objects of the files, and what is wrong with the rest.
pub(crate) struct Reading {
    pub(crate) objects: Vec<Checked>,
    pub(crate) problems: Vec<Problem>,
    /// Files that could not be read at all: name and reason.
    pub(crate) unreadable: Vec<(String, std::io::Error)>,
    /// Files that have no document.
    pub(crate) empty: Vec<String>,
}

impl Reading {
    pub(crate) fn new(files: Vec<File>, namespace: &str) -> Self {
        let (mut documents, mut problems) = (Vec::new(), Vec::new());
        let (mut unreadable, mut empty) = (Vec::new(), Vec::new());
        for File { name, content } in files {
            match content {
                Ok(bytes) => {
                    let (read, wrong) = manifest::read::read_bytes(&name, &bytes);
                    if read.is_empty() && wrong.is_empty() {
                        empty.push(name);
                    }
                    documents.extend(read);
                    problems.extend(wrong);
                }
                Err(error) => unreadable.push((name, error)),
            }
        }
        let (mut objects, wrong) = manifest::read::check(documents, namespace);
        problems.extend(wrong);
        problems.sort_by(|a, b| (&a.source, a.position()).cmp(&(&b.source, b.position())));
        // A namespace may be in a later file than what is in it.
        objects.sort_by_key(|object| object.reference.kind != "Namespace");
        Self { objects, problems, unreadable, empty }
    }

    /// Prints what is wrong on stderr; true when something is, notes aside.
    pub(crate) fn report(&self) -> bool {
        for (name, error) in &self.unreadable {
            crate::terminal::say(format_args!("{name}: error: could not be read: {error}"));
        }
        for problem in &self.problems {
            crate::terminal::say(problem);
        }
        for name in &self.empty {
            crate::terminal::say(format_args!("{name}: note: no object in it"));
        }
        !self.unreadable.is_empty() || self.problems.iter().any(Problem::is_error)
    }
}
