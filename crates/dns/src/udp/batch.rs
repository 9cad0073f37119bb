//! Many datagrams a system call: recvmmsg and sendmmsg (Linux).

use std::cell::UnsafeCell;
use std::io::{self, ErrorKind};
use std::mem::zeroed;
use std::ptr::null_mut;
use std::slice;

use super::exchange::Exchange;
use super::packet_info::{self, Control};
use super::sockaddr::{RAW_LEN, RawAddress};
use super::{Datagrams, Peer, QUERY_MAX};

/// The buffers of a thread that takes and sends many datagrams at once.
pub(super) struct Batches {
    queries: Queries,
    replies: Replies,
}

impl Batches {
    /// Room for `size` datagrams, and as many replies.
    pub(super) fn new(size: usize) -> Self {
        Self { queries: Queries::new(size), replies: Replies::new(size) }
    }
}

impl Exchange for Batches {
    fn round(
        &mut self,
        socket: &Datagrams,
        answer: &mut impl FnMut(&[u8], &Peer, &mut Vec<u8>),
    ) -> io::Result<usize> {
        let Self { queries, replies } = self;
        let count = queries.receive(socket)?;
        for at in 0..count {
            let Some((query, peer)) = queries.get(at) else { continue };
            let reply = replies.next();
            answer(query, &peer, reply);
            if !reply.is_empty() {
                replies.address(&peer);
            }
        }
        replies.send(socket);
        Ok(count)
    }
}

/// What a kernel writes when a datagram comes.
struct Slot {
    query: [u8; QUERY_MAX],
    address: RawAddress,
    control: Control,
    part: libc::iovec,
}

/// Datagrams as they came.
struct Queries {
    /// Written by the kernel through the pointers of `headers`, hence the cells.
    slots: Vec<UnsafeCell<Slot>>,
    /// Each points to its slot.
    headers: Vec<libc::mmsghdr>,
    /// How many headers the kernel has changed since they were made ready.
    used: usize,
}

// SAFETY: the pointers lead into the slots, which the same value owns and which move nowhere.
unsafe impl Send for Queries {}

impl Queries {
    fn new(size: usize) -> Self {
        let slot = || Slot {
            query: [0; QUERY_MAX],
            address: RawAddress::zeroed(),
            control: Control::default(),
            part: libc::iovec { iov_base: null_mut(), iov_len: 0 },
        };
        let slots: Vec<_> = (0..size).map(|_| UnsafeCell::new(slot())).collect();
        let headers = slots.iter().map(|slot| {
            let slot = slot.get();
            // SAFETY: the slot is alive and nobody else has a reference to it; a header of zeros is a valid one.
            unsafe {
                (*slot).part.iov_base = (&raw mut (*slot).query).cast();
                (*slot).part.iov_len = QUERY_MAX;
                let mut header: libc::mmsghdr = zeroed();
                header.msg_hdr.msg_name = (&raw mut (*slot).address).cast();
                header.msg_hdr.msg_iov = &raw mut (*slot).part;
                header.msg_hdr.msg_iovlen = 1;
                header.msg_hdr.msg_control = (&raw mut (*slot).control).cast();
                header
            }
        });
        Self { headers: headers.collect(), slots, used: size }
    }

    /// Waits for a datagram and takes those that are there then; how many.
    fn receive(&mut self, socket: &Datagrams) -> io::Result<usize> {
        let control_len = if socket.is_wildcard() { size_of::<Control>() } else { 0 };
        for header in &mut self.headers[..self.used] {
            header.msg_hdr.msg_namelen = RAW_LEN;
            header.msg_hdr.msg_controllen = control_len as _;
        }
        self.used = 0;
        // SAFETY: the headers are as many as said, and point to live buffers of the lengths that they say, which
        // nobody has a reference to while `self` is borrowed mutably.
        let count = unsafe {
            libc::recvmmsg(
                socket.descriptor(),
                self.headers.as_mut_ptr(),
                self.headers.len() as _,
                // Waits for the first alone: who asks alone is answered at once.
                libc::MSG_WAITFORONE as _,
                null_mut(),
            )
        };
        self.used = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
        Ok(self.used)
    }

