//! One request: what the table decides, carried out.

use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum_reverse_proxy::{HostBehaviour, ProxyError, ProxyPolicy, proxy_request_on_stream};
use http::header::{CONTENT_TYPE, HOST, LOCATION};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri};
use tokio::time::timeout;

use super::Proxy;
use crate::routing::{Arrived, At, Backend, Decision, Filters, RequestHead, bare};

/// How long a connection to a backend may take.
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);

/// How long a backend may take for the head of its answer, unless the route says otherwise.
const ANSWER_PATIENCE: Duration = Duration::from_secs(60);

/// What a client says of itself and a proxy before: nobody vouches for it here, where requests come in, so it is told anew.
const CLAIMS: [HeaderName; 5] = [
    HeaderName::from_static("forwarded"),
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-port"),
    HeaderName::from_static("x-forwarded-proto"),
];

/// Who asks, and where.
#[derive(Clone, Copy, Debug)]
pub(super) struct Client {
    pub(super) address: SocketAddr,
    pub(super) port: u16,
    pub(super) scheme: &'static str,
}

/// Answers a request.
pub(super) async fn answer(
    proxy: &Proxy,
    client: Client,
    request: Request<Body>,
) -> Response<Body> {
    if request.method() == Method::CONNECT {
        return told(StatusCode::METHOD_NOT_ALLOWED, "CONNECT is not served here\n".to_owned());
    }
    // The host of a request in absolute form goes before the header (RFC 9112 §3.2.2).
    let named = request.uri().authority().map(|authority| authority.as_str().to_owned());
    let header = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    let Some(host) = named.or_else(|| header.map(str::to_owned)) else {
        return told(StatusCode::BAD_REQUEST, "the request names no host\n".to_owned());
    };
    let host = bare(&host);
    let chance = getrandom::u64().unwrap_or_default();
    let table = proxy.table.load_full();
    let head = RequestHead {
        host: &host,
        path: request.uri().path(),
        query: request.uri().query().unwrap_or_default(),
        method: request.method(),
        headers: request.headers(),
    };
    match table.decide(client.port, &head, chance) {
        Decision::Refuse(code, why) => {
            told(StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), why)
        }
        Decision::Redirect { redirect, filters } => {
            let arrived = Arrived { scheme: client.scheme, host: &host, port: client.port };
            let to = redirect.location(arrived, head.path, request.uri().query());
            let mut response = Response::new(Body::empty());
            *response.status_mut() =
                StatusCode::from_u16(redirect.code).unwrap_or(StatusCode::FOUND);
            match HeaderValue::try_from(to) {
                Ok(to) => response.headers_mut().insert(LOCATION, to),
                Err(_) => {
                    return told(
                        StatusCode::BAD_REQUEST,
                        "the host is none to be redirected to\n".to_owned(),
                    );
                }
            };
            filters.response.apply(response.headers_mut());
            response
        }
        Decision::Forward { forward, share, backend } => {
            let both = [&forward.filters, &share.filters];
            let patience = forward.timeout.unwrap_or(ANSWER_PATIENCE);
            let mut response = pass(proxy, client, request, backend, both, patience, chance).await;
            for filters in both {
                filters.response.apply(response.headers_mut());
            }
            response
        }
    }
}

/// Sends a request to a backend.
async fn pass(
    proxy: &Proxy,
    client: Client,
    mut request: Request<Body>,
    backend: &Backend,
    filters: [&Filters; 2],
    patience: Duration,
    chance: u64,
) -> Response<Body> {
    let Backend { name, at } = backend;
    let to = match at {
        At::ClusterIp(address) => Some(*address),
        // Other bits than those that chose the backend.
        At::Endpoints(all) => {
            let place = (chance >> 32) as usize;
            place.checked_rem(all.len()).map(|place| all[place])
        }
        At::Nowhere(_) => None,
    };
    let Some(to) = to else {
        return told(StatusCode::SERVICE_UNAVAILABLE, format!("Service {name} has no endpoints\n"));
    };
    let Some(uri) = prepare(&mut request, client, to, filters) else {
        return told(StatusCode::BAD_REQUEST, "the path cannot be passed on\n".to_owned());
    };
    let stream = match timeout(CONNECT_PATIENCE, proxy.network().dial(to)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            return told(
                StatusCode::BAD_GATEWAY,
                format!("Service {name} could not be reached at {to}: {error}\n"),
            );
        }
        Err(_) => {
            let text = format!(
                "Service {name} could not be reached at {to}: no connection within {} seconds\n",
                CONNECT_PATIENCE.as_secs()
            );
            return told(StatusCode::GATEWAY_TIMEOUT, text);
        }
    };
    let _ = stream.set_nodelay(true);
    let policy = ProxyPolicy::new()
        .with_host_behaviour(HostBehaviour::Preserve)
        .with_public_scheme(client.scheme)
        .with_websocket_connect_timeout(patience)
        .with_upstream_timeout(patience);
    let Ok(response) = proxy_request_on_stream(uri, request, stream, &policy).await;
    match response.extensions().get::<ProxyError>() {
        None => response,
        Some(error) => {
            let text = format!("Service {name} at {to} did not answer: {}\n", error.message());
            told(response.status(), text)
        }
    }
}

/// Makes a request what the backend is to see, and tells where it goes.
fn prepare(
    request: &mut Request<Body>,
    client: Client,
    to: SocketAddr,
    filters: [&Filters; 2],
) -> Option<Uri> {
    // As the client wrote it; what is told of it is written before filters change it.
    let named =
        request.uri().authority().map(|authority| HeaderValue::from_str(authority.as_str()));
    let host = match named {
        Some(named) => named.ok(),
        None => request.headers().get(HOST).cloned(),
    };
    let headers = request.headers_mut();
    for claim in CLAIMS {
        headers.remove(claim);
    }
    if let Some(host) = &host {
        headers.insert(HOST, host.clone());
        headers.insert("x-forwarded-host", host.clone());
    }
    headers.insert("x-forwarded-port", HeaderValue::from(client.port));
    let mut path = request.uri().path().to_owned();
    for filters in filters {
        filters.request.apply(request.headers_mut());
        if let Some(host) = &filters.host {
            request.headers_mut().insert(HOST, host.clone());
        }
        if let Some(change) = &filters.path {
            path = change.apply(&path);
        }
    }
    if let Some(query) = request.uri().query() {
        path = format!("{path}?{query}");
    }
    request.extensions_mut().insert(ConnectInfo(client.address));
    Uri::builder()
        .scheme(Scheme::HTTP)
        .authority(Authority::try_from(to.to_string()).ok()?)
        .path_and_query(PathAndQuery::try_from(path).ok()?)
        .build()
        .ok()
}

/// An answer of the gateway's own.
fn told(code: StatusCode, text: String) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = code;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    response
}
