//! File systems of a container's own.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_string, fsmount,
    fsopen,
};

use crate::tree;

/// Mounts memory at a path.
pub(crate) fn memory(root: &OwnedFd, at: &Path, bytes: u64, mode: &str) -> io::Result<()> {
    let (size, inodes) = (bytes.to_string(), (bytes / 4096 + 1024).to_string());
    let options = [("mode", mode), ("size", &size), ("nr_inodes", &inodes)];
    let tree = file_system(c"tmpfs", &options, MountAttrFlags::MOUNT_ATTR_NODEV)?;
    tree::attach(tree, tree::folder(root, at)?)
}

/// A file system of its own that is attached nowhere.
pub(crate) fn file_system(
    name: &CStr,
    options: &[(&str, &str)],
    flags: MountAttrFlags,
) -> io::Result<OwnedFd> {
    let context = fsopen(name, FsOpenFlags::FSOPEN_CLOEXEC)?;
    for (key, value) in options {
        fsconfig_set_string(&context, *key, *value)?;
    }
    fsconfig_create(&context)?;
    let flags = flags | MountAttrFlags::MOUNT_ATTR_NOSUID;
    Ok(fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, flags)?)
}
