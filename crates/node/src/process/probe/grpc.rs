//! Asking by gRPC's health protocol (`grpc.health.v1.Health/Check`): one call, one message of one field each way.

use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::rt::{TokioExecutor, TokioIo};
use k8s_openapi::api::core::v1::GRPCAction;
use tokio::time::timeout;

use super::http::USER_AGENT;
use super::{Seen, Target, join};

/// An answer is a few octets.
const ANSWER_BYTES: usize = 4 << 10;

/// The code of gRPC for a call that a server does not know.
const UNIMPLEMENTED: &str = "12";

pub(super) async fn look(target: &Target, action: &GRPCAction, time: Duration) -> Seen {
    let Some(port) = u16::try_from(action.port).ok().filter(|port| *port > 0) else {
        return Seen::Errored(format!("invalid port number: {}", action.port));
    };
    let at = join(&target.host(None), port);
    let service = action.service.as_deref().unwrap_or_default();
    match timeout(time, ask(target, port, &at, service)).await {
        Ok(Ok(1)) => Seen::Well,
        Ok(Ok(status)) => {
            let name = status_name(status);
            Seen::Unwell(format!("service unhealthy (responded with \"{name}\")"))
        }
        Ok(Err(message)) => Seen::Unwell(message),
        Err(_) => {
            let seconds = time.as_secs();
            Seen::Unwell(format!(
                "timeout: failed to connect service \"{at}\" within {seconds}s: context deadline exceeded"
            ))
        }
    }
}

fn status_name(status: u64) -> String {
    match status {
        0 => "UNKNOWN".to_owned(),
        2 => "NOT_SERVING".to_owned(),
        3 => "SERVICE_UNKNOWN".to_owned(),
        other => other.to_string(),
    }
}

async fn ask(target: &Target, port: u16, at: &str, service: &str) -> Result<u64, String> {
    let unreachable =
        |error: String| format!("error: failed to connect service at \"{at}\": {error}");
    let broken = |error: &dyn std::fmt::Display| format!("error: health rpc probe failed: {error}");
    let stream = target.connect(None, port).await.map_err(unreachable)?;
    let executor = TokioExecutor::new();
    let shaken = hyper::client::conn::http2::handshake(executor, TokioIo::new(stream)).await;
    let (mut sender, connection) = shaken.map_err(|error| unreachable(error.to_string()))?;
    let connection = tokio::spawn(connection);
    // Whatever becomes of the call, the connection goes with it.
    let _end = AbortOnDrop(connection.abort_handle());
    let request = Request::post(format!("http://{at}/grpc.health.v1.Health/Check"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("user-agent", USER_AGENT)
        .body(Full::new(message(service)))
        .map_err(|error| broken(&error))?;
    let response = sender.send_request(request).await.map_err(|error| broken(&error))?;
    if response.status() != StatusCode::OK {
        return Err(broken(&format!("HTTP status {}", response.status())));
    }
    let (head, body) = response.into_parts();
    let collected = Limited::new(body, ANSWER_BYTES).collect().await;
    let collected = collected.map_err(|error| broken(&error))?;
    let trailers = collected.trailers().cloned().unwrap_or_default();
    check_status(&head.headers, &trailers)?;
    status(&collected.to_bytes()).ok_or_else(|| broken(&"the answer is not one of the protocol"))
}

struct AbortOnDrop(tokio::task::AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The request, in the frame that gRPC has for messages: not compressed, its length, itself.
fn message(service: &str) -> Bytes {
    let mut message = BytesMut::new();
    if !service.is_empty() {
        // Field 1, of bytes.
        message.put_u8(0x0a);
        let mut length = service.len();
        while length >= 0x80 {
            message.put_u8((length & 0x7f) as u8 | 0x80);
            length >>= 7;
        }
        message.put_u8(length as u8);
        message.put_slice(service.as_bytes());
    }
    let mut frame = BytesMut::with_capacity(message.len() + 5);
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    frame.extend_from_slice(&message);
    frame.freeze()
}

/// Whether the call as such has succeeded: it is said behind the answer, or before it if there is none.
fn check_status(head: &HeaderMap, trailers: &HeaderMap) -> Result<(), String> {
    let field = |name: &str| {
        let value = trailers.get(name).or_else(|| head.get(name))?;
        value.to_str().ok().map(str::to_owned)
    };
    let message = field("grpc-message").unwrap_or_default();
    match field("grpc-status").as_deref() {
        Some("0") => Ok(()),
        Some(UNIMPLEMENTED) => Err(format!(
            "error: this server does not implement the grpc health protocol (grpc.health.v1.Health): {message}"
        )),
        Some(code) => Err(format!(
            "error: health rpc probe failed: rpc error: code = {code} desc = {message}"
        )),
        None => Err("error: health rpc probe failed: the answer has no status".to_owned()),
    }
}

/// The status that an answer says; 0 where it is left out.
fn status(frame: &[u8]) -> Option<u64> {
    let [0, a, b, c, d, message @ ..] = frame else { return None };
    let length = usize::try_from(u32::from_be_bytes([*a, *b, *c, *d])).ok()?;
    let mut message = message.get(..length)?;
    let mut status = 0;
    while !message.is_empty() {
        let key = varint(&mut message)?;
        // Other fields than the first, and other types than numbers, are none of the protocol.
        let value = (key & 7 == 0).then(|| varint(&mut message)).flatten()?;
        if key >> 3 == 1 {
            status = value;
        }
    }
    Some(status)
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages() {
        assert_eq!(&message("")[..], [0, 0, 0, 0, 0]);
        assert_eq!(&message("ab")[..], [0, 0, 0, 0, 4, 0x0a, 2, b'a', b'b']);
        let long = message(&"x".repeat(300));
        assert_eq!(long[..8], [0, 0, 0, 1, 47, 0x0a, 0xac, 2]);
        let check = |frame: &[u8], expected: Option<u64>| assert_eq!(status(frame), expected);
        check(&[0, 0, 0, 0, 2, 0x08, 1], Some(1));
        check(&[0, 0, 0, 0, 2, 0x08, 2], Some(2));
        check(&[0, 0, 0, 0, 0], Some(0));
        check(&[0, 0, 0, 0, 4, 0x10, 9, 0x08, 1], Some(1));
        check(&[0, 0, 0, 0, 3, 0x08, 1], None);
        check(&[1, 0, 0, 0, 0], None);
        check(&[0, 0, 0, 0, 1, 0x80], None);
        check(&[], None);
    }

    #[test]
    fn calls_that_fail() {
        let check = |head: &[(&'static str, &'static str)],
                     trailers: &[(&'static str, &'static str)],
                     expected: &str| {
            let map = |fields: &[(&'static str, &'static str)]| -> HeaderMap {
                let fields = fields.iter().map(|(name, value)| {
                    (http::HeaderName::from_static(name), http::HeaderValue::from_static(value))
                });
                fields.collect()
            };
            let seen = check_status(&map(head), &map(trailers)).err().unwrap_or_default();
            assert_eq!(seen, expected);
        };
        check(&[], &[("grpc-status", "0")], "");
        check(&[("grpc-status", "0")], &[], "");
        check(
            &[("grpc-status", "12"), ("grpc-message", "unknown service")],
            &[],
            "error: this server does not implement the grpc health protocol (grpc.health.v1.Health): unknown service",
        );
        check(
            &[],
            &[("grpc-status", "5"), ("grpc-message", "unknown service")],
            "error: health rpc probe failed: rpc error: code = 5 desc = unknown service",
        );
        check(&[], &[], "error: health rpc probe failed: the answer has no status");
    }
}
