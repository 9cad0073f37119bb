//! The nodes' side of pods' subresources: what the API server of Kubernetes asks of the kubelet of a pod's node.
//!
//! The API server knows objects; what goes on in a container only the node knows. It is asked through [`Kubelet`], which
//! whoever puts the parts together hands over in [`Config`](crate::Config). Whatever is streamed from or to a container
//! goes this way, after the pod and the container are known to exist.

use std::fmt;
use std::pin::Pin;

use bytes::Bytes;
use futures::Stream;
use futures::future::BoxFuture;
use jiff::Timestamp;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

/// A container of a pod that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// The pod's namespace.
    pub namespace: String,
    /// The pod's name.
    pub pod: String,
    /// The pod's UID: another pod of the same name is not meant.
    pub uid: String,
    /// The container's name.
    pub name: String,
}

/// Which part of a log, and in what form (`PodLogOptions`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogOptions {
    /// Go on with what is logged from now on, until the container ends.
    pub follow: bool,
    /// The log of the container's last life instead of its present one.
    pub previous: bool,
    /// Only what was logged at this time or later.
    pub since: Option<Timestamp>,
    /// Each line begins with its time.
    pub timestamps: bool,
    /// At most so many lines of what is there.
    pub tail_lines: Option<usize>,
    /// At most so many bytes.
    pub limit_bytes: Option<usize>,
}

/// A log: lines with their ends, in pieces of any size.
pub type LogStream = Pin<Box<dyn Stream<Item = Bytes> + Send>>;

/// Why there is no log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoLog {
    /// The container has had no life before this one.
    NoPrevious,
    /// The container has not begun yet; the reason is that of its state (`ContainerCreating`).
    Waiting(String),
    /// The container is none that the node runs or has run.
    NotAvailable,
}

/// A pod that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    /// The pod's namespace.
    pub namespace: String,
    /// The pod's name.
    pub name: String,
    /// The pod's UID: another pod of the same name is not meant.
    pub uid: String,
}

/// Which streams of a process are wanted, and whether by a terminal. With a terminal there is no stderr of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamOptions {
    /// What it reads.
    pub stdin: bool,
    /// What it writes.
    pub stdout: bool,
    /// What it writes about errors.
    pub stderr: bool,
    /// By a terminal; stdout carries both outputs.
    pub tty: bool,
}

/// A terminal's size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TerminalSize {
    /// Columns.
    pub width: u16,
    /// Rows.
    pub height: u16,
}

/// A process's streams, each there if it was asked for. Dropping a stream closes it, and nothing more: what ends the
/// process, or lets it go on when nobody listens any longer, is for the node to decide.
pub struct Streams {
    /// What is written here the process reads; shutting it down is the end of its input.
    pub stdin: Option<Box<dyn AsyncWrite + Send + Unpin>>,
    /// What it writes.
    pub stdout: Option<Box<dyn AsyncRead + Send + Unpin>>,
    /// What it writes about errors.
    pub stderr: Option<Box<dyn AsyncRead + Send + Unpin>>,
    /// Takes the terminal's size; the last one counts.
    pub resize: Option<watch::Sender<Option<TerminalSize>>>,
    /// How it ends. When the streams are dropped before, this is too.
    pub end: BoxFuture<'static, End>,
}

/// How a process ends, of which somebody has streams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// With this exit code.
    Code(i32),
    /// It did not run, or nobody knows how it ended: why, in words.
    Failed(String),
}

/// Why what runs in a pod cannot be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The pod is simulated: nothing runs.
    Simulated,
    /// For another reason, in words: the container is not running, nothing listens on the port.
    Reason(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Simulated => "the pod is simulated",
            Self::Reason(why) => why,
        })
    }
}

/// A connection: bytes both ways, each of which ends for itself.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// What nodes do for pods' subresources.
pub trait Kubelet: Send + Sync + 'static {
    /// What a container has logged.
    ///
    /// # Errors
    ///
    /// [`NoLog`] says why there is none.
    fn log(&self, container: &Container, options: &LogOptions) -> Result<LogStream, NoLog>;

    /// Whether processes and ports of the pod can be reached at all: asked first, before anything is begun.
    ///
    /// # Errors
    ///
    /// [`Refusal`] says why not.
    fn reachable(&self, pod: &Pod) -> Result<(), Refusal>;

    /// Runs a command in a container. A program that is missing is an [`End`], as it is with Kubernetes.
    fn exec<'a>(
        &'a self,
        container: &'a Container,
        command: &'a [String],
        options: StreamOptions,
    ) -> BoxFuture<'a, Result<Streams, Refusal>>;

    /// Attaches to a container's process. The end is that of the container; stdin is there if the container has one.
    fn attach<'a>(
        &'a self,
        container: &'a Container,
        options: StreamOptions,
    ) -> BoxFuture<'a, Result<Streams, Refusal>>;

    /// Connects to a port of 127.0.0.1 in the pod's network.
    fn port_forward<'a>(
        &'a self,
        pod: &'a Pod,
        port: u16,
    ) -> BoxFuture<'a, Result<Box<dyn Duplex>, Refusal>>;
}
