//! TCP: messages with a length before them, any number on a connection (RFC 7766).
//!
//! Everything a client can fill is bounded: connections in total and per client, the octets kept of a message
//! that is not whole, the time it may take, the queries that wait for upstreams. No more is read while a client
//! does not take its replies in.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsAcceptor;

use crate::counters::Tally;
use crate::https;
use crate::live::Serving;
use crate::server::Shared;
use crate::shared::Asking;
use crate::{Answering, Outcome, Rotation, transfer};

/// How much is read at once, in octets.
const CHUNK: usize = 4096;

/// Replies are sent when they have this many octets, or when no whole query is left.
const FLUSH: usize = 64 << 10;

/// Queries of one connection that wait for upstreams; more are read when one of them is answered.
const WAITING_MAX: usize = 100;

/// Messages of a zone transfer that are made before the client takes them.
const MESSAGES_AHEAD: usize = 4;

/// Binds a listener.
pub(crate) fn bind(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    use socket2::{Domain, Protocol, Socket, Type};
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // A restart does not wait for connections of the last run to be forgotten; Windows gives it another sense.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(1024)?;
    Ok(socket.into())
}

/// What is spoken on a listener's connections.
#[derive(Clone)]
pub(crate) enum Speaks {
    /// DNS.
    Dns,
    /// DNS over TLS (RFC 7858).
    Tls(TlsAcceptor),
    /// DNS over HTTPS (RFC 8484).
    Https(TlsAcceptor),
}

/// Serves a listener until `stop` turns true, then waits for the replies under way, but not for long.
pub(crate) async fn serve<A: Answering + Send + Sync + 'static>(
    listener: TcpListener,
    speaks: Speaks,
    shared: Arc<Shared<A>>,
    mut stop: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    let mut number = 0;
    loop {
        let accepted = tokio::select! {
            biased;
            _ = stopped(&mut stop) => break,
            accepted = listener.accept() => accepted,
        };
        while connections.try_join_next().is_some() {}
        let (stream, client) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::debug!(%error, "accepting a DNS connection");
                // Out of file descriptors, as a rule: let connections end.
                tokio::time::sleep(Duration::from_millis(10)).await;
                continue;
            }
        };
        let Some(guard) = shared.clients.enter(client.ip()) else {
            shared.counters.count_refused_connection();
            continue;
        };
        let slot = tokio::select! {
            biased;
            _ = stopped(&mut stop) => break,
            slot = shared.clients.slot() => slot,
        };
        number += 1;
        let (shared, speaks, stop) = (shared.clone(), speaks.clone(), stop.clone());
        connections.spawn(async move {
            let _held = (guard, slot);
            let rotation = Rotation::new(number);
            let from = From { client, rotation, tally: shared.counters.tcp_tally() };
            if let Err(error) = speak(speaks, stream, from, &shared, stop).await {
                tracing::debug!(error, %client, "a DNS connection ended");
            }
        });
    }
    drop(listener);
    let grace = shared.tcp.shutdown_grace;
    // Those that are left when the time is up end with the set.
    let _ = timeout(grace, async { while connections.join_next().await.is_some() {} }).await;
}

/// Whom a connection is from, and what goes with it.
struct From {
    client: SocketAddr,
    rotation: Rotation,
    tally: Tally,
}

async fn speak<A: Answering + Send + Sync + 'static>(
    speaks: Speaks,
    stream: TcpStream,
    from: From,
    shared: &Arc<Shared<A>>,
    mut stop: watch::Receiver<bool>,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    stream.set_nodelay(true)?;
    let acceptor = match &speaks {
        Speaks::Dns => {
            return Ok(Connection::new(stream, from).serve(shared, stop).await?);
        }
        Speaks::Tls(acceptor) | Speaks::Https(acceptor) => acceptor,
    };
    let stream = tokio::select! {
        stream = timeout(shared.tcp.idle_timeout, acceptor.accept(stream)) => stream??,
        () = stopped(&mut stop) => return Ok(()),
    };
    match speaks {
        Speaks::Https(_) => https::serve(stream, from.client, shared, stop).await,
        Speaks::Dns | Speaks::Tls(_) => {
            Ok(Connection::new(stream, from).serve(shared, stop).await?)
        }
    }
}

/// Waits until `stop` is true or nobody can set it any more.
pub(crate) async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stopped| *stopped).await;
}

/// A connection. Queries that our own zone or the cache answers are answered in the order they came; those that wait
/// for an upstream when it has answered, so that none holds up another (RFC 7766 §6.2.1.1).
struct Connection<S> {
    stream: S,
    from: From,
    /// Octets that were read and not yet answered.
    input: Vec<u8>,
    /// Replies with their lengths.
    output: Vec<u8>,
    /// Queries that wait for an upstream.
    waiting: JoinSet<Vec<u8>>,
}

