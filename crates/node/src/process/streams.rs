//! What is asked of pods through the API: their logs, processes beside theirs, their own streams, their ports.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use futures::future::{BoxFuture, FutureExt as _, ready};
use futures::{Stream, StreamExt as _};
use k8s_openapi::api::core::v1::{ContainerStatus, PodStatus};
use sandbox::{Network, PodId, ProcessSpec};
use tokio::io::{AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream, duplex};
use tracing::{debug, warn};

use super::Processes;
use super::acts;
use super::logs::{self, LogReader, Source};
use super::output::{Piece, Reading};
use super::runtime::Duplex;
use super::shared::Live;
use super::stdio::{self, Wanted, Writing};
use super::terminal::Terminal;
use crate::logs::LogOptions;

/// So much waits in a stream that nobody reads.
const STREAM_BYTES: usize = 64 << 10;

/// So much of what is typed is taken at once.
const TYPED_BYTES: usize = 4 << 10;

/// Which streams of a process are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamOptions {
    /// What it reads.
    pub stdin: bool,
    /// What it writes.
    pub stdout: bool,
    /// What it writes besides; with a terminal that is in what it writes.
    pub stderr: bool,
    /// By a terminal.
    pub tty: bool,
}

/// The streams of a process, as far as they were wanted and it has them.
pub struct Streams {
    /// What is written here it reads; shut down, that is the end of its input.
    pub stdin: Option<Box<dyn AsyncWrite + Send + Unpin>>,
    /// What it writes.
    pub stdout: Option<Box<dyn tokio::io::AsyncRead + Send + Unpin>>,
    /// What it writes besides.
    pub stderr: Option<Box<dyn tokio::io::AsyncRead + Send + Unpin>>,
    /// Takes the columns and rows of its terminal.
    pub resize: Option<Box<dyn Fn(u16, u16) + Send + Sync>>,
    /// How it ends.
    pub end: BoxFuture<'static, StreamEnd>,
}

/// How a process ends, of which somebody has streams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamEnd {
    /// With this code.
    Code(i32),
    /// It did not run, or nobody knows: why.
    Failed(String),
}

/// Why there is no log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoLog {
    /// The container had no life before this one.
    NoPrevious,
    /// It has not begun; the reason is that of its state.
    Waiting(String),
}

impl Processes {
    /// Whether the pod with this UID is one of processes.
    pub fn runs(&self, uid: &str) -> bool {
        self.shared.known(uid).is_some() || self.shared.folder.join("pods").join(uid).is_dir()
    }

    /// What a container has written: in its present life or its last one, or (`previous`) in the one before.
    ///
    /// # Errors
    ///
    /// [`NoLog`] says why there is nothing.
    pub fn log(
        &self,
        uid: &str,
        container: &str,
        previous: bool,
        options: LogOptions,
    ) -> Result<impl Stream<Item = Bytes> + Send + use<>, NoLog> {
        let folder = &self.shared.folder;
        let known = self.shared.known(uid);
        let status = known.as_ref().and_then(|known| status_of(&known.status, container));
        let life = match (status, logs::newest(folder, uid, container)) {
            (Some(status), _) => life_of(status, previous)?,
            // It ended before this process began.
            (None, Some(newest)) if previous => newest.checked_sub(1).ok_or(NoLog::NoPrevious)?,
            (None, Some(newest)) => newest,
            (None, None) => return Err(NoLog::Waiting("ContainerCreating".to_owned())),
        };
        let live = known.and_then(|mut known| known.lives.remove(container));
        let written = live.filter(|live| live.id.restarts == life).map(|live| live.written.clone());
        let path = logs::path(folder, uid, container, life);
        let stream = LogReader::new(path.clone(), options).stream(written);
        Ok(stream.filter_map(move |block| {
            ready(match block {
                Ok(block) => Some(block),
                Err(error) => {
                    warn!(path = %path.display(), %error, "a container's log cannot be read");
                    None
                }
            })
        }))
    }

