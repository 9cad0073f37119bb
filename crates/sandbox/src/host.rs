//! What the engine has mounted: of the host everything, read-only, and one folder that can be written to.

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;

use rustix::fs::{Access, AtFlags, CWD, accessat};
use rustix::mount::{
    MountFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, mount, mount_change,
    move_mount, open_tree,
};
use rustix::process::pivot_root;
use rustix::thread::{Gid, Uid, set_thread_groups, set_thread_res_gid, set_thread_res_uid};

use crate::failure::Unsupported;
use crate::spec::{PROGRAMS, Settings};
use crate::sys::{self, Forbid};
use crate::users::Users;

/// The host's root folder, and all that is mounted in it.
pub(crate) const HOST: &str = "/host";
/// [`Settings::folder`].
pub(crate) const FOLDER: &str = "/folder";
/// This program, which nobody can write to from here on.
pub(crate) const PROGRAM: &str = "/program";
/// Where a container's root is put together.
pub(crate) const ROOT: &str = "/root";

/// Where the engine's root begins; it is there on any system.
const BEGIN: &str = "/tmp";

/// Prepares what is mounted, and becomes the first of the mapped users.
pub(crate) fn prepare(settings: &Settings, users: Users) -> Result<(), Unsupported> {
    let failed = |what: &str| {
        let what = what.to_owned();
        move |error: io::Error| Unsupported::Mounts { what, error: error.to_string() }
    };
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
        .map_err(|error| failed("separate mounts from the host's")(error.into()))?;

    // As long as this is the user that asked: another may not even get as far as these.
    let folder =
        clone(&settings.folder, true).map_err(failed(&settings.folder.display().to_string()))?;
    let program = this_program().map_err(failed("the program's own file"))?;
    if users == Users::Range {
        become_first().map_err(|error| Unsupported::Users(error.to_string()))?;
    }

    root(&folder, &program).map_err(failed("the engine's root folder"))?;
    accessat(CWD, FOLDER, Access::EXEC_OK, AtFlags::EACCESS).map_err(|error| {
        let (uid, gid) = users.on_host(0, 0);
        let what = format!(
            "{} must be passable for user {uid} or group {gid} (chmod 711)",
            settings.folder.display()
        );
        failed(&what)(error.into())
    })?;
    let set = |path, below, forbidden: Forbid| sys::forbid(CWD, path, below, &forbidden);
    set(c"/host", true, Forbid::WRITING | Forbid::SET_UID)
        .and_then(|()| set(c"/program", false, Forbid::WRITING | Forbid::SET_UID))
        .and_then(|()| set(c"/folder", true, Forbid::SET_UID | Forbid::DEVICES))
        .map_err(failed("make the host's files read-only (Linux 5.12 and later can)"))
}

/// A copy of what is mounted at a path, attached nowhere.
fn clone(path: &Path, below: bool) -> io::Result<OwnedFd> {
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    flags.set(OpenTreeFlags::AT_RECURSIVE, below);
    Ok(open_tree(CWD, path, flags)?)
}

/// This program's file by itself. By `/proc/self/exe` it could be written to, for that is still the host's mount of it.
fn this_program() -> io::Result<OwnedFd> {
    let path = fs::read_link("/proc/self/exe")?;
    let (running, there) = (fs::metadata("/proc/self/exe")?, fs::metadata(&path)?);
    if (running.dev(), running.ino()) != (there.dev(), there.ino()) {
        return Err(io::Error::other(format!(
            "{} is not the program any more that runs; start it again",
            path.display()
        )));
    }
    clone(&path, false)
}

fn become_first() -> io::Result<()> {
    set_thread_groups(&[])?;
    set_thread_res_gid(Gid::ROOT, Gid::ROOT, Gid::ROOT)?;
    set_thread_res_uid(Uid::ROOT, Uid::ROOT, Uid::ROOT)?;
    Ok(())
}

fn root(folder: &OwnedFd, program: &OwnedFd) -> io::Result<()> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    mount("tmpfs", BEGIN, "tmpfs", flags, c"mode=0755,size=64k")?;
    std::env::set_current_dir(BEGIN)?;
    for name in ["host", "folder", "proc", "root"] {
        fs::create_dir(name)?;
    }
    fs::write("program", "")?;
    // This program's libraries, and what else it opens by its usual name.
    for name in PROGRAMS.iter().chain(&["dev", "etc"]) {
        let name = name.split('/').next().unwrap_or(name);
        symlink(Path::new("host").join(name), name)?;
    }
    attach(folder, Path::new("folder"))?;
    attach(program, Path::new("program"))?;
    pivot_root(".", "host")?;
    std::env::set_current_dir("/")
}

fn attach(tree: &OwnedFd, at: &Path) -> io::Result<()> {
    Ok(move_mount(tree.as_fd(), "", CWD, at, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?)
}