/// Whether more is read from a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// The client closed it, was idle for too long or sent what is no query; or the server stops.
    Closed,
    /// More may come.
    Open,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    fn new(stream: S, from: From) -> Self {
        let waiting = JoinSet::new();
        Self { stream, from, input: Vec::new(), output: Vec::new(), waiting }
    }

    async fn serve<A: Answering + Send + Sync + 'static>(
        mut self,
        shared: &Arc<Shared<A>>,
        mut stop: watch::Receiver<bool>,
    ) -> io::Result<()> {
        let idle = shared.tcp.idle_timeout;
        while self.read_message(idle, &mut stop).await? == End::Open {
            if self.answer(shared, idle).await? == End::Closed {
                break;
            }
        }
        while let Some(reply) = self.waiting.join_next().await {
            self.put_later(reply);
            self.flush(idle).await?;
        }
        Ok(())
    }

    /// Reads until a whole message is there. The time runs for all of it, so that a client can't hold a
    /// connection by sending an octet now and then; it begins anew with a reply that it waited for.
    async fn read_message(
        &mut self,
        idle: Duration,
        stop: &mut watch::Receiver<bool>,
    ) -> io::Result<End> {
        let mut deadline = Instant::now() + idle;
        let mut chunk = [0; CHUNK];
        while self.waiting.len() >= WAITING_MAX || first_message(&self.input).is_none() {
            let may_read = self.waiting.len() < WAITING_MAX;
            let may_be_idle = !self.waiting.is_empty();
            let read = tokio::select! {
                biased;
                Some(reply) = self.waiting.join_next() => {
                    self.put_later(reply);
                    self.flush(idle).await?;
                    deadline = Instant::now() + idle;
                    continue;
                }
                read = timeout_at(deadline, self.stream.read(&mut chunk)), if may_read => read,
                _ = stopped(stop) => return Ok(End::Closed),
            };
            match read {
                Err(_elapsed) if may_be_idle => deadline = Instant::now() + idle,
                Err(_elapsed) => return Ok(End::Closed),
                Ok(read) => match read? {
                    0 => return Ok(End::Closed),
                    length => self.input.extend_from_slice(&chunk[..length]),
                },
            }
        }
        Ok(End::Open)
    }

    /// Answers every whole message that was read, or has it wait.
    async fn answer<A: Answering + Send + Sync + 'static>(
        &mut self,
        shared: &Arc<Shared<A>>,
        idle: Duration,
    ) -> io::Result<End> {
        let mut answered = 0;
        let mut end = End::Open;
        let mut reply = Vec::new();
        while self.waiting.len() < WAITING_MAX
            && let Some(query) = first_message(&self.input[answered..])
        {
            answered += 2 + query.len();
            let serving = shared.live.load();
            if transfer::is_granted(&serving.config, self.from.client.ip(), query) {
                let query = query.to_vec();
                if !self.transfer(shared, &query, idle).await? {
                    // The refusal of a zone that is not ours.
                    let From { client, rotation, tally } = &mut self.from;
                    let asking = Asking { client: *client, tally };
                    let _ = shared.answer(&serving, rotation, asking, &query, &mut reply);
                    self.put(&reply);
                }
                continue;
            }
            let From { client, rotation, tally } = &mut self.from;
            let (client, asking) = (*client, Asking { client: *client, tally });
            match shared.answer(&serving, rotation, asking, query, &mut reply) {
                Ok(Outcome::Dropped) => {
                    end = End::Closed;
                    break;
                }
                Ok(_) => self.put(&reply),
                Err(waiting) => {
                    let shared = shared.clone();
                    self.waiting.spawn(async move {
                        let ready = waiting.ready().await;
                        let mut reply = Vec::new();
                        shared.complete(client, ready, &mut reply);
                        reply
                    });
                }
            }
            if self.output.len() >= FLUSH {
                self.flush(idle).await?;
            }
        }
        self.flush(idle).await?;
        self.input.drain(..answered);
        // What a large message took is given back.
        self.input.shrink_to(CHUNK);
        self.output.shrink_to(CHUNK);
        Ok(end)
    }

    /// Sends a whole zone, which holds up what comes after it; false when the zone is not ours.
    async fn transfer<A: Answering + Send + Sync + 'static>(
        &mut self,
        shared: &Arc<Shared<A>>,
        query: &[u8],
        idle: Duration,
    ) -> io::Result<bool> {
        // Never closed.
        let Ok(_turn) = shared.transfers.clone().acquire_owned().await else { return Ok(false) };
        let (sender, mut messages) = mpsc::channel(MESSAGES_AHEAD);
        let task = tokio::task::spawn_blocking({
            let (serving, query) = (shared.live.load(), query.to_vec());
            move || {
                let send = |message| sender.blocking_send(message).is_ok();
                let Serving { config, answering } = &*serving;
                transfer::transfer(config, answering, &query, send)
            }
        });
        while let Some(message) = messages.recv().await {
            self.put(&message);
            self.flush(idle).await?;
        }
        let is_done = task.await.map_err(io::Error::other)?;
        if is_done {
            let From { client, rotation: _, tally } = &mut self.from;
            let begun = tally.begin_untimed();
            let (log, end) = (shared.live.load().config.log, crate::End::Own(Outcome::Answered));
            tally.end(begun, log, query, *client, end, &[]);
        }
        Ok(is_done)
    }

    fn put(&mut self, reply: &[u8]) {
        // A reply has at most 65,535 octets.
        self.output.extend_from_slice(&(reply.len() as u16).to_be_bytes());
        self.output.extend_from_slice(reply);
    }

    fn put_later(&mut self, reply: Result<Vec<u8>, JoinError>) {
        match reply {
            Ok(reply) => self.put(&reply),
            Err(error) => tracing::error!(%error, "a DNS query was dropped: answering it panicked"),
        }
    }

    async fn flush(&mut self, idle: Duration) -> io::Result<()> {
        if !self.output.is_empty() {
            let write = async {
                self.stream.write_all(&self.output).await?;
                self.stream.flush().await
            };
            timeout(idle, write).await??;
            self.output.clear();
        }
        Ok(())
    }
}

/// The first message of `input`, without its length, when all of it is there.
fn first_message(input: &[u8]) -> Option<&[u8]> {
    let (length, rest) = input.split_first_chunk::<2>()?;
    rest.get(..usize::from(u16::from_be_bytes(*length)))
}
