//! A program of this machine enters the network of an engine, and stays what it is otherwise.

use std::fs::File;
use std::io;
use std::os::linux::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::mount::{MountPropagationFlags, mount_bind, mount_change};
use rustix::process::{getegid, geteuid};
use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space};

use crate::failure::NotEntered;
use crate::sys::unshare;

/// Moves this process into the network namespace with this number that a process is in, and lets it see `files` (each with the file
/// that it stands before) in a mount namespace of its own. Who it is and what else it sees stay. To be called while there is one thread.
///
/// # Errors
///
/// [`NotEntered`]: that process is gone, or belongs to somebody else. This process should end then: it may be half inside.
pub fn enter(process: u32, namespace: u64, files: &[(PathBuf, PathBuf)]) -> Result<(), NotEntered> {
    let of = |name: &str| File::open(format!("/proc/{process}/ns/{name}"));
    let network = of("net").map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => NotEntered::Gone,
        _ => NotEntered::refused("open its network", &error),
    })?;
    let number = network.metadata().map_err(|e| NotEntered::refused("look at its network", &e))?;
    if number.st_ino() != namespace {
        return Err(NotEntered::Gone);
    }
    let (uid, gid) = (geteuid(), getegid());
    // Root may enter as it is. Others need the rights that the owner of a user namespace has in it.
    if !uid.is_root() {
        let users = of("user").map_err(|e| NotEntered::refused("open its users", &e))?;
        join(&users, LinkNameSpaceType::User)?;
    }
    join(&network, LinkNameSpaceType::Network)?;
    unshare(UnshareFlags::NEWNS).map_err(|e| NotEntered::refused("unshare the mounts", &e))?;
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change("/", private)
        .map_err(|e| NotEntered::refused("make the mounts private", &e.into()))?;
    for (file, stands_before) in files {
        mount_bind(file, stands_before).map_err(|error| {
            NotEntered::refused(&format!("mount {}", stands_before.display()), &error.into())
        })?;
    }
    if !uid.is_root() {
        back_to(uid.as_raw(), gid.as_raw())
            .map_err(|error| NotEntered::refused("become oneself again", &error))?;
    }
    Ok(())
}

fn join(namespace: &File, kind: LinkNameSpaceType) -> Result<(), NotEntered> {
    move_into_link_name_space(std::os::fd::AsFd::as_fd(namespace), Some(kind))
        .map_err(|error| NotEntered::refused("enter its namespaces", &error.into()))
}

/// A user namespace in which the one user there is has the number that it has outside.
fn back_to(uid: u32, gid: u32) -> io::Result<()> {
    unshare(UnshareFlags::NEWUSER)?;
    let own = |file: &str, text: String| std::fs::write(Path::new("/proc/self").join(file), text);
    own("setgroups", "deny".to_owned())?;
    own("uid_map", format!("{uid} 0 1"))?;
    own("gid_map", format!("{gid} 0 1"))
}
