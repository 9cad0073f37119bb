//! Zone transfers (RFC 5936): a whole zone, over TCP, to those who may have it.

use std::net::IpAddr;

use directory::{Cidr, NameRef, Record, RecordType};

use crate::wire::{CLASS_IN, MESSAGE_MAX, Message, Owner, Query, Rcode, Section};
use crate::{Answering, Config};

/// The longest message, in octets: names can be pointed to in the first 16 KiB.
const TRANSFER_MAX: usize = 16 << 10;

/// IXFR; it is answered with the whole zone, as RFC 1995 §4 allows.
const IXFR: RecordType = RecordType(251);

/// Whether a query asks for a zone.
pub(crate) fn is_transfer(rtype: RecordType) -> bool {
    matches!(rtype, RecordType::AXFR | IXFR)
}

/// Whether the client may have the zone that the query asks for, if it asks for one.
pub(crate) fn is_granted(config: &Config, client: IpAddr, query: &[u8]) -> bool {
    // A client that came to an IPv6 socket by IPv4.
    let client = client.to_canonical();
    let is_allowed = || config.transfer_to.iter().any(|range: &Cidr| range.contains(client));
    Query::parse(query).is_ok_and(|query| {
        let is_plain = query.edns.is_none_or(|edns| edns.version == 0);
        is_plain && query.question.class == CLASS_IN && is_transfer(query.question.rtype)
    }) && is_allowed()
}

/// Gives each message of a transfer to `send` while that returns true; false when the zone is not ours.
pub(crate) fn transfer(
    config: &Config,
    answering: &impl Answering,
    query: &[u8],
    mut send: impl FnMut(Vec<u8>) -> bool,
) -> bool {
    let Ok(query) = Query::parse(query) else { return false };
    let Some(records) = answering.zone(query.question.name) else { return false };
    let mut soas = records.iter().filter(|record| record.data.rtype() == RecordType::SOA);
    let (Some(soa), None) = (soas.next(), soas.next()) else { return false };
    let others = records.iter().filter(|record| record.data.rtype() != RecordType::SOA);
    // The SOA record begins the zone and ends it (RFC 5936 §2.2).
    let mut rest = std::iter::once(soa).chain(others).chain(std::iter::once(soa)).peekable();
    while rest.peek().is_some() {
        let mut out = Vec::with_capacity(TRANSFER_MAX);
        let mut message = Message::new(&mut out, query.header, query.edns, TRANSFER_MAX);
        message.question(query.question.wire);
        message.point_to_question(query.question.name);
        message.set_authoritative();
        let mut count = 0;
        while let Some(Record { owner, ttl, data }) = rest.peek() {
            let owner = Owner::Name(NameRef::from(owner).into());
            if message.record(Section::Answer, owner, *ttl, data.by_ref()).is_err() {
                break;
            }
            count += 1;
            rest.next();
        }
        message.finish(Rcode::NoError, config.max_udp_size, None);
        // Each of our records fits into a message.
        if count == 0 || !send(out) {
            break;
        }
    }
    true
}

const _: () = assert!(TRANSFER_MAX <= MESSAGE_MAX);
