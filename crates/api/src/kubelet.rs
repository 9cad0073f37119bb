//! The nodes' side of pods' subresources: what the API server of Kubernetes asks of the kubelet of a pod's node.
//!
//! The API server knows objects; what goes on in a container only the node knows. It is asked through [`Kubelet`], which
//! whoever puts the parts together hands over in [`Config`](crate::Config). Whatever is streamed from or to a container
//! (its log today) goes this way, after the pod and the container are known to exist.

use std::pin::Pin;

use bytes::Bytes;
use futures::Stream;
use jiff::Timestamp;

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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoLog {
    /// The container has had no life before this one.
    NoPrevious,
}

/// What nodes do for pods' subresources.
pub trait Kubelet: Send + Sync + 'static {
    /// What a container has logged.
    ///
    /// # Errors
    ///
    /// [`NoLog`] says why there is none.
    fn log(&self, container: &Container, options: &LogOptions) -> Result<LogStream, NoLog>;
}
