//! The program `nft`, run in the cluster's network.

use std::fs::File;
use std::io::{self, Seek, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::fs::{MemfdFlags, memfd_create};
use rustix::process::chroot;
use rustix::thread::UnshareFlags;

use crate::failure::Failure;
use crate::host::HOST;
use crate::sys;

/// Where it is when `PATH` does not say so, as that of people without rights does not.
const FOLDERS: &[&str] = &["/usr/sbin", "/sbin", "/usr/local/sbin", "/usr/bin", "/bin"];

/// Changes nothing, and fails where the kernel has no nftables.
const TRIAL: &str = "add table inet trial\ndelete table inet trial\n";

/// As many characters of what it says of a script's faults are passed on.
const WORDS_MAX: usize = 4096;

/// Where the host has it, if it works here. The calling thread is in the host's root folder then.
pub(crate) fn find() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let program = std::env::split_paths(&path)
        .chain(FOLDERS.iter().map(PathBuf::from))
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join("nft"))
        .find(|program| in_host(program).is_file())?;
    run(&program, TRIAL).is_ok().then_some(program)
}

fn in_host(program: &Path) -> PathBuf {
    // Links are not followed into the host's root here, but none of a distribution's folders needs that to be seen.
    let below = program.strip_prefix("/").unwrap_or(program);
    Path::new(HOST).join(below)
}

/// Runs a script. The calling thread is in the host's root folder then, and fit for nothing else.
pub(crate) fn run(program: &Path, script: &str) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::system(program.display().to_string(), error);
    sys::unshare(UnshareFlags::FS).map_err(failed)?;
    chroot(HOST).map_err(|error| failed(error.into()))?;
    let output = Command::new(program)
        .args(["-f", "-"])
        .env_clear()
        .stdin(Stdio::from(in_memory(script).map_err(failed)?))
        .output()
        .map_err(failed)?;
    if output.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    let words: String = words.trim().chars().take(WORDS_MAX).collect();
    Err(Failure::system(format!("nft ({})", output.status), words))
}

/// A file, so that nobody waits for a pipe to be read.
fn in_memory(script: &str) -> io::Result<File> {
    let mut file = File::from(memfd_create("nft", MemfdFlags::CLOEXEC)?);
    file.write_all(script.as_bytes())?;
    file.rewind()?;
    Ok(file)
}
