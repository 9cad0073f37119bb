//! How an engine starts: this program, run again, with an argument that says which part it has.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::net::sockopt::{Timeout, set_socket_timeout};

use crate::failure::Unsupported;
use crate::protocol::{self, Progress};
use crate::spec::Settings;
use crate::users::Users;
use crate::{container, guard, serve};

/// What the first argument says of a program that has a part.
pub(crate) const GUARD: &str = "__sandbox-guard";
pub(crate) const ENGINE: &str = "__sandbox-engine";
pub(crate) const CONTAINER: &str = "__sandbox-container";

/// An engine that does not say a word for so long is not going to.
const PATIENCE: Duration = Duration::from_secs(30);

/// An engine that serves.
pub(crate) struct Started {
    /// Its first process, which ends when all of it has ended.
    pub(crate) child: Child,
    pub(crate) control: OwnedFd,
    pub(crate) users: Users,
    pub(crate) nft: bool,
}

/// Plays the part that the program's first argument asks for, and then does not return. To be called first of all, while there is one
/// thread.
pub fn run_if_asked() {
    let part = std::env::args_os().nth(1);
    match part.as_deref().and_then(|part| part.to_str()) {
        Some(GUARD) => guard::run(),
        Some(ENGINE) => serve::run(),
        Some(CONTAINER) => container::run(),
        _ => {}
    }
}

pub(crate) fn start(settings: &Settings) -> Result<Started, Unsupported> {
    let program = settings.program.clone().unwrap_or_else(|| PathBuf::from("/proc/self/exe"));
    let wrong = |error: io::Error| Unsupported::Program(error.to_string());
    let users = Users::here();
    let (control, theirs) = protocol::pair().map_err(wrong)?;
    let mut child = Command::new(&program)
        .arg(GUARD)
        .stdin(Stdio::from(theirs))
        .stdout(Stdio::null())
        .spawn()
        .map_err(|error| Unsupported::Program(format!("{}: {error}", program.display())))?;
    match converse(&control, &child, settings, users) {
        Ok(nft) => Ok(Started { child, control, users, nft }),
        Err(unsupported) => {
            drop(control);
            let _ = child.kill();
            let _ = child.wait();
            Err(unsupported)
        }
    }
}

/// Goes through the start with the engine, and returns whether it has `nft`.
fn converse(
    control: &OwnedFd,
    child: &Child,
    settings: &Settings,
    users: Users,
) -> Result<bool, Unsupported> {
    let wrong = |error: io::Error| Unsupported::Program(error.to_string());
    let patience = |of| set_socket_timeout(control, Timeout::Recv, of);
    patience(Some(PATIENCE)).map_err(|error| wrong(error.into()))?;
    protocol::write(control, &(settings, users), &[]).map_err(wrong)?;
    loop {
        match protocol::read::<Progress>(control).map_err(wrong)? {
            Some((Progress::Unmapped, _)) => {
                map(child.id(), users).map_err(|error| Unsupported::Users(error.to_string()))?;
                protocol::write(control, &(), &[]).map_err(wrong)?;
            }
            Some((Progress::Ready { nft }, _)) => {
                patience(None).map_err(|error| wrong(error.into()))?;
                return Ok(nft);
            }
            Some((Progress::Unsupported(unsupported), _)) => return Err(unsupported),
            None => return Err(Unsupported::Program("it ended without a word".into())),
        }
    }
}

fn map(pid: u32, users: Users) -> io::Result<()> {
    let (uids, gids) = users.maps();
    let of = Path::new("/proc").join(pid.to_string());
    fs::write(of.join("gid_map"), gids)?;
    fs::write(of.join("uid_map"), uids)
}
