//! Bodies: requests read within a bound, answers of one boxed type.

use std::convert::Infallible;
use std::pin::Pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use http::{HeaderMap, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use serde_json::Value;
use tokio::sync::OwnedSemaphorePermit;

use crate::capacity::Capacity;
use crate::status::{Reason, StatusError};

/// The body of every answer: whole for most, written while it is read for lists, a stream without end for watches.
pub type Body = UnsyncBoxBody<Bytes, Infallible>;

/// The largest request body that is read, in bytes; the limit of Kubernetes.
pub(crate) const MAX_REQUEST_BYTES: usize = 3 * 1024 * 1024;

/// Answers that are written while they are read come in frames of about this many bytes.
pub(crate) const FRAME_BYTES: usize = 64 * 1024;

/// How long a client may take to send a body; the request timeout of Kubernetes.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is read and forgotten of a body that is not wanted, in bytes, and for how long.
const DISCARD_MAX: usize = 64 * 1024 * 1024;
const DISCARD_PATIENCE: Duration = Duration::from_secs(10);

/// A request's body, and its share of the server, which is given back with it.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) bytes: Bytes,
    _room: Option<OwnedSemaphorePermit>,
    _turn: Option<OwnedSemaphorePermit>,
}

/// Reads a request's body, up to [`MAX_REQUEST_BYTES`], and then waits for the request's turn: who waits for a client
/// keeps nobody else from being worked on. A body takes room as it arrives, and one that does not come to its end must
/// not hold it, nor a connection, for good: after a minute the answer is 504.
///
/// # Errors
///
/// Also 429 where others' bodies have all the room, and 415 for a body that is compressed: as Kubernetes, this server
/// does not unpack.
pub(crate) async fn read<B>(
    headers: &HeaderMap,
    body: B,
    capacity: Option<&Capacity>,
) -> Result<Received, StatusError>
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: std::fmt::Display,
{
    if let Some(coding) = headers.get(CONTENT_ENCODING)
        && coding != "identity"
        && !body.is_end_stream()
    {
        discard(Box::pin(body));
        let message =
            format!("the body's Content-Encoding {coding:?} is not supported; send it as it is");
        return Err(StatusError::new(Reason::UnsupportedMediaType, message));
    }
    let (bytes, room) = read_within(Box::pin(body), capacity, PATIENCE).await?;
    let turn = match capacity {
        Some(capacity) => capacity.turn().await,
        None => None,
    };
    Ok(Received { bytes, _room: room, _turn: turn })
}

/// A body's bytes, and the room that they take.
type Whole = (Bytes, Option<OwnedSemaphorePermit>);

async fn read_within<B>(
    body: Pin<Box<B>>,
    capacity: Option<&Capacity>,
    patience: Duration,
) -> Result<Whole, StatusError>
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: std::fmt::Display,
{
    tokio::time::timeout(patience, read_whole(body, capacity)).await.unwrap_or_else(|_| {
        let message = format!("Timeout: the request's body did not arrive within {patience:?}");
        Err(StatusError::new(Reason::Timeout, message))
    })
}

async fn read_whole<B>(
    mut body: Pin<Box<B>>,
    capacity: Option<&Capacity>,
) -> Result<Whole, StatusError>
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: std::fmt::Display,
{
    if body.size_hint().lower() > MAX_REQUEST_BYTES as u64 {
        discard(body);
        return Err(StatusError::too_large(MAX_REQUEST_BYTES));
    }
    let mut first = Bytes::new();
    let mut all = BytesMut::new();
    let mut room: Option<OwnedSemaphorePermit> = None;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            StatusError::bad_request(format!("the request's body could not be read: {error}"))
        })?;
        let Ok(data) = frame.into_data() else { continue };
        if first.len() + all.len() + data.len() > MAX_REQUEST_BYTES {
            discard(body);
            return Err(StatusError::too_large(MAX_REQUEST_BYTES));
        }
        if let Some(capacity) = capacity {
            let Some(more) = capacity.room(data.len()) else {
                discard(body);
                let what = "the bodies of other requests fill the server's memory for them";
                return Err(StatusError::too_many_requests(what));
            };
            match &mut room {
                Some(room) => room.merge(more),
                None => room = Some(more),
            }
        }
        // A body of one frame, which is nearly every body, is not copied.
        if first.is_empty() && all.is_empty() {
            first = data;
        } else {
            all.extend_from_slice(&std::mem::take(&mut first));
            all.extend_from_slice(&data);
        }
    }
    Ok((if all.is_empty() { first } else { all.freeze() }, room))
}

