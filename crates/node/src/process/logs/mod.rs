//! What containers write: kept in files, one for each life of a container, in the form that Kubernetes' runtimes have for them.
//!
//! A line of such a file is `TIME STREAM TAG TEXT`: the time with nanoseconds, `stdout` or `stderr`, and `F` for a line that is whole
//! with this part or `P` for one that goes on. All but the text has a fixed width.

mod file;
mod read;

use std::path::{Path, PathBuf};

use jiff::Timestamp;

pub(super) use file::LogFile;
pub(super) use read::{LogReader, last_words};

/// A file that grew so large makes way for a new one; one older file is kept.
const FILE_BYTES: u64 = 10 << 20;

/// A line that is longer is kept in parts.
const PART_BYTES: usize = 16 << 10;

/// Where a process writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Stdout,
    Stderr,
}

impl Source {
    fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// The file of one life of a container.
pub(super) fn path(folder: &Path, uid: &str, container: &str, restarts: u32) -> PathBuf {
    folder.join("pods").join(uid).join("logs").join(container).join(format!("{restarts}.log"))
}

/// The file that made way for the present one.
fn older(path: &Path) -> PathBuf {
    path.with_extension("log.1")
}

/// Removes the files of lives before this one.
pub(super) fn forget_before(folder: &Path, uid: &str, container: &str, restarts: u32) {
    if let Some(before) = restarts.checked_sub(1) {
        let path = path(folder, uid, container, before);
        // One that is not there is as good.
        let _ = std::fs::remove_file(older(&path));
        let _ = std::fs::remove_file(path);
    }
}

/// The newest life that there is a file of.
pub(super) fn newest(folder: &Path, uid: &str, container: &str) -> Option<u32> {
    let files = std::fs::read_dir(path(folder, uid, container, 0).parent()?).ok()?;
    let lives = files.filter_map(|file| {
        let name = file.ok()?.file_name();
        name.to_str()?.strip_suffix(".log")?.parse().ok()
    });
    lives.max()
}

/// One line of a file.
fn line(into: &mut Vec<u8>, at: Timestamp, source: Source, whole: bool, text: &[u8]) {
    let at = at.strftime("%Y-%m-%dT%H:%M:%S.%9fZ").to_string();
    into.extend_from_slice(at.as_bytes());
    let tag = if whole { 'F' } else { 'P' };
    into.extend_from_slice(format!(" {} {tag} ", source.name()).as_bytes());
    into.extend_from_slice(text);
    into.push(b'\n');
}

#[cfg(test)]
mod tests;
