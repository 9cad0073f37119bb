//! What is asked of upstreams.

use std::fmt;

use directory::RecordType;

use crate::wire::{CLASS_IN, HEADER_LEN, flag};

/// The UDP size that we offer upstreams: what fits the least IPv6 path without fragments (DNS Flag Day 2020), for
/// fragments are easier to forge.
const UDP_SIZE: u16 = 1232;

/// The longest key: a name, type and flags.
const KEY_MAX: usize = 258;

/// A question of class IN to an upstream, in one form: the key of the cache and of what is under way.
#[derive(Clone, Copy)]
pub struct Question {
    octets: [u8; KEY_MAX],
    length: usize,
}

/// The flags of a question that change its answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// DO: DNSSEC records with the answer (RFC 3225).
    pub dnssec_ok: bool,
    /// CD: no validation by the upstream (RFC 4035 §3.2.2).
    pub checking_disabled: bool,
}

impl Question {
    /// `name` is in wire form, of any case; `None` when it is too long for a name.
    pub fn new(name: &[u8], rtype: RecordType, wishes: Wishes) -> Option<Self> {
        let mut octets = [0; KEY_MAX];
        let length = name.len() + 3;
        let (to, rest) = octets.get_mut(..length)?.split_at_mut(name.len());
        to.copy_from_slice(name);
        to.make_ascii_lowercase();
        rest[..2].copy_from_slice(&rtype.0.to_be_bytes());
        rest[2] = u8::from(wishes.dnssec_ok) | u8::from(wishes.checking_disabled) << 1;
        Some(Self { octets, length })
    }

    /// The whole of it, to look it up by.
    pub(super) fn key(&self) -> &[u8] {
        &self.octets[..self.length]
    }

    /// The name in wire form, in lowercase.
    pub fn name(&self) -> &[u8] {
        &self.octets[..self.length - 3]
    }

    /// The type.
    pub fn rtype(&self) -> RecordType {
        RecordType(u16::from_be_bytes([self.octets[self.length - 3], self.octets[self.length - 2]]))
    }

    pub(super) fn wishes(&self) -> Wishes {
        let flags = self.octets[self.length - 1];
        Wishes { dnssec_ok: flags & 1 != 0, checking_disabled: flags & 2 != 0 }
    }

    /// The question section in lowercase.
    pub(super) fn section(&self) -> Vec<u8> {
        section(self.name(), self.rtype())
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match directory::Name::from_wire(self.name()) {
            Ok(name) => write!(f, "{name} {}", self.rtype()),
            Err(_) => write!(f, "? {}", self.rtype()),
        }
    }
}

/// A question section of class IN.
pub(super) fn section(name: &[u8], rtype: RecordType) -> Vec<u8> {
    let mut section = Vec::with_capacity(name.len() + 4);
    section.extend_from_slice(name);
    section.extend_from_slice(&rtype.0.to_be_bytes());
    section.extend_from_slice(&CLASS_IN.to_be_bytes());
    section
}

/// What an answer must be guessed by, to be forged: the id, and a bit for each letter of the name.
#[derive(Clone, Copy, Debug)]
pub struct Chance {
    /// The message's id.
    pub id: u16,
    /// A letter is in upper case when its bit, of its place in the name, is set.
    pub case: [u8; 32],
}

impl Chance {
    /// From the operating system.
    pub(super) fn new() -> Result<Self, getrandom::Error> {
        let mut octets = [0; 34];
        getrandom::fill(&mut octets)?;
        let [first, second, case @ ..] = octets;
        Ok(Self { id: u16::from_be_bytes([first, second]), case })
    }
}

/// A query as it goes to an upstream.
#[derive(Clone, Debug)]
pub struct Sent {
    message: Vec<u8>,
    /// Where the question section ends.
    question_end: usize,
}

