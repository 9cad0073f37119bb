//! TCP and TLS to an upstream: one connection for many questions, whose replies come in any order (RFC 7766 §6.2.1,
//! RFC 7858 §3.3).

use std::collections::HashMap;
use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;

use super::upstream::{Upstream, UpstreamProtocol};

/// How long a connection stays open without a reply, whether one is due (it is dead) or not (it is idle).
const IDLE: Duration = Duration::from_secs(8);

/// Questions that wait to be written.
const QUEUE: usize = 16;

/// Questions on one connection that have no reply yet, those included that nobody waits for any more.
const UNDER_WAY_MAX: usize = 4096;

/// The connection to an upstream, if there is one.
#[derive(Default)]
pub(super) struct Streams {
    current: Mutex<Option<mpsc::Sender<Ask>>>,
}

/// A query with its id, and who waits for the reply.
struct Ask {
    message: Vec<u8>,
    reply: oneshot::Sender<Vec<u8>>,
}

impl Streams {
    /// Asks, on the connection that there is or on a new one.
    pub(super) async fn ask(
        &self,
        upstream: &Upstream,
        tls: Option<&TlsConnector>,
        message: &[u8],
    ) -> io::Result<Vec<u8>> {
        loop {
            let (asks, is_new) = self.connection(upstream, tls).await?;
            let (reply, replied) = oneshot::channel();
            if asks.send(Ask { message: message.to_vec(), reply }).await.is_ok()
                && let Ok(reply) = replied.await
            {
                return Ok(reply);
            }
            // Upstreams close connections when they like: the next one is new, and so is the error if it fails.
            if is_new {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
        }
    }

    async fn connection(
        &self,
        upstream: &Upstream,
        tls: Option<&TlsConnector>,
    ) -> io::Result<(mpsc::Sender<Ask>, bool)> {
        let mut current = self.current.lock().await;
        if let Some(asks) = current.as_ref().filter(|asks| !asks.is_closed()) {
            return Ok((asks.clone(), false));
        }
        let stream = TcpStream::connect(upstream.address).await?;
        stream.set_nodelay(true)?;
        let (asks, asked) = mpsc::channel(QUEUE);
        match (&upstream.protocol, tls) {
            (UpstreamProtocol::Tls(name), Some(tls)) => {
                let stream = tls.connect(name.clone(), stream).await?;
                tokio::spawn(Connection::new(asked).serve(stream));
            }
            (UpstreamProtocol::Tls(_), None) => {
                return Err(io::Error::other("no authorities were read to check it by"));
            }
            (UpstreamProtocol::Udp | UpstreamProtocol::Tcp, _) => {
                tokio::spawn(Connection::new(asked).serve(stream));
            }
        }
        *current = Some(asks.clone());
        Ok((asks, true))
    }
}

/// Carries questions and replies until the connection ends; those who still wait then learn it by their channel.
struct Connection {
    asked: mpsc::Receiver<Ask>,
    /// By the id on this connection: the id of the query, and who waits.
    under_way: HashMap<u16, ([u8; 2], oneshot::Sender<Vec<u8>>)>,
    last_id: u16,
    /// What was read and is no whole message yet.
    input: Vec<u8>,
}

impl Connection {
    fn new(asked: mpsc::Receiver<Ask>) -> Self {
        Self { asked, under_way: HashMap::new(), last_id: 0, input: Vec::new() }
    }

    async fn serve(mut self, stream: impl AsyncRead + AsyncWrite) {
        let (mut reader, mut writer) = tokio::io::split(stream);
        let mut chunk = vec![0; 4096];
        let mut deadline = Instant::now() + IDLE;
        loop {
            tokio::select! {
                read = timeout_at(deadline, reader.read(&mut chunk)) => match read {
                    Ok(Ok(length @ 1..)) => {
                        self.input.extend_from_slice(&chunk[..length]);
                        self.take_replies();
                        deadline = Instant::now() + IDLE;
                    }
                    Ok(Ok(0) | Err(_)) | Err(_) => return,
                },
                ask = self.asked.recv(), if self.under_way.len() < UNDER_WAY_MAX => {
                    let Some(ask) = ask else { return };
                    if self.under_way.is_empty() {
                        deadline = Instant::now() + IDLE;
                    }
                    let framed = self.frame(ask);
                    let write = async {
                        writer.write_all(&framed).await?;
                        writer.flush().await
                    };
                    if !matches!(timeout(IDLE, write).await, Ok(Ok(()))) {
                        return;
                    }
                }
            }
        }
    }

    /// Gives a query an id that no other on this connection has. Over a stream nobody can guess it: an id serves to
    /// tell queries apart, no more.
    fn frame(&mut self, ask: Ask) -> Vec<u8> {
        let Ask { message, reply } = ask;
        while self.under_way.contains_key(&self.last_id) {
            self.last_id = self.last_id.wrapping_add(1);
        }
        let id = self.last_id;
        self.last_id = id.wrapping_add(1);
        // A query of ours: a header at least, and shorter than 65,536 octets.
        let mut framed = (message.len() as u16).to_be_bytes().to_vec();
        framed.extend_from_slice(&id.to_be_bytes());
        framed.extend_from_slice(&message[2..]);
        self.under_way.insert(id, ([message[0], message[1]], reply));
        framed
    }

    fn take_replies(&mut self) {
        let mut taken = 0;
        while let Some((length, rest)) = self.input[taken..].split_first_chunk::<2>()
            && let Some(message) = rest.get(..usize::from(u16::from_be_bytes(*length)))
        {
            taken += 2 + message.len();
            if let Some((id, rest)) = message.split_first_chunk::<2>()
                && let Some((own_id, reply)) = self.under_way.remove(&u16::from_be_bytes(*id))
            {
                // Who has given up waiting takes no reply.
                let _ = reply.send([&own_id[..], rest].concat());
            }
        }
        self.input.drain(..taken);
        self.input.shrink_to(4096);
    }
}
