//! Messages of others, record by record. Nothing here trusts an octet: lengths and pointers are checked, a name takes
//! at most 255 octets and pointers only go back, so that no message leads in circles.

use directory::RecordType;

use crate::wire::{CLASS_IN, HEADER_LEN};

/// The longest name, in octets (RFC 1035 §2.3.4).
const NAME_MAX: usize = 255;

/// How many pointers a name may lead through: as many as it can have labels.
const POINTERS_MAX: usize = 127;

/// A domain name in wire form, without compression, its case as it stood.
#[derive(Clone, Copy)]
pub(super) struct WireName {
    octets: [u8; NAME_MAX],
    length: usize,
}

impl WireName {
    /// The octets, root label included.
    pub(super) fn octets(&self) -> &[u8] {
        &self.octets[..self.length]
    }

    /// Whether two names are the same, whatever their case.
    pub(super) fn is(&self, other: &[u8]) -> bool {
        self.octets().eq_ignore_ascii_case(other)
    }

    /// Reads a name and says where the message goes on after it.
    pub(super) fn read(message: &[u8], start: usize) -> Option<(Self, usize)> {
        let mut name = Self { octets: [0; NAME_MAX], length: 0 };
        let mut after = None;
        let mut pointers = 0;
        // Each pointer must lead before the part of the name that it stands in.
        let (mut at, mut part) = (start, start);
        loop {
            let length = *message.get(at)?;
            match length {
                0..=63 => {
                    let end = at + 1 + usize::from(length);
                    let label = message.get(at..end)?;
                    let to = name.octets.get_mut(name.length..name.length + label.len())?;
                    to.copy_from_slice(label);
                    name.length += label.len();
                    at = end;
                    if length == 0 {
                        return Some((name, after.unwrap_or(at)));
                    }
                }
                0xC0.. => {
                    let target =
                        usize::from(length & 0x3F) << 8 | usize::from(*message.get(at + 1)?);
                    after.get_or_insert(at + 2);
                    pointers += 1;
                    if target >= part || pointers > POINTERS_MAX {
                        return None;
                    }
                    (at, part) = (target, target);
                }
                _ => return None,
            }
        }
    }
}

/// The counts of a message's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) questions: u16,
    pub(super) answers: u16,
    pub(super) authorities: u16,
    pub(super) additionals: u16,
}

impl Counts {
    /// Reads them; `None` where there is no whole header.
    pub(super) fn read(message: &[u8]) -> Option<Self> {
        let head = message.first_chunk::<HEADER_LEN>()?;
        let number = |at: usize| u16::from_be_bytes([head[at], head[at + 1]]);
        Some(Self {
            questions: number(4),
            answers: number(6),
            authorities: number(8),
            additionals: number(10),
        })
    }
}

/// Where a record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    Answer,
    Authority,
    Additional,
}

/// A record of a message.
#[derive(Clone, Copy)]
pub(super) struct Rr<'a> {
    pub(super) section: Section,
    pub(super) owner: WireName,
    pub(super) rtype: RecordType,
    pub(super) class: u16,
    pub(super) ttl: u32,
    message: &'a [u8],
    /// Where the data begins and ends.
    data: (usize, usize),
}

/// The records of a message that has one question.
pub(super) struct Records<'a> {
    message: &'a [u8],
    at: usize,
    left: [u16; 3],
}

impl<'a> Records<'a> {
    /// Begins after the question; `None` when it is not whole, or not one.
    pub(super) fn of(message: &'a [u8]) -> Option<Self> {
        let Counts { questions: 1, answers, authorities, additionals } = Counts::read(message)?
        else {
            return None;
        };
        let (_, end) = WireName::read(message, HEADER_LEN)?;
        Some(Self { message, at: end + 4, left: [answers, authorities, additionals] })
    }

    /// One record of the answer section, which begins here.
    pub(super) fn answer_at(message: &'a [u8], at: usize) -> Option<Rr<'a>> {
        Self { message, at, left: [0; 3] }.read(Section::Answer)
    }

    fn read(&mut self, section: Section) -> Option<Rr<'a>> {
        let message = self.message;
        let (owner, at) = WireName::read(message, self.at)?;
        let fixed = message.get(at..)?.first_chunk::<10>()?;
        let number = |at: usize| u16::from_be_bytes([fixed[at], fixed[at + 1]]);
        let start = at + fixed.len();
        let end = start + usize::from(number(8));
        message.get(start..end)?;
        self.at = end;
        let rtype = RecordType(number(0));
        let ttl = u32::from(number(4)) << 16 | u32::from(number(6));
        Some(Rr { section, owner, rtype, class: number(2), ttl, message, data: (start, end) })
    }
}

