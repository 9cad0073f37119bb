//! One question to one upstream, and its reply.

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::time::Instant;

use tokio::net::UdpSocket;
use tokio_rustls::TlsConnector;

use super::config::CacheConfig;
use super::question::{Chance, Question, Sent};
use super::reply::{Reply, Unbelieved};
use super::server::Server;
use super::upstream::UpstreamProtocol;
use crate::wire::Rcode;

/// How many datagrams that are not the reply are put up with: more, and someone is guessing.
const STRANGERS_MAX: usize = 3;

/// The longest datagram read, in octets; we offer less.
const DATAGRAM_MAX: usize = 4096;

const FORMERR: u8 = Rcode::FormErr as u8;
const NOTIMP: u8 = Rcode::NotImp as u8;

/// How upstreams are asked; tests put another in its place.
pub(super) trait Exchange: Send + Sync {
    /// Puts a question to a server. The caller bounds the time.
    fn ask<'a>(
        &'a self,
        server: &'a Server,
        question: &'a Question,
    ) -> Pin<Box<dyn Future<Output = Result<Reply, Failed>> + Send + 'a>>;
}

/// Why there is no reply.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failed {
    /// The network, or the system.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// What came is not the reply.
    #[error("what came is no reply to what was asked ({0:?})")]
    Unbelieved(Unbelieved),
}

impl From<Unbelieved> for Failed {
    fn from(unbelieved: Unbelieved) -> Self {
        Self::Unbelieved(unbelieved)
    }
}

/// Asks over the network.
pub(super) struct Network {
    pub(super) tls: Option<TlsConnector>,
    pub(super) limits: CacheConfig,
}

impl Exchange for Network {
    fn ask<'a>(
        &'a self,
        server: &'a Server,
        question: &'a Question,
    ) -> Pin<Box<dyn Future<Output = Result<Reply, Failed>> + Send + 'a>> {
        Box::pin(self.ask(server, question))
    }
}

impl Network {
    async fn ask(&self, server: &Server, question: &Question) -> Result<Reply, Failed> {
        let chance = || Chance::new().map_err(io::Error::other);
        let reply = self.send(server, question, &Sent::new(question, &chance()?)).await?;
        // What servers from before EDNS say to it (RFC 6891 §7).
        match reply.rcode() {
            FORMERR | NOTIMP => {
                let sent = Sent::without_edns(question, &chance()?);
                self.send(server, question, &sent).await
            }
            _ => Ok(reply),
        }
    }

    async fn send(
        &self,
        server: &Server,
        question: &Question,
        sent: &Sent,
    ) -> Result<Reply, Failed> {
        let is_datagram = server.upstream.protocol == UpstreamProtocol::Udp
            && !server.prefers_streams(Instant::now());
        if is_datagram {
            match self.by_datagram(server.upstream.address, sent, question).await {
                Err(Failed::Unbelieved(Unbelieved::Truncated)) => {}
                Err(Failed::Unbelieved(unbelieved)) => {
                    tracing::debug!(upstream = %server.upstream, %question, ?unbelieved, "asking over TCP");
                    server.prefer_streams(Instant::now());
                }
                result => return result,
            }
        }
        let octets =
            server.streams.ask(&server.upstream, self.tls.as_ref(), sent.message()).await?;
        Ok(Reply::read(&octets, sent, question, &self.limits)?)
    }

    /// Each question has a socket of its own, and so a port that the system chose by chance. Connected sockets get
    /// nothing from other addresses.
    async fn by_datagram(
        &self,
        address: SocketAddr,
        sent: &Sent,
        question: &Question,
    ) -> Result<Reply, Failed> {
        let any: SocketAddr = match address {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let socket = UdpSocket::bind(any).await?;
        socket.connect(address).await?;
        socket.send(sent.message()).await?;
        let mut datagram = vec![0; DATAGRAM_MAX];
        for _ in 0..=STRANGERS_MAX {
            let length = socket.recv(&mut datagram).await?;
            match Reply::read(&datagram[..length], sent, question, &self.limits) {
                Err(Unbelieved::Stranger) => {}
                result => return Ok(result?),
            }
        }
        Err(Unbelieved::Stranger.into())
    }
}
