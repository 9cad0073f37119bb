//! The network that requests come from and go to, as whoever runs it offers it.

use std::io;
use std::net::SocketAddr;

use futures::future::BoxFuture;
use tokio::net::{TcpListener, TcpStream};

/// Sockets in the network of the cluster.
pub trait Network: Send + Sync + 'static {
    /// Connects to a Service or a pod.
    fn dial(&self, to: SocketAddr) -> BoxFuture<'_, io::Result<TcpStream>>;

    /// Listens at an address of the gateway.
    fn listen(&self, at: SocketAddr) -> BoxFuture<'_, io::Result<TcpListener>>;
}