/// `Err` once where the message is broken, and nothing after that.
impl<'a> Iterator for Records<'a> {
    type Item = Result<Rr<'a>, Broken>;

    fn next(&mut self) -> Option<Self::Item> {
        let sections = [Section::Answer, Section::Authority, Section::Additional];
        let (left, section) = self.left.iter_mut().zip(sections).find(|(left, _)| **left > 0)?;
        *left -= 1;
        let record = self.read(section).ok_or(Broken);
        if record.is_err() {
            self.left = [0; 3];
        }
        Some(record)
    }
}

/// A message is not what its format says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Broken;

impl Rr<'_> {
    /// The data's octets, as they stand.
    pub(super) fn data(&self) -> &[u8] {
        // Reading the record has made sure of the bounds.
        self.message.get(self.data.0..self.data.1).unwrap_or_default()
    }

    /// The name that a CNAME record leads to.
    pub(super) fn cname(&self) -> Option<WireName> {
        if self.rtype != RecordType::CNAME || self.class != CLASS_IN {
            return None;
        }
        self.name_at(self.data.0).map(|(name, _)| name)
    }

    /// MINIMUM of a SOA record.
    pub(super) fn soa_minimum(&self) -> Option<u32> {
        if self.rtype != RecordType::SOA {
            return None;
        }
        self.data().last_chunk().map(|octets| u32::from_be_bytes(*octets))
    }

    /// Takes the data apart. `None` where it is not what its type says.
    pub(super) fn visit_data(&self, mut visit: impl FnMut(Part<'_>)) -> Option<()> {
        let mut at = self.data.0;
        for field in fields(self.rtype) {
            at = match field {
                Field::Octets(count) => {
                    let end = at + count;
                    visit(Part::Octets(self.part(at, end)?));
                    end
                }
                Field::Text => {
                    let end = at + 1 + usize::from(*self.part(at, at + 1)?.first()?);
                    visit(Part::Octets(self.part(at, end)?));
                    end
                }
                Field::Name(compression) => {
                    let (name, end) = self.name_at(at)?;
                    visit(Part::Name(&name, *compression));
                    end
                }
            };
        }
        if fields(self.rtype).is_empty() {
            visit(Part::Octets(self.data()));
            return Some(());
        }
        (at == self.data.1).then_some(())
    }

    fn name_at(&self, at: usize) -> Option<(WireName, usize)> {
        WireName::read(self.message, at).filter(|(_, end)| *end <= self.data.1)
    }

    fn part(&self, start: usize, end: usize) -> Option<&[u8]> {
        self.message.get(start..end).filter(|_| end <= self.data.1)
    }
}

/// A part of a record's data.
pub(super) enum Part<'a> {
    Octets(&'a [u8]),
    Name(&'a WireName, Compression),
}

/// Whether a name may be written as a pointer: in the types of RFC 1035 alone (RFC 3597 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compression {
    Allowed,
    Forbidden,
}

#[derive(Clone, Copy)]
enum Field {
    Octets(usize),
    /// A character-string: its length, then as many octets.
    Text,
    Name(Compression),
}

/// The data's format for types whose names others may have compressed (RFC 3597 §4 and RFC 6672 §2.5); empty for
/// all others, whose data has no pointers.
fn fields(rtype: RecordType) -> &'static [Field] {
    use Field::{Name, Octets, Text};
    const ALLOWED: Field = Name(Compression::Allowed);
    const FORBIDDEN: Field = Name(Compression::Forbidden);
    match rtype.0 {
        // NS, MD, MF, CNAME, MB, MG, MR, PTR
        2..=5 | 7..=9 | 12 => &[ALLOWED],
        // SOA
        6 => &[ALLOWED, ALLOWED, Octets(20)],
        // MINFO
        14 => &[ALLOWED, ALLOWED],
        // MX
        15 => &[Octets(2), ALLOWED],
        // RP
        17 => &[FORBIDDEN, FORBIDDEN],
        // AFSDB, RT, KX
        18 | 21 | 36 => &[Octets(2), FORBIDDEN],
        // PX
        26 => &[Octets(2), FORBIDDEN, FORBIDDEN],
        // SRV
        33 => &[Octets(6), FORBIDDEN],
        // NAPTR
        35 => &[Octets(4), Text, Text, Text, FORBIDDEN],
        // DNAME
        39 => &[FORBIDDEN],
        _ => &[],
    }
}
