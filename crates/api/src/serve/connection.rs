//! One connection: TLS, then HTTP/2 or HTTP/1.1 as agreed there, until it ends, idles or stalls.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, HeaderValue};
use http::{Request, Response, Version};
use http_body::Body;
use http_body_util::Either;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tokio_rustls::TlsAcceptor;
use tower::{Service, ServiceExt};

use super::answer::{Activity, Answer, Endless, State, endless, stopped};
use super::stall::{Patience, Stalling};
use super::{GRACE, Limits};
use crate::body;
use crate::capacity::Capacity;
use crate::status::StatusError;
use crate::stream::Handover;

/// HTTP/2 peers are asked this often whether they are still there, so that lost ones free their watches.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// What a client may send ahead of being read, on one HTTP/2 connection and on each of its streams.
const WINDOW: u32 = 256 * 1024;

/// The largest head of a request (a path alone may have 64 KiB, for long selectors), and what is kept of an answer
/// that its client does not take: of a connection with HTTP/1.1, of a stream with HTTP/2.
const BUFFER_MAX: usize = 128 * 1024;

/// What all connections of a server share.
#[derive(Clone)]
pub(super) struct Shared<S> {
    pub(super) tls: TlsAcceptor,
    pub(super) service: S,
    pub(super) limits: Limits,
    pub(super) watches: Arc<Semaphore>,
    pub(super) sessions: Arc<Semaphore>,
    pub(super) capacity: Capacity,
    pub(super) stopped: watch::Receiver<bool>,
}

/// Whether a connection found room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// It is served.
    Served,
    /// It is told that there is no room for it.
    Refused,
}

type AnyError = Box<dyn Error + Send + Sync>;

impl<S> Shared<S> {
    /// Serves a connection to its end.
    pub(super) async fn run<B>(
        self,
        stream: TcpStream,
        admission: Admission,
    ) -> Result<(), AnyError>
    where
        S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
        S::Error: Into<AnyError>,
        S::Future: Send,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<AnyError>,
    {
        let limits = self.limits;
        let (greeting, patience) = match admission {
            Admission::Served => (limits.greeting, limits.idle),
            Admission::Refused => (GRACE, Duration::ZERO),
        };
        let greeting = Instant::now() + greeting;
        let stop = self.stopped.clone();
        // Watch events are small and must not wait for more.
        stream.set_nodelay(true)?;
        let stream = tokio::select! {
            stream = timeout_at(greeting, self.tls.accept(stream)) => stream??,
            () = stopped(stop.clone()) => return Ok(()),
        };
        let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        let patience_in_writing = Patience::new(limits.stall);
        let stream = TokioIo::new(Stalling::new(stream, patience_in_writing.clone()));
        let handover = Handover::new(self.sessions.clone(), limits.sessions);
        let handing_over = handover.clone();
        let activity = Activity::new();
        let asked = activity.clone();
        let service = hyper::service::service_fn(move |request: Request<Incoming>| {
            let (shared, activity) = (self.clone(), asked.clone());
            let handover = handing_over.clone();
            async move { shared.answer(request, admission, &activity, handover).await }
        });

        let builder = auto::Builder::new(TokioExecutor::new());
        let mut builder = if http2 { builder.http2_only() } else { builder.http1_only() };
        // A head that trickles in is no request under way: `idle` bounds it as it does silence.
        builder.http1().timer(TokioTimer::new()).header_read_timeout(None).max_buf_size(BUFFER_MAX);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(Limits::STREAMS)
            .initial_connection_window_size(WINDOW)
            .initial_stream_window_size(WINDOW)
            .max_header_list_size(BUFFER_MAX as u32)
            .max_send_buf_size(BUFFER_MAX)
            .keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE);
        let mut connection =
            std::pin::pin!(builder.serve_connection_with_upgrades(stream, service));
        tokio::select! {
            ended = connection.as_mut() => {
                let Some(session) = handover.take() else { return ended };
                // The connection has become a session, which counts as one, and ends with the server.
                patience_in_writing.set(limits.session_stall);
                tokio::select! {
                    () = session => {}
                    () = stopped(stop) => {}
                }
                return ended;
            }
            () = stopped(stop.clone()) => {}
            () = idle(&activity, greeting, patience) => {}
            () = stalled(&activity, limits.stall) => {}
        }
        connection.as_mut().graceful_shutdown();
        timeout(GRACE, connection).await.unwrap_or(Ok(()))
    }

    async fn answer<B>(
        self,
        mut request: Request<Incoming>,
        admission: Admission,
        activity: &Activity,
        handover: Handover,
    ) -> Result<Response<Answer<Either<B, body::Body>>>, S::Error>
    where
        S: Service<Request<Incoming>, Response = Response<B>>,
        B: Body<Data = Bytes>,
    {
        let under_way = activity.begin();
        let version = request.version();
        let refuse = |what: String, under_way| {
            let response = refusal(&what, version).map(Either::Right);
            Ok(response.map(|inner| Answer::new(inner, None, under_way)))
        };
        if admission == Admission::Refused {
            let most = self.limits.connections;
            return refuse(format!("the server has {most} connections open"), under_way);
        }
        let asked_endless = endless(request.uri().query());
        request.extensions_mut().insert(self.capacity);
        request.extensions_mut().insert(handover);
        let response = self.service.oneshot(request).await?;
        let mut endless = None;
        // An answer that knows its length has an end: 401, for one, which takes no token to get.
        if asked_endless && response.body().size_hint().exact().is_none() {
            let Ok(permit) = self.watches.try_acquire_owned() else {
                let most = self.limits.watches;
                return refuse(format!("the server has {most} watches open"), under_way);
            };
            endless = Some(Endless::new(self.stopped, permit));
        }
        Ok(response.map(|inner| Answer::new(Either::Left(inner), endless, under_way)))
    }
}

/// Completes when no request was under way for too long.
async fn idle(activity: &Activity, greeting: Instant, patience: Duration) {
    let mut deadline = greeting;
    loop {
        sleep_until(deadline).await;
        deadline = match activity.state() {
            State::Silent => return,
            State::Busy(_) => Instant::now() + patience,
            State::Idle(since) => since + patience,
        };
        if deadline <= Instant::now() {
            return;
        }
    }
}

/// Completes when the client has taken nothing of an answer for too long.
async fn stalled(activity: &Activity, patience: Duration) {
    loop {
        let now = Instant::now();
        let deadline = activity.untaken_since().unwrap_or(now) + patience;
        if deadline <= now {
            return;
        }
        sleep_until(deadline).await;
    }
}

/// 429: what there is too much of, and when to come again.
fn refusal(what: &str, version: Version) -> Response<body::Body> {
    let mut response = body::error_response(&StatusError::too_many_requests(what));
    if version < Version::HTTP_2 {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
