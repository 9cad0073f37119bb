//! Bodies: requests read within a bound, answers of one boxed type.

use std::convert::Infallible;
use std::pin::Pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use serde_json::Value;

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

/// Reads a request's body, up to [`MAX_REQUEST_BYTES`]. One that does not come to its end must not hold a connection
/// for good: after a minute the answer is 504.
///
/// # Errors
///
/// Also 415 for a body that is compressed: as Kubernetes, this server does not unpack.
pub(crate) async fn read<B>(headers: &HeaderMap, body: B) -> Result<Bytes, StatusError>
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
    read_within(Box::pin(body), PATIENCE).await
}

async fn read_within<B>(body: Pin<Box<B>>, patience: Duration) -> Result<Bytes, StatusError>
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: std::fmt::Display,
{
    tokio::time::timeout(patience, read_whole(body)).await.unwrap_or_else(|_| {
        let message = format!("Timeout: the request's body did not arrive within {patience:?}");
        Err(StatusError::new(Reason::Timeout, message))
    })
}

async fn read_whole<B>(mut body: Pin<Box<B>>) -> Result<Bytes, StatusError>
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
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            StatusError::bad_request(format!("the request's body could not be read: {error}"))
        })?;
        let Ok(data) = frame.into_data() else { continue };
        if first.len() + all.len() + data.len() > MAX_REQUEST_BYTES {
            discard(body);
            return Err(StatusError::too_large(MAX_REQUEST_BYTES));
        }
        // A body of one frame, which is nearly every body, is not copied.
        if first.is_empty() && all.is_empty() {
            first = data;
        } else {
            all.extend_from_slice(&std::mem::take(&mut first));
            all.extend_from_slice(&data);
        }
    }
    Ok(if all.is_empty() { first } else { all.freeze() })
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
        let error =
            read_within(Box::pin(body), Duration::from_millis(1)).await.expect_err("endless");
        assert_eq!(error.code(), 504);
    }
}
