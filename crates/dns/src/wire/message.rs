//! Replies, as they go out.

use directory::{Full, NameParts, NameRef, RdataRef, RecordType};

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

/// A pointer to the name after the header.
const POINTER_TO_QUESTION: [u8; 2] = [0xC0, HEADER_LEN as u8];

/// An A record of the question's name, without its TTL and address.
const ADDRESS_OF_QUESTION: [u8; 16] = {
    let [p0, p1] = POINTER_TO_QUESTION;
    let [t0, t1] = RecordType::A.0.to_be_bytes();
    let [c0, c1] = CLASS_IN.to_be_bytes();
    [p0, p1, t0, t1, c0, c1, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0]
};

/// The owner of a record.
#[derive(Clone, Copy)]
pub(crate) enum Owner<'a> {
    /// The question's name, which stands after the header.
    Question,
    Name(NameParts<'a>),
}

/// A reply under construction. Records are appended whole, section after section, up to a limit that leaves
/// room for the OPT record.
pub(crate) struct Message<'o> {
    out: &'o mut Vec<u8>,
    /// Where the question ends.
    records_start: usize,
    names: Names,
    flags: u16,
    counts: [u16; 3],
    limit: usize,
    edns: Option<Edns>,
}

/// How far a message has come.
struct Place {
    length: usize,
    names: usize,
    counts: [u16; 3],
}

impl<'o> Message<'o> {
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
        let names = Names::default();
        Self { out, records_start: HEADER_LEN, names, flags, counts: [0; 3], limit, edns }
    }

    /// Repeats the question section as it came.
    pub(crate) fn question(&mut self, wire: &[u8]) {
        self.out[5] = 1;
        self.out.extend_from_slice(wire);
        self.records_start = self.out.len();
    }

    /// Takes all records out again.
    pub(crate) fn clear(&mut self) {
        self.return_to(Place { length: self.records_start, names: 0, counts: [0; 3] });
        self.flags &= !flag::TRUNCATED;
    }

    /// Lets later names point into the question's name.
    pub(crate) fn point_to_question(&mut self, name: NameRef<'_>) {
        let length = name.wire().len();
        self.names.add(HEADER_LEN, length, length);
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
    ///
    /// # Errors
    ///
    /// [`Full`] when it does not fit: then nothing of it was written.
    pub(crate) fn record(
        &mut self,
        section: Section,
        owner: Owner<'_>,
        ttl: u32,
        data: RdataRef<'_>,
    ) -> Result<(), Full> {
        let start = self.here();
        let fits = write_record(self.out, &mut self.names, owner, ttl, data);
        let count = &mut self.counts[section as usize];
        match (fits && self.out.len() <= self.limit, count.checked_add(1)) {
            (true, Some(next)) => {
                *count = next;
                Ok(())
            }
            _ => {
                self.return_to(start);
                Err(Full)
            }
        }
    }

    /// Appends a whole RRset to the additional section, or nothing of it: a set in part would pass for all of it
    /// (RFC 2181 §5).
    ///
    /// # Errors
    ///
    /// [`Full`] when it does not fit.
    pub(crate) fn additional<'r>(
        &mut self,
        owner: NameParts<'_>,
        ttl: u32,
        set: impl IntoIterator<Item = RdataRef<'r>>,
    ) -> Result<(), Full> {
        let start = self.here();
        let all = set
            .into_iter()
            .try_for_each(|data| self.record(Section::Additional, Owner::Name(owner), ttl, data));
        all.inspect_err(|Full| self.return_to(start))
    }

    fn here(&self) -> Place {
        Place { length: self.out.len(), names: self.names.count(), counts: self.counts }
    }

    /// Forgets what was appended since.
    fn return_to(&mut self, Place { length, names, counts }: Place) {
        self.out.truncate(length);
        self.names.forget_from(names);
        self.counts = counts;
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
fn write_record(
    out: &mut Vec<u8>,
    names: &mut Names,
    owner: Owner<'_>,
    ttl: u32,
    data: RdataRef<'_>,
) -> bool {
    // Most records of most answers, in one piece: 16 octets.
    if let (Owner::Question, RdataRef::A(address)) = (owner, data) {
        let mut record = ADDRESS_OF_QUESTION;
        record[6..10].copy_from_slice(&ttl.to_be_bytes());
        record[12..].copy_from_slice(&address.octets());
        out.extend_from_slice(&record);
        return true;
    }
    match owner {
        Owner::Question => out.extend_from_slice(&POINTER_TO_QUESTION),
        Owner::Name(name) => names.write(name, out),
    }
    let [t0, t1] = data.rtype().0.to_be_bytes();
    let [c0, c1] = CLASS_IN.to_be_bytes();
    let [l0, l1, l2, l3] = ttl.to_be_bytes();
    // The length is filled in below.
    out.extend_from_slice(&[t0, t1, c0, c1, l0, l1, l2, l3, 0, 0]);
    let start = out.len();
    match data {
        RdataRef::A(address) => out.extend_from_slice(&address.octets()),
        RdataRef::Aaaa(address) => out.extend_from_slice(&address.octets()),
        RdataRef::Cname(name) | RdataRef::Ptr(name) | RdataRef::Ns(name) => {
            names.write_and_add(name, out);
        }
        RdataRef::Srv { priority, weight, port, target } => {
            let [p0, p1] = priority.to_be_bytes();
            let [w0, w1] = weight.to_be_bytes();
            let [n0, n1] = port.to_be_bytes();
            out.extend_from_slice(&[p0, p1, w0, w1, n0, n1]);
            // Never compressed, nor pointed to (RFC 2782, "Target").
            if let label @ [_, ..] = target.label() {
                // At most 63.
                out.push(label.len() as u8);
                out.extend_from_slice(label);
            }
            out.extend_from_slice(target.parent().wire());
        }
        RdataRef::Soa { mname, rname, serial, refresh, retry, expire, minimum } => {
            names.write(mname, out);
            names.write(rname, out);
            for number in [serial, refresh, retry, expire, minimum] {
                out.extend_from_slice(&number.to_be_bytes());
            }
        }
        RdataRef::Txt(text) => character_string(out, text),
        RdataRef::Hinfo { cpu, os } => {
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
