//! Datagrams in and out, whatever is in them: many a system call, and one.

use std::net::{SocketAddr, UdpSocket};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use dns::udp::{self, Datagrams, Peer, QUERY_MAX};

/// Both ways to receive and send.
const BATCHES: [NonZeroUsize; 2] = [NonZeroUsize::MIN, NonZeroUsize::new(16).expect("not 0")];

/// Waiting longer than this means that nothing comes.
const PATIENCE: Duration = Duration::from_secs(10);

/// A socket that is served by `answer` until it is dropped, and that must end then.
struct Served {
    socket: Arc<Datagrams>,
    thread: Option<thread::JoinHandle<()>>,
}

fn serve(
    address: &str,
    batch: NonZeroUsize,
    answer: impl FnMut(&[u8], &Peer, &mut Vec<u8>) + Send + 'static,
) -> Served {
    let socket = udp::bind(address.parse().expect("an address"), 1).expect("a port").remove(0);
    let served = socket.clone();
    let thread = thread::spawn(move || udp::serve(&served, batch, answer));
    Served { socket, thread: Some(thread) }
}

impl Served {
    fn address(&self) -> SocketAddr {
        self.socket.local_address().expect("bound")
    }

    /// A client that takes replies from `address` alone.
    fn client(&self, address: SocketAddr) -> UdpSocket {
        let any = if address.is_ipv4() { "127.0.0.1:0" } else { "[::1]:0" };
        let client = UdpSocket::bind(any).expect("a socket");
        client.connect(address).expect("connected");
        client.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        client
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.socket.stop();
        let started = Instant::now();
        self.thread.take().expect("once").join().expect("no panic");
        assert!(started.elapsed() < Duration::from_millis(900), "woken, not timed out");
    }
}

fn read(client: &UdpSocket) -> Vec<u8> {
    let mut reply = [0; QUERY_MAX + 1];
    let length = client.recv(&mut reply).expect("a reply in time");
    reply[..length].to_vec()
}

fn echo(query: &[u8], _: &Peer, reply: &mut Vec<u8>) {
    assert!(reply.is_empty());
    reply.extend(query);
}

#[test]
fn every_client_of_a_batch_gets_its_own_replies() {
    for batch in BATCHES {
        let (held, holds) = mpsc::channel();
        let (release, released) = mpsc::channel();
        let server = serve("127.0.0.1:0", batch, move |query, peer, reply| {
            if query == b"hold" {
                held.send(()).unwrap();
                released.recv().unwrap();
            }
            reply.extend(query);
            reply.extend(peer.address.port().to_be_bytes());
        });
        let clients: Vec<_> = (0..50).map(|_| server.client(server.address())).collect();
        // While it is busy, queries queue up.
        clients[0].send(b"hold").unwrap();
        holds.recv().unwrap();
        for (number, client) in clients.iter().enumerate() {
            for turn in 0..3 {
                client.send(&vec![turn; number + 1]).unwrap();
            }
        }
        release.send(()).unwrap();
        assert_eq!(&read(&clients[0])[..4], b"hold");
        for (number, client) in clients.iter().enumerate() {
            let port = client.local_addr().unwrap().port().to_be_bytes();
            for turn in 0..3 {
                let expected = [&vec![turn; number + 1][..], &port].concat();
                assert_eq!(read(client), expected, "batch {batch}, client {number}");
            }
        }
    }
}

#[test]
fn a_query_that_comes_alone_is_answered_at_once() {
    for batch in BATCHES {
        let server = serve("127.0.0.1:0", batch, echo);
        let client = server.client(server.address());
        let started = Instant::now();
        for number in 0..50u8 {
            client.send(&[number]).unwrap();
            assert_eq!(read(&client), [number]);
        }
        // Were each to wait for the look at the stop flag, they took 50 s.
        assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    }
}