    /// Runs a command beside a container's first process.
    ///
    /// # Errors
    ///
    /// Why it cannot, in words: the container does not run. That there is no such program is an end.
    pub async fn exec(
        &self,
        uid: &str,
        container: &str,
        command: &[String],
        options: StreamOptions,
    ) -> Result<Streams, String> {
        let live = self.live(uid, container)?;
        let StreamOptions { stdin, stdout, stderr, tty } = options;
        let wanted = Wanted { stdin, stdout, stderr, tty };
        let (given, mut ends) = stdio::open(wanted).map_err(|error| error.to_string())?;
        let mut spec = ProcessSpec { command: command.to_vec(), ..live.spec.clone() };
        if tty && !spec.env.iter().any(|(name, _)| name == "TERM") {
            spec.env.push(("TERM".to_owned(), "xterm".to_owned()));
        }
        let started = acts::exec(&self.shared, &live, spec, given).await;
        let started = started.map(|mut process| process.release().expect("nobody took it yet"));
        let mut process = match started {
            Ok(process) => process,
            Err(failure) => {
                let end = ready(StreamEnd::Failed(failure.0)).boxed();
                let (stdin, stdout, stderr, resize) = (None, None, None, None);
                return Ok(Streams { stdin, stdout, stderr, resize, end });
            }
        };
        ends.take_terminal(process.as_mut(), stdin).map_err(|error| error.to_string())?;
        Ok(Streams {
            stdin: ends.stdin.map(|stdin| Box::new(Input(Some(stdin))) as Writing),
            stdout: ends.stdout.filter(|_| stdout),
            stderr: ends.stderr,
            resize: ends.terminal.map(resizer),
            end: async move { StreamEnd::Code(process.exit().await.code()) }.boxed(),
        })
    }

    /// Attaches to a container's first process. What an interactive one wrote before anybody attached is given first, even if
    /// it has ended by now.
    ///
    /// # Errors
    ///
    /// Why not, in words: the container does not run.
    pub async fn attach(
        &self,
        uid: &str,
        container: &str,
        options: StreamOptions,
    ) -> Result<Streams, String> {
        let known = self.shared.known(uid);
        let live = known.and_then(|mut known| known.lives.remove(container));
        let live = live.ok_or_else(|| not_running(container))?;
        let pieces = live.output.attach().map_err(|_| not_running(container))?;
        let (stdout, out) = if options.stdout { channel() } else { (None, None) };
        let (stderr, err) = if options.stderr { channel() } else { (None, None) };
        tokio::spawn(pass_on(pieces, stdout, stderr));
        // Who holds it is writing, so there is one.
        let takes = || live.stdin.try_lock().map_or(true, |stdin| stdin.is_some());
        let stdin = (options.stdin && takes()).then(|| {
            let (given, typed) = duplex(STREAM_BYTES);
            tokio::spawn(type_in(live.clone(), typed));
            Box::new(given) as Writing
        });
        let mut end = live.end.clone();
        Ok(Streams {
            stdin,
            stdout: out,
            stderr: err,
            resize: live.terminal.clone().map(resizer),
            end: async move {
                match end.wait_for(Option::is_some).await.ok().and_then(|exit| *exit) {
                    Some(exit) => StreamEnd::Code(exit.code()),
                    None => StreamEnd::Failed("nobody knows how the container ended".to_owned()),
                }
            }
            .boxed(),
        })
    }

