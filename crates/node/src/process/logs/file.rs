//! Writing a container's log.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::PathBuf;

use jiff::{SignedDuration, Timestamp};
use tracing::{info, warn};

use super::{FILE_BYTES, PART_BYTES, Source, line, older};

/// That a log cannot be written is not told more often.
const TELL_AGAIN: SignedDuration = SignedDuration::from_mins(1);

/// The log of one life of a container, being written. That something cannot be written (the disk is full) is told once, and in
/// the log when it can be again; nothing waits for it.
#[derive(Debug)]
pub(in super::super) struct LogFile {
    path: PathBuf,
    file: Option<File>,
    bytes: u64,
    /// Beginnings of lines, by source.
    rest: [Vec<u8>; 2],
    /// How many lines could not be written since the last that could.
    lost: u64,
    /// When it was told last that some could not.
    told: Option<Timestamp>,
    limit: u64,
}

impl LogFile {
    pub(in super::super) fn new(path: PathBuf) -> Self {
        let rest = [Vec::new(), Vec::new()];
        Self { path, file: None, bytes: 0, rest, lost: 0, told: None, limit: FILE_BYTES }
    }

    #[cfg(test)]
    pub(super) fn with_limit(path: PathBuf, limit: u64) -> Self {
        Self { limit, ..Self::new(path) }
    }

    /// Takes what a process wrote: whole lines are written, the rest waits for its end.
    pub(in super::super) fn take(&mut self, source: Source, mut bytes: &[u8], at: Timestamp) {
        let mut text = Vec::new();
        let mut lines = 0;
        let rest = &mut self.rest[source as usize];
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            rest.extend_from_slice(&bytes[..end]);
            bytes = &bytes[end + 1..];
            lines += parts(&mut text, rest, source, at);
            line(&mut text, at, source, true, rest);
            lines += 1;
            rest.clear();
        }
        rest.extend_from_slice(bytes);
        lines += parts(&mut text, rest, source, at);
        self.write(&text, lines, at);
    }

    /// The process writes no more: what waited for an end of line is written as it is.
    pub(in super::super) fn end(&mut self, at: Timestamp) {
        let mut text = Vec::new();
        let mut lines = 0;
        for source in [Source::Stdout, Source::Stderr] {
            let rest = std::mem::take(&mut self.rest[source as usize]);
            if !rest.is_empty() {
                line(&mut text, at, source, true, &rest);
                lines += 1;
            }
        }
        self.write(&text, lines, at);
    }

    fn write(&mut self, text: &[u8], lines: u64, at: Timestamp) {
        if lines == 0 {
            return;
        }
        match self.try_write(text, at) {
            Ok(()) => {}
            Err(error) => {
                // On a disk at its limit, a short line has room now and then.
                let recently = |told: Timestamp| at.duration_since(told) < TELL_AGAIN;
                if self.lost == 0 && !self.told.is_some_and(recently) {
                    self.told = Some(at);
                    let path = self.path.display();
                    warn!(%path, %error, "a container's log cannot be written; its lines are lost");
                }
                self.lost += lines;
                self.file = None;
            }
        }
    }

    fn try_write(&mut self, text: &[u8], at: Timestamp) -> io::Result<()> {
        if self.bytes > 0 && self.bytes + text.len() as u64 > self.limit {
            self.file = None;
            std::fs::rename(&self.path, older(&self.path))?;
            self.bytes = 0;
        }
        let file = match &mut self.file {
            Some(file) => file,
            file @ None => {
                if let Some(folder) = self.path.parent() {
                    std::fs::create_dir_all(folder)?;
                }
                let opened = OpenOptions::new().append(true).create(true).open(&self.path)?;
                self.bytes = opened.metadata()?.len();
                file.insert(opened)
            }
        };
        let mut told = Vec::new();
        if self.lost > 0 {
            let lost = format!("headcount: {} lines before this one could not be kept", self.lost);
            line(&mut told, at, Source::Stderr, true, lost.as_bytes());
        }
        told.extend_from_slice(text);
        if let Err(error) = file.write_all(&told) {
            // Half a line would spoil the next one.
            let _ = file.set_len(self.bytes);
            return Err(error);
        }
        self.bytes += told.len() as u64;
        if self.lost > 0 {
            info!(path = %self.path.display(), lost = self.lost, "a container's log is written again");
            self.lost = 0;
        }
        Ok(())
    }
}

/// Writes the parts of a line that is too long, and leaves its last one; how many there were.
fn parts(text: &mut Vec<u8>, rest: &mut Vec<u8>, source: Source, at: Timestamp) -> u64 {
    let mut count = 0;
    while rest.len() > PART_BYTES {
        let part: Vec<u8> = rest.drain(..PART_BYTES).collect();
        line(text, at, source, false, &part);
        count += 1;
    }
    count
}
