//! A process's streams and its client's, joined: what is the same however the client is spoken to.

use std::future::Future;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::watch;
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

/// Hands on what comes from the client, until it is gone.
async fn feed(
    inputs: &mut impl Inputs,
    mut stdin: Option<Box<dyn AsyncWrite + Send + Unpin>>,
    resize: Option<watch::Sender<Option<TerminalSize>>>,
) {
    while let Some(input) = inputs.next().await {
        match input {
            Input::Stdin(data) => {
                if let Some(to) = &mut stdin
                    && write(to, &data).await.is_err()
                {
                    // The process reads no more.
                    stdin = None;
                }
            }
            Input::StdinEnd => {
                if let Some(mut to) = stdin.take() {
                    // An error means that there is nobody to tell.
                    _ = to.shutdown().await;
                }
            }
            Input::Resize(size) => {
                if let Some(resize) = &resize {
                    resize.send_replace(Some(size));
                }
            }
        }
    }
}

async fn write(to: &mut (impl AsyncWrite + Unpin), data: &[u8]) -> std::io::Result<()> {
    to.write_all(data).await?;
    to.flush().await
}
