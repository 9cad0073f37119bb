//! Reading a container's log.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures::Stream;
use jiff::Timestamp;
use tokio::sync::watch;

use super::{PART_BYTES, older};
use crate::logs::LogOptions;

/// So much is read at once.
const BLOCK_BYTES: usize = 64 << 10;

/// A line with all that is before its text.
const LINE_BYTES_MAX: u64 = PART_BYTES as u64 + 64;

/// How far the fixed part of a line reaches: up to its time, its tag, its text.
const TIME_END: usize = 30;
const TAG: usize = 38;
const TEXT: usize = 40;

/// A place in a log. Lines are read when they are asked for.
#[derive(Debug)]
pub(in super::super) struct LogReader {
    path: PathBuf,
    options: LogOptions,
    files: Vec<BufReader<File>>,
    /// The present file, so that another one in its place is noticed.
    inode: u64,
    /// Lines to pass by before the first.
    skip: u64,
    bytes_left: usize,
    /// The last part that was given did not end its line.
    inside: bool,
}

impl LogReader {
    pub(in super::super) fn new(path: PathBuf, options: LogOptions) -> Self {
        let bytes_left = options.limit_bytes.unwrap_or(usize::MAX);
        Self { path, options, files: Vec::new(), inode: 0, skip: 0, bytes_left, inside: false }
    }

    /// The log from its beginning; with `follow` until the container's end, which `written` tells by its own.
    pub(in super::super) fn stream(
        self,
        written: Option<watch::Receiver<u64>>,
    ) -> impl Stream<Item = io::Result<Bytes>> + Send + use<> {
        let follow = self.options.follow;
        let written = written.filter(|_| follow);
        futures::stream::unfold(Some((self, written, false)), async |state| {
            let (mut reader, mut written, mut begun) = state?;
            loop {
                // Before the look, so that what is written after it is not missed.
                let ended = match &mut written {
                    Some(written) => {
                        written.borrow_and_update();
                        written.has_changed().is_err()
                    }
                    None => true,
                };
                let read = tokio::task::spawn_blocking(move || {
                    let opened = if begun { Ok(()) } else { reader.open() };
                    let block = opened.and_then(|()| reader.block());
                    (reader, block)
                });
                let (back, block) = read.await.ok()?;
                (reader, begun) = (back, true);
                match block {
                    Err(error) => return Some((Err(error), None)),
                    Ok(block) if !block.is_empty() => {
                        let more = reader.bytes_left > 0;
                        return Some((Ok(block), more.then_some((reader, written, begun))));
                    }
                    Ok(_) if ended => return None,
                    Ok(_) => {
                        // An end is found out with the next look.
                        if let Some(written) = &mut written {
                            let _ = written.changed().await;
                        }
                    }
                }
            }
        })
    }

    fn open(&mut self) -> io::Result<()> {
        for path in [older(&self.path), self.path.clone()] {
            match File::open(&path) {
                Ok(file) => {
                    self.inode = file.metadata()?.ino();
                    self.files.push(BufReader::with_capacity(BLOCK_BYTES, file));
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        if let Some(tail) = self.options.tail_lines {
            let mut lines = 0;
            for path in [older(&self.path), self.path.clone()] {
                lines += count_lines(&path)?;
            }
            self.skip = lines.saturating_sub(tail as u64);
        }
        Ok(())
    }

    /// The next lines; empty when there are none now.
    fn block(&mut self) -> io::Result<Bytes> {
        let mut block = Vec::new();
        let mut line = Vec::new();
        while block.len() < BLOCK_BYTES && self.bytes_left > 0 {
            if !self.next_line(&mut line)? {
                break;
            }
            self.put(&line, &mut block);
        }
        Ok(block.into())
    }

    fn next_line(&mut self, line: &mut Vec<u8>) -> io::Result<bool> {
        loop {
            if self.files.is_empty() && !self.reopen()? {
                return Ok(false);
            }
            if self.first_line(line)? {
                return Ok(true);
            }
            if self.files.len() == 1 {
                if !self.is_replaced() {
                    return Ok(false);
                }
                // What was written between the two looks; no more will be.
                if self.first_line(line)? {
                    return Ok(true);
                }
            }
            self.files.remove(0);
        }
    }

    /// The next line of the first file. Lines are written whole, so that half of one is never seen.
    fn first_line(&mut self, line: &mut Vec<u8>) -> io::Result<bool> {
        line.clear();
        let Some(file) = self.files.first_mut() else { return Ok(false) };
        Ok(file.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', line)? > 0)
    }

    fn is_replaced(&self) -> bool {
        std::fs::metadata(&self.path).is_ok_and(|metadata| metadata.ino() != self.inode)
    }

    fn reopen(&mut self) -> io::Result<bool> {
        match File::open(&self.path) {
            Ok(file) => {
                self.inode = file.metadata()?.ino();
                self.files.push(BufReader::with_capacity(BLOCK_BYTES, file));
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn put(&mut self, line: &[u8], block: &mut Vec<u8>) {
        let Some((time, whole, text)) = parse(line) else { return };
        if self.skip > 0 {
            self.skip -= u64::from(whole);
            return;
        }
        let recent = |since: Timestamp| time.parse::<Timestamp>().is_ok_and(|time| time >= since);
        if !self.options.since.is_none_or(recent) {
            return;
        }
        let before = block.len();
        if self.options.timestamps && !self.inside {
            block.extend_from_slice(time.as_bytes());
            block.push(b' ');
        }
        block.extend_from_slice(text);
        if whole {
            block.push(b'\n');
        }
        self.inside = !whole;
        let added = (block.len() - before).min(self.bytes_left);
        block.truncate(before + added);
        self.bytes_left -= added;
    }
}

/// The time of a line, whether it is whole, and its text.
fn parse(line: &[u8]) -> Option<(&str, bool, &[u8])> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let time = std::str::from_utf8(line.get(..TIME_END)?).ok()?;
    let whole = *line.get(TAG)? == b'F';
    Some((time, whole, line.get(TEXT..)?))
}

fn count_lines(path: &Path) -> io::Result<u64> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    let mut file = BufReader::with_capacity(BLOCK_BYTES, file);
    let (mut count, mut line) = (0, Vec::new());
    while file.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line)? > 0 {
        count += u64::from(parse(&line).is_some_and(|(_, whole, _)| whole));
        line.clear();
    }
    Ok(count)
}

/// The end of a log, as `terminationMessagePolicy: FallbackToLogsOnError` wants it: so many lines and bytes at most.
pub(in super::super) fn last_words(path: &Path) -> Option<String> {
    const LINES: usize = 80;
    const BYTES: usize = 2048;
    let options = LogOptions { tail_lines: Some(LINES), ..LogOptions::default() };
    let mut reader = LogReader::new(path.to_owned(), options);
    reader.open().ok()?;
    let mut text = Vec::new();
    loop {
        let block = reader.block().ok()?;
        if block.is_empty() {
            break;
        }
        text.extend_from_slice(&block);
        text.drain(..text.len().saturating_sub(BYTES));
    }
    let text = String::from_utf8_lossy(&text).into_owned();
    (!text.is_empty()).then_some(text)
}