impl Sent {
    /// Asks `question`, its letters in random case (draft-vixie-dnsext-dns0x20).
    pub fn new(question: &Question, chance: &Chance) -> Self {
        let wishes = question.wishes();
        let mut message = Vec::with_capacity(HEADER_LEN + question.key().len() + 16);
        message.extend_from_slice(&chance.id.to_be_bytes());
        // AD says that we know the flag in replies (RFC 6840 §5.7).
        let checking = if wishes.checking_disabled { flag::CHECKING_DISABLED } else { 0 };
        let flags = flag::RECURSION_DESIRED | flag::AUTHENTIC_DATA | checking;
        message.extend_from_slice(&flags.to_be_bytes());
        message.extend_from_slice(&[0, 1, 0, 0, 0, 0, 0, 1]);
        message.extend_from_slice(question.name());
        // A length octet is at most 63, which is no letter.
        for (bit, octet) in message[HEADER_LEN..].iter_mut().enumerate() {
            if octet.is_ascii_lowercase() && chance.case[bit / 8] & 1 << (bit % 8) != 0 {
                octet.make_ascii_uppercase();
            }
        }
        message.extend_from_slice(&question.rtype().0.to_be_bytes());
        message.extend_from_slice(&CLASS_IN.to_be_bytes());
        let question_end = message.len();
        message.push(0);
        message.extend_from_slice(&RecordType::OPT.0.to_be_bytes());
        message.extend_from_slice(&UDP_SIZE.to_be_bytes());
        message.extend_from_slice(&[0, 0, if wishes.dnssec_ok { 0x80 } else { 0 }, 0, 0, 0]);
        Self { message, question_end }
    }

    /// As [`Sent::new`], without EDNS.
    pub fn without_edns(question: &Question, chance: &Chance) -> Self {
        let mut sent = Self::new(question, chance);
        sent.message.truncate(sent.question_end);
        sent.message[11] = 0;
        sent
    }

    /// The message.
    pub fn message(&self) -> &[u8] {
        &self.message
    }

    /// The id that a reply must have.
    pub fn id(&self) -> u16 {
        u16::from_be_bytes([self.message[0], self.message[1]])
    }

    /// The question section that a reply must have, to the letter.
    pub fn question(&self) -> &[u8] {
        &self.message[HEADER_LEN..self.question_end]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Query;

    #[test]
    fn a_question_goes_out_as_a_query_in_the_case_that_chance_chose() {
        let name = directory::Name::parse("www.Example.com").expect("a name");
        let wishes = Wishes { dnssec_ok: true, checking_disabled: true };
        let question = Question::new(name.wire(), RecordType::AAAA, wishes).expect("it fits");
        assert_eq!(question.wishes(), wishes);
        assert_eq!(question.to_string(), "www.example.com. AAAA");
        let sent = Sent::new(&question, &Chance { id: 0x1234, case: [0b0110; 32] });
        let query = Query::parse(sent.message()).expect("a query");
        assert_eq!(query.header.id, 0x1234);
        assert!(query.header.recursion_desired);
        assert_eq!(sent.message()[3], 0x30, "AD and CD");
        let edns = query.edns.expect("an OPT record");
        assert!(edns.dnssec_ok);
        assert_eq!(edns.udp_size, 1232);
        assert_eq!(query.question.wire, sent.question());
        assert_eq!(query.question.wire[..12], *b"\x03WWw\x07examPLe");
        assert_eq!(query.question.rtype, RecordType::AAAA);
    }

    #[test]
    fn keys_tell_apart_what_is_answered_differently() {
        let key = |name: &str, rtype, dnssec_ok, checking_disabled| {
            let name = directory::Name::parse(name).expect("a name");
            let wishes = Wishes { dnssec_ok, checking_disabled };
            Question::new(name.wire(), rtype, wishes).expect("it fits").key().to_vec()
        };
        let plain = key("a.example", RecordType::A, false, false);
        assert_eq!(plain, key("A.EXAMPLE", RecordType::A, false, false));
        for other in [
            key("b.example", RecordType::A, false, false),
            key("a.example", RecordType::AAAA, false, false),
            key("a.example", RecordType::A, true, false),
            key("a.example", RecordType::A, false, true),
        ] {
            assert_ne!(plain, other);
        }
        assert!(Question::new(&[1; 256], RecordType::A, Wishes::default()).is_none());
    }
}
