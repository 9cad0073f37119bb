//! Name compression (RFC 1035 §4.1.4).

/// How many names can be pointed to. Answers have few different names that others end in: the question,
/// the targets of CNAME and NS records. More are written out.
const NAMES_MAX: usize = 12;

/// Pointers have 14 bits.
const POINTER_MAX: usize = 0x3FFF;

/// The names of a message that later names can point into.
#[derive(Default)]
pub(super) struct Names<'n> {
    written: [Written<'n>; NAMES_MAX],
    count: usize,
}

#[derive(Clone, Copy, Default)]
struct Written<'n> {
    /// The whole name, uncompressed.
    wire: &'n [u8],
    /// Where the message has it.
    offset: usize,
    /// How many of its octets stand there; a pointer stands for the rest, which another entry has.
    len: usize,
}

impl<'n> Names<'n> {
    /// Remembers a name whose first `len` octets were written at `offset`.
    pub(super) fn add(&mut self, wire: &'n [u8], offset: usize, len: usize) {
        if len > 0 && offset + len <= POINTER_MAX && self.count < NAMES_MAX {
            self.written[self.count] = Written { wire, offset, len };
            self.count += 1;
        }
    }

    /// How many names there are, for [`Names::forget_from`].
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Forgets the names after the first `count`.
    pub(super) fn forget_from(&mut self, count: usize) {
        self.count = count;
    }

    /// Writes a name, pointing to its longest known ending, and returns how many octets of it were written
    /// out. Endings are the same when their case is: names go out in the case that the directory gives them,
    /// whatever case the question was in.
    pub(super) fn write(&self, wire: &[u8], out: &mut Vec<u8>) -> usize {
        let mut at = 0;
        while wire[at] != 0 {
            if let Some(offset) = self.find(&wire[at..]) {
                out.extend_from_slice(&wire[..at]);
                out.extend_from_slice(&(0xC000 | offset as u16).to_be_bytes());
                return at;
            }
            at += 1 + usize::from(wire[at]);
        }
        out.extend_from_slice(wire);
        wire.len()
    }

    /// Where the message has `ending`. The octets before it may be a part of a label: a pointer there reads
    /// the same name all the same.
    fn find(&self, ending: &[u8]) -> Option<usize> {
        self.written[..self.count].iter().find_map(|name| {
            let skipped = name.wire.len().checked_sub(ending.len())?;
            (skipped < name.len && name.wire[skipped..] == *ending).then_some(name.offset + skipped)
        })
    }
}
