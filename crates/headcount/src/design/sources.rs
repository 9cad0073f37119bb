//! Where the words of a design are from, besides flags: a file of them, or manifests that are there.

use std::path::{Path, PathBuf};

use advisor::design::{Draft, Trouble, file, from_objects};
use advisor::lint::{Objects, Options};
use manifest::read::{Problem, read_any, text};

use super::Design;
use crate::error::Error;
use crate::files::{self, File};

/// What the words came to.
pub(super) enum Sourced {
    /// Words, and the manifests that they are from.
    Draft { draft: Box<Draft>, taken: Vec<String>, objects: Option<Box<Objects>> },
    /// What was given is wrong, and that was said.
    Wrong,
    /// The questions were not answered to the end.
    Interrupted,
}

pub(super) fn flags(design: &Design) -> Draft {
    Draft::from(design)
}

/// The words of the flags, and of what they name.
pub(super) fn read(design: &Design, flags: Draft) -> Result<Sourced, Error> {
    if let Some(path) = &design.filename {
        return from_file(path, flags);
    }
    if design.from.is_empty() {
        let draft = Box::new(flags);
        return Ok(Sourced::Draft { draft, taken: Vec::new(), objects: None });
    }
    from_manifests(&design.from, flags)
}

fn read_files(paths: Vec<PathBuf>) -> Result<Vec<File>, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::caused("could not start the runtime", &error))?;
    runtime.block_on(files::read(paths))
}

fn from_file(path: &Path, flags: Draft) -> Result<Sourced, Error> {
    if path.is_dir() {
        return Err(Error::new(format!("{} is a folder", path.display()))
            .hint("-f takes one file of a design's words; manifests to begin with go to --from"));
    }
    let mut draft = flags;
    let mut is_wrong = false;
    for File { name, content } in read_files(vec![path.to_owned()])? {
        let bytes = content
            .map_err(|error| Error::caused(format_args!("could not read {name}"), &error))?;
        let read = text(&name, &bytes)
            .map_err(|problem| vec![Trouble::from(problem)])
            .and_then(|text| file::read(&name, text));
        match read {
            Ok(words) => draft = draft.or(words),
            Err(troubles) => {
                is_wrong = true;
                for trouble in troubles {
                    crate::terminal::say(&trouble);
                }
            }
        }
    }
    if is_wrong {
        crate::terminal::say(format_args!(
            "  help: docs/design.md lists the keys of this file; manifests to begin with go to --from"
        ));
        return Ok(Sourced::Wrong);
    }
    Ok(Sourced::Draft { draft: Box::new(draft), taken: Vec::new(), objects: None })
}

fn from_manifests(paths: &[PathBuf], flags: Draft) -> Result<Sourced, Error> {
    let (mut documents, mut foreign) = (Vec::new(), Vec::new());
    for File { name, content } in read_files(paths.to_vec())? {
        let bytes = content
            .map_err(|error| Error::caused(format_args!("could not read {name}"), &error))?;
        let problems: Vec<Problem> = match text(&name, &bytes) {
            Err(problem) => vec![problem],
            Ok(text) => {
                let reading = read_any(&name, text);
                documents.extend(reading.documents);
                foreign.extend(reading.foreign);
                reading.problems
            }
        };
        // What can be read is begun with; lint has more to say of the rest.
        for problem in problems {
            crate::terminal::say(&problem);
        }
    }
    let mut options = Options::default();
    if let Some(namespace) = &flags.namespace {
        options.namespace = namespace.text.clone();
    }
    let objects = Objects::new(documents, foreign, options);
    match from_objects(&objects, &flags) {
        Ok(found) => Ok(Sourced::Draft {
            draft: Box::new(flags.or(found.draft)),
            taken: found.taken,
            objects: Some(Box::new(objects)),
        }),
        Err(troubles) => {
            for trouble in troubles {
                crate::terminal::say(&trouble);
            }
            Ok(Sourced::Wrong)
        }
    }
}
