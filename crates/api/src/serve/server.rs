//! HTTP/1.1 and HTTP/2 over TLS, in front of a tower service.

use std::error::Error;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;
use tower::{Service, ServiceExt};

use super::Credentials;

/// Connections at a time; more wait in the kernel's queue. A kubectl takes one, a controller a handful.
const CONNECTIONS: usize = 1024;

/// For the TLS handshake, and for a request's head: longer is no one who means to ask something.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// HTTP/2 peers are asked this often whether they are still there, so that lost ones free their watches.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// After a failure to accept (no file descriptors left), before the next attempt.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// For answers under way when the server stops.
const GRACE: Duration = Duration::from_secs(2);

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
}

impl Server {
    /// Listens; port 0 takes a free one.
    pub async fn bind(address: SocketAddr, credentials: &Credentials) -> Result<Self, BindError> {
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => BindError::Taken(address),
            _ => BindError::Other { address, source },
        };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address, tls: credentials.tls().into() })
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
        let Self { listener, address: _, tls } = self;
        let permits = Arc::new(Semaphore::new(CONNECTIONS));
        let graceful = GracefulShutdown::new();
        let (stopping, stopped) = watch::channel(false);
        let mut connections = tokio::task::JoinSet::new();
        let mut stop = std::pin::pin!(stop);
        loop {
            // Forget those that have ended.
            while connections.try_join_next().is_some() {}
            let next = async {
                let permit = permits.clone().acquire_owned().await;
                (permit, listener.accept().await)
            };
            let (permit, accepted) = tokio::select! {
                () = &mut stop => break,
                next = next => next,
            };
            let stream = match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let connection =
                Connection { tls: tls.clone(), service: service.clone(), stopped: stopped.clone() };
            let watcher = graceful.watcher();
            connections.spawn(async move {
                if let Err(error) = connection.run(stream, watcher).await {
                    tracing::debug!(error, "connection ended");
                }
                drop(permit);
            });
        }
        drop(listener);
        // Bodies of watches see this and end.
        stopping.send_replace(true);
        if tokio::time::timeout(GRACE, graceful.shutdown()).await.is_err() {
            tracing::debug!("closing connections with answers under way");
        }
        connections.shutdown().await;
    }
}

struct Connection<S> {
    tls: TlsAcceptor,
    service: S,
    stopped: watch::Receiver<bool>,
}

impl<S> Connection<S> {
    async fn run<B>(
        self,
        stream: TcpStream,
        watcher: Watcher,
    ) -> Result<(), Box<dyn Error + Send + Sync>>
    where
        S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
        S::Error: Into<Box<dyn Error + Send + Sync>>,
        S::Future: Send,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let Self { tls, service, mut stopped } = self;
        // Watch events are small and must not wait for more.
        stream.set_nodelay(true)?;
        let stream = tokio::select! {
            stream = tokio::time::timeout(HANDSHAKE, tls.accept(stream)) => stream??,
            _ = stopped.wait_for(|stopped| *stopped) => return Ok(()),
        };
        let service = hyper::service::service_fn(move |request: Request<Incoming>| {
            let (service, stopped) = (service.clone(), stopped.clone());
            async move {
                let endless = endless(request.uri().query());
                let response = service.oneshot(request).await;
                response.map(|response| {
                    response.map(|inner| Ending {
                        inner: Box::pin(inner),
                        stop: endless.then(|| -> Stop { Box::pin(wait(stopped)) }),
                        ended: false,
                    })
                })
            }
        });
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder.http1().timer(TokioTimer::new()).header_read_timeout(HANDSHAKE);
        builder
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE);
        let connection =
            builder.serve_connection_with_upgrades(TokioIo::new(stream), service).into_owned();
        watcher.watch(connection).await
    }
}

/// Whether the answer goes on until someone ends it: a watch, or a log that is followed.
fn endless(query: Option<&str>) -> bool {
    let mut pairs = query.unwrap_or_default().split('&');
    pairs.any(|pair| matches!(pair.split_once('='), Some(("watch" | "follow", "true" | "1"))))
}

async fn wait(mut stopped: watch::Receiver<bool>) {
    // An error means that the server is gone: stopped as well.
    _ = stopped.wait_for(|stopped| *stopped).await;
}

type Stop = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A body that ends early, between two frames, when the server stops.
struct Ending<B> {
    inner: Pin<Box<B>>,
    stop: Option<Stop>,
    ended: bool,
}

impl<B: Body> Body for Ending<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        if let Some(stop) = &mut self.stop
            && stop.as_mut().poll(context).is_ready()
        {
            self.stop = None;
            self.ended = true;
        }
        if self.ended {
            return Poll::Ready(None);
        }
        self.inner.as_mut().poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endless_answers() {
        let check = |query: &str, expected| assert_eq!(endless(Some(query)), expected, "{query}");
        check("watch=true", true);
        check("limit=5&watch=1&resourceVersion=7", true);
        check("follow=true", true);
        check("watch=false", false);
        check("watch=0", false);
        check("labelSelector=watch%3Dtrue", false);
        assert!(!endless(None));
    }
}
