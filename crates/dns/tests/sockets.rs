//! The server over real sockets, on loopback.

mod support;

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use directory::{Answer, Ending, NameRef, Record, RecordType, Sink};
use dns::{Answering, Config, Outcome, Server, Transport};
use hickory_proto::op::ResponseCode;
use support::{
    Always, addresses, ask_tcp, ask_udp, config, decode, framed, name, query, read_framed, receive,
    server,
};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpStream, UdpSocket};

const ASKED: &str = "db.prod.svc.cluster.local";

/// Always this many addresses.
fn answer(count: u16) -> Always {
    Always(Answer::Records { records: addresses(ASKED, count), additional: Vec::new() })
}

fn ask_a(id: u16, edns_size: Option<u16>) -> Vec<u8> {
    query(id, &name(ASKED), RecordType::A, edns_size)
}

#[tokio::test]
async fn udp_and_tcp_share_a_port_that_the_system_chose() {
    let server = server(answer(1), config());
    let address = server.local_addresses()[0];
    assert_ne!(address.port(), 0);
    assert_eq!(decode(&ask_udp(address, &ask_a(1, None)).await).answer, addresses(ASKED, 1));
    assert_eq!(decode(&ask_tcp(address, &ask_a(2, None)).await).answer, addresses(ASKED, 1));
    let counters = server.counters().clone();
    server.shutdown().await;
    assert_eq!(counters.queries(Transport::Udp, Outcome::Answered), 1);
    assert_eq!(counters.queries(Transport::Tcp, Outcome::Answered), 1);
    assert_eq!(counters.queries(Transport::Tcp, Outcome::Dropped), 0);
}

#[tokio::test]
async fn sockets_that_others_bound_are_served() {
    let tcp = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = tcp.local_addr().unwrap();
    let udp = std::net::UdpSocket::bind(address).unwrap();
    let handed = dns::Handed { udp: vec![udp], tcp };
    let live = dns::Live::new(config(), answer(1));
    let server = Server::bind_live(&[], vec![handed], live, Default::default()).unwrap();
    assert_eq!(server.local_addresses(), []);
    assert_eq!(decode(&ask_udp(address, &ask_a(1, None)).await).answer, addresses(ASKED, 1));
    assert_eq!(decode(&ask_tcp(address, &ask_a(2, None)).await).answer, addresses(ASKED, 1));
    server.shutdown().await;
}

/// What UDP leaves out of an answer of this many addresses, TCP brings.
async fn check_truncation(count: u16, edns_size: Option<u16>, longest: usize) {
    let server = server(answer(count), config());
    let address = server.local_addresses()[0];
    let reply = ask_udp(address, &ask_a(1, edns_size)).await;
    let over_udp = decode(&reply);
    let opt = if edns_size.is_some() { 11 } else { 0 };
    let fit = (longest - opt - ask_a(1, None).len()) / 16;
    assert_eq!(over_udp.truncated, usize::from(count) > fit, "{count} records, {edns_size:?}");
    assert_eq!(over_udp.answer.len(), fit.min(count.into()), "{count} records, {edns_size:?}");
    assert!(reply.len() <= longest);
    let over_tcp = decode(&ask_tcp(address, &ask_a(2, edns_size)).await);
    assert!(!over_tcp.truncated);
    assert_eq!(over_tcp.answer.len(), count.into());
    let truncated = u64::from(over_udp.truncated);
    assert_eq!(server.counters().truncated(), truncated);
    server.shutdown().await;
}

#[tokio::test]
async fn what_does_not_fit_is_truncated_and_whole_over_tcp() {
    check_truncation(29, None, 512).await;
    check_truncation(30, None, 512).await;
    check_truncation(200, Some(0), 512).await;
    check_truncation(200, Some(600), 600).await;
    check_truncation(73, Some(1232), 1232).await;
    check_truncation(74, Some(1232), 1232).await;
    check_truncation(200, Some(4096), 1232).await;
    check_truncation(4000, Some(65_535), 1232).await;
}

#[tokio::test]
async fn what_does_not_fit_over_tcp_is_truncated() {
    let server = server(answer(5000), config());
    let reply = ask_tcp(server.local_addresses()[0], &ask_a(1, None)).await;
    let decoded = decode(&reply);
    assert!(decoded.truncated);
    assert_eq!(decoded.answer.len(), (65_535 - ask_a(1, None).len()) / 16);
    server.shutdown().await;
}

/// A query whose OPT record has an option of this many octets, and this many more after the message.
fn padded(option: u16, after: usize) -> Vec<u8> {
    let mut query = ask_a(7, Some(1232));
    let length_at = query.len() - 2;
    query[length_at..].copy_from_slice(&(option + 4).to_be_bytes());
    // 12 is Padding (RFC 7830).
    query.extend([0, 12]);
    query.extend(option.to_be_bytes());
    query.resize(query.len() + usize::from(option) + after, 0);
    query
}

