//! The texts that are checked, and what they are compared with.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use advisor::lint::{Objects, Options, Texts};

use super::places::Sources;
use super::write;
use crate::error::Error;
use crate::files::{self, File};

/// The texts that are checked, by name.
pub(super) struct Input {
    /// The names, in the order given.
    names: Vec<Arc<str>>,
    /// As they were read.
    read: BTreeMap<Arc<str>, Result<Vec<u8>, String>>,
    /// Those that are texts, as they are after fixes.
    pub(super) texts: BTreeMap<Arc<str>, String>,
}

impl Input {
    pub(super) fn read(paths: &[PathBuf]) -> Result<Self, Error> {
        let mut input = Self { names: Vec::new(), read: BTreeMap::new(), texts: BTreeMap::new() };
        let mut seen = BTreeSet::new();
        for File { name, content } in files::read_all(paths)? {
            // A file that is named twice is still one file.
            if let Ok(path) = std::fs::canonicalize(&name)
                && path.is_file()
                && !seen.insert(path)
            {
                continue;
            }
            let name: Arc<str> = Arc::from(name);
            let content = content.map_err(|error| error.to_string());
            if let Some(text) = content.as_ref().ok().and_then(|it| std::str::from_utf8(it).ok()) {
                input.texts.insert(Arc::clone(&name), text.to_owned());
            }
            if input.read.insert(Arc::clone(&name), content).is_none() {
                input.names.push(name);
            }
        }
        Ok(input)
    }

    /// The texts as they are now, read.
    pub(super) fn objects(&self, options: Options) -> Objects {
        let mut texts = Texts::default();
        for name in &self.names {
            match (self.texts.get(name), self.read.get(name)) {
                (Some(text), _) => texts.add(name, Ok(text.as_bytes())),
                (None, Some(Ok(bytes))) => texts.add(name, Ok(bytes)),
                (None, Some(Err(error))) => texts.add(name, Err(error.clone())),
                (None, None) => {}
            }
        }
        Objects::read(texts, options)
    }

    /// Writes the texts that are no longer as they were read into their files; returns that of stdin, if it is one of
    /// the texts.
    pub(super) fn write_back(&self) -> Result<Option<&str>, Error> {
        let mut of_stdin = None;
        for (name, text) in &self.texts {
            if name.as_ref() == files::STDIN {
                of_stdin = Some(text.as_str());
                continue;
            }
            let was = self.read.get(name).and_then(|it| it.as_ref().ok());
            if was.is_some_and(|was| was != text.as_bytes()) {
                write::replace(name.as_ref().as_ref(), text).map_err(|error| {
                    Error::caused(format_args!("could not write {name}"), &error)
                        .hint("files that were written before it are mended; the rest is as it was")
                })?;
            }
        }
        Ok(of_stdin)
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.names.iter().map(|name| name.to_string()).collect()
    }

    pub(super) fn into_sources(self) -> Sources {
        let mut sources = Sources::default();
        for (name, text) in self.texts {
            sources.add(&name, text);
        }
        sources
    }
}

/// The texts of what is applied now.
pub(super) struct Live(pub(super) Vec<(String, String)>);

impl Live {
    /// Reads them from files, which must be readable: a comparison with half of it would say nothing true.
    pub(super) fn read(paths: &[PathBuf]) -> Result<Self, Error> {
        let mut texts = Vec::new();
        for File { name, content } in files::read_all(paths)? {
            let what = format!("could not read what is applied from {name}");
            let bytes = content.map_err(|error| Error::caused(&what, &error))?;
            let text = manifest::read::text(&name, &bytes)
                .map_err(|problem| Error::caused(&what, &problem))?;
            if let Some(problem) = manifest::read::read_any(&name, text).problems.first() {
                return Err(Error::caused(&what, problem).hint(
                    "--against takes what kubectl get services,statefulsets -o yaml writes",
                ));
            }
            texts.push((name, text.to_owned()));
        }
        Ok(Self(texts))
    }

    /// The objects, if there are texts of any.
    pub(super) fn objects(&self, options: Options) -> Option<Box<Objects>> {
        let mut texts = Texts::default();
        for (name, text) in &self.0 {
            texts.add(name, Ok(text.as_bytes()));
        }
        (!self.0.is_empty()).then(|| Box::new(Objects::read(texts, options)))
    }
}