    /// Connects to a port of the loopback address in a pod's network.
    ///
    /// # Errors
    ///
    /// Why not, in words: nothing listens there.
    pub async fn port_forward(&self, uid: &str, port: u16) -> Result<Box<dyn Duplex>, String> {
        if self.shared.known(uid).is_none_or(|known| known.lives.is_empty()) {
            return Err("no container of the pod runs".to_owned());
        }
        let network = || Network::Pod(PodId(uid.to_owned()));
        let runtime = &self.shared.runtime;
        let first = runtime.connect(network(), SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await;
        let Err(refused) = first else { return first.map_err(|failure| failure.0) };
        // The number of the error says no more than its text.
        let refused = refused.0.split(" (os error").next().unwrap_or_default().to_owned();
        let second =
            runtime.connect(network(), SocketAddr::from((Ipv6Addr::LOCALHOST, port))).await;
        second.map_err(|_| {
            format!(
                "failed to connect to localhost:{port} inside namespace of pod {uid}, IPv4: {refused}"
            )
        })
    }

    /// A container that runs.
    fn live(&self, uid: &str, container: &str) -> Result<Arc<Live>, String> {
        let known = self.shared.known(uid);
        let live = known.and_then(|mut known| known.lives.remove(container));
        live.filter(|live| live.end.borrow().is_none()).ok_or_else(|| not_running(container))
    }
}

fn not_running(container: &str) -> String {
    format!("container {container} is not running")
}

fn status_of<'s>(status: &'s PodStatus, container: &str) -> Option<&'s ContainerStatus> {
    let init = status.init_container_statuses.iter().flatten();
    let mut all = init.chain(status.container_statuses.iter().flatten());
    all.find(|status| status.name == container)
}

/// Which life of a container is meant.
fn life_of(status: &ContainerStatus, previous: bool) -> Result<u32, NoLog> {
    let number = |id: &Option<String>| id.as_deref()?.rsplit_once('/')?.1.parse::<u32>().ok();
    let last = status.last_state.as_ref().and_then(|state| state.terminated.as_ref());
    let last = last.and_then(|ended| number(&ended.container_id));
    if previous {
        return last.ok_or(NoLog::NoPrevious);
    }
    let state = status.state.clone().unwrap_or_default();
    let present = match (&state.running, &state.terminated) {
        (Some(_), _) => number(&status.container_id),
        (None, Some(ended)) => number(&ended.container_id),
        (None, None) => last,
    };
    present.ok_or_else(|| {
        let reason = state.waiting.and_then(|waiting| waiting.reason);
        NoLog::Waiting(reason.unwrap_or_else(|| "ContainerCreating".to_owned()))
    })
}

fn resizer(terminal: Terminal) -> Box<dyn Fn(u16, u16) + Send + Sync> {
    Box::new(move |columns, rows| {
        if let Err(error) = terminal.resize(columns, rows) {
            debug!(%error, "a terminal was not resized");
        }
    })
}

fn channel() -> (Option<DuplexStream>, Option<Reading>) {
    let (writer, reader) = duplex(STREAM_BYTES);
    (Some(writer), Some(Box::new(reader)))
}

/// Gives what a container writes to who is attached, until one of them ends.
async fn pass_on(
    mut pieces: tokio::sync::mpsc::Receiver<Piece>,
    mut stdout: Option<DuplexStream>,
    mut stderr: Option<DuplexStream>,
) {
    let wanted = |stream: &Option<DuplexStream>| stream.is_some();
    while wanted(&stdout) || wanted(&stderr) {
        let Some((source, bytes)) = pieces.recv().await else { return };
        let stream = match source {
            Source::Stdout => &mut stdout,
            Source::Stderr => &mut stderr,
        };
        if let Some(writer) = stream
            && writer.write_all(&bytes).await.is_err()
        {
            *stream = None;
        }
    }
}

/// Gives a container what somebody types who is attached; others may type, too.
async fn type_in(live: Arc<Live>, mut typed: DuplexStream) {
    let mut bytes = BytesMut::new();
    loop {
        bytes.reserve(TYPED_BYTES);
        if !typed.read_buf(&mut bytes).await.is_ok_and(|count| count > 0) {
            break;
        }
        let mut stdin = live.stdin.lock().await;
        let Some(writer) = stdin.as_mut() else { return };
        if let Err(error) = writer.write_all_buf(&mut bytes).await {
            debug!(container = live.id.name, %error, "what was typed was not all taken");
            break;
        }
    }
    if live.stdin_once {
        // Who attached first was the only one to type.
        *live.stdin.lock().await = None;
    }
}

/// What a process reads. Its end is that nobody has it open any more.
struct Input(Option<Writing>);

impl AsyncWrite for Input {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.0 {
            Some(open) => Pin::new(open).poll_write(context, bytes),
            None => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Some(open) => Pin::new(open).poll_flush(context),
            None => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0 = None;
        Poll::Ready(Ok(()))
    }
}
