//! Questions to a DNS server, asked with a library that is not ours.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::str::FromStr as _;

use hickory_proto::op::{Edns, Message, Query, ResponseCode};
use hickory_proto::rr::{Name, RecordType};

/// A decoded reply.
#[derive(Debug)]
pub struct Reply {
    pub message: Message,
}

impl Reply {
    pub fn rcode(&self) -> ResponseCode {
        self.message.metadata.response_code
    }

    /// The data of the answer section's records of one type, in presentation form, sorted.
    pub fn data(&self, rtype: &str) -> Vec<String> {
        let rtype = RecordType::from_str(rtype).expect("a record type");
        let mut data: Vec<_> = self
            .message
            .answers
            .iter()
            .filter(|record| record.record_type() == rtype)
            .map(|record| record.data.to_string())
            .collect();
        data.sort();
        data
    }
}

/// Asks over UDP, and over TCP when the reply is truncated, as resolvers do.
pub fn ask(server: SocketAddr, name: &str, rtype: &str) -> Reply {
    let query = query(name, rtype);
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.connect(server).expect("a route");
    socket.set_read_timeout(Some(super::PATIENCE)).expect("a time-out");
    socket.send(&query).expect("sent");
    let mut buffer = [0; 4096];
    let length = socket.recv(&mut buffer).expect("a reply");
    let message = Message::from_vec(&buffer[..length]).expect("a well-formed reply");
    if message.metadata.truncation { ask_tcp(server, name, rtype) } else { Reply { message } }
}

/// Asks over TCP.
pub fn ask_tcp(server: SocketAddr, name: &str, rtype: &str) -> Reply {
    let query = query(name, rtype);
    let mut stream = TcpStream::connect(server).expect("a connection");
    stream.set_read_timeout(Some(super::PATIENCE)).expect("a time-out");
    stream.write_all(&(query.len() as u16).to_be_bytes()).expect("sent");
    stream.write_all(&query).expect("sent");
    let mut length = [0; 2];
    stream.read_exact(&mut length).expect("a length");
    let mut buffer = vec![0; u16::from_be_bytes(length).into()];
    stream.read_exact(&mut buffer).expect("a reply");
    Reply { message: Message::from_vec(&buffer).expect("a well-formed reply") }
}

fn query(name: &str, rtype: &str) -> Vec<u8> {
    let name = Name::from_ascii(name).expect("a domain name");
    let mut message = Message::query();
    message.add_query(Query::query(name, RecordType::from_str(rtype).expect("a record type")));
    let mut edns = Edns::new();
    edns.set_max_payload(1232);
    message.set_edns(edns);
    message.to_vec().expect("a query")
}
