//! `/health`, `/ready`, `/metrics` and `/debug/top` over HTTP.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::task::{AbortHandle, JoinSet};

use super::State;
use super::metrics::{self, Format};
use crate::error::Error;

/// Connections served at once by each listener. For one more the oldest is closed: who opens many and asks for nothing must not
/// hold up the kubelet's probes, for which the pod would be restarted.
const CONNECTIONS_MAX: usize = 64;

/// How long a client may take for its request's head.
const HEAD_PATIENCE: Duration = Duration::from_secs(10);

/// How long a connection is kept.
const CONNECTION_PATIENCE: Duration = Duration::from_secs(300);

/// What is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::dns) enum Page {
    /// `/health`
    Health,
    /// `/ready`
    Ready,
    /// `/metrics` and `/debug/top`
    Metrics,
}

impl Page {
    /// The setting that says where it is.
    pub(in crate::dns) fn name(self) -> &'static str {
        match self {
            Self::Health => "health",
            Self::Ready => "ready",
            Self::Metrics => "metrics",
        }
    }
}

/// An address where pages are shown.
pub(in crate::dns) struct Listener {
    listener: TcpListener,
    pages: Vec<Page>,
    address: SocketAddr,
}

impl Listener {
    /// Listens; pages of one address share a listener.
    pub(in crate::dns) async fn bind(pages: &[(Page, SocketAddr)]) -> Result<Vec<Self>, Error> {
        let mut addresses: BTreeMap<(SocketAddr, usize), Vec<Page>> = BTreeMap::new();
        for (number, (page, address)) in pages.iter().enumerate() {
            // Port 0 is another port each time.
            let number = if address.port() == 0 { number } else { 0 };
            addresses.entry((*address, number)).or_default().push(*page);
        }
        let mut listeners = Vec::new();
        for ((address, _), pages) in addresses {
            let name = pages.iter().map(|page| page.name()).collect::<Vec<_>>().join(" and ");
            let failed = |error: std::io::Error| {
                Error::caused(format_args!("cannot listen on {address} for {name}"), &error)
                    .hint("stop what listens there, or name another address")
            };
            let listener = TcpListener::bind(address).await.map_err(failed)?;
            let address = listener.local_addr().map_err(failed)?;
            listeners.push(Self { listener, pages, address });
        }
        Ok(listeners)
    }

    /// What is shown where, for the `ready` line.
    pub(in crate::dns) fn words(&self) -> impl Iterator<Item = String> {
        self.pages.iter().map(|page| format!("{}={}", page.name(), self.address))
    }

    /// Serves until dropped.
    pub(in crate::dns) async fn serve(self, state: Arc<State>) {
        let Self { listener, pages, .. } = self;
        let pages: Arc<[Page]> = pages.into();
        let (mut connections, mut by_age) = (JoinSet::new(), VecDeque::new());
        loop {
            let stream = match listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::debug!(%error, "accepting a connection");
                    // Out of file descriptors, as a rule: let connections end.
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    continue;
                }
            };
            while connections.try_join_next().is_some() {}
            by_age.retain(|connection: &AbortHandle| !connection.is_finished());
            if by_age.len() >= CONNECTIONS_MAX
                && let Some(oldest) = by_age.pop_front()
            {
                oldest.abort();
            }
            let (state, pages) = (state.clone(), pages.clone());
            by_age.push_back(connections.spawn(async move {
                let answer = service_fn(move |request: Request<Incoming>| {
                    let answer = answer(&request, &pages, &state);
                    async move { Ok::<_, Infallible>(answer) }
                });
                let connection = hyper::server::conn::http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(HEAD_PATIENCE)
                    .serve_connection(TokioIo::new(stream), answer);
                let ended = tokio::time::timeout(CONNECTION_PATIENCE, connection).await;
                if let Ok(Err(error)) = ended {
                    tracing::debug!(%error, "a connection ended");
                }
            }));
        }
    }
}

fn answer(request: &Request<Incoming>, pages: &[Page], state: &State) -> Response<Full<Bytes>> {
    let plain = "text/plain; charset=utf-8";
    let (status, kind, body) = match request.uri().path() {
        "/health" if pages.contains(&Page::Health) => (StatusCode::OK, plain, "OK\n".to_owned()),
        "/ready" if pages.contains(&Page::Ready) => match state.readiness() {
            Ok(text) => (StatusCode::OK, plain, text),
            Err(text) => (StatusCode::SERVICE_UNAVAILABLE, plain, text),
        },
        "/metrics" if pages.contains(&Page::Metrics) => {
            let accept = request.headers().get(header::ACCEPT);
            let format = Format::accepted(accept.and_then(|accept| accept.to_str().ok()));
            (StatusCode::OK, format.content_type(), metrics::text(state, format))
        }
        "/debug/top" if pages.contains(&Page::Metrics) => {
            (StatusCode::OK, plain, state.samples.top())
        }
        _ => (StatusCode::NOT_FOUND, plain, "not found\n".to_owned()),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    response
}
