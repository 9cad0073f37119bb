//! A process's streams and its client's, joined: what is the same however the client is spoken to.

use std::future::{Future, pending, ready};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::time::{sleep, timeout};

use super::channels::{Input, Output, Process, status};
use super::spdy::PIECE_MAX;
use crate::body::to_bytes;
use crate::kubelet::{Streams, TerminalSize};

/// How long a client may take to read what is left when a process has ended, and to close; as long as with Kubernetes,
/// since closing on a slow reader would cut what it has not read yet.
const FAREWELL: Duration = Duration::from_secs(15 * 60);

/// How long a client has, from the start, to tell the size of its terminal: kubectl does so at once, others never do.
const SIZE_PATIENCE: Duration = Duration::from_millis(250);

/// What is waited for before the first output. kubectl, up to 1.32 at least, drops what comes before it has made its streams; and where
/// `kubectl attach` tells two sizes, the second one must not meet a closed connection, for then it prints an error.
const CLIENT_SETTLES: Duration = Duration::from_millis(20);

/// How much of its stdin waits for a process that does not read.
const QUEUED_OCTETS: usize = 1024 * 1024;
const QUEUED_PIECES: usize = 1024;

/// What comes from a client.
pub(super) trait Inputs: Send {
    /// The next input; `None` when the client is gone.
    fn next(&mut self) -> impl Future<Output = Option<Input>> + Send;
}

/// What goes to a client; an error means that the client is gone.
pub(super) trait Outputs: Send + Sync {
    /// Sends some of an output.
    fn send(&self, to: Output, data: Bytes) -> impl Future<Output = Result<(), Gone>> + Send;

    /// Tells the client that this was all.
    fn finish(&self) -> impl Future<Output = ()> + Send;
}

/// The client is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gone;

/// Carries streams both ways until the process ends, and tells how it did, or until the client is gone.
pub(super) async fn run(
    process: Process,
    streams: Streams,
    mut inputs: impl Inputs,
    outputs: impl Outputs,
) {
    let Streams { stdin, stdout, stderr, resize, end } = streams;
    let sizes = resize.as_ref().map(watch::Sender::subscribe);
    // What the process has written comes before the news that it has ended.
    let work = async {
        client_is_ready(sizes).await;
        tokio::try_join!(
            copy(stdout, Output::Stdout, &outputs),
            copy(stderr, Output::Stderr, &outputs),
            async { Ok(end.await) },
        )
    };
    let end = tokio::select! {
        done = work => done.map(|((), (), end)| end),
        () = feed(&mut inputs, stdin, resize) => Err(Gone),
    };
    let Ok(end) = end else { return };
    let told = outputs.send(Output::Status, to_bytes(&status(&process, &end))).await;
    if told == Ok(()) {
        outputs.finish().await;
        let closed = async { while inputs.next().await.is_some() {} };
        _ = timeout(FAREWELL, closed).await;
    }
}

/// Waits until output can be sent to a client.
async fn client_is_ready(sizes: Option<watch::Receiver<Option<TerminalSize>>>) {
    if let Some(mut sizes) = sizes {
        // An error means that it has told none.
        _ = timeout(SIZE_PATIENCE, sizes.wait_for(Option::is_some)).await;
    }
    sleep(CLIENT_SETTLES).await;
}

async fn copy(
    from: Option<Box<dyn AsyncRead + Send + Unpin>>,
    to: Output,
    outputs: &impl Outputs,
) -> Result<(), Gone> {
    let Some(mut from) = from else { return Ok(()) };
    let mut octets = BytesMut::new();
    loop {
        octets.reserve(PIECE_MAX);
        // A terminal of which the other side has gone is an error to read, and means the end.
        match (&mut from).take(PIECE_MAX as u64).read_buf(&mut octets).await {
            Ok(1..) => outputs.send(to, octets.split().freeze()).await?,
            Ok(0) | Err(_) => return Ok(()),
        }
    }
}

/// What the process has not read yet of its stdin: some data, and its share of the room for it.
type Queued = (Bytes, OwnedSemaphorePermit);

