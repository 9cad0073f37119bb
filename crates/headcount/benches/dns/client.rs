//! Single questions.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use hickory_proto::op::{Edns, Message, Query, ResponseCode};
use hickory_proto::rr::{Name, RecordType};

/// A question as dnsperf asks it: recursion desired, and with EDNS 4,096 octets offered.
fn query(question: &str, edns: bool) -> io::Result<Vec<u8>> {
    let (name, rtype) = question.split_once(' ').ok_or(io::ErrorKind::InvalidInput)?;
    let name = Name::from_ascii(name).map_err(io::Error::other)?;
    let rtype: RecordType = rtype.parse().map_err(io::Error::other)?;
    let mut message = Message::query();
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(name, rtype));
    if edns {
        let mut offer = Edns::new();
        offer.set_max_payload(4096);
        message.set_edns(offer);
    }
    message.to_vec().map_err(io::Error::other)
}

/// Asks over UDP; the reply.
pub(crate) fn ask(server: SocketAddr, question: &str, edns: bool) -> io::Result<Vec<u8>> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.connect(server)?;
    socket.set_read_timeout(Some(Duration::from_secs(1)))?;
    socket.send(&query(question, edns)?)?;
    let mut reply = vec![0; 4096];
    let length = socket.recv(&mut reply)?;
    reply.truncate(length);
    Ok(reply)
}

/// The response code, and the answer section in no order.
pub(crate) fn answer(reply: &[u8]) -> io::Result<(ResponseCode, BTreeSet<String>)> {
    let message = Message::from_vec(reply).map_err(io::Error::other)?;
    let answer = message.answers.iter().map(ToString::to_string).collect();
    Ok((message.metadata.response_code, answer))
}

/// Asks over TCP, on a connection for all questions, so that answers are whole.
pub(crate) struct Connection(TcpStream);

impl Connection {
    pub(crate) fn new(server: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(server)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        Ok(Self(stream))
    }

    pub(crate) fn ask(&mut self, question: &str) -> io::Result<(ResponseCode, BTreeSet<String>)> {
        let query = query(question, false)?;
        let length = (query.len() as u16).to_be_bytes();
        self.0.write_all(&[&length[..], &query].concat())?;
        let mut length = [0; 2];
        self.0.read_exact(&mut length)?;
        let mut reply = vec![0; u16::from_be_bytes(length).into()];
        self.0.read_exact(&mut reply)?;
        answer(&reply)
    }
}
