//! How an engine starts: this program, run again.

use std::os::fd::OwnedFd;
use std::process::Child;

use crate::failure::Unsupported;
use crate::spec::Settings;
use crate::users::Users;

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
pub fn run_if_asked() {}

pub(crate) fn start(_settings: &Settings) -> Result<Started, Unsupported> {
    Err(Unsupported::Program("this version of the program has none".into()))
}
