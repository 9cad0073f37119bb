//! The file that settings are in.

use std::path::Path;

use manifest::read::Problem;

use super::config::ConfigFile;
use crate::error::Error;

/// Reads the settings in a file.
pub(super) fn read(path: &Path) -> Result<ConfigFile, ConfigError> {
    let name = path.display().to_string();
    match crate::files::open(path).content {
        Err(error) => Err(ConfigError::Unreadable(
            Error::caused(format_args!("could not read {name}"), &error)
                .hint("name a file of settings with --config"),
        )),
        Ok(bytes) => ConfigFile::parse(&name, &bytes).map_err(ConfigError::Wrong),
    }
}

/// Why a file of settings is of no use.
pub(super) enum ConfigError {
    /// It could not be read.
    Unreadable(Error),
    /// What is wrong in it.
    Wrong(Vec<Problem>),
}

impl ConfigError {
    /// Says what is wrong, and returns what is to be said at the end.
    pub(super) fn report(self, path: &Path) -> Error {
        match self {
            Self::Unreadable(error) => error,
            Self::Wrong(problems) => {
                for problem in &problems {
                    eprintln!("{problem}");
                }
                Error::new(format!("the settings in {} cannot be used", path.display()))
                    .hint("headcount dns --print-schema prints what there may be")
            }
        }
    }
}