/// Hands on what comes from the client, until it is gone. A process that does not read must not keep that from being seen, so there is a
/// queue between; only behind a full one, the client's end is not seen.
async fn feed(
    inputs: &mut impl Inputs,
    stdin: Option<Box<dyn AsyncWrite + Send + Unpin>>,
    resize: Option<watch::Sender<Option<TerminalSize>>>,
) {
    let (queue, queued) = mpsc::channel(QUEUED_PIECES);
    let queue = stdin.is_some().then_some(queue);
    let mut writing = pin!(async {
        if let Some(stdin) = stdin {
            write(stdin, queued).await;
        }
        pending::<()>().await;
    });
    tokio::select! {
        () = &mut writing => {}
        () = read(inputs, queue, resize) => {}
    }
    // What the process takes at once, it still gets.
    tokio::select! {
        biased;
        () = writing => {}
        () = ready(()) => {}
    }
}

/// Takes what comes from the client, until it is gone.
async fn read(
    inputs: &mut impl Inputs,
    mut stdin: Option<mpsc::Sender<Queued>>,
    resize: Option<watch::Sender<Option<TerminalSize>>>,
) {
    let room = Arc::new(Semaphore::new(QUEUED_OCTETS));
    while let Some(input) = inputs.next().await {
        match input {
            Input::Stdin(data) => {
                let Some(to) = &stdin else { continue };
                let share = u32::try_from(data.len().min(QUEUED_OCTETS)).unwrap_or(u32::MAX);
                let Ok(share) = room.clone().acquire_many_owned(share).await else { return };
                if to.send((data, share)).await.is_err() {
                    // The process reads no more.
                    stdin = None;
                }
            }
            Input::StdinEnd => stdin = None,
            Input::Resize(size) => {
                if let Some(resize) = &resize {
                    resize.send_replace(Some(size));
                }
            }
        }
    }
}

/// Writes what is queued, until there is no more or the process reads no more.
async fn write(mut to: impl AsyncWrite + Unpin, mut queued: mpsc::Receiver<Queued>) {
    while let Some((data, _share)) = queued.recv().await {
        if to.write_all(&data).await.is_err() || to.flush().await.is_err() {
            return;
        }
    }
    // An error means that there is nobody to tell.
    _ = to.shutdown().await;
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use tokio::io::duplex;

    use super::*;

    /// A client that is gone when it has sent all.
    struct Sent(VecDeque<Input>);

    impl Inputs for Sent {
        async fn next(&mut self) -> Option<Input> {
            self.0.pop_front()
        }
    }

    fn pieces(pieces: &[&'static [u8]]) -> Sent {
        let piece = |piece: &&'static [u8]| Input::Stdin(Bytes::from_static(piece));
        Sent(pieces.iter().map(piece).collect())
    }

    #[tokio::test]
    async fn the_end_of_a_client_is_seen_while_the_process_does_not_read() {
        let (stdin, process) = duplex(1);
        let mut inputs = pieces(&[b"some", b"more"]);
        let fed = feed(&mut inputs, Some(Box::new(stdin)), None);
        timeout(Duration::from_secs(10), fed).await.expect("the client's end is seen");
        drop(process);
    }

    #[tokio::test]
    async fn what_came_before_the_end_is_written() {
        let (stdin, mut process) = duplex(64);
        feed(&mut pieces(&[b"some", b"more"]), Some(Box::new(stdin)), None).await;
        let mut seen = String::new();
        process.read_to_string(&mut seen).await.unwrap();
        assert_eq!(seen, "somemore");
    }

    #[tokio::test]
    async fn a_process_that_reads_no_more_stops_nothing() {
        let (stdin, process) = duplex(64);
        drop(process);
        let mut inputs = pieces(&[b"some", b"more"]);
        let (resize, sizes) = watch::channel(None);
        let size = TerminalSize { width: 80, height: 24 };
        inputs.0.push_back(Input::Resize(size));
        feed(&mut inputs, Some(Box::new(stdin)), Some(resize)).await;
        assert_eq!(*sizes.borrow(), Some(size));
    }
}
