//! The calls that have no safe form elsewhere.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, AsRawFd};

use rustix::thread::UnshareFlags;

/// Gives the calling thread namespaces of its own.
pub(crate) fn unshare(flags: UnshareFlags) -> io::Result<()> {
    // What is not safe in it is a table of descriptors of the thread's own.
    if flags.contains(UnshareFlags::FILES) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: descriptors mean the same in all threads, for their table stays shared.
    Ok(unsafe { rustix::thread::unshare_unsafe(flags) }?)
}

/// Marks all descriptors but the first three to be closed when a program is run: who started this program may have left some open.
pub(crate) fn close_others_on_exec() -> io::Result<()> {
    // SAFETY: it closes no descriptor of this process; no memory is passed.
    let result = unsafe {
        libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Lets signals do again what they do by default. Who started this program may have had some ignored, as a shell has interrupts for what it starts in
/// the background; programs keep that, and an engine would not hear of its children's ends.
pub(crate) fn default_signals() {
    for signal in 1..=libc::SIGRTMAX() {
        // What is written to who has left is an error, not the end; running a program mends it.
        if signal != libc::SIGPIPE {
            // SAFETY: it installs no code to be run, and none of this process's has been installed. For some numbers it fails, which changes nothing.
            unsafe { libc::signal(signal, libc::SIG_DFL) };
        }
    }
}

/// Leaves the keys behind of the session in which the program was started.
pub(crate) fn leave_keys() {
    // SAFETY: without a name, no memory is passed. A kernel without keys says so, and there are none to leave.
    unsafe { libc::syscall(libc::SYS_keyctl, libc::KEYCTL_JOIN_SESSION_KEYRING, 0) };
}

/// What a mount forbids.
pub(crate) struct Forbid(u64);

impl Forbid {
    pub(crate) const WRITING: Self = Self(libc::MOUNT_ATTR_RDONLY);
    pub(crate) const SET_UID: Self = Self(libc::MOUNT_ATTR_NOSUID);
    pub(crate) const DEVICES: Self = Self(libc::MOUNT_ATTR_NODEV);
}

impl std::ops::BitOr for Forbid {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Forbids more of a mount, which need not be attached anywhere yet, and of those below it. Nothing that is forbidden already is allowed again.
pub(crate) fn forbid(
    mount: impl AsFd,
    path: &CStr,
    below: bool,
    forbid: &Forbid,
) -> io::Result<()> {
    // SAFETY: all fields are numbers, for which zero is a value.
    let mut attributes: libc::mount_attr = unsafe { std::mem::zeroed() };
    attributes.attr_set = forbid.0;
    let flags = libc::AT_EMPTY_PATH | if below { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: the path ends with a zero, the attributes are as long as is said, and both are only read during the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_fd().as_raw_fd(),
            path.as_ptr(),
            flags,
            &raw const attributes,
            size_of::<libc::mount_attr>(),
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
