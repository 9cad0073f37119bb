//! Who runs `headcount`: what must hold of pods that run must hold for root and for people without any right.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::{Up, headcount};

/// A user that has no rights anywhere.
const NOBODY: u32 = 65_534;

/// A user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// The one that runs the tests.
    Me,
    /// One without rights.
    Nobody,
}

impl Who {
    /// Those that root can try things as; others have themselves alone, and have no rights anyway.
    pub fn all() -> &'static [Self] {
        match is_root() {
            true => &[Self::Me, Self::Nobody],
            false => &[Self::Me],
        }
    }

    /// Whether it is root.
    pub fn is_root(self) -> bool {
        self == Self::Me && is_root()
    }

    /// A folder of its own.
    pub fn folder(self) -> TempDir {
        let folder = tempfile::tempdir().expect("a temporary folder");
        if self == Self::Nobody {
            chown(folder.path(), Some(NOBODY), Some(NOBODY)).expect("root's right");
        }
        folder
    }

    /// A program that it runs.
    pub fn command(self, program: &Path, home: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("HOME", home)
            .env("TMPDIR", home)
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .current_dir("/");
        if self == Self::Nobody {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    }

    /// `headcount` where it can run it, by a link or a copy: what is built may lie where it may not look.
    pub fn program(self, home: &Path) -> std::path::PathBuf {
        let built = Path::new(env!("CARGO_BIN_EXE_headcount"));
        if self == Self::Me {
            return built.to_owned();
        }
        let own = home.join("headcount");
        if fs::hard_link(built, &own).is_err() {
            fs::copy(built, &own).expect("room for a copy of headcount");
        }
        fs::set_permissions(&own, Permissions::from_mode(0o755)).expect("ours");
        own
    }

    /// Starts `up --pods process` with these arguments.
    pub fn up(self, arguments: &[&str]) -> Up {
        let home = self.folder();
        let command = self.headcount(home.path());
        Up::begin(command, home, &[&["--pods", "process"], arguments].concat())
    }

    /// `headcount`, run by it.
    pub fn headcount(self, home: &Path) -> Command {
        match self {
            Self::Me => {
                let mut command = headcount(home);
                command.env("TMPDIR", home);
                command
            }
            Self::Nobody => self.command(&self.program(home), home),
        }
    }
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}
