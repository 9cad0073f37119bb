//! Connections of clients.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum_reverse_proxy::TunnelGuard;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tracing::{debug, warn};

use super::Proxy;
use super::forward::{Client, answer};
use crate::tls::Shown;

/// How long a client may take for the head of a request, and may be silent between requests.
const HEAD_PATIENCE: Duration = Duration::from_secs(60);

/// How long a client may take to agree on TLS.
const TLS_PATIENCE: Duration = Duration::from_secs(10);

/// How many bytes the head of a request may have.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// How many headers a request may have.
const HEADERS_MAX: usize = 200;

/// After an error of the listener itself.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves a port until dropped; its connections end with it.
pub(crate) async fn serve(proxy: Proxy, listener: TcpListener, port: u16, is_tls: bool) {
    let tls = match is_tls.then(|| Shown { table: proxy.table.clone(), port }.config()).transpose()
    {
        Ok(config) => config.map(TlsAcceptor::from),
        Err(error) => return warn!(port, %error, "TLS cannot be ended"),
    };
    let mut connections = JoinSet::new();
    loop {
        // The semaphore is never closed.
        let Ok(permit) = proxy.connections.clone().acquire_owned().await else { return };
        while connections.try_join_next().is_some() {}
        let (stream, address) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                debug!(port, %error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        // Small answers leave at once.
        let _ = stream.set_nodelay(true);
        let (proxy, tls) = (proxy.clone(), tls.clone());
        connections.spawn(async move {
            let permit = Arc::new(permit);
            let client =
                Client { address, port, scheme: if tls.is_some() { "https" } else { "http" } };
            match tls {
                None => connection(proxy, stream, client, permit).await,
                Some(tls) => match timeout(TLS_PATIENCE, tls.accept(stream)).await {
                    Ok(Ok(stream)) => connection(proxy, stream, client, permit).await,
                    Ok(Err(error)) => debug!(%address, port, %error, "no TLS came about"),
                    Err(_) => debug!(%address, port, "a client took too long to agree on TLS"),
                },
            }
        });
    }
}

async fn connection(
    proxy: Proxy,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    client: Client,
    permit: Arc<OwnedSemaphorePermit>,
) {
    let address: SocketAddr = client.address;
    let service = service_fn(move |mut request: Request<Incoming>| {
        let proxy = proxy.clone();
        // A connection counts until what became of it, a WebSocket perhaps, has ended.
        request.extensions_mut().insert(TunnelGuard::new(permit.clone()));
        async move { Ok::<_, Infallible>(answer(&proxy, client, request.map(Body::new)).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_PATIENCE)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    if let Err(error) = served.await {
        debug!(%address, %error, "a connection broke off");
    }
}
