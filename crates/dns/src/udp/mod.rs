//! UDP: for each address, one thread and one socket per core, all on the same port (`SO_REUSEPORT`), so that
//! the kernel spreads clients over threads that share nothing.

mod socket;

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::forward::Waiting;
use crate::server::Shared;
use crate::{Answering, Outcome, Rotation, Transport};

pub(crate) use socket::Datagrams;
use socket::Peer;

/// The longest query read, in octets. A longer one arrives cut and is answered FORMERR: nothing that asks us
/// something sensible comes near.
const QUERY_MAX: usize = 4096;

/// Binds `count` sockets to one address and port.
///
/// The first binds without `SO_REUSEPORT`, and so fails where anyone else has the port: with the option from
/// the start, a second server of the same user would silently get half of the queries.
pub(crate) fn bind(address: SocketAddr, count: usize) -> io::Result<Vec<Arc<Datagrams>>> {
    let first = Datagrams::bind_alone(address)?;
    let address = first.local_address()?;
    let mut sockets = vec![Arc::new(first)];
    for _ in 1..count {
        sockets.push(Arc::new(Datagrams::bind_shared(address)?));
    }
    Ok(sockets)
}

/// Starts the thread that serves `socket` until [`Datagrams::stop`].
pub(crate) fn spawn<A: Answering + Send + Sync + 'static>(
    socket: Arc<Datagrams>,
    shared: Arc<Shared<A>>,
    number: usize,
) -> io::Result<JoinHandle<()>> {
    thread::Builder::new()
        .name(format!("dns-udp-{number}"))
        .spawn(move || serve(&socket, &shared, number))
}

fn serve<A: Answering + Send + Sync + 'static>(
    socket: &Arc<Datagrams>,
    shared: &Arc<Shared<A>>,
    number: usize,
) {
    let rotation = Rotation::new(number);
    let mut query = [0; QUERY_MAX];
    let mut reply = Vec::with_capacity(QUERY_MAX);
    while !socket.is_stopped() {
        let (length, peer) = match socket.receive(&mut query) {
            Ok(received) => received,
            Err(error) => {
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
                continue;
            }
        };
        if length == 0 {
            // What a stopped socket returns, and an empty datagram.
            continue;
        }
        // A thread that dies takes its socket's share of the clients with it.
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let query = &query[..length];
            match shared.answer(&rotation, Transport::Udp, query, &mut reply) {
                Ok(outcome) => outcome,
                Err(waiting) => {
                    reply_later(socket.clone(), shared.clone(), peer, waiting);
                    Outcome::Dropped
                }
            }
        }));
        let Ok(outcome) = outcome else {
            tracing::error!("a DNS query was dropped: answering it panicked");
            continue;
        };
        if outcome != Outcome::Dropped
            && let Err(error) = socket.send(&reply, &peer)
        {
            tracing::debug!(%error, client = %peer.address, "sending a DNS reply over UDP");
        }
    }
}

/// Replies to a query when an upstream has answered, or failed to.
fn reply_later<A: Answering + Send + Sync + 'static>(
    socket: Arc<Datagrams>,
    shared: Arc<Shared<A>>,
    peer: Peer,
    waiting: Waiting,
) {
    let Some(forwarder) = &shared.forwarder else { return };
    forwarder.runtime().clone().spawn(async move {
        let ready = waiting.ready().await;
        let mut reply = Vec::new();
        shared.complete(ready, &mut reply);
        if let Err(error) = socket.send(&reply, &peer) {
            tracing::debug!(%error, client = %peer.address, "sending a DNS reply over UDP");
        }
    });
}
