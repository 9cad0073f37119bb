//! Messages made of records of other messages.

use super::records::{Broken, Compression, Part, Rr, Section};
use crate::wire::HEADER_LEN;

/// Pointers have 14 bits.
const POINTER_MAX: usize = 0x3FFF;

/// How many places of a message later names may point to. More names are written out.
const PLACES_MAX: usize = 64;

/// How many labels are compared for a message, at most: some 10 ms. What comes then is written out.
const COMPARED_MAX: usize = 1 << 20;

/// Why a record was not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotWritten {
    /// It does not fit.
    Full,
    /// Its data is not what its type says.
    Broken,
}

impl From<Broken> for NotWritten {
    fn from(Broken: Broken) -> Self {
        Self::Broken
    }
}

/// A message under construction, of at most `limit` octets.
pub(super) struct Writer<'o> {
    out: &'o mut Vec<u8>,
    limit: usize,
    /// Where labels begin that names can end with.
    places: Vec<u16>,
    /// Labels that may still be compared.
    comparisons: usize,
    counts: [u16; 3],
}

impl<'o> Writer<'o> {
    /// Begins a message in `out` with an empty header and this question section.
    pub(super) fn new(out: &'o mut Vec<u8>, question: &[u8], limit: usize) -> Self {
        out.clear();
        out.resize(HEADER_LEN, 0);
        out[5] = 1;
        out.extend_from_slice(question);
        let mut writer =
            Self { out, limit, places: Vec::new(), comparisons: COMPARED_MAX, counts: [0; 3] };
        let name = question.len().saturating_sub(4);
        writer.remember(HEADER_LEN, &question[..name]);
        writer
    }

    /// Where the next record begins.
    pub(super) fn position(&self) -> usize {
        self.out.len()
    }

    /// Appends a record, all of it or nothing. Sections come in order.
    pub(super) fn record(
        &mut self,
        section: Section,
        record: &Rr<'_>,
        ttl: u32,
    ) -> Result<(), NotWritten> {
        let (start, places) = (self.out.len(), self.places.len());
        let written = self.write(record, ttl);
        let count = self.counts[section as usize].checked_add(1);
        let result = match (written, count) {
            (Ok(()), Some(count)) if self.out.len() <= self.limit => {
                self.counts[section as usize] = count;
                return Ok(());
            }
            (Err(error), _) => Err(error),
            _ => Err(NotWritten::Full),
        };
        self.out.truncate(start);
        self.places.truncate(places);
        result
    }

    /// Ends the message, but for flags and id.
    pub(super) fn finish(self) -> &'o mut Vec<u8> {
        for (at, count) in [6, 8, 10].into_iter().zip(self.counts) {
            self.out[at..at + 2].copy_from_slice(&count.to_be_bytes());
        }
        self.out
    }

    fn write(&mut self, record: &Rr<'_>, ttl: u32) -> Result<(), NotWritten> {
        self.name(record.owner.octets(), Compression::Allowed);
        self.out.extend_from_slice(&record.rtype.0.to_be_bytes());
        self.out.extend_from_slice(&record.class.to_be_bytes());
        self.out.extend_from_slice(&ttl.to_be_bytes());
        self.out.extend_from_slice(&[0, 0]);
        let start = self.out.len();
        let visited = record.visit_data(|part| match part {
            Part::Octets(octets) => self.out.extend_from_slice(octets),
            Part::Name(name, compression) => self.name(name.octets(), compression),
        });
        visited.ok_or(Broken)?;
        let length = u16::try_from(self.out.len() - start).map_err(|_| NotWritten::Full)?;
        self.out[start - 2..start].copy_from_slice(&length.to_be_bytes());
        Ok(())
    }

    fn name(&mut self, name: &[u8], compression: Compression) {
        if compression == Compression::Forbidden {
            self.out.extend_from_slice(name);
            return;
        }
        let start = self.out.len();
        let mut at = 0;
        while name[at] != 0 {
            if let Some(place) = self.find(&name[at..]) {
                self.out.extend_from_slice(&name[..at]);
                self.out.extend_from_slice(&(0xC000 | place).to_be_bytes());
                self.remember(start, &name[..at]);
                return;
            }
            at += 1 + usize::from(name[at]);
        }
        self.out.extend_from_slice(name);
        self.remember(start, name);
    }

    /// Remembers the labels that stand at `start`: a name, or the part of it before a pointer.
    fn remember(&mut self, start: usize, labels: &[u8]) {
        let mut at = 0;
        while at < labels.len() && labels[at] != 0 && self.places.len() < PLACES_MAX {
            match u16::try_from(start + at) {
                Ok(place) if usize::from(place) <= POINTER_MAX => self.places.push(place),
                _ => return,
            }
            at += 1 + usize::from(labels[at]);
        }
    }

    /// Where the message has `ending`, in whatever case: so names that are the question's go out in the case of
    /// the question.
    fn find(&mut self, ending: &[u8]) -> Option<u16> {
        let found = (0..self.places.len()).find(|place| self.has(*place, ending));
        found.map(|place| self.places[place])
    }

    fn has(&mut self, place: usize, ending: &[u8]) -> bool {
        let mut at = usize::from(self.places[place]);
        let mut rest = ending;
        while let Some(left) = self.comparisons.checked_sub(1) {
            self.comparisons = left;
            let length = self.out[at];
            if length >= 0xC0 {
                // Written by us: it leads back, to a label.
                at = usize::from(length & 0x3F) << 8 | usize::from(self.out[at + 1]);
                continue;
            }
            let label = &self.out[at..=at + usize::from(length)];
            match rest.split_at_checked(label.len()) {
                Some((head, tail)) if head.eq_ignore_ascii_case(label) => rest = tail,
                _ => return false,
            }
            if length == 0 {
                return true;
            }
            at += label.len();
        }
        false
    }
}
