//! The server that names outside the cluster are asked of.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::rdata::{CNAME, SOA};
use hickory_proto::rr::{Name, RData, Record};

/// What it knows. [`BROKEN`] is SERVFAIL, any other does not exist.
const RECORDS: [(&str, &str); 9] = [
    ("www.example.com.", "edge.example.net."),
    ("edge.example.net.", "192.0.2.10"),
    ("edge.example.net.", "192.0.2.11"),
    ("edge.example.net.", "2001:db8::10"),
    ("orders.example.com.", "192.0.2.20"),
    ("six.example.com.", "2001:db8::6"),
    ("example.org.", "192.0.2.30"),
    ("a.b.c.d.e.example.com.", "192.0.2.40"),
    ("example.com.", "192.0.2.50"),
];

const BROKEN: &str = "broken.example.com.";

/// Longer than a run, so that the server in front asks once.
const TTL: u32 = 3600;

/// Answers on a thread of its own for as long as the process lives; the address, with the port that it got.
pub(crate) fn serve(address: &str) -> io::Result<SocketAddr> {
    let socket = UdpSocket::bind(address)?;
    let address = socket.local_addr()?;
    std::thread::spawn(move || {
        let mut query = [0; 4096];
        while let Ok((length, from)) = socket.recv_from(&mut query) {
            if let Some(reply) = reply(&query[..length]) {
                // A client that has left asks no more.
                let _ = socket.send_to(&reply, from);
            }
        }
    });
    Ok(address)
}

fn reply(query: &[u8]) -> Option<Vec<u8>> {
    let query = Message::from_vec(query).ok()?;
    let question = query.queries.first()?.clone();
    let mut reply = Message::response(query.metadata.id, query.metadata.op_code);
    reply.metadata.recursion_desired = query.metadata.recursion_desired;
    reply.metadata.recursion_available = true;
    let mut name = question.name().clone();
    let mut exists = false;
    // An alias leads on.
    loop {
        let mut target = None;
        for (owner, data) in RECORDS {
            if !owner.eq_ignore_ascii_case(&name.to_string()) {
                continue;
            }
            exists = true;
            let data = match data.parse::<IpAddr>() {
                Ok(address) => RData::from(address),
                Err(_) => {
                    let alias = Name::from_ascii(data).ok()?;
                    target = Some(alias.clone());
                    RData::CNAME(CNAME(alias))
                }
            };
            if target.is_some() || data.record_type() == question.query_type() {
                reply.add_answer(Record::from_rdata(name.clone(), TTL, data));
            }
        }
        match target {
            Some(target) => name = target,
            None => break,
        }
    }
    if reply.answers.is_empty() {
        let zone = Name::from_ascii("com.").ok()?;
        let soa = SOA::new(zone.clone(), zone.clone(), 1, 7200, 1800, 86400, TTL);
        reply.add_authority(Record::from_rdata(zone, TTL, RData::SOA(soa)));
    }
    reply.metadata.response_code = match exists {
        true => ResponseCode::NoError,
        false if question.name().to_string().eq_ignore_ascii_case(BROKEN) => ResponseCode::ServFail,
        false => ResponseCode::NXDomain,
    };
    reply.add_query(question);
    reply.to_vec().ok()
}
