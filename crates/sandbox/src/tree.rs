//! Paths below a folder, found without leaving it: what lies in volumes was written by containers, which may have put links anywhere.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{Mode, OFlags, ResolveFlags, fstat, mkdirat, openat, openat2};
use rustix::io::Errno;
use rustix::mount::{MoveMountFlags, OpenTreeFlags, move_mount, open_tree};

use crate::mirror;
use crate::sys::{self, Forbid};

/// As often is a path looked up again that others change meanwhile.
const ATTEMPTS: usize = 16;

/// A copy of what is mounted at a descriptor and below.
const COPY: OpenTreeFlags = OpenTreeFlags::OPEN_TREE_CLONE
    .union(OpenTreeFlags::OPEN_TREE_CLOEXEC)
    .union(OpenTreeFlags::AT_EMPTY_PATH)
    .union(OpenTreeFlags::AT_RECURSIVE);

/// How links are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Links {
    /// As a process sees them whose root the folder is.
    Within,
    /// Not at all.
    Refused,
}

/// What lies at a path below a folder, for other calls to name it.
pub(crate) fn find(root: impl AsFd, path: &Path, links: Links) -> io::Result<OwnedFd> {
    let resolve = match links {
        Links::Within => ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS,
        Links::Refused => {
            ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS
        }
    };
    let path = Path::new(".").join(plain(path)?);
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    for _ in 0..ATTEMPTS {
        match openat2(&root, &path, flags, Mode::empty(), resolve) {
            Err(Errno::AGAIN | Errno::INTR) => {}
            other => return Ok(other?),
        }
    }
    Err(Errno::AGAIN.into())
}

/// The folder at a path, created where it is missing.
pub(crate) fn folder(root: impl AsFd, path: &Path) -> io::Result<OwnedFd> {
    let mut there = find(&root, Path::new(""), Links::Within)?;
    let mut so_far = PathBuf::new();
    for name in plain(path)?.components() {
        so_far.push(name);
        there = match find(&root, &so_far, Links::Within) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                match mkdirat(&there, name.as_os_str(), Mode::from(0o755)) {
                    Ok(()) | Err(Errno::EXIST) => {}
                    Err(Errno::ROFS) => {
                        let there = mirror::cover(&root, so_far.parent().unwrap_or(Path::new("")))?;
                        mkdirat(&there, name.as_os_str(), Mode::from(0o755))?;
                    }
                    Err(error) => return Err(error.into()),
                }
                find(&root, &so_far, Links::Within)?
            }
            other => other?,
        };
    }
    Ok(there)
}

/// The file at a path, created where it is missing.
pub(crate) fn file(root: impl AsFd, path: &Path) -> io::Result<OwnedFd> {
    match find(&root, path, Links::Within) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let path = plain(path)?;
            let name = path.file_name().unwrap_or(OsStr::new(""));
            let into = folder(&root, path.parent().unwrap_or(Path::new("")))?;
            let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
            match openat(&into, name, flags, Mode::from(0o644)) {
                Err(Errno::ROFS) => {
                    let into = mirror::cover(&root, path.parent().unwrap_or(Path::new("")))?;
                    drop(openat(&into, name, flags, Mode::from(0o644))?);
                }
                other => drop(other?),
            }
            find(&root, &path, Links::Within)
        }
        other => other,
    }
}

/// Mounts what was found, and all that is mounted below it, at a path, which is created as the same kind of thing where it is missing.
pub(crate) fn bind(
    source: impl AsFd,
    root: impl AsFd,
    target: &Path,
    forbid: Option<&Forbid>,
) -> io::Result<()> {
    let tree = open_tree(source, "", COPY)?;
    if let Some(forbid) = forbid {
        sys::forbid(&tree, c"", true, forbid)?;
    }
    let target = match is_folder(&tree)? {
        true => folder(&root, target)?,
        false => file(&root, target)?,
    };
    attach(&tree, &target)
}

/// Mounts what was found at a name of a folder, where there is something of its kind.
pub(crate) fn bind_at(source: impl AsFd, folder: impl AsFd, name: &OsStr) -> io::Result<()> {
    let tree = open_tree(source, "", COPY)?;
    attach(tree, find(folder, Path::new(name), Links::Refused)?)
}

/// Mounts a tree that is attached nowhere.
pub(crate) fn attach(tree: impl AsFd, target: impl AsFd) -> io::Result<()> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    Ok(move_mount(tree, "", target, "", flags)?)
}

fn is_folder(of: impl AsFd) -> io::Result<bool> {
    Ok(rustix::fs::FileType::from_raw_mode(fstat(of)?.st_mode) == rustix::fs::FileType::Directory)
}

/// A path without its root and without what leads back. The empty path is the folder itself.
fn plain(path: &Path) -> io::Result<PathBuf> {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::RootDir | Component::CurDir => {}
            Component::Normal(name) => plain.push(name),
            Component::ParentDir | Component::Prefix(_) => {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    "a path that goes back with `..`",
                ));
            }
        }
    }
    Ok(plain)
}
