//! The data folder: where a cluster's data, keys and kubeconfig lie.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::Error;

/// Where a cluster keeps its files. An ephemeral one is removed when this value is dropped.
pub(super) struct Folder {
    path: PathBuf,
    /// The lock of an ephemeral folder, held for as long as it is in use.
    ephemeral: Option<File>,
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
        Ok(Self { path, ephemeral: None })
    }

    /// A folder for the kubeconfig of a cluster that leaves nothing behind. What earlier ones left, because they were
    /// killed, goes now.
    pub(super) fn ephemeral() -> Result<Self, Error> {
        let parent = std::env::temp_dir();
        remove_stale(&parent);
        let (path, lock) = create_locked(&parent, std::process::id()).map_err(|error| {
            Error::caused(format_args!("could not make a folder in {}", parent.display()), &error)
                .hint("point TMPDIR at a folder that you can write to")
        })?;
        Ok(Self { path, ephemeral: Some(lock) })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.ephemeral.is_none() {
            return;
        }
        for attempt in 1.. {
            match std::fs::remove_dir_all(&self.path) {
                // A pod's files may be under way still, on a thread that nobody waits for.
                Err(error)
                    if error.kind() == io::ErrorKind::DirectoryNotEmpty
                        && attempt < REMOVAL_TRIES =>
                {
                    std::thread::sleep(REMOVAL_PAUSE);
                }
                Err(error) => {
                    tracing::warn!("could not remove {}: {error}", self.path.display());
                    return;
                }
                Ok(()) => return,
            }
        }
    }
}

/// How often a folder is tried to be removed while something is still put into it, and the time between.
const REMOVAL_TRIES: u32 = 20;
const REMOVAL_PAUSE: std::time::Duration = std::time::Duration::from_millis(50);

/// Ephemeral folders are named by this and the number of their process.
const PREFIX: &str = "headcount-";

/// The file in an ephemeral folder whose lock says that its process lives.
const LOCK_NAME: &str = "lock";

/// Makes an ephemeral folder. It gets its name when its lock is held, so that no other process takes it for stale.
fn create_locked(parent: &Path, process: u32) -> io::Result<(PathBuf, File)> {
    let path = parent.join(format!("{PREFIX}{process}"));
    let unnamed = parent.join(format!(".{PREFIX}{process}"));
    // No process of this number lives but ours.
    match std::fs::remove_dir_all(&unnamed) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    create_new_private(&unnamed)?;
    let lock = File::create_new(unnamed.join(LOCK_NAME))?;
    lock.try_lock()?;
    std::fs::rename(&unnamed, &path)?;
    Ok((path, lock))
}

/// Removes the ephemeral folders whose processes are gone. Those of other users cannot be removed, and stay.
fn remove_stale(parent: &Path) {
    let Ok(entries) = std::fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let process = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
        let is_ours = process.is_some_and(|process| process.parse::<u32>().is_ok());
        if !(is_ours && entry.file_type().is_ok_and(|kind| kind.is_dir())) {
            continue;
        }
        let path = entry.path();
        let Ok(lock) = File::options().write(true).open(path.join(LOCK_NAME)) else { continue };
        if lock.try_lock().is_ok() && std::fs::remove_dir_all(&path).is_ok() {
            tracing::debug!("removed {}, which a killed process left", path.display());
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

#[cfg(unix)]
fn create_new_private(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().mode(0o700).create(path)
}

#[cfg(not(unix))]
fn create_new_private(path: &Path) -> io::Result<()> {
    std::fs::create_dir(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_process_left_goes() {
        let parent = tempfile::tempdir().expect("a temporary folder");
        let names = || {
            let entries = std::fs::read_dir(parent.path()).expect("a folder");
            let mut names: Vec<_> = entries
                .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
                .collect();
            names.sort();
            names
        };
        let (_, living) = create_locked(parent.path(), 1).expect("made");
        let (killed, lock) = create_locked(parent.path(), 2).expect("made");
        std::fs::write(killed.join("kubeconfig"), "secret").expect("written");
        drop(lock);
        // Not ours: by name, by kind, or without our lock.
        std::fs::create_dir(parent.path().join("headcount-x")).expect("made");
        std::fs::create_dir(parent.path().join("headcount-3")).expect("made");
        std::fs::write(parent.path().join("headcount-4"), "").expect("written");
        remove_stale(parent.path());
        assert_eq!(names(), ["headcount-1", "headcount-3", "headcount-4", "headcount-x"]);
        drop(living);
        remove_stale(parent.path());
        assert_eq!(names(), ["headcount-3", "headcount-4", "headcount-x"]);
    }
}