#[tokio::test]
async fn a_datagram_that_is_cut_is_malformed_where_it_ends_too_early() {
    for udp_batch in [1, 32].map(|batch| NonZeroUsize::new(batch).unwrap()) {
        let server = server(answer(1), Config { udp_batch, ..config() });
        let address = server.local_addresses()[0];
        for (query, rcode) in [
            (padded(2000, 0), ResponseCode::NoError),
            (padded(5000, 0), ResponseCode::FormErr),
            (padded(60_000, 0), ResponseCode::FormErr),
            // What comes after a message is read past.
            (padded(0, 5000), ResponseCode::NoError),
        ] {
            let reply = decode(&ask_udp(address, &query).await);
            assert_eq!(reply.rcode, rcode, "{} octets", query.len());
            assert_eq!(reply.id, 7);
        }
        server.shutdown().await;
    }
}

#[tokio::test]
async fn glue_is_left_out_before_anything_is_truncated() {
    // Two addresses for each of 40 names: sets are whole or absent.
    let additional: Vec<_> =
        (0..40).flat_map(|n| addresses(&format!("db-{n}.{ASKED}"), 2)).collect();
    let records = addresses(ASKED, 10);
    let server =
        server(Always(Answer::Records { records, additional: additional.clone() }), config());
    let address = server.local_addresses()[0];
    let over_udp = decode(&ask_udp(address, &ask_a(1, Some(1232))).await);
    assert!(!over_udp.truncated);
    assert_eq!(over_udp.answer.len(), 10);
    let kept = over_udp.additional.len();
    assert!(kept > 0 && kept < 80 && kept.is_multiple_of(2), "{kept}");
    let over_tcp = decode(&ask_tcp(address, &ask_a(2, Some(1232))).await);
    assert_eq!(over_tcp.additional, additional);
    server.shutdown().await;
}

#[tokio::test]
async fn every_address_comes_first_in_turn() {
    let server = server(answer(3), Config { udp_threads: NonZeroUsize::new(1), ..config() });
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.connect(server.local_addresses()[0]).await.unwrap();
    let mut first = [0; 3];
    for id in 0..300 {
        socket.send(&ask_a(id, None)).await.unwrap();
        let answer = decode(&receive(&socket).await).answer;
        let at = addresses(ASKED, 3).iter().position(|record| *record == answer[0]).unwrap();
        let rotated = [&addresses(ASKED, 3)[at..], &addresses(ASKED, 3)[..at]].concat();
        assert_eq!(answer, rotated);
        first[at] += 1;
    }
    assert!(first.iter().all(|times| (90..=110).contains(times)), "{first:?}");
    server.shutdown().await;
}

#[tokio::test]
async fn every_socket_of_a_port_is_served() {
    let server = server(answer(1), Config { udp_threads: NonZeroUsize::new(8), ..config() });
    // The kernel chooses the socket by the client's port.
    for id in 0..100 {
        let reply = ask_udp(server.local_addresses()[0], &ask_a(id, None)).await;
        assert_eq!(decode(&reply).id, id);
    }
    server.shutdown().await;
}

/// A server on a taken port must not start; the error names address and protocol.
#[track_caller]
fn check_taken(address: SocketAddr, protocol: &str) {
    let error = Server::bind(&[address], config(), answer(1)).err().expect("the port is taken");
    let text = error.to_string();
    assert_eq!(text, format!("cannot listen for DNS on {address} over {protocol}"));
    let source = std::error::Error::source(&error).expect("a source").to_string();
    assert!(source.contains("in use"), "{source}");
}

#[tokio::test]
async fn a_taken_port_is_an_error() {
    let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    check_taken(udp.local_addr().unwrap(), "UDP");
    let tcp = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    check_taken(tcp.local_addr().unwrap(), "TCP");
    // One of our own, whose sockets would share the port.
    let server = server(answer(1), config());
    check_taken(server.local_addresses()[0], "UDP");
    server.shutdown().await;
}

#[tokio::test]
async fn when_one_address_is_taken_none_is_served() {
    let taken = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let free = {
        let socket = UdpSocket::bind("127.0.0.2:0").await.unwrap();
        socket.local_addr().unwrap()
    };
    let both = [free, taken.local_addr().unwrap()];
    assert!(Server::bind(&both, config(), answer(1)).is_err());
    Server::bind(&[free], config(), answer(1)).unwrap().shutdown().await;
}

