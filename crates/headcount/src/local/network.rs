//! The network of the pods, as those see it who serve and dial inside of it from here.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt as _};
use ipnet::IpNet;
use sandbox::{Engine, Network};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

/// Sockets of the nodes' network; clones are the same one.
#[derive(Clone)]
pub(super) struct ClusterNetwork {
    engine: Engine,
    inside: Arc<[IpNet]>,
}

impl ClusterNetwork {
    /// What is in none of these ranges, and no node's address, is outside.
    pub(super) fn new(engine: Engine, ranges: Vec<IpNet>, nodes: &node::Config) -> Self {
        let nodes = nodes.node_addresses().into_iter().map(IpNet::from);
        Self { engine, inside: ranges.into_iter().chain(nodes).collect() }
    }

    fn is_inside(&self, address: IpAddr) -> bool {
        self.inside.iter().any(|range| range.contains(&address))
    }
}

impl proxy::Network for ClusterNetwork {
    async fn nft(&self, script: &str) -> Result<(), String> {
        self.engine.nft(script).await.map_err(|failure| failure.to_string())
    }

    async fn netfilter(&self) -> Result<OwnedFd, String> {
        self.engine.netfilter().await.map_err(|failure| failure.to_string())
    }
}

impl proxy::Sockets for ClusterNetwork {
    async fn listen(&self, at: SocketAddr) -> Result<TcpListener, String> {
        self.engine.listen(Network::Cluster, at).await.map_err(|failure| failure.to_string())
    }

    async fn connect(&self, to: SocketAddr) -> Result<TcpStream, String> {
        match self.is_inside(to.ip()) {
            true => self.engine.connect(Network::Cluster, to).await.map_err(|e| e.to_string()),
            false => TcpStream::connect(to).await.map_err(|error| error.to_string()),
        }
    }

    async fn bind(&self, at: SocketAddr) -> Result<UdpSocket, String> {
        let bound = self.engine.bind(Network::Cluster, at).await.map_err(|e| e.to_string())?;
        UdpSocket::from_std(bound).map_err(|error| error.to_string())
    }
}

impl gateway::Network for ClusterNetwork {
    fn dial(&self, to: SocketAddr) -> BoxFuture<'_, io::Result<TcpStream>> {
        async move { self.engine.connect(Network::Cluster, to).await.map_err(io::Error::other) }
            .boxed()
    }

    fn listen(&self, at: SocketAddr) -> BoxFuture<'_, io::Result<TcpListener>> {
        async move { self.engine.listen(Network::Cluster, at).await.map_err(io::Error::other) }
            .boxed()
    }
}
