//! A query that was picked out.

use std::fmt;
use std::net::SocketAddr;

use directory::{Name, RecordType};

use super::End;
use crate::respond::Transport;
use crate::wire::HEADER_LEN;

/// A query that was picked out, with no memory of its own.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Whom it is from.
    pub client: SocketAddr,
    /// How it came.
    pub transport: Transport,
    /// What became of it.
    pub end: End,
    /// What it asked for; without a question that can be read, type 0 at the root.
    pub name: SampleName,
    /// The type asked for.
    pub rtype: RecordType,
    /// The reply's octets.
    pub reply_length: usize,
    /// For how many queries it stands, where it was picked from all; else 0.
    pub of_all: u32,
    /// For how many queries that ended as NXDOMAIN it stands, where it was picked from those; else 0.
    pub of_no_such_name: u32,
    /// Whether it is to be written down.
    pub logged: bool,
}

/// A name in wire form, as it was asked for.
#[derive(Clone, Copy)]
pub struct SampleName {
    octets: [u8; NAME_MAX],
    length: u8,
}

/// The longest name (RFC 1035 §2.3.4).
const NAME_MAX: usize = 255;

impl SampleName {
    /// Its wire form; empty where there was no question.
    pub fn wire(&self) -> &[u8] {
        &self.octets[..usize::from(self.length)]
    }

    fn new(wire: &[u8]) -> Self {
        let mut octets = [0; NAME_MAX];
        let length = wire.len().min(NAME_MAX);
        octets[..length].copy_from_slice(&wire[..length]);
        Self { octets, length: length as u8 }
    }
}

/// In presentation format.
impl fmt::Display for SampleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Name::from_wire(self.wire()) {
            Ok(name) => name.fmt(f),
            Err(_) => f.write_str("-"),
        }
    }
}

impl fmt::Debug for SampleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Where a query's question has its type: behind its name. `None` when there is no question that can be read; names in
/// questions are not compressed.
pub(super) fn type_offset(query: &[u8]) -> Option<usize> {
    let mut at = HEADER_LEN;
    loop {
        match *query.get(at)? {
            0 => return Some(at + 1),
            length @ 1..64 if at < HEADER_LEN + NAME_MAX => at += 1 + usize::from(length),
            _ => return None,
        }
    }
}

/// The name and the type that a query asks for.
pub(super) fn question(query: &[u8]) -> (SampleName, RecordType) {
    match (type_offset(query), type_of(query)) {
        (Some(end), Some(rtype)) => (SampleName::new(&query[HEADER_LEN..end]), rtype),
        _ => (SampleName::new(&[]), RecordType(0)),
    }
}

/// The type that a query asks for.
pub(super) fn type_of(query: &[u8]) -> Option<RecordType> {
    let octets = query.get(type_offset(query)?..)?.first_chunk::<2>()?;
    Some(RecordType(u16::from_be_bytes(*octets)))
}
