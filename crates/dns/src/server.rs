//! The server: sockets bound, threads and tasks started, all of it stopped.

use std::fmt;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::clients::Clients;
use crate::forward::{ForwardConfig, ForwardError, Forwarder};
use crate::https;
use crate::tcp::{self, Speaks};
use crate::tls::{Certificate, CertificateError};
use crate::udp::{self, Datagrams};
use crate::{Answering, Config, Counters, EncryptedConfig, Live, TcpLimits};

/// What every thread and task of a server uses.
pub(crate) struct Shared<A> {
    pub(crate) live: Arc<Live<A>>,
    /// As they were when the server was bound, like all that has a socket or a thread.
    pub(crate) tcp: TcpLimits,
    pub(crate) udp_batch: NonZeroUsize,
    pub(crate) counters: Arc<Counters>,
    pub(crate) clients: Arc<Clients>,
    pub(crate) forwarder: Option<Arc<Forwarder>>,
    /// Numbers for rotations that live for one query.
    pub(crate) turn: AtomicUsize,
    /// Zones are transferred one after the other: each takes the memory of its records.
    pub(crate) transfers: Arc<Semaphore>,
}

/// A transport protocol, in messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Protocol {
    Udp,
    Tcp,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
        })
    }
}

/// A server could not start.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// An address can't be listened on: the port is taken, as a rule.
    #[error("cannot listen for DNS on {address} over {protocol}")]
    Listen {
        /// The address, as asked for.
        address: SocketAddr,
        /// Over which protocol.
        protocol: Protocol,
        /// Why.
        source: io::Error,
    },
    /// The system gives no more threads.
    #[error("cannot start a thread for DNS over UDP")]
    Thread(#[source] io::Error),
    /// There is no certificate for DNS over TLS or HTTPS.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// Forwarding can't be set up.
    #[error(transparent)]
    Forward(#[from] ForwardError),
}

/// A running server. Dropping it stops it too, without waiting for replies that are under way.
pub struct Server {
    addresses: Vec<SocketAddr>,
    counters: Arc<Counters>,
    sockets: Vec<Arc<Datagrams>>,
    threads: Vec<JoinHandle<()>>,
    listeners: JoinSet<()>,
    stop: watch::Sender<bool>,
    forwarder: Option<Arc<Forwarder>>,
    encrypted: Encrypted,
    grace: Duration,
}

/// How many ports the system may choose for UDP that are taken for TCP.
const PORT_TRIES: usize = 32;

impl Server {
    /// Serves DNS over UDP and TCP on every address. Port 0 lets the system choose: one port for both protocols
    /// ([`Server::local_addresses`] tells). `[::]` stands for IPv6 alone; give `0.0.0.0` as well for IPv4.
    ///
    /// Must be called within a Tokio runtime, which serves TCP; UDP has its own threads.
    ///
    /// # Errors
    ///
    /// When one address can't be bound, none is served.
    pub fn bind<A: Answering + Send + Sync + 'static>(
        addresses: &[SocketAddr],
        config: Config,
        answering: A,
    ) -> Result<Self, BindError> {
        Self::bind_live(addresses, Vec::new(), Live::new(config, answering), Arc::default())
    }

    /// As [`Server::bind`], with settings and answers that may be replaced later, and counters of the caller's; and on
    /// sockets that were bound elsewhere, which are not among [`Server::local_addresses`].
    ///
    /// # Errors
    ///
    /// When one address can't be bound, none is served.
    pub fn bind_live<A: Answering + Send + Sync + 'static>(
        addresses: &[SocketAddr],
        handed: Vec<Handed>,
        live: Arc<Live<A>>,
        counters: Arc<Counters>,
    ) -> Result<Self, BindError> {
        let mut config = live.load().config.clone();
        let cores = || thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let threads = config.udp_threads.map_or_else(cores, NonZeroUsize::get);
        let mut bound: Vec<Bound> = addresses
            .iter()
            .map(|&address| Bound::new(address, threads))
            .collect::<Result<_, _>>()?;

        let (encrypted, encrypted_listeners) = match &config.encrypted {
            Some(encrypted) => Encrypted::bind(encrypted)?,
            None => (Encrypted::default(), Vec::new()),
        };
        let addresses: Vec<_> = bound.iter().map(|bound| bound.address).collect();
        for sockets in handed {
            bound.push(Bound::handed(sockets)?);
        }
        let forwarder = match &mut config.forward {
            None => None,
            Some(forward) => {
                take_out_own(forward, &[&addresses[..], &encrypted.tls].concat());
                Some(Forwarder::new(forward.clone(), Handle::current())?)
            }
        };
        let clients = Clients::new(config.tcp.connections, config.tcp.connections_per_client);
        let grace = config.tcp.shutdown_grace;
        let shared = Arc::new(Shared {
            live,
            tcp: config.tcp,
            udp_batch: config.udp_batch,
            counters: counters.clone(),
            clients,
            forwarder: forwarder.clone(),
            turn: AtomicUsize::new(0),
            transfers: Arc::new(Semaphore::new(1)),
        });
        let (stop, stopped) = watch::channel(false);
        let mut server = Self {
            addresses,
            counters,
            sockets: Vec::new(),
            threads: Vec::new(),
            listeners: JoinSet::new(),
            stop,
            forwarder,
            encrypted,
            grace,
        };
        for (listener, speaks) in encrypted_listeners {
            let (shared, stopped) = (shared.clone(), stopped.clone());
            server.listeners.spawn(tcp::serve(listener, speaks, shared, stopped));
        }
        for Bound { address: _, sockets, listener } in bound {
            server.listeners.spawn(tcp::serve(
                listener,
                Speaks::Dns,
                shared.clone(),
                stopped.clone(),
            ));
            for socket in sockets {
                let number = server.threads.len();
                let thread = udp::spawn(socket.clone(), shared.clone(), number);
                server.sockets.push(socket);
                server.threads.push(thread.map_err(BindError::Thread)?);
            }
        }
        Ok(server)
    }

    /// The addresses served, in the order asked for, with their ports.
    pub fn local_addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The addresses of DNS over TLS, in the order of [`EncryptedConfig::tls`].
    pub fn tls_addresses(&self) -> &[SocketAddr] {
        &self.encrypted.tls
    }

    /// The addresses of DNS over HTTPS, in the order of [`EncryptedConfig::https`].
    pub fn https_addresses(&self) -> &[SocketAddr] {
        &self.encrypted.https
    }

    /// Reads the certificate and its key again, for connections that come from now on.
    ///
    /// # Errors
    ///
    /// They can't be used; then the ones that were read before stay.
    pub fn reload_certificate(&self) -> Result<(), CertificateError> {
        self.encrypted.certificate.as_ref().map_or(Ok(()), |certificate| certificate.reload())
    }

    /// What became of the queries so far.
    pub fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    /// What forwards, where that was set up.
    pub fn forwarder(&self) -> Option<&Arc<Forwarder>> {
        self.forwarder.as_ref()
    }

    /// Forwards by other settings from now on, without losing a query; see [`Forwarder::set_config`]. A server that
    /// was started without forwarding can't begin it: its replies would have to say so (RA) from the first.
    ///
    /// # Errors
    ///
    /// As [`Forwarder::set_config`].
    pub fn set_forwarding(&self, mut config: ForwardConfig) -> Result<(), ForwardError> {
        let Some(forwarder) = &self.forwarder else { return Ok(()) };
        take_out_own(&mut config, &[&self.addresses[..], &self.encrypted.tls].concat());
        forwarder.set_config(config)
    }

    /// Stops: no more queries are taken; replies under way are sent, for at most
    /// [`TcpLimits::shutdown_grace`](crate::TcpLimits::shutdown_grace).
    pub async fn shutdown(mut self) {
        self.stop();
        let threads = std::mem::take(&mut self.threads);
        let joined = tokio::task::spawn_blocking(move || {
            for thread in threads {
                // A thread that panicked has said so.
                let _ = thread.join();
            }
        });
        let _ = joined.await;
        // The listeners' tasks run meanwhile.
        if let Some(forwarder) = &self.forwarder {
            let _ = timeout(self.grace, forwarder.drained()).await;
        }
        while self.listeners.join_next().await.is_some() {}
    }

    fn stop(&self) {
        self.stop.send_replace(true);
        for socket in &self.sockets {
            socket.stop();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

/// What is listened on with a certificate.
#[derive(Default)]
struct Encrypted {
    tls: Vec<SocketAddr>,
    https: Vec<SocketAddr>,
    certificate: Option<Arc<Certificate>>,
}

impl Encrypted {
    fn bind(config: &EncryptedConfig) -> Result<(Self, Vec<(TcpListener, Speaks)>), BindError> {
        let certificate = Certificate::read(config)?;
        let mut listeners = Vec::new();
        let mut listen = |addresses: &[SocketAddr], speaks: Speaks| {
            let listen = |&address: &SocketAddr| {
                let listened = tcp::bind(address).and_then(TcpListener::from_std);
                let local = listened.and_then(|listener| {
                    let local = listener.local_addr()?;
                    listeners.push((listener, speaks.clone()));
                    Ok(local)
                });
                local.map_err(|source| BindError::Listen {
                    address,
                    protocol: Protocol::Tcp,
                    source,
                })
            };
            addresses.iter().map(listen).collect::<Result<Vec<_>, _>>()
        };
        let tls = listen(&config.tls, Speaks::Tls(certificate.acceptor(&["dot"])?))?;
        let https = certificate.acceptor(&https::PROTOCOLS)?;
        let https = listen(&config.https, Speaks::Https(https))?;
        Ok((Self { tls, https, certificate: Some(certificate) }, listeners))
    }
}

/// A query forwarded to ourselves comes to nothing.
fn take_out_own(config: &mut ForwardConfig, own: &[SocketAddr]) {
    for upstream in config.take_out_own(own) {
        tracing::warn!(%upstream, "an upstream DNS server is this server itself and is left out");
    }
}

/// Sockets of one address that somebody else bound: in another network namespace, say, where they stay.
#[derive(Debug)]
pub struct Handed {
    /// UDP: each has a thread of its own. Several need `SO_REUSEPORT` (socket(7)).
    pub udp: Vec<UdpSocket>,
    /// TCP.
    pub tcp: TcpListener,
}

/// The sockets of one address.
struct Bound {
    address: SocketAddr,
    sockets: Vec<Arc<Datagrams>>,
    listener: TcpListener,
}

impl Bound {
    fn new(asked: SocketAddr, threads: usize) -> Result<Self, BindError> {
        let mut tries = 1;
        loop {
            match Self::once(asked, threads) {
                // The port that the system chose for UDP is taken for TCP: let it choose another.
                Err((Protocol::Tcp, _)) if asked.port() == 0 && tries < PORT_TRIES => tries += 1,
                result => {
                    return result.map_err(|(protocol, source)| BindError::Listen {
                        address: asked,
                        protocol,
                        source,
                    });
                }
            }
        }
    }

    fn handed(Handed { udp, tcp }: Handed) -> Result<Self, BindError> {
        let address = tcp.local_addr().map_err(|source| BindError::Listen {
            address: SocketAddr::from(([0, 0, 0, 0], 0)),
            protocol: Protocol::Tcp,
            source,
        })?;
        let adopt = |socket| {
            Datagrams::adopt(socket).map(Arc::new).map_err(|source| BindError::Listen {
                address,
                protocol: Protocol::Udp,
                source,
            })
        };
        let sockets = udp.into_iter().map(adopt).collect::<Result<_, _>>()?;
        Ok(Self { address, sockets, listener: tcp })
    }

    fn once(asked: SocketAddr, threads: usize) -> Result<Self, (Protocol, io::Error)> {
        let over_udp = |error| (Protocol::Udp, error);
        let over_tcp = |error| (Protocol::Tcp, error);
        let sockets = udp::bind(asked, threads).map_err(over_udp)?;
        let address = sockets[0].local_address().map_err(over_udp)?;
        let listener = tcp::bind(address).map_err(over_tcp)?;
        let listener = TcpListener::from_std(listener).map_err(over_tcp)?;
        Ok(Self { address, sockets, listener })
    }
}
