//! Queries, as they come in.

use directory::{NameRef, RecordType};

use super::{Edns, HEADER_LEN, Rcode, flag};

/// The part of a query's header that a reply repeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The client's number for the query.
    pub id: u16,
    /// OPCODE, 0 (QUERY) to 15.
    pub opcode: u8,
    /// The RD flag.
    pub recursion_desired: bool,
}

/// The question.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// QNAME, its case kept.
    pub name: NameRef<'a>,
    /// QTYPE.
    pub rtype: RecordType,
    /// QCLASS.
    pub class: u16,
    /// The question section as it came.
    pub wire: &'a [u8],
}

/// A well-formed query.
#[derive(Clone, Debug)]
pub struct Query<'a> {
    /// What the reply repeats.
    pub header: Header,
    /// The one question.
    pub question: Question<'a>,
    /// The OPT record, of any version.
    pub edns: Option<Edns>,
}

/// Why octets are not a query that can be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection<'a> {
    /// Shorter than a header, or a response: answering it could begin a loop. No reply is due.
    Drop,
    /// A reply with an error is due.
    Error {
        /// FORMERR or NOTIMP.
        rcode: Rcode,
        /// What the reply repeats.
        header: Header,
        /// The question section, when it could be read.
        question: Option<&'a [u8]>,
        /// The OPT record, when one could be read.
        edns: Option<Edns>,
    },
}

impl<'a> Query<'a> {
    /// Reads a query.
    ///
    /// Strict where the meaning hangs on it: exactly one question, its name without compression (there is
    /// nothing before it to point to), every record that the header counts whole, at most one OPT record, in
    /// the additional section, with the root as owner and whole options (RFC 6891 §6.1.1). Records other than
    /// OPT are read past. Octets after the last counted record are ignored: no answer depends on them, no
    /// reply repeats them, and clients and middleboxes that pad are answered by other servers too.
    pub fn parse(message: &'a [u8]) -> Result<Self, Rejection<'a>> {
        let Some((head, _)) = message.split_first_chunk::<HEADER_LEN>() else {
            return Err(Rejection::Drop);
        };
        let number = |at: usize| u16::from_be_bytes([head[at], head[at + 1]]);
        let flags = number(2);
        if flags & flag::RESPONSE != 0 {
            return Err(Rejection::Drop);
        }
        let header = Header {
            id: number(0),
            opcode: ((flags & flag::OPCODE) >> 11) as u8,
            recursion_desired: flags & flag::RECURSION_DESIRED != 0,
        };
        let error = |rcode, question, edns| Rejection::Error { rcode, header, question, edns };
        if header.opcode != 0 {
            // What follows the header is for the operation to define (UPDATE has zones, DSO has no counts).
            return Err(error(Rcode::NotImp, None, None));
        }
        let malformed = |question, edns| error(Rcode::FormErr, question, edns);
        if number(4) != 1 {
            return Err(malformed(None, None));
        }
        let mut reader = Reader { message, at: HEADER_LEN };
        let question = reader.question().ok_or(malformed(None, None))?;
        let wire = Some(question.wire);
        let mut edns = None;
        for _ in 0..u32::from(number(6)) + u32::from(number(8)) {
            match reader.record() {
                Some(record) if record.rtype != RecordType::OPT => {}
                _ => return Err(malformed(wire, edns)),
            }
        }
        for _ in 0..number(10) {
            let Some(record) = reader.record() else { return Err(malformed(wire, edns)) };
            if record.rtype != RecordType::OPT {
                continue;
            }
            match Edns::read(record.class, record.ttl, record.data) {
                Some(read) if record.owner_is_root && edns.is_none() => edns = Some(read),
                _ => return Err(malformed(wire, edns)),
            }
        }
        Ok(Self { header, question, edns })
    }
}

/// Reads a message from front to back. Every method returns `None` where the message ends too early or breaks
/// the format.
struct Reader<'a> {
    message: &'a [u8],
    at: usize,
}

struct AnyRecord<'a> {
    owner_is_root: bool,
    rtype: RecordType,
    class: u16,
    ttl: u32,
    data: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let taken = self.message.get(self.at..)?.get(..count)?;
        self.at += count;
        Some(taken)
    }

    fn number(&mut self) -> Option<u16> {
        self.take(2).map(|octets| u16::from_be_bytes([octets[0], octets[1]]))
    }

    fn question(&mut self) -> Option<Question<'a>> {
        let start = self.at;
        loop {
            match self.take(1)?[0] {
                0 => break,
                // The two upper bits stand for compression or label types that were never used.
                length @ 1..=63 => self.take(usize::from(length))?,
                _ => return None,
            };
        }
        let name = NameRef::from_wire(&self.message[start..self.at]).ok()?;
        let rtype = RecordType(self.number()?);
        let class = self.number()?;
        Some(Question { name, rtype, class, wire: &self.message[start..self.at] })
    }

    fn record(&mut self) -> Option<AnyRecord<'a>> {
        let start = self.at;
        self.skip_name()?;
        let owner_is_root = self.at == start + 1;
        let rtype = RecordType(self.number()?);
        let class = self.number()?;
        let ttl = u32::from(self.number()?) << 16 | u32::from(self.number()?);
        let length = self.number()?;
        let data = self.take(usize::from(length))?;
        Some(AnyRecord { owner_is_root, rtype, class, ttl, data })
    }

    /// Goes past a name. A pointer ends it and is not followed, so that no message can lead in circles.
    fn skip_name(&mut self) -> Option<()> {
        let start = self.at;
        loop {
            match self.take(1)?[0] {
                0 => return (self.at - start <= 255).then_some(()),
                length @ 1..=63 => self.take(usize::from(length))?,
                upper @ 0xC0.. => {
                    let target = usize::from(upper & 0x3F) << 8 | usize::from(self.take(1)?[0]);
                    return (target < start && self.at - start <= 256).then_some(());
                }
                _ => return None,
            };
        }
    }
}
