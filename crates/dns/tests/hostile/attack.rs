//! What is thrown at the server.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use directory::RecordType;

use crate::support::{framed, name, query};

/// A way to do harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attack {
    /// Datagrams that are no DNS message, or one with a fault.
    Malformed,
    /// Names whose pointers lead in circles, forward, or through each other.
    Compression,
    /// Answers sent as if they were queries.
    Answers,
    /// The largest EDNS size with the question that has the longest answer.
    LargeEdns,
    /// Connections that bring one octet at a time, as many as the server takes from an address, and more.
    SlowStreams,
    /// Messages of 65,535 octets over TCP, one after the other.
    LongestMessages,
    /// Forged replies to what the server asks its upstream, thrown at all its ports.
    Forgeries,
}

impl Attack {
    pub(crate) const ALL: [Self; 7] = [
        Self::Malformed,
        Self::Compression,
        Self::Answers,
        Self::LargeEdns,
        Self::SlowStreams,
        Self::LongestMessages,
        Self::Forgeries,
    ];
}

/// How fast datagrams are thrown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// Some thousands a second: what a busy machine still takes in, without optimisation.
    Bounded,
    /// As fast as one core can.
    Full,
}

/// Datagrams between two pauses of a bounded pace.
const BURST: u32 = 8;

/// Addresses of loopback that attackers come from, each with a datagram socket of its own.
const SOURCES: u8 = 8;

/// Runs an attack until `stop`; counts datagrams or octets of streams in `count`.
pub(crate) fn run(
    attack: Attack,
    pace: Pace,
    server: SocketAddr,
    stop: &AtomicBool,
    count: &AtomicU64,
) {
    match attack {
        Attack::SlowStreams => slow_streams(server, stop, count),
        Attack::LongestMessages => longest_messages(server, stop, count),
        Attack::Forgeries => {
            // The ports that Linux gives out by default; the attacker does not know which is in use.
            let ports = (32_768..61_000u16).cycle();
            let targets = ports.map(|port| (Ipv4Addr::LOCALHOST, port).into());
            throw(forgeries().into_iter().cycle(), targets, pace, stop, count);
        }
        Attack::Malformed | Attack::Compression | Attack::Answers | Attack::LargeEdns => {
            let messages = match attack {
                Attack::Malformed => malformed(),
                Attack::Compression => compression(),
                Attack::Answers => answers(),
                _ => {
                    vec![query(1, &name("big.prod.svc.cluster.local"), RecordType::A, Some(65_535))]
                }
            };
            throw(messages.into_iter().cycle(), std::iter::repeat(server), pace, stop, count);
        }
    }
}

fn throw(
    messages: impl Iterator<Item = Vec<u8>>,
    targets: impl Iterator<Item = SocketAddr>,
    pace: Pace,
    stop: &AtomicBool,
    count: &AtomicU64,
) {
    let sockets: Vec<UdpSocket> = (1..=SOURCES)
        .map(|last| {
            let socket = UdpSocket::bind((Ipv4Addr::new(127, 0, 66, last), 0)).expect("a socket");
            // Replies are thrown away by the system once its buffer is full.
            socket.set_nonblocking(true).expect("set");
            socket
        })
        .collect();
    let mut sent = 0u32;
    for ((message, target), socket) in messages.zip(targets).zip(sockets.iter().cycle()) {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        // A full buffer, or nobody at that port.
        let _ = socket.send_to(&message, target);
        count.fetch_add(1, Ordering::Relaxed);
        sent += 1;
        if pace == Pace::Bounded && sent.is_multiple_of(BURST) {
            std::thread::sleep(Duration::from_millis(4));
        }
    }
}

/// A well-formed query to start from.
fn well_formed() -> Vec<u8> {
    query(1, &name("db.prod.svc.cluster.local"), RecordType::A, Some(1232))
}

