//! DNS over HTTPS (RFC 8484): POST with the query as body, GET with the query in the address, at `/dns-query`.

mod idle;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;

use crate::server::Shared;
use crate::shared::Asking;
use crate::tcp::stopped;
use crate::wire::MESSAGE_MAX;
use crate::{Answering, Outcome, Rotation, forward};
use idle::Idle;

/// The protocols that clients may choose between.
pub(crate) const PROTOCOLS: [&str; 2] = ["h2", "http/1.1"];

/// Where queries go.
const PATH: &str = "/dns-query";

/// The media type of DNS messages.
const MESSAGE: &str = "application/dns-message";

/// Queries of one connection that are answered at once.
const STREAMS_MAX: u32 = 100;

/// The longest head of a request, in octets: a query of 4 KiB in the address and some headers.
const HEAD_MAX: usize = 16 << 10;

/// Octets of replies that a connection holds, made or being made. A client that takes none in, by HTTP/2's windows, could
/// otherwise have a long reply wait on each of its streams, for as long as it likes.
const REPLIES_MAX: usize = 2 * MESSAGE_MAX;

type AnyError = Box<dyn std::error::Error + Send + Sync>;

/// Serves one connection until it ends, or is idle for too long, or the server stops; then what is under way is
/// finished.
pub(crate) async fn serve<A: Answering + Send + Sync + 'static>(
    stream: TlsStream<TcpStream>,
    client: SocketAddr,
    shared: &Arc<Shared<A>>,
    mut stop: watch::Receiver<bool>,
) -> Result<(), AnyError> {
    let limits = &shared.tcp;
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.idle_timeout)
        .max_buf_size(HEAD_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEAD_MAX as u32)
        .max_send_buf_size(MESSAGE_MAX);
    let room = Arc::new(Semaphore::new(REPLIES_MAX));
    let service = hyper::service::service_fn(|request| {
        let (shared, room) = (shared.clone(), room.clone());
        async move { answer(request, client, &shared, room).await }
    });
    let stream = TokioIo::new(Idle::new(stream, limits.idle_timeout));
    let mut connection = std::pin::pin!(builder.serve_connection(stream, service));
    tokio::select! {
        ended = connection.as_mut() => return ended,
        () = stopped(&mut stop) => {}
    }
    connection.as_mut().graceful_shutdown();
    timeout(limits.shutdown_grace, connection).await.unwrap_or(Ok(()))
}

/// Answers one request. Whoever sends what is no query learns it by the status (RFC 8484 §4.2.1).
async fn answer<A: Answering + Send + Sync + 'static>(
    request: Request<Incoming>,
    client: SocketAddr,
    shared: &Shared<A>,
    room: Arc<Semaphore>,
) -> Result<Response<Full<Bytes>>, std::convert::Infallible> {
    let reply = match query(request).await {
        Ok(query) => reply_to(&query, client, shared, room).await.ok_or(StatusCode::BAD_REQUEST),
        Err(status) => Err(status),
    };
    let mut response = Response::new(Full::default());
    match reply {
        Ok(reply) => {
            // How long it may be kept is what its records say (RFC 8484 §5.1).
            let age = format!("max-age={}", forward::ttl_min(&reply.octets).unwrap_or(0));
            let headers = response.headers_mut();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(MESSAGE));
            if let Ok(age) = HeaderValue::from_str(&age) {
                headers.insert(CACHE_CONTROL, age);
            }
            *response.body_mut() = Full::new(Bytes::from_owner(reply));
        }
        Err(status) => {
            *response.status_mut() = status;
            if status == StatusCode::METHOD_NOT_ALLOWED {
                response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, POST"));
            }
        }
    }
    Ok(response)
}

/// The query that a request holds.
async fn query(request: Request<Incoming>) -> Result<Bytes, StatusCode> {
    let (head, body) = request.into_parts();
    if head.uri.path() != PATH {
        return Err(StatusCode::NOT_FOUND);
    }
    match head.method {
        Method::GET => in_address(&head.uri).map(Bytes::from).ok_or(StatusCode::BAD_REQUEST),
        Method::POST => {
            let is_message = head.headers.get(CONTENT_TYPE).is_some_and(|value| value == MESSAGE);
            if !is_message {
                return Err(StatusCode::UNSUPPORTED_MEDIA_TYPE);
            }
            match Limited::new(body, MESSAGE_MAX).collect().await {
                Ok(body) => Ok(body.to_bytes()),
                Err(error) if error.is::<http_body_util::LengthLimitError>() => {
                    Err(StatusCode::PAYLOAD_TOO_LARGE)
                }
                Err(_) => Err(StatusCode::BAD_REQUEST),
            }
        }
        _ => Err(StatusCode::METHOD_NOT_ALLOWED),
    }
}

/// The query in `?dns=`, which needs no percent signs (RFC 8484 §6).
fn in_address(uri: &Uri) -> Option<Vec<u8>> {
    let parameters = uri.query()?.split('&');
    let value = parameters.filter_map(|one| one.strip_prefix("dns=")).next()?;
    URL_SAFE_NO_PAD.decode(value).ok()
}

/// A reply, and the room that it takes until it is sent.
struct Reply {
    octets: Vec<u8>,
    _room: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Reply {
    fn as_ref(&self) -> &[u8] {
        &self.octets
    }
}

/// `None` for what is no query.
async fn reply_to<A: Answering>(
    query: &[u8],
    client: SocketAddr,
    shared: &Shared<A>,
    room: Arc<Semaphore>,
) -> Option<Reply> {
    // As much as a reply can take, for how much it does is not known before; the semaphore is never closed.
    let longest = || room.clone().acquire_many_owned(MESSAGE_MAX as u32);
    let mut octets = Vec::new();
    let mut taken = longest().await.ok()?;
    let answered = {
        let rotation = Rotation::new(shared.turn.fetch_add(1, Ordering::Relaxed));
        let mut tally = shared.counters.tcp_tally();
        let asking = Asking { client, tally: &mut tally };
        shared.answer(&shared.live.load(), &rotation, asking, query, &mut octets)
    };
    match answered {
        Ok(Outcome::Dropped) => return None,
        Ok(_) => {}
        Err(waiting) => {
            // Others are answered meanwhile.
            drop(taken);
            let ready = waiting.ready().await;
            taken = longest().await.ok()?;
            shared.complete(client, ready, &mut octets);
        }
    }
    octets.shrink_to_fit();
    Some(Reply { _room: taken.split(octets.len())?, octets })
}
