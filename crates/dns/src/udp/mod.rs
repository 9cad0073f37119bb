//! UDP: for each address, one thread and one socket per core, all on the same port (`SO_REUSEPORT`), so that
//! the kernel spreads clients over threads that share nothing.
//!
//! [`serve()`] carries octets between a socket and a function; it knows nothing of DNS. It does so by one of two
//! ways behind one trait: many datagrams a system call, on Linux, or one, everywhere.

#[cfg(target_os = "linux")]
mod batch;
mod exchange;
#[cfg(target_os = "linux")]
mod packet_info;
#[cfg(target_os = "linux")]
mod sockaddr;
mod socket;

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::forward::Waiting;
use crate::server::Shared;
use crate::shared::Asking;
use crate::{Answering, Rotation};

use exchange::{Exchange, Singles};
pub use socket::{Datagrams, Local, Peer};

/// The longest query read, in octets. A longer one arrives cut, so what it says last is missing: FORMERR, as a
/// rule. Nothing that asks us something sensible comes near.
pub const QUERY_MAX: usize = 4096;

/// Binds `count` sockets to one address and port.
///
/// The first binds without `SO_REUSEPORT`, and so fails where anyone else has the port: with the option from
/// the start, a second server of the same user would silently get half of the queries.
///
/// # Errors
///
/// The address can't be had.
pub fn bind(address: SocketAddr, count: usize) -> io::Result<Vec<Arc<Datagrams>>> {
    let first = Datagrams::bind_alone(address)?;
    let address = first.local_address()?;
    let mut sockets = vec![Arc::new(first)];
    for _ in 1..count {
        sockets.push(Arc::new(Datagrams::bind_shared(address)?));
    }
    Ok(sockets)
}

/// Starts the thread that answers the DNS queries of `socket` until [`Datagrams::stop`].
pub(crate) fn spawn<A: Answering + Send + Sync + 'static>(
    socket: Arc<Datagrams>,
    shared: Arc<Shared<A>>,
    number: usize,
) -> io::Result<JoinHandle<()>> {
    thread::Builder::new().name(format!("dns-udp-{number}")).spawn(move || {
        let rotation = Rotation::new(number);
        let mut live = shared.live.cached();
        let mut tally = shared.counters.udp_tally();
        serve(&socket, shared.udp_batch, |query, peer, reply| {
            let asking = Asking { client: peer.address, tally: &mut tally };
            match shared.answer(live.load(), &rotation, asking, query, reply) {
                // What is dropped leaves nothing to send.
                Ok(_outcome) => {}
                Err(waiting) => reply_later(socket.clone(), shared.clone(), *peer, waiting),
            }
        });
    })
}

/// Serves a socket on this thread until [`Datagrams::stop`].
///
/// `answer` is given a query, whom it is from, and an empty buffer; what it leaves there is sent back, and
/// nothing when it leaves it empty. A panic in it costs that reply alone. At most `batch` datagrams are taken
/// and sent by one system call; a query that comes alone is answered at once. With 1, and where the system has
/// no calls for many, each datagram has its own.
pub fn serve(
    socket: &Datagrams,
    batch: NonZeroUsize,
    mut answer: impl FnMut(&[u8], &Peer, &mut Vec<u8>),
) {
    let guarded = |query: &[u8], peer: &Peer, reply: &mut Vec<u8>| {
        // A thread that dies takes its socket's share of the clients with it.
        if catch_unwind(AssertUnwindSafe(|| answer(query, peer, reply))).is_err() {
            reply.clear();
            tracing::error!("a DNS query was dropped: answering it panicked");
        }
    };
    match batch.get() {
        #[cfg(target_os = "linux")]
        2.. => run(socket, batch::Batches::new(batch.get()), guarded),
        _ => run(socket, Singles::new(), guarded),
    }
}

fn run(
    socket: &Datagrams,
    mut exchange: impl Exchange,
    mut answer: impl FnMut(&[u8], &Peer, &mut Vec<u8>),
) {
    while !socket.is_stopped() {
        let Err(error) = exchange.round(socket, &mut answer) else { continue };
        match error.kind() {
            // A look at the stop flag; or an ICMP message about a reply that nobody took.
            ErrorKind::WouldBlock
            | ErrorKind::TimedOut
            | ErrorKind::Interrupted
            | ErrorKind::ConnectionRefused
            | ErrorKind::ConnectionReset => {}
            // A stopped socket's datagram has no sender.
            _ if socket.is_stopped() => {}
            _ => {
                tracing::warn!(%error, "receiving DNS queries over UDP");
                // The error may stay; don't spin on it.
                thread::sleep(Duration::from_millis(10));
            }
        }
    }
}

/// Replies to a query when an upstream has answered, or failed to.
fn reply_later<A: Answering + Send + Sync + 'static>(
    socket: Arc<Datagrams>,
    shared: Arc<Shared<A>>,
    peer: Peer,
    waiting: Box<Waiting>,
) {
    let Some(forwarder) = &shared.forwarder else { return };
    forwarder.runtime().clone().spawn(async move {
        let ready = waiting.ready().await;
        let mut reply = Vec::new();
        shared.complete(peer.address, ready, &mut reply);
        if let Err(error) = socket.send(&reply, &peer) {
            tracing::debug!(%error, client = %peer.address, "sending a DNS reply over UDP");
        }
    });
}
