//! The data folder, held against other processes.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::OpenError;
use crate::serve::keep_private;

/// The file whose lock stands for the folder. The kernel gives the lock up with the process, however that
/// ends; the file stays.
const LOCK_NAME: &str = "lock";

pub(super) struct Folder {
    path: PathBuf,
    /// Held open for its lock.
    _lock: File,
}

impl Folder {
    pub(super) fn open(path: &Path) -> Result<Self, OpenError> {
        let fail = |source| OpenError::Folder { path: path.to_owned(), source };
        create(path).map_err(fail)?;
        let mut lock = open_private(&path.join(LOCK_NAME)).map_err(fail)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let process = holder(&mut lock);
                return Err(OpenError::InUse { path: path.to_owned(), process });
            }
            Err(TryLockError::Error(source)) => return Err(fail(source)),
        }
        name_holder(&mut lock).map_err(fail)?;
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Creates an empty file, if there is none, that only its owner may read.
    pub(super) fn create_file(&self, name: &str) -> Result<(), OpenError> {
        let path = self.path.join(name);
        match open_private(&path) {
            Ok(_) => Ok(()),
            Err(source) => Err(OpenError::Folder { path, source }),
        }
    }

    /// Makes the names of the files in it durable.
    pub(super) fn sync(&self) -> Result<(), OpenError> {
        sync_folder(&self.path)
            .map_err(|source| OpenError::Folder { path: self.path.clone(), source })
    }
}

fn open_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let file =
        options.read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
    keep_private(&file, path)?;
    Ok(file)
}

/// Creates a folder (mode 0700) and its parents, and makes their names durable.
fn create(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    create(parent)?;
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {}
        result => result?,
    }
    sync_folder(parent)
}

fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

fn holder(lock: &mut File) -> Option<u32> {
    let mut text = String::new();
    lock.read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

/// Writes our process's id, for the message that another one shows.
fn name_holder(lock: &mut File) -> io::Result<()> {
    lock.set_len(0)?;
    lock.rewind()?;
    writeln!(lock, "{}", std::process::id())
}
