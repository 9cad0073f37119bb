//! WebSockets: of messages, for sessions, and as what carries SPDY.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use futures::stream::{SplitSink, SplitStream};
use futures::{Sink as _, SinkExt as _, Stream as _, StreamExt as _};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::channels::{self, Input, Output, Protocol};
use super::session::{Gone, Inputs, Outputs};

/// The largest message that is read, in octets. Clients in Go send 32 KiB at a time; others send what they are given.
const MESSAGE_MAX: usize = 4 * 1024 * 1024;

/// A client has so long to get ready: kubectl before 1.34 reads before it knows its channels, and drops what comes for them until then ("Unknown
/// stream id"). A server that is further away never meets it.
const HEAD_START: Duration = Duration::from_millis(30);

/// Octets read, and kept of what is to be written, at once.
const BUFFER: usize = 64 * 1024;

/// A WebSocket, of which the server is one side, over what it was agreed on.
pub(super) async fn accept<T: AsyncRead + AsyncWrite + Unpin>(carrier: T) -> WebSocketStream<T> {
    let config = WebSocketConfig::default()
        .read_buffer_size(BUFFER)
        .write_buffer_size(BUFFER)
        .max_write_buffer_size(4 * BUFFER)
        .max_message_size(Some(MESSAGE_MAX))
        .max_frame_size(Some(MESSAGE_MAX));
    WebSocketStream::from_raw_socket(carrier, Role::Server, Some(config)).await
}

/// The two sides of a session's WebSocket.
pub(super) fn session<T: AsyncRead + AsyncWrite + Send + Unpin>(
    socket: WebSocketStream<T>,
    protocol: Protocol,
) -> (Receiver<T>, Sender<T>) {
    let (sink, stream) = socket.split();
    let listens = Instant::now() + HEAD_START;
    (Receiver { stream, protocol }, Sender { sink: Mutex::new(sink), listens })
}

/// What comes over a session's WebSocket.
pub(super) struct Receiver<T> {
    stream: SplitStream<WebSocketStream<T>>,
    protocol: Protocol,
}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Inputs for Receiver<T> {
    async fn next(&mut self) -> Option<Input> {
        loop {
            let message = match self.stream.next().await?.ok()? {
                Message::Binary(message) => message,
                // Python's client sends text where it is given text.
                Message::Text(message) => message.into(),
                // Pings are answered by the library.
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => continue,
                // The stream ends once the answer to this is sent.
                Message::Close(_) => continue,
            };
            if let Some(input) = channels::parse(self.protocol, message) {
                return Some(input);
            }
        }
    }
}

/// What goes over a session's WebSocket.
pub(super) struct Sender<T> {
    sink: Mutex<SplitSink<WebSocketStream<T>, Message>>,
    /// Nothing is sent before.
    listens: Instant,
}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Outputs for Sender<T> {
    async fn send(&self, to: Output, data: Bytes) -> Result<(), Gone> {
        let message = Message::Binary(channels::message(to, &data));
        sleep_until(self.listens).await;
        self.sink.lock().await.send(message).await.map_err(|_| Gone)
    }

    async fn finish(&self) {
        // An error means that the client has closed before.
        _ = self.sink.lock().await.send(Message::Close(Some(normal()))).await;
    }
}

fn normal() -> CloseFrame {
    CloseFrame { code: CloseCode::Normal, reason: "".into() }
}

/// A WebSocket as what carries octets: the bounds of its messages mean nothing.
pub(super) struct Tunnel<T> {
    socket: WebSocketStream<T>,
    /// What is left of the last message.
    rest: Bytes,
}

impl<T> Tunnel<T> {
    pub(super) fn new(socket: WebSocketStream<T>) -> Self {
        Self { socket, rest: Bytes::new() }
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncRead for Tunnel<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.rest.is_empty() {
            match ready!(Pin::new(&mut self.socket).poll_next(context)) {
                Some(Ok(Message::Binary(message))) => self.rest = message,
                Some(Ok(Message::Text(_))) => {
                    let message = "a message of text, where only binary ones carry SPDY";
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, message)));
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return Poll::Ready(Err(broken(error))),
                None => return Poll::Ready(Ok(())),
            }
        }
        let count = self.rest.len().min(buffer.remaining());
        buffer.put_slice(&self.rest[..count]);
        self.rest.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Tunnel<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(Pin::new(&mut self.socket).poll_ready(context)).map_err(broken)?;
        let some = &octets[..octets.len().min(BUFFER)];
        let message = Message::Binary(Bytes::copy_from_slice(some));
        Pin::new(&mut self.socket).start_send(message).map_err(broken)?;
        Poll::Ready(Ok(some.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context).map_err(broken)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_close(context).map_err(broken)
    }
}

fn broken(error: Error) -> io::Error {
    match error {
        Error::Io(error) => error,
        Error::ConnectionClosed | Error::AlreadyClosed => io::ErrorKind::BrokenPipe.into(),
        other => io::Error::new(io::ErrorKind::InvalidData, other),
    }
}