    /// A datagram that came, and from whom. `None` for an empty one, and one of no sender: a stopped socket's.
    fn get(&self, at: usize) -> Option<(&[u8], Peer)> {
        let libc::mmsghdr { msg_hdr: header, msg_len } = &self.headers[..self.used][at];
        let slot = self.slots[at].get();
        // Clamped: with MSG_TRUNC among the flags, the length would be the datagram's own.
        let length = (*msg_len as usize).min(QUERY_MAX);
        // SAFETY: the kernel writes only while `self` is borrowed mutably, so until the references returned are
        // gone. The header was filled by a successful call.
        unsafe {
            let address = (*slot).address.read(header.msg_namelen)?;
            let query = slice::from_raw_parts((&raw const (*slot).query).cast(), length);
            let peer = Peer { address, local: packet_info::read(header) };
            (!query.is_empty()).then_some((query, peer))
        }
    }
}

/// Replies that are to be sent.
struct Replies {
    octets: Vec<Vec<u8>>,
    addresses: Vec<RawAddress>,
    controls: Vec<Control>,
    parts: Vec<libc::iovec>,
    headers: Vec<libc::mmsghdr>,
    /// How many are whole.
    count: usize,
}

// SAFETY: the pointers are made anew before each use.
unsafe impl Send for Replies {}

impl Replies {
    fn new(size: usize) -> Self {
        Self {
            octets: (0..size).map(|_| Vec::with_capacity(QUERY_MAX)).collect(),
            addresses: vec![RawAddress::zeroed(); size],
            controls: vec![Control::default(); size],
            parts: vec![libc::iovec { iov_base: null_mut(), iov_len: 0 }; size],
            // SAFETY: a header of zeros is a valid one.
            headers: vec![unsafe { zeroed() }; size],
            count: 0,
        }
    }

    /// The next reply's buffer, empty. It counts once [`Replies::address`] is called.
    fn next(&mut self) -> &mut Vec<u8> {
        let reply = &mut self.octets[self.count];
        reply.clear();
        reply
    }

    /// Completes the reply last written with whom it is for.
    fn address(&mut self, peer: &Peer) {
        let at = self.count;
        self.count += 1;
        let reply = &self.octets[at];
        let (address, address_len) = RawAddress::new(peer.address);
        self.addresses[at] = address;
        self.parts[at] =
            libc::iovec { iov_base: reply.as_ptr().cast_mut().cast(), iov_len: reply.len() };
        let header = &mut self.headers[at].msg_hdr;
        header.msg_name = (&raw mut self.addresses[at]).cast();
        header.msg_namelen = address_len;
        header.msg_iov = &raw mut self.parts[at];
        header.msg_iovlen = 1;
        match peer.local {
            Some(local) => packet_info::write(header, &mut self.controls[at], local),
            None => header.msg_controllen = 0,
        }
    }

    /// Sends all and forgets them.
    fn send(&mut self, socket: &Datagrams) {
        let due = &mut self.headers[..std::mem::take(&mut self.count)];
        send_all(due.len(), |from| {
            let due = &mut due[from..];
            // SAFETY: the headers are as many as said; `address` let them point to live values of the lengths that
            // they say, none of which has changed or moved since. sendmmsg writes to the headers' lengths alone.
            let sent =
                unsafe { libc::sendmmsg(socket.descriptor(), due.as_mut_ptr(), due.len() as _, 0) };
            usize::try_from(sent).map_err(|_| io::Error::last_os_error())
        });
    }
}