fn malformed() -> Vec<Vec<u8>> {
    let query = well_formed();
    let mut messages = vec![Vec::new(), vec![0xFF; 1400], vec![0; 65_000]];
    // Cut anywhere, with any octet changed, with counts of records that are not there.
    messages.extend((0..query.len()).map(|length| query[..length].to_vec()));
    for at in 0..query.len() {
        let mut changed = query.clone();
        changed[at] ^= 0xFF;
        messages.push(changed);
    }
    for counts in [4, 6, 8, 10] {
        let mut changed = query.clone();
        changed[counts..counts + 2].fill(0xFF);
        messages.push(changed);
    }
    messages
}

fn compression() -> Vec<Vec<u8>> {
    let header = |records: u8| vec![0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, records];
    let end = [0, 1, 0, 1];
    // To itself, to each other, forward, into the header; and the longest chain that fits, each link to the one before.
    let mut messages: Vec<Vec<u8>> =
        [&[0xC0, 12][..], &[0xC0, 14, 0xC0, 12], &[1, b'a', 0xC0, 12], &[0xC0, 200], &[0xC0, 0]]
            .into_iter()
            .map(|name| [&header(0)[..], name, &end].concat())
            .collect();
    let mut chain = [&header(255)[..], &[1, b'a', 0], &end].concat();
    let mut last = 12u16;
    for _ in 0..255 {
        let at = chain.len() as u16;
        chain.extend((0xC000 | last).to_be_bytes());
        chain.extend([0, 1, 0, 1, 0, 0, 0, 0, 0, 0]);
        last = at;
    }
    messages.push(chain);
    messages
}

fn answers() -> Vec<Vec<u8>> {
    let mut answer = well_formed();
    answer[2] |= 0x80;
    vec![answer]
}

/// Replies with the names that honest clients ask for, and wrong addresses.
fn forgeries() -> Vec<Vec<u8>> {
    let forged = |number: u16| {
        let asked = name(&format!("host-{}.example.com", number % 64));
        let query = query(number.wrapping_mul(257), &asked, RecordType::A, None);
        crate::made::Made::to(&query).a(600, super::scene::FORGED).octets()
    };
    (0..1024).map(forged).collect()
}

/// Connections that send an octet a second, or ten of them, for a short run has but one second.
fn slow_streams(server: SocketAddr, stop: &AtomicBool, count: &AtomicU64) {
    let message = framed(&well_formed());
    let mut streams: Vec<(TcpStream, usize)> = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        while streams.len() < super::scene::CONNECTIONS_PER_CLIENT
            && let Some(stream) = connect(server)
        {
            streams.push((stream, 0));
        }
        // One more than it takes.
        drop(connect(server));
        streams.retain_mut(|(stream, at)| {
            let octet = message[*at % message.len()];
            *at += 1;
            count.fetch_add(1, Ordering::Relaxed);
            match stream.write_all(&[octet]) {
                Ok(()) => true,
                Err(error) => error.kind() == ErrorKind::WouldBlock,
            }
        });
        let next = Instant::now() + Duration::from_millis(100);
        while Instant::now() < next && !stop.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

fn longest_messages(server: SocketAddr, stop: &AtomicBool, count: &AtomicU64) {
    let mut message = well_formed();
    message.resize(65_535, 0);
    let message = framed(&message);
    let mut reply = [0; 65_536];
    let mut streams: Vec<(TcpStream, usize)> = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        while streams.len() < super::scene::CONNECTIONS_PER_CLIENT / 2
            && let Some(stream) = connect(server)
        {
            streams.push((stream, 0));
        }
        streams.retain_mut(|(stream, at)| {
            let _ = stream.read(&mut reply);
            match stream.write(&message[*at..]) {
                Ok(length) => {
                    count.fetch_add(length as u64, Ordering::Relaxed);
                    *at = (*at + length) % message.len();
                    true
                }
                Err(error) => error.kind() == ErrorKind::WouldBlock,
            }
        });
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// A connection from an attacker's address that never waits.
fn connect(server: SocketAddr) -> Option<TcpStream> {
    use socket2::{Domain, Socket, Type};
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).ok()?;
    let source: IpAddr = Ipv4Addr::new(127, 0, 66, 1).into();
    socket.bind(&SocketAddr::from((source, 0)).into()).ok()?;
    socket.connect_timeout(&server.into(), Duration::from_millis(200)).ok()?;
    socket.set_nonblocking(true).ok()?;
    Some(socket.into())
}
