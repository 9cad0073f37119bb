//! Programs behind Services.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream;
use http::{Request, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// The size of a part of `/large`, and how many there are.
pub(crate) const PART: usize = 64 * 1024;
pub(crate) const PARTS: usize = 256;

/// The example of RFC 6455, §1.3.
pub(crate) const WEBSOCKET_KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const WEBSOCKET_ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// A server that tells what it was asked: `/large` is many bytes, `/parts` goes on when it is told to, and what is sent to
/// it is counted.
pub(crate) async fn echo(name: &'static str, go_on: Arc<Notify>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let go_on = go_on.clone();
            let service = service_fn(move |request| answer(name, request, go_on.clone()));
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    address
}

async fn answer(
    name: &'static str,
    request: Request<Incoming>,
    go_on: Arc<Notify>,
) -> Result<Response<BoxBody<Bytes, Infallible>>, Infallible> {
    let (parts, body) = request.into_parts();
    let body = match parts.uri.path() {
        "/large" => {
            let part = Bytes::from(vec![b'x'; PART]);
            let frames = stream::repeat(part).take(PARTS).map(|part| Ok(Frame::data(part)));
            BodyExt::boxed(StreamBody::new(frames))
        }
        "/parts" => {
            let first = stream::iter([Bytes::from_static(b"first ")]);
            let second = stream::once(async move {
                go_on.notified().await;
                Bytes::from_static(b"second")
            });
            let frames = first.chain(second).map(|part| Ok(Frame::data(part)));
            BodyExt::boxed(StreamBody::new(frames))
        }
        _ => {
            let sent = body.collect().await.unwrap().to_bytes().len();
            let mut text = format!("{name} {} {} {sent} bytes\n", parts.method, parts.uri);
            for (header, value) in &parts.headers {
                text.push_str(&format!("{header}: {}\n", value.to_str().unwrap()));
            }
            Full::new(Bytes::from(text)).boxed()
        }
    };
    let mut response = Response::new(body);
    response.headers_mut().insert("x-backend", name.parse().unwrap());
    // A header for this connection alone.
    response.headers_mut().insert("keep-alive", "timeout=5".parse().unwrap());
    Ok(response)
}

/// A server that agrees to WebSocket and then shouts what it hears.
pub(crate) async fn shout() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(shout_on(stream));
        }
    });
    address
}

async fn shout_on(mut stream: TcpStream) {
    let head = read_head(&mut stream).await.to_ascii_lowercase();
    assert!(head.contains("upgrade: websocket"), "{head}");
    assert!(head.contains("sec-websocket-protocol: chat"), "{head}");
    let agreed = format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Accept: {WEBSOCKET_ACCEPT}\r\n\r\n"
    );
    stream.write_all(agreed.as_bytes()).await.unwrap();
    let mut buffer = [0; 1024];
    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
        buffer[..count].make_ascii_uppercase();
        stream.write_all(&buffer[..count]).await.unwrap();
    }
}

/// A server that takes a request and goes away.
pub(crate) async fn hang_up() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            read_head(&mut stream).await;
        }
    });
    address
}

/// Reads up to the empty line.
pub(crate) async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}
