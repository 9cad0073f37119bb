//! Sessions over SPDY: a stream for each of a process's streams, one for how it ends, one for the terminal's size.

use std::future::pending;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::channels::{Input, Output, Process, size};
use super::session::{self, Gone, Inputs, Outputs};
use super::spdy::{self, Inbound, ResetCode, Sender, Stream};
use crate::kubelet::{StreamOptions, Streams};

/// How long a client may take to open its streams.
const PATIENCE: Duration = Duration::from_secs(30);

/// Serves a session to its end.
pub(super) async fn serve<T>(carrier: T, process: Process, options: StreamOptions, streams: Streams)
where
    T: AsyncRead + AsyncWrite + Send + 'static,
{
    let (connection, mut opened) = spdy::connect(carrier);
    // The connection ends with this set.
    let mut connections = JoinSet::new();
    connections.spawn(connection);
    let Ok(Some(client)) = timeout(PATIENCE, Client::collect(&mut opened, options)).await else {
        return;
    };
    let Client { stdin, stdout, stderr, error, resize } = client;
    let receiver = |stream: Option<Stream>| stream.map(|stream| stream.split());
    let sender = |stream: Option<Stream>| stream.map(|stream| stream.split().0);
    let (status, error) = error.split();
    let (stdin_back, stdin) = receiver(stdin).unzip();
    let (_, resize) = receiver(resize).unzip();
    let inputs = SpdyInputs { stdin, resize, error };
    let outputs =
        SpdyOutputs { stdin: stdin_back, stdout: sender(stdout), stderr: sender(stderr), status };
    session::run(process, streams, inputs, outputs).await;
}

/// The streams that a client opened.
struct Client {
    stdin: Option<Stream>,
    stdout: Option<Stream>,
    stderr: Option<Stream>,
    error: Stream,
    resize: Option<Stream>,
}

impl Client {
    /// Waits for the streams that the options speak of; one that they do not is reset.
    async fn collect(opened: &mut mpsc::Receiver<Stream>, options: StreamOptions) -> Option<Self> {
        let (mut stdin, mut stdout, mut stderr) = (None, None, None);
        let (mut error, mut resize) = (None, None);
        let wanted = |wanted: bool, got: &Option<Stream>| wanted && got.is_none();
        while wanted(options.stdin, &stdin)
            || wanted(options.stdout, &stdout)
            || wanted(options.stderr, &stderr)
            || wanted(options.tty, &resize)
            || error.is_none()
        {
            let stream = opened.recv().await?;
            let place = match stream.header("streamtype") {
                Some("stdin") if wanted(options.stdin, &stdin) => &mut stdin,
                Some("stdout") if wanted(options.stdout, &stdout) => &mut stdout,
                Some("stderr") if wanted(options.stderr, &stderr) => &mut stderr,
                Some("error") if error.is_none() => &mut error,
                Some("resize") if wanted(options.tty, &resize) => &mut resize,
                _ => {
                    stream.split().0.reset(ResetCode::Refused).await;
                    continue;
                }
            };
            stream.accept().await.ok()?;
            *place = Some(stream);
        }
        Some(Self { stdin, stdout, stderr, error: error?, resize })
    }
}

struct SpdyInputs {
    stdin: Option<mpsc::Receiver<Inbound>>,
    resize: Option<mpsc::Receiver<Inbound>>,
    /// Carries nothing; it goes with the connection.
    error: mpsc::Receiver<Inbound>,
}

async fn next(from: &mut Option<mpsc::Receiver<Inbound>>) -> Option<Inbound> {
    match from {
        Some(from) => from.recv().await,
        None => pending().await,
    }
}

impl Inputs for SpdyInputs {
    async fn next(&mut self) -> Option<Input> {
        loop {
            tokio::select! {
                input = next(&mut self.stdin) => match input {
                    Some(Inbound::Data(data)) => return Some(Input::Stdin(data)),
                    Some(Inbound::End) | None => {
                        self.stdin = None;
                        return Some(Input::StdinEnd);
                    }
                },
                input = next(&mut self.resize) => match input {
                    Some(Inbound::Data(data)) => {
                        if let Some(size) = size(&data) {
                            return Some(Input::Resize(size));
                        }
                    }
                    Some(Inbound::End) | None => self.resize = None,
                },
                input = self.error.recv() => {
                    input?;
                }
            }
        }
    }
}

struct SpdyOutputs {
    stdin: Option<Sender>,
    stdout: Option<Sender>,
    stderr: Option<Sender>,
    status: Sender,
}

impl Outputs for SpdyOutputs {
    async fn send(&self, to: Output, data: Bytes) -> Result<(), Gone> {
        let sender = match to {
            Output::Stdout => self.stdout.as_ref(),
            Output::Stderr => self.stderr.as_ref(),
            Output::Status => Some(&self.status),
        };
        match sender {
            Some(sender) => sender.send(data).await.map_err(|spdy::Gone| Gone),
            None => Ok(()),
        }
    }

    async fn finish(&self) {
        // What is still sent there would wait for nobody.
        if let Some(stdin) = &self.stdin {
            stdin.reset(ResetCode::Cancel).await;
        }
        let outputs = [self.stdout.as_ref(), self.stderr.as_ref(), Some(&self.status)];
        for sender in outputs.into_iter().flatten() {
            sender.finish().await;
        }
    }
}
