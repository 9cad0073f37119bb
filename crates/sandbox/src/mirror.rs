//! Folders of the host that something is to be mounted in, at a place that is not there: `/usr/local/etc/redis`, say. The folder is covered by one in memory, which
//! has all that was in it, each where it was and read-only as before, and can have more.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::fs::{
    AtFlags, Dir, FileType, Mode, OFlags, mkdirat, openat, readlinkat, statat, symlinkat,
};
use rustix::mount::MountAttrFlags;

use crate::filesystem::file_system;
use crate::tree::{self, Links};

/// In larger folders nobody adds anything.
const ENTRIES_MAX: usize = 4096;

/// Bytes of names and links, and of what the container adds itself.
const BYTES: &str = "1m";

/// Covers a folder, and returns the one that is there now.
pub(crate) fn cover(root: impl AsFd, path: &Path) -> io::Result<OwnedFd> {
    let covered = tree::find(&root, path, Links::Within)?;
    let options = [("mode", "0755"), ("size", BYTES)];
    let cover = file_system(c"tmpfs", &options, MountAttrFlags::MOUNT_ATTR_NODEV)?;
    let listing = openat(&covered, ".", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let mut shown = Vec::new();
    for (count, entry) in Dir::new(listing)?.enumerate() {
        let entry = entry?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if name == "." || name == ".." {
            continue;
        }
        if count > ENTRIES_MAX {
            let text = format!("read-only, and more than {ENTRIES_MAX} entries are in the folder");
            return Err(io::Error::new(io::ErrorKind::ReadOnlyFilesystem, text));
        }
        let found = statat(&covered, name, AtFlags::SYMLINK_NOFOLLOW)?;
        match FileType::from_raw_mode(found.st_mode) {
            FileType::Symlink => {
                symlinkat(readlinkat(&covered, name, Vec::new())?, &cover, name)?;
                continue;
            }
            FileType::Directory => mkdirat(&cover, name, Mode::from(0o755))?,
            _ => {
                let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
                drop(openat(&cover, name, flags, Mode::from(0o644))?);
            }
        }
        shown.push(name.to_owned());
    }
    tree::attach(&cover, &covered)?;
    for name in shown {
        tree::bind_at(tree::find(&covered, Path::new(&name), Links::Refused)?, &cover, &name)?;
    }
    tree::find(root, path, Links::Within)
}
