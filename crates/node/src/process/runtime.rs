//! What runs containers, as far as pods' lives need it: an engine of [`sandbox`], or a stand-in in tests.

use std::fmt;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use futures::future::BoxFuture;
use sandbox::{ContainerId, ContainerSpec, Exit, Network, PodId, PodSpec, ProcessSpec, Stdio};
use tokio::io::{AsyncRead, AsyncWrite};

/// Why something does not run, in the words of what runs containers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Failure(pub String);

/// A connection.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// What runs containers.
pub trait Runtime: fmt::Debug + Send + Sync + 'static {
    /// Makes what the containers of a pod share.
    fn create_pod(&self, spec: PodSpec) -> BoxFuture<'_, Result<(), Failure>>;
    /// Ends all that runs in a pod and removes what its containers shared.
    fn remove_pod(&self, id: PodId) -> BoxFuture<'_, Result<(), Failure>>;
    /// Starts a container.
    fn start_container(
        &self,
        spec: ContainerSpec,
        stdio: Stdio,
    ) -> BoxFuture<'_, Result<Box<dyn Process>, Failure>>;
    /// Starts a process beside the first one of a container that runs.
    fn exec(
        &self,
        container: ContainerId,
        process: ProcessSpec,
        stdio: Stdio,
    ) -> BoxFuture<'_, Result<Box<dyn Process>, Failure>>;
    /// Connects to an address, as something in that network would.
    fn connect(
        &self,
        network: Network,
        to: SocketAddr,
    ) -> BoxFuture<'_, Result<Box<dyn Duplex>, Failure>>;
}

/// A process in a container. Dropped, it runs on.
pub trait Process: Send + Sync + 'static {
    /// The other side of its terminal, if it has one; once.
    fn take_terminal(&mut self) -> Option<OwnedFd>;
    /// How it ends. Can be awaited by several.
    fn exit(&self) -> BoxFuture<'_, Exit>;
    /// Sends it a signal.
    fn signal(&self, signal: i32) -> BoxFuture<'_, Result<(), Failure>>;
}