#[test]
fn what_is_too_long_arrives_cut_and_spoils_nothing_else() {
    for batch in BATCHES {
        let server = serve("127.0.0.1:0", batch, |query, _, reply| {
            reply.extend((query.len() as u16).to_be_bytes());
            reply.extend(&query[query.len() - 1..]);
        });
        let client = server.client(server.address());
        for length in [QUERY_MAX, QUERY_MAX + 1, 60_000, 1, QUERY_MAX - 1] {
            client.send(&vec![length as u8; length]).unwrap();
            let seen = length.min(QUERY_MAX) as u16;
            let expected = [&seen.to_be_bytes()[..], &[length as u8]].concat();
            assert_eq!(read(&client), expected, "batch {batch}, {length} octets");
        }
    }
}

#[test]
fn replies_of_any_length_go_out() {
    for batch in BATCHES {
        let server = serve("127.0.0.1:0", batch, |query, _, reply| {
            let length = u16::from_be_bytes([query[0], query[1]]);
            reply.resize(length.into(), query[2]);
        });
        let client = server.client(server.address());
        // None is due to an empty datagram, nor for the length 0; 65,508 octets are too many for a datagram.
        client.send(&[]).unwrap();
        for length in [0u16, 65_508, 1, 65_507, 20] {
            client.send(&[length.to_be_bytes()[0], length.to_be_bytes()[1], 7]).unwrap();
        }
        let mut reply = vec![0; 65_535];
        for length in [1, 65_507, 20] {
            let received = client.recv(&mut reply).expect("a reply in time");
            assert_eq!(received, length, "batch {batch}");
            assert_eq!(reply[..received], vec![7; length]);
        }
    }
}

#[test]
fn replies_leave_from_the_address_asked() {
    for batch in BATCHES {
        let v4 = serve("0.0.0.0:0", batch, echo);
        let v6 = serve("[::]:0", batch, echo);
        let loopback_v6 = serve("[::1]:0", batch, echo);
        let v4_at = |ip: [u8; 4]| SocketAddr::from((ip, v4.address().port()));
        let asked = [
            (&v4, v4_at([127, 0, 0, 1])),
            (&v4, v4_at([127, 0, 0, 2])),
            (&v4, v4_at([127, 9, 8, 7])),
            (&v6, SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], v6.address().port()))),
            (&loopback_v6, loopback_v6.address()),
        ];
        // All under way at once, so that a batch mixes them.
        let clients = asked.map(|(server, address)| (server.client(address), address));
        for (number, (client, _)) in (0u8..).zip(&clients) {
            client.send(&[number]).unwrap();
            client.send(&[number, number]).unwrap();
        }
        for (number, (client, address)) in (0u8..).zip(&clients) {
            assert_eq!(read(client), [number], "batch {batch}, {address}");
            assert_eq!(read(client), [number, number], "batch {batch}, {address}");
        }
    }
}

#[test]
fn a_reply_may_be_sent_later_from_another_thread() {
    for (batch, address) in BATCHES.into_iter().zip(["127.0.0.1:0", "0.0.0.0:0"]) {
        let (later, asked) = mpsc::channel();
        let server = serve(address, batch, move |query, peer, _| {
            later.send((query.to_vec(), *peer)).unwrap();
        });
        let client = server.client(SocketAddr::from(([127, 0, 0, 1], server.address().port())));
        client.send(b"abc").unwrap();
        let (query, peer) = asked.recv_timeout(PATIENCE).unwrap();
        assert_eq!(peer.address, client.local_addr().unwrap());
        server.socket.send(&query, &peer).unwrap();
        assert_eq!(read(&client), b"abc");
    }
}

#[test]
fn a_panic_costs_one_reply() {
    for batch in BATCHES {
        let server = serve("127.0.0.1:0", batch, |query, _, reply| {
            reply.extend(query);
            assert_ne!(query, b"boom");
        });
        let client = server.client(server.address());
        for query in ["a", "boom", "b"] {
            client.send(query.as_bytes()).unwrap();
        }
        assert_eq!(read(&client), b"a");
        assert_eq!(read(&client), b"b");
    }
}
