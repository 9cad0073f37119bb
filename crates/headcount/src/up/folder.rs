//! The data folder: where a cluster's data, keys and kubeconfig lie.

use std::io;
use std::path::{Path, PathBuf};

use crate::error::Error;

/// Where a cluster keeps its files. An ephemeral one is removed when this value is dropped.
pub(super) struct Folder {
    path: PathBuf,
    ephemeral: bool,
}

impl Folder {
    /// The folder named on the command line, else `$XDG_DATA_HOME/headcount`, made if it is not there.
    pub(super) fn open(data_dir: Option<PathBuf>) -> Result<Self, Error> {
        let path = match data_dir {
            Some(path) => path,
            None => default_path()?,
        };
        create_private(&path).map_err(|error| {
            let what = format!("could not make the data folder {}", path.display());
            let told = if error.kind() == io::ErrorKind::AlreadyExists {
                Error::new(format!("{what}: there is a file of that name"))
            } else {
                Error::caused(what, &error)
            };
            told.hint("name another folder with --data-dir, or keep nothing with --ephemeral")
        })?;
        Ok(Self { path, ephemeral: false })
    }

    /// A folder for the kubeconfig of a cluster that leaves nothing behind.
    pub(super) fn ephemeral() -> Result<Self, Error> {
        let path = std::env::temp_dir().join(format!("headcount-{}", std::process::id()));
        create_private(&path).map_err(|error| {
            Error::caused(format_args!("could not make the folder {}", path.display()), &error)
                .hint("point TMPDIR at a folder that you can write to")
        })?;
        Ok(Self { path, ephemeral: true })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.ephemeral
            && let Err(error) = std::fs::remove_dir_all(&self.path)
        {
            tracing::warn!("could not remove {}: {error}", self.path.display());
        }
    }
}

/// `$XDG_DATA_HOME/headcount`, and `~/.local/share/headcount` where that is unset (XDG Base Directory
/// Specification: relative values are ignored).
fn default_path() -> Result<PathBuf, Error> {
    let absolute =
        |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_DATA_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/share")))
        .map(|base| base.join("headcount"))
        .ok_or_else(|| {
            Error::new("there is no place for the data: neither XDG_DATA_HOME nor HOME is set")
                .hint("name a folder with --data-dir, or keep nothing with --ephemeral")
        })
}

#[cfg(unix)]
fn create_private(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(not(unix))]
fn create_private(path: &Path) -> io::Result<()> {
    std::fs::create_dir_all(path)
}
