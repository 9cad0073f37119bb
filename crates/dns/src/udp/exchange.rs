//! How datagrams come in and their replies go out, and the way that every system has.

use std::io;

use super::{Datagrams, Peer, QUERY_MAX};

/// One thread's buffers, made once: a round allocates nothing.
pub(super) trait Exchange {
    /// Waits for a datagram, lets `answer` write the reply to it and to those that are there with it, and sends
    /// what it wrote. Returns how many datagrams came.
    ///
    /// A reply that can't be sent is lost, as datagrams may be, and no other with it.
    ///
    /// # Errors
    ///
    /// None came: the socket was stopped, it is time to look whether it was, or receiving failed.
    fn round(
        &mut self,
        socket: &Datagrams,
        answer: &mut impl FnMut(&[u8], &Peer, &mut Vec<u8>),
    ) -> io::Result<usize>;
}

/// One datagram a system call.
pub(super) struct Singles {
    query: Box<[u8; QUERY_MAX]>,
    reply: Vec<u8>,
}

impl Singles {
    pub(super) fn new() -> Self {
        Self { query: Box::new([0; QUERY_MAX]), reply: Vec::with_capacity(QUERY_MAX) }
    }
}

impl Exchange for Singles {
    fn round(
        &mut self,
        socket: &Datagrams,
        answer: &mut impl FnMut(&[u8], &Peer, &mut Vec<u8>),
    ) -> io::Result<usize> {
        let Self { query, reply } = self;
        let (length, peer) = socket.receive(&mut query[..])?;
        // Empty: a stopped socket's, or of no use.
        if length > 0 {
            reply.clear();
            answer(&query[..length], &peer, reply);
        }
        if length > 0
            && !reply.is_empty()
            && let Err(error) = socket.send(reply, &peer)
        {
            tracing::debug!(%error, client = %peer.address, "sending a DNS reply over UDP");
        }
        Ok(1)
    }
}