/// Reads on behind an answer that does not wait for the body, and forgets what comes. Many clients look for the answer
/// only when they have sent everything, and a connection that closes on what it has not read takes the answer with it.
pub(crate) fn discard<B>(mut body: Pin<Box<B>>)
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
{
    let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
    if body.is_end_stream() {
        return;
    }
    runtime.spawn(tokio::time::timeout(DISCARD_PATIENCE, async move {
        let mut read = 0;
        while let Some(Ok(frame)) = body.frame().await
            && read < DISCARD_MAX
        {
            read += frame.data_ref().map_or(0, Bytes::len);
        }
    }));
}

/// A whole body.
pub(crate) fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).boxed_unsync()
}

/// An answer of JSON text.
pub(crate) fn json_response(code: StatusCode, json: impl Into<Bytes>) -> Response<Body> {
    json_body(code, full(json))
}

/// An answer of JSON text that is written while it is read.
pub(crate) fn json_body(code: StatusCode, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = code;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// A JSON value as text.
pub(crate) fn to_bytes(value: &Value) -> Bytes {
    serde_json::to_vec(value).expect("a JSON value serialises").into()
}

/// How many bytes a JSON value has as text.
pub(crate) fn length(value: &Value) -> usize {
    struct Count(usize);
    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    serde_json::to_writer(&mut count, value).expect("a JSON value serialises");
    count.0
}

/// A failure as an answer.
pub(crate) fn error_response(error: &StatusError) -> Response<Body> {
    let code = StatusCode::from_u16(error.code()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = json_response(code, to_bytes(&error.to_value()));
    if let Some(seconds) = error.details.as_ref().and_then(|details| details.retry_after_seconds) {
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    for warning in &error.warnings {
        add_warning(response.headers_mut(), warning);
    }
    response
}

/// Adds a `Warning` header (RFC 7234 §5.5, code 299), which kubectl shows.
pub(crate) fn add_warning(headers: &mut HeaderMap, text: &str) {
    let mut quoted = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            control if control.is_control() => {}
            other => quoted.push(other),
        }
    }
    // A header holds what fits into one; a warning that does not is cut, since it is only a hint.
    let cut: String = quoted.chars().take(1024).collect();
    if let Ok(value) = HeaderValue::from_bytes(format!("299 - \"{cut}\"").as_bytes()) {
        headers.append(HeaderName::from_static("warning"), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::{StreamExt as _, stream};
    use http_body::Frame;
    use http_body_util::StreamBody;

    #[tokio::test]
    async fn a_body_that_never_ends_is_given_up() {
        let begun = Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"{")));
        let body = StreamBody::new(stream::iter([begun]).chain(stream::pending()));
        let patience = Duration::from_millis(1);
        let error = read_within(Box::pin(body), None, patience).await.expect_err("endless");
        assert_eq!(error.code(), 504);
    }

    #[tokio::test]
    async fn bodies_have_room_while_they_are_kept() {
        let capacity = Capacity::new(2, 5);
        let body = |text: &'static str| {
            let bytes = Bytes::from_static(text.as_bytes());
            let frames = [bytes.slice(..1), bytes.slice(1..)];
            StreamBody::new(stream::iter(
                frames.map(|bytes| Ok::<_, Infallible>(Frame::data(bytes))),
            ))
        };
        let none = HeaderMap::new();
        let first = read(&none, body("abc"), Some(&capacity)).await.expect("there is room");
        assert_eq!(first.bytes, "abc");
        let error = read(&none, body("def"), Some(&capacity)).await.expect_err("no room");
        assert_eq!(error.code(), 429);
        read(&none, body("de"), Some(&capacity))
            .await
            .expect("what was refused gave back its part");
        drop(first);
        read(&none, body("defgh"), Some(&capacity)).await.expect("there is room again");
    }
}