/// Sends `count` messages. `send` sends from the one with this number on, until one fails, and says how many went;
/// an error is about the first.
fn send_all(count: usize, mut send: impl FnMut(usize) -> io::Result<usize>) {
    let mut at = 0;
    while at < count {
        match send(at) {
            Ok(sent) => at += sent.max(1),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                // The send buffer stayed full for as long as a reply is waited for, and the others would wait again.
                tracing::debug!(lost = count - at, "sending DNS replies over UDP: no room to send");
                return;
            }
            Err(error) => {
                // About this client alone (no route, a firewall), or no memory just now.
                tracing::debug!(%error, "sending a DNS reply over UDP");
                at += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::time::Duration;

    use super::*;

    fn server() -> Datagrams {
        Datagrams::bind_alone("127.0.0.1:0".parse().unwrap()).unwrap()
    }

    fn client(server: &Datagrams) -> UdpSocket {
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.connect(server.local_address().unwrap()).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        client
    }

    fn read(client: &UdpSocket) -> Vec<u8> {
        let mut reply = [0; 64];
        let length = client.recv(&mut reply).unwrap();
        reply[..length].to_vec()
    }

    #[test]
    fn what_is_there_comes_in_one_round_and_no_round_waits_for_more() {
        let server = server();
        let clients: Vec<_> = (0..11).map(|_| client(&server)).collect();
        let mut batches = Batches::new(8);
        for repeat in 0..3 {
            for (number, client) in clients.iter().enumerate() {
                // Of differing lengths, the longest first: nothing of one is seen in another.
                client.send(&vec![number as u8; 20 - number]).unwrap();
            }
            let mut echo = |query: &[u8], peer: &Peer, reply: &mut Vec<u8>| {
                let number = usize::from(query[0]);
                assert_eq!(query, vec![number as u8; 20 - number]);
                assert_eq!(peer.address, clients[number].local_addr().unwrap());
                assert!(reply.is_empty());
                if !number.is_multiple_of(3) {
                    reply.extend([number as u8, repeat]);
                }
            };
            let rounds = [(); 2].map(|()| batches.round(&server, &mut echo).unwrap());
            assert_eq!(rounds, [8, 3]);
            for (number, client) in clients.iter().enumerate() {
                if !number.is_multiple_of(3) {
                    assert_eq!(read(client), [number as u8, repeat]);
                }
            }
        }
        for client in &clients {
            client.set_nonblocking(true).unwrap();
            assert!(client.recv(&mut [0; 1]).is_err(), "nothing else was sent");
        }
    }

    #[test]
    fn a_reply_that_cannot_be_sent_is_lost_alone() {
        let server = server();
        let clients = [client(&server), client(&server), client(&server)];
        let mut replies = Replies::new(8);
        // Nobody has port 0, and a socket that was not made for it may not broadcast.
        let lost = ["127.0.0.1:0", "255.255.255.255:9"].map(|text| text.parse().unwrap());
        let [first, second, third] = clients.each_ref().map(|c| c.local_addr().unwrap());
        for (number, address) in
            [lost[0], first, lost[0], lost[1], second, third, lost[1]].into_iter().enumerate()
        {
            replies.next().push(number as u8);
            replies.address(&Peer { address, local: None });
        }
        replies.send(&server);
        assert_eq!(clients.each_ref().map(read), [[1], [4], [5]]);
        replies.send(&server);
        clients[0].set_nonblocking(true).unwrap();
        assert!(clients[0].recv(&mut [0; 1]).is_err(), "sent once");
    }

    /// What `send_all` sends of 6 messages when the system does this at each call: which are tried, and the numbers
    /// of the messages that were sent.
    #[track_caller]
    fn check_sending(results: &[Result<usize, ErrorKind>], sent: &[usize]) {
        let mut results = results.iter();
        let mut seen = Vec::new();
        send_all(6, |from| match results.next().expect("no further call") {
            Ok(count) => {
                seen.extend(from..from + count);
                Ok(*count)
            }
            Err(kind) => Err((*kind).into()),
        });
        assert_eq!(seen, sent);
        assert_eq!(results.next(), None, "every call is made");
    }

    #[test]
    fn sending_goes_on_where_the_system_stopped() {
        check_sending(&[Ok(6)], &[0, 1, 2, 3, 4, 5]);
        check_sending(&[Ok(1), Ok(3), Ok(2)], &[0, 1, 2, 3, 4, 5]);
        check_sending(&[Err(ErrorKind::Interrupted), Ok(6)], &[0, 1, 2, 3, 4, 5]);
        // ENOBUFS and what is about one client.
        check_sending(&[Ok(2), Err(ErrorKind::Other), Ok(3)], &[0, 1, 3, 4, 5]);
        check_sending(&[Ok(5), Err(ErrorKind::NetworkUnreachable)], &[0, 1, 2, 3, 4]);
        // A send buffer that stays full: none of the others would find room.
        check_sending(&[Ok(2), Err(ErrorKind::WouldBlock)], &[0, 1]);
        // No system says so; it must not hold us for ever if one does.
        check_sending(&[Ok(0), Ok(5)], &[1, 2, 3, 4, 5]);
    }
}
