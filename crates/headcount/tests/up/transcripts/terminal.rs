//! Runs a command on a terminal, before which nobody sits.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::process::{Command, ExitStatus};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// What a command shows until it ends, and how it ends.
pub(super) fn run(mut command: Command) -> (Vec<u8>, ExitStatus) {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
    grantpt(&ours).expect("a terminal");
    unlockpt(&ours).expect("a terminal");
    let size = Winsize { ws_row: 40, ws_col: 120, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&ours, size).expect("a size");
    let path = ptsname(&ours, Vec::new()).expect("its path");
    let theirs = OpenOptions::new()
        .read(true)
        .write(true)
        .open(OsStr::from_bytes(path.as_bytes()))
        .expect("its other side");
    command
        .stdin(theirs.try_clone().expect("a terminal"))
        .stdout(theirs.try_clone().expect("a terminal"))
        .stderr(theirs);
    let mut child = command.spawn().expect("a shell");
    // It has the terminal's other side, which is to be closed when the shell ends.
    drop(command);
    let mut shown = Vec::new();
    // It ends with an error, when nobody has the other side any more.
    let _ = File::from(ours).read_to_end(&mut shown);
    (shown, child.wait().expect("a child of ours"))
}