#[tokio::test]
async fn shutting_down_ends_connections_and_frees_the_port() {
    let server = server(answer(1), config());
    let address = server.local_addresses()[0];
    let mut idle = TcpStream::connect(address).await.unwrap();
    idle.write_all(&framed(&ask_a(1, None))).await.unwrap();
    assert!(read_framed(&mut idle).await.is_some());
    let started = Instant::now();
    server.shutdown().await;
    let took = started.elapsed();
    assert!(took < Duration::from_millis(900), "woken, not timed out: {took:?}");
    assert_eq!(read_framed(&mut idle).await, None);
    let again = Server::bind(&[address], config(), answer(1)).unwrap();
    assert_eq!(decode(&ask_udp(address, &ask_a(2, None)).await).id, 2);
    again.shutdown().await;
}

#[tokio::test]
async fn dropping_a_server_frees_the_port() {
    let server = server(answer(1), config());
    let address = server.local_addresses()[0];
    drop(server);
    let deadline = Instant::now() + Duration::from_secs(5);
    let again = loop {
        match Server::bind(&[address], config(), answer(1)) {
            Ok(server) => break server,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        tokio::task::yield_now().await;
    };
    again.shutdown().await;
}

#[tokio::test]
async fn a_wildcard_server_replies_from_the_address_asked() {
    let addresses = ["0.0.0.0:0".parse().unwrap(), "[::]:0".parse().unwrap()];
    let server = Server::bind(&addresses, config(), answer(1)).unwrap();
    let [v4, v6] = server.local_addresses() else { panic!("two addresses") };
    for (client, asked) in [
        ("127.0.0.1:0", SocketAddr::from(([127, 0, 0, 1], v4.port()))),
        ("127.0.0.1:0", SocketAddr::from(([127, 0, 0, 2], v4.port()))),
        ("127.0.0.1:0", SocketAddr::from(([127, 9, 8, 7], v4.port()))),
        ("[::1]:0", SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], v6.port()))),
    ] {
        // A connected socket takes replies from the address asked only.
        let socket = UdpSocket::bind(client).await.unwrap();
        socket.connect(asked).await.unwrap();
        socket.send(&ask_a(5, None)).await.unwrap();
        assert_eq!(decode(&receive(&socket).await).id, 5, "{asked}");
    }
    let started = Instant::now();
    server.shutdown().await;
    assert!(started.elapsed() < Duration::from_millis(900), "woken, not timed out");
}

#[tokio::test]
async fn both_families_of_one_port_are_served_side_by_side() {
    // Another program may have a port for IPv6 that was free for IPv4, but hardly five times.
    let both_served = (0..5).any(|_| {
        let v4 = Server::bind(&["0.0.0.0:0".parse().unwrap()], config(), answer(1)).unwrap();
        let v6 = SocketAddr::from(([0u16; 8], v4.local_addresses()[0].port()));
        Server::bind(&[v6], config(), answer(1)).is_ok()
    });
    assert!(both_served);
}

/// Panics once, then answers.
struct PanicsOnce(AtomicBool);

impl Answering for PanicsOnce {
    fn answer(&self, _: NameRef<'_>, _: RecordType, _: &mut impl Sink) -> Ending {
        assert!(self.0.swap(true, Ordering::Relaxed), "the first question");
        Ending::NotOurs
    }

    fn zone(&self, _: NameRef<'_>) -> Option<Vec<Record>> {
        None
    }
}

#[tokio::test]
async fn nothing_ends_the_serving_of_udp() {
    for udp_batch in [1, 32].map(|batch| NonZeroUsize::new(batch).unwrap()) {
        check_nothing_ends_it(Config { udp_threads: NonZeroUsize::new(1), udp_batch, ..config() })
            .await;
    }
}

async fn check_nothing_ends_it(config: Config) {
    let server = server(PanicsOnce(AtomicBool::new(false)), config);
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a socket call");
    socket.connect(server.local_addresses()[0]).await.expect("a socket call");
    // No reply is due to these; a panic while answering is the last.
    for octets in [&[][..], &[0; 11], &[0xFF; 12], &ask_a(1, None)] {
        socket.send(octets).await.expect("a socket call");
    }
    // A reply that nobody takes comes back as an error.
    let gone = UdpSocket::bind("127.0.0.1:0").await.expect("a socket call");
    gone.connect(server.local_addresses()[0]).await.expect("a socket call");
    gone.send(&ask_a(2, None)).await.expect("a socket call");
    drop(gone);
    socket.send(&[0; 12]).await.expect("a socket call");
    assert_eq!(decode(&receive(&socket).await).rcode, ResponseCode::FormErr);
    socket.send(&ask_a(3, None)).await.expect("a socket call");
    assert_eq!(decode(&receive(&socket).await).rcode, ResponseCode::Refused);
    server.shutdown().await;
}
