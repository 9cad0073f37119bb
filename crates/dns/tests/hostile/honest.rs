//! A client as most are: it asks, waits, asks once more, and takes what it gets.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use directory::{Rdata, RecordType};
use hickory_proto::op::ResponseCode;

use crate::scene::{FORGED, TRUE};
use crate::support::{decode, framed, name, query};

/// How long a resolver waits for a reply before it asks again (glibc's default).
const PATIENCE: Duration = Duration::from_secs(5);

/// How long the client asks.
#[derive(Clone, Copy)]
pub(crate) enum Until {
    /// Until it has asked so often.
    Asked(usize),
    /// For a time.
    After(Duration),
}

/// What the client saw.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) asked: usize,
    /// Of those, answered at the second try.
    pub(crate) retried: usize,
    /// Answered at neither.
    pub(crate) unanswered: usize,
    /// Of each answer, from the first try on; in order.
    pub(crate) times: Vec<Duration>,
}

impl Seen {
    /// The time that so many thousandths of the answers took at most.
    pub(crate) fn at(&self, thousandths: usize) -> Duration {
        let last = self.times.len().saturating_sub(1);
        self.times.get(last * thousandths / 1000).copied().unwrap_or_default()
    }
}

/// Asks one question after the other: of our own zone by datagram and by stream, and of the upstream's. Panics on a wrong answer.
pub(crate) fn run(server: SocketAddr, until: Until) -> Seen {
    let mut seen = Seen::default();
    let mut number = 0u16;
    let begin = Instant::now();
    while match until {
        Until::Asked(count) => seen.asked < count,
        Until::After(time) => begin.elapsed() < time,
    } {
        number = number.wrapping_add(1);
        let outside = format!("host-{}.example.com", number % 64);
        let (asked, rcode) = match number % 4 {
            0 => ("db.prod.svc.cluster.local", ResponseCode::NoError),
            1 => ("no.prod.svc.cluster.local", ResponseCode::NXDomain),
            2 => ("web.prod.svc.cluster.local", ResponseCode::NoError),
            _ => (outside.as_str(), ResponseCode::NoError),
        };
        let by_stream = number.is_multiple_of(8);
        let query = query(number, &name(asked), RecordType::A, Some(1232));
        let start = Instant::now();
        seen.asked += 1;
        let mut reply = ask(server, &query, by_stream);
        if reply.is_none() {
            reply = ask(server, &query, by_stream);
            seen.retried += usize::from(reply.is_some());
        }
        let Some(reply) = reply else {
            seen.unanswered += 1;
            continue;
        };
        seen.times.push(start.elapsed());
        let reply = decode(&reply);
        assert_eq!((reply.id, reply.rcode), (number, rcode), "{asked}");
        for record in &reply.answer {
            assert_ne!(record.data, Rdata::A(FORGED.into()), "{asked} was forged");
        }
        if number % 4 == 3 {
            let data: Vec<_> = reply.answer.iter().map(|record| &record.data).collect();
            assert_eq!(data, [&Rdata::A(TRUE.into())], "{asked}");
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    seen.times.sort();
    seen
}

fn ask(server: SocketAddr, query: &[u8], by_stream: bool) -> Option<Vec<u8>> {
    if by_stream {
        let mut stream = TcpStream::connect_timeout(&server, PATIENCE).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        stream.write_all(&framed(query)).ok()?;
        let mut length = [0; 2];
        stream.read_exact(&mut length).ok()?;
        let mut reply = vec![0; usize::from(u16::from_be_bytes(length))];
        stream.read_exact(&mut reply).ok()?;
        return Some(reply);
    }
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).ok()?;
    socket.connect(server).ok()?;
    socket.set_read_timeout(Some(PATIENCE)).ok()?;
    socket.send(query).ok()?;
    let mut reply = vec![0; 4096];
    loop {
        // Whatever an attacker sent to this port is none.
        let length = socket.recv(&mut reply).ok()?;
        if reply[..2] == query[..2] && length >= 12 {
            reply.truncate(length);
            return Some(reply);
        }
    }
}
