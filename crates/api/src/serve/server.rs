//! HTTP/1.1 and HTTP/2 over TLS, in front of a tower service.

use std::error::Error;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_rustls::TlsAcceptor;
use tower::Service;

use super::connection::{Admission, Shared};
use super::{Credentials, GRACE, Limits};
use crate::capacity::Capacity;

/// After a failure to accept (no file descriptors left), before the next attempt.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Why a server cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Someone else does.
    #[error(
        "the address {0} is taken by another program: stop that one, or name another address with --api-listen"
    )]
    Taken(SocketAddr),
    /// For another reason.
    #[error("cannot listen on {address}: {source}; name another address with --api-listen")]
    Other {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
}

/// A server that listens, and has not begun to answer.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    tls: TlsAcceptor,
    limits: Limits,
}

impl Server {
    /// Listens; port 0 takes a free one.
    pub async fn bind(address: SocketAddr, credentials: &Credentials) -> Result<Self, BindError> {
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => BindError::Taken(address),
            _ => BindError::Other { address, source },
        };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        Self::on(listener, credentials).map_err(failed)
    }

    /// On a listener that somebody else bound: in another network namespace, say.
    ///
    /// # Errors
    ///
    /// None is to be expected of a socket that is bound.
    pub fn on(listener: TcpListener, credentials: &Credentials) -> io::Result<Self> {
        let address = listener.local_addr()?;
        Ok(Self { listener, address, tls: credentials.tls().into(), limits: Limits::default() })
    }

    /// With other limits than the default ones.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `stop` completes. Then watches end at once (as at their timeout: clients resume),
    /// other answers have a moment to finish, and all connections close.
    pub async fn serve<S, B>(self, service: S, stop: impl Future<Output = ()>)
    where
        S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
        S::Error: Into<Box<dyn Error + Send + Sync>>,
        S::Future: Send,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let Self { listener, address: _, tls, limits } = self;
        let semaphore = |permits| Arc::new(Semaphore::new(permits));
        let (served, refused) = (semaphore(limits.connections), semaphore(Limits::REFUSALS));
        let (stopping, stopped) = watch::channel(false);
        let (watches, sessions) = (semaphore(limits.watches), semaphore(limits.sessions));
        let capacity = Capacity::new(limits.requests, limits.bodies);
        let shared = Shared { tls, service, limits, watches, sessions, capacity, stopped };
        let mut connections = tokio::task::JoinSet::new();
        let mut stop = std::pin::pin!(stop);
        loop {
            // Forget those that have ended.
            while connections.try_join_next().is_some() {}
            let next = async {
                let (stream, _) = listener.accept().await?;
                Ok::<_, io::Error>((stream, admit(&served, &refused).await))
            };
            let accepted = tokio::select! {
                () = &mut stop => break,
                accepted = next => accepted,
            };
            let (stream, (admission, permit)) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let shared = shared.clone();
            connections.spawn(async move {
                if let Err(error) = shared.run(stream, admission).await {
                    tracing::debug!(error, "connection ended");
                }
                drop(permit);
            });
        }
        drop(listener);
        // Connections see this, and so do the bodies of watches, which end.
        stopping.send_replace(true);
        let ended = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(GRACE, ended).await.is_err() {
            tracing::debug!("closing connections with answers under way");
        }
        connections.shutdown().await;
    }
}

/// Waits until there is room for a connection, if only to refuse it.
async fn admit(
    served: &Arc<Semaphore>,
    refused: &Arc<Semaphore>,
) -> (Admission, Option<OwnedSemaphorePermit>) {
    tokio::select! {
        biased;
        permit = served.clone().acquire_owned() => (Admission::Served, permit.ok()),
        permit = refused.clone().acquire_owned() => (Admission::Refused, permit.ok()),
    }
}
