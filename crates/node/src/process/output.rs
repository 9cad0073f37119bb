//! What a container writes, on its way: into its log, and to those who are attached.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use jiff::Timestamp;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use super::logs::{LogFile, Source};

/// So much is taken at once.
const CHUNK_BYTES: usize = 8 << 10;

/// So many pieces wait for one who is attached.
const WAITING: usize = 64;

/// So long a container waits for one who is attached and does not read; then the two are parted.
const PATIENCE: Duration = Duration::from_secs(10);

/// So much of what an interactive container writes is kept for the first who attaches to it.
const EARLY_BYTES: usize = 64 << 10;

/// A piece of what a container wrote.
pub(super) type Piece = (Source, Bytes);

/// What a container writes.
pub(super) type Reading = Box<dyn AsyncRead + Send + Unpin>;

/// The output of one life of a container.
#[derive(Debug)]
pub(super) struct Output {
    attached: Mutex<Attached>,
}

#[derive(Debug)]
struct Attached {
    sinks: Vec<mpsc::Sender<Piece>>,
    /// What was written before anybody was attached, for a container that is there for one person.
    early: Option<Early>,
    ended: bool,
}

#[derive(Debug, Default)]
struct Early {
    pieces: VecDeque<Piece>,
    bytes: usize,
}

/// Why nobody can attach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HasEnded;

impl Output {
    /// Takes what is written into that log, in a task of its own; `interactive` if somebody is expected to attach. The
    /// receiver hears when the log has more, and its channel closes when all is written.
    pub(super) fn start(
        stdout: Option<Reading>,
        stderr: Option<Reading>,
        log: LogFile,
        interactive: bool,
    ) -> (Arc<Self>, watch::Receiver<u64>) {
        let (written, progress) = watch::channel(0);
        let early = interactive.then(Early::default);
        let attached = Mutex::new(Attached { sinks: Vec::new(), early, ended: false });
        let output = Arc::new(Self { attached });
        tokio::spawn(pump(stdout, stderr, log, output.clone(), written));
        (output, progress)
    }

    /// What is written from now on, and before if nobody was attached yet.
    pub(super) fn attach(&self) -> Result<mpsc::Receiver<Piece>, HasEnded> {
        let mut attached = self.lock();
        let early = attached.early.take();
        if attached.ended && early.is_none() {
            return Err(HasEnded);
        }
        let pieces = early.unwrap_or_default().pieces;
        let (sink, receiver) = mpsc::channel(WAITING + pieces.len());
        for piece in pieces {
            // There is room for them.
            let _ = sink.try_send(piece);
        }
        if !attached.ended {
            attached.sinks.push(sink);
        }
        Ok(receiver)
    }

    async fn give(&self, source: Source, bytes: &Bytes) {
        let sinks = {
            let mut attached = self.lock();
            if let Some(early) = &mut attached.early {
                early.keep((source, bytes.clone()));
                return;
            }
            attached.sinks.retain(|sink| !sink.is_closed());
            attached.sinks.clone()
        };
        for sink in sinks {
            if timeout(PATIENCE, sink.send((source, bytes.clone()))).await.is_err() {
                self.lock().sinks.retain(|other| !other.same_channel(&sink));
            }
        }
    }

    fn end(&self) {
        let mut attached = self.lock();
        attached.ended = true;
        attached.sinks.clear();
    }

    fn lock(&self) -> MutexGuard<'_, Attached> {
        // What is behind it is whole at any moment.
        self.attached.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Early {
    fn keep(&mut self, piece: Piece) {
        self.bytes += piece.1.len();
        self.pieces.push_back(piece);
        while self.bytes > EARLY_BYTES
            && let Some((_, oldest)) = self.pieces.pop_front()
        {
            self.bytes -= oldest.len();
        }
    }
}

async fn pump(
    mut stdout: Option<Reading>,
    mut stderr: Option<Reading>,
    mut log: LogFile,
    output: Arc<Output>,
    written: watch::Sender<u64>,
) {
    let (mut out, mut err) = (BytesMut::new(), BytesMut::new());
    while stdout.is_some() || stderr.is_some() {
        let (source, read) = tokio::select! {
            read = read(&mut stdout, &mut out) => (Source::Stdout, read),
            read = read(&mut stderr, &mut err) => (Source::Stderr, read),
        };
        let Some(bytes) = read else {
            // Who wrote there has ended.
            match source {
                Source::Stdout => stdout = None,
                Source::Stderr => stderr = None,
            }
            continue;
        };
        let Some(back) = keep(log, source, bytes.clone()).await else { return };
        log = back;
        written.send_modify(|count| *count += 1);
        output.give(source, &bytes).await;
    }
    let ended = tokio::task::spawn_blocking(move || log.end(Timestamp::now()));
    if ended.await.is_ok() {
        written.send_modify(|count| *count += 1);
    }
    output.end();
}

/// Writes into the log, on a thread that may wait.
async fn keep(mut log: LogFile, source: Source, bytes: Bytes) -> Option<LogFile> {
    let kept = tokio::task::spawn_blocking(move || {
        log.take(source, &bytes, Timestamp::now());
        log
    });
    kept.await.ok()
}

/// The next piece; none at the end.
async fn read(from: &mut Option<Reading>, buffer: &mut BytesMut) -> Option<Bytes> {
    let Some(from) = from else { return std::future::pending().await };
    buffer.reserve(CHUNK_BYTES);
    match from.read_buf(buffer).await {
        Ok(0) | Err(_) => None,
        Ok(_) => Some(buffer.split().freeze()),
    }
}

#[cfg(test)]
mod tests;
