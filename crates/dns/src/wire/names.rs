//! Name compression (RFC 1035 §4.1.4).

use directory::NameParts;

/// How many names can be pointed to. Answers have few different names that others end in: the question,
/// the targets of CNAME and NS records. More are written out.
const NAMES_MAX: usize = 12;

/// Pointers have 14 bits.
const POINTER_MAX: usize = 0x3FFF;

/// The two bits that tell a pointer from a label's length.
const POINTER: u8 = 0xC0;

/// The names of a message that later names can point into, by where the message has them.
#[derive(Default)]
pub(super) struct Names {
    known: [Known; NAMES_MAX],
    count: usize,
}

#[derive(Clone, Copy, Default)]
struct Known {
    offset: u16,
    /// How many octets stand there; a pointer follows them, unless they are all.
    written: u16,
    /// The length of the whole name, uncompressed.
    length: u16,
}

impl Names {
    /// Remembers a name of `length` octets, of which the first `written` stand at `offset`.
    pub(super) fn add(&mut self, offset: usize, written: usize, length: usize) {
        if written > 0 && offset + written <= POINTER_MAX && self.count < NAMES_MAX {
            // A name has at most 255 octets.
            self.known[self.count] =
                Known { offset: offset as u16, written: written as u16, length: length as u16 };
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

    /// Writes a name, pointing to its longest known ending. Endings are the same when their case is: names go out in
    /// the case that the directory gives them, whatever case the question was in.
    pub(super) fn write(&self, name: NameParts<'_>, out: &mut Vec<u8>) {
        let (label, parent) = (name.label(), name.parent().wire());
        if !label.is_empty() {
            if let Some(offset) = self.find(out, label, parent) {
                out.extend_from_slice(&pointer(offset));
                return;
            }
            // At most 63.
            out.push(label.len() as u8);
            out.extend_from_slice(label);
        }
        let mut at = 0;
        while parent[at] != 0 {
            if let Some(offset) = self.find(out, &[], &parent[at..]) {
                out.extend_from_slice(&parent[..at]);
                out.extend_from_slice(&pointer(offset));
                return;
            }
            at += 1 + usize::from(parent[at]);
        }
        out.extend_from_slice(parent);
    }

    /// Like [`Names::write`], and remembers the name.
    pub(super) fn write_and_add(&mut self, name: NameParts<'_>, out: &mut Vec<u8>) {
        let start = out.len();
        self.write(name, out);
        let parent = name.parent().wire().len();
        let length = match name.label() {
            [] => parent,
            label => 1 + label.len() + parent,
        };
        let written = out.len() - start;
        // A whole name ends with a zero, one that was compressed with the two octets of a pointer.
        self.add(start, if written == length { length } else { written - 2 }, length);
    }

    /// Where the message has the name `label.rest`, or `rest` when the label is empty. The octets before may be a
    /// part of a label: a pointer there reads the same name all the same.
    fn find(&self, message: &[u8], label: &[u8], rest: &[u8]) -> Option<u16> {
        let length = rest.len() + if label.is_empty() { 0 } else { 1 + label.len() };
        self.known[..self.count].iter().find_map(|known| {
            let skipped = usize::from(known.length).checked_sub(length)?;
            let at = usize::from(known.offset) + skipped;
            let end = usize::from(known.offset + known.written);
            let is_it = at < end && is_at(message, at, label, rest);
            is_it.then_some(at as u16)
        })
    }
}

fn pointer(offset: u16) -> [u8; 2] {
    (u16::from(POINTER) << 8 | offset).to_be_bytes()
}

/// Whether a reader of the message finds `label.rest` at an offset, in the same case.
fn is_at(message: &[u8], mut at: usize, label: &[u8], rest: &[u8]) -> bool {
    if !label.is_empty() {
        let end = at + 1 + label.len();
        if message.get(at).is_none_or(|length| usize::from(*length) != label.len())
            || message.get(at + 1..end) != Some(label)
        {
            return false;
        }
        at = end;
    }
    // Where the name stands whole, as the question's does, there is no pointer to follow.
    if message.get(at..at + rest.len()) == Some(rest) {
        return true;
    }
    let mut rest = rest;
    loop {
        match message.get(at) {
            Some(upper) if upper & POINTER == POINTER => {
                let Some(lower) = message.get(at + 1) else { return false };
                let target = usize::from(upper & !POINTER) << 8 | usize::from(*lower);
                // We only ever point back.
                if target >= at {
                    return false;
                }
                at = target;
            }
            Some(length) => {
                let taken = 1 + usize::from(*length);
                if rest.len() < taken || message.get(at..at + taken) != Some(&rest[..taken]) {
                    return false;
                }
                if taken == 1 {
                    return true;
                }
                (at, rest) = (at + taken, &rest[taken..]);
            }
            None => return false,
        }
    }
}
