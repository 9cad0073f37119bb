//! Replies, as they go out.

use directory::{Name, Rdata, Record};

use super::edns::{self, ExtendedError, OPT_LEN};
use super::names::Names;
use super::{CLASS_IN, Edns, HEADER_LEN, Header, Rcode, flag};

/// The sections that hold records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    Answer,
    Authority,
    Additional,
}

/// A record does not fit; nothing of it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// A reply under construction. Records are appended whole, section after section, up to a limit that leaves
/// room for the OPT record.
pub(crate) struct Message<'o, 'n> {
    out: &'o mut Vec<u8>,
    names: Names<'n>,
    flags: u16,
    counts: [u16; 3],
    limit: usize,
    edns: Option<Edns>,
}

impl<'o, 'n> Message<'o, 'n> {
    /// Starts a reply of at most `limit` octets (at least 512) in the empty `out`, with an OPT record if the
    /// client sent one.
    pub(crate) fn new(
        out: &'o mut Vec<u8>,
        header: Header,
        edns: Option<Edns>,
        limit: usize,
    ) -> Self {
        out.extend_from_slice(&header.id.to_be_bytes());
        out.resize(HEADER_LEN, 0);
        let desired = if header.recursion_desired { flag::RECURSION_DESIRED } else { 0 };
        let flags = flag::RESPONSE | u16::from(header.opcode) << 11 | desired;
        let limit = limit - if edns.is_some() { OPT_LEN } else { 0 };
        Self { out, names: Names::default(), flags, counts: [0; 3], limit, edns }
    }

    /// Repeats the question section as it came.
    pub(crate) fn question(&mut self, wire: &[u8]) {
        self.out[5] = 1;
        self.out.extend_from_slice(wire);
    }

    /// Lets later names point into the question's name.
    pub(crate) fn point_to_question(&mut self, name: &'n Name) {
        self.names.add(name.wire(), HEADER_LEN, name.wire().len());
    }

    /// Sets the AA flag.
    pub(crate) fn set_authoritative(&mut self) {
        self.flags |= flag::AUTHORITATIVE;
    }

    /// Sets the TC flag.
    pub(crate) fn set_truncated(&mut self) {
        self.flags |= flag::TRUNCATED;
    }

    /// Appends a record.
    pub(crate) fn record(&mut self, section: Section, record: &'n Record) -> Result<(), Full> {
        let (start, names) = (self.out.len(), self.names.count());
        let count = &mut self.counts[section as usize];
        let fits = write_record(self.out, &mut self.names, record) && self.out.len() <= self.limit;
        match (fits, count.checked_add(1)) {
            (true, Some(next)) => {
                *count = next;
                Ok(())
            }
            _ => {
                self.out.truncate(start);
                self.names.forget_from(names);
                Err(Full)
            }
        }
    }

    /// Appends as many whole RRsets to the additional section as fit: a set in part would pass for all of it
    /// (RFC 2181 §5).
    pub(crate) fn additional(&mut self, records: &'n [Record]) {
        let one_set =
            |a: &Record, b: &Record| a.data.rtype() == b.data.rtype() && a.owner == b.owner;
        for set in records.chunk_by(one_set) {
            let (start, names) = (self.out.len(), self.names.count());
            let count = self.counts[Section::Additional as usize];
            for record in set {
                if self.record(Section::Additional, record).is_err() {
                    self.out.truncate(start);
                    self.names.forget_from(names);
                    self.counts[Section::Additional as usize] = count;
                    return;
                }
            }
        }
    }

    /// Completes the reply. `udp_size` is what this server takes over UDP.
    pub(crate) fn finish(mut self, rcode: Rcode, udp_size: u16, error: Option<&ExtendedError>) {
        let rcode = rcode as u16;
        if let Some(client) = self.edns {
            let room = self.limit + OPT_LEN - self.out.len();
            edns::write(self.out, client, udp_size, rcode, error, room);
            // Fits: MESSAGE_MAX octets hold fewer records.
            self.counts[Section::Additional as usize] += 1;
        }
        let flags = self.flags | rcode & 0xF;
        self.out[2..4].copy_from_slice(&flags.to_be_bytes());
        for (at, count) in [6, 8, 10].into_iter().zip(self.counts) {
            self.out[at..at + 2].copy_from_slice(&count.to_be_bytes());
        }
    }
}

/// Writes a record; `false` when its data is too long for any message.
fn write_record<'n>(out: &mut Vec<u8>, names: &mut Names<'n>, record: &'n Record) -> bool {
    let Record { owner, ttl, data } = record;
    names.write(owner.wire(), out);
    out.extend_from_slice(&data.rtype().0.to_be_bytes());
    out.extend_from_slice(&CLASS_IN.to_be_bytes());
    out.extend_from_slice(&ttl.to_be_bytes());
    let start = out.len() + 2;
    out.extend_from_slice(&[0, 0]);
    match data {
        Rdata::A(address) => out.extend_from_slice(&address.octets()),
        Rdata::Aaaa(address) => out.extend_from_slice(&address.octets()),
        Rdata::Cname(name) | Rdata::Ptr(name) | Rdata::Ns(name) => {
            let written = names.write(name.wire(), out);
            names.add(name.wire(), start, written);
        }
        Rdata::Srv { priority, weight, port, target } => {
            for number in [priority, weight, port] {
                out.extend_from_slice(&number.to_be_bytes());
            }
            // Never compressed, nor pointed to (RFC 2782, "Target").
            out.extend_from_slice(target.wire());
        }
        Rdata::Soa { mname, rname, serial, refresh, retry, expire, minimum } => {
            names.write(mname.wire(), out);
            names.write(rname.wire(), out);
            for number in [serial, refresh, retry, expire, minimum] {
                out.extend_from_slice(&number.to_be_bytes());
            }
        }
        Rdata::Txt(text) => character_string(out, text),
        Rdata::Hinfo { cpu, os } => {
            character_string(out, cpu);
            character_string(out, os);
        }
    }
    let Ok(length) = u16::try_from(out.len() - start) else { return false };
    out[start - 2..start].copy_from_slice(&length.to_be_bytes());
    true
}

/// Writes a character-string (RFC 1035 §3.3), which has at most 255 octets: the rest is left out.
fn character_string(out: &mut Vec<u8>, text: &str) {
    let text = &text.as_bytes()[..text.len().min(255)];
    out.push(text.len() as u8);
    out.extend_from_slice(text);
}
