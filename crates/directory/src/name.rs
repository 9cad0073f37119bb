//! Domain names in wire form.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// A domain name: uncompressed wire form including the root label, at most 255 octets, labels at most 63
/// (RFC 1035 §2.3.4). Keeps its case; comparison and hash ignore ASCII case (RFC 4343).
#[derive(Clone)]
pub struct Name(Arc<[u8]>);

/// Why bytes or text are not a domain name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameError {
    /// A label is empty where only the root may be.
    EmptyLabel,
    /// A label is longer than 63 octets.
    LabelTooLong,
    /// The name is longer than 255 octets.
    TooLong,
    /// The bytes end before the root label, or go on after it.
    Truncated,
    /// A backslash escape is neither `\DDD` (at most 255) nor `\X`.
    BadEscape,
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EmptyLabel => "a label is empty",
            Self::LabelTooLong => "a label is longer than 63 octets",
            Self::TooLong => "the name is longer than 255 octets",
            Self::Truncated => "the name's bytes do not end at its root label",
            Self::BadEscape => {
                "a backslash is followed by neither three digits up to 255 nor a character"
            }
        })
    }
}

impl std::error::Error for NameError {}

/// A name as it stands elsewhere, in a query for instance: a [`Name`] that owns nothing.
#[derive(Clone, Copy)]
pub struct NameRef<'a>(&'a [u8]);

/// A name in two parts, so that the many names below one need not be stored: a label, or none, before a parent.
#[derive(Clone, Copy)]
pub struct NameParts<'a> {
    /// Empty when the parent is all.
    label: &'a [u8],
    parent: NameRef<'a>,
}

impl<'a> NameRef<'a> {
    /// The root.
    pub const ROOT: NameRef<'static> = NameRef(&[0]);

    /// Takes uncompressed wire form, root label included.
    ///
    /// # Errors
    ///
    /// What is no such form.
    pub fn from_wire(wire: &'a [u8]) -> Result<Self, NameError> {
        if wire.len() > 255 {
            return Err(NameError::TooLong);
        }
        let mut at = 0;
        loop {
            match wire.get(at) {
                None => return Err(NameError::Truncated),
                Some(0) if at + 1 == wire.len() => return Ok(Self(wire)),
                Some(0) => return Err(NameError::Truncated),
                Some(&length) if length > 63 => return Err(NameError::LabelTooLong),
                Some(&length) => at += 1 + usize::from(length),
            }
        }
    }

    /// The wire form.
    pub fn wire(self) -> &'a [u8] {
        self.0
    }

    /// The same name, owned.
    pub fn to_name(self) -> Name {
        Name(self.0.into())
    }

    /// The name one label below; `None` when it would be longer than 255 octets. An empty label means this name.
    pub(crate) fn prefixed(self, label: &'a [u8]) -> Option<NameParts<'a>> {
        let fits = label.len() <= 63 && 1 + label.len() + self.0.len() <= 255;
        (label.is_empty() || fits).then_some(NameParts { label, parent: self })
    }
}

/// As names compare: without regard to ASCII case.
impl PartialEq for NameRef<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(other.0)
    }
}

impl Eq for NameRef<'_> {}

impl<'a> NameParts<'a> {
    /// The first label, where it is kept apart from the rest; else empty.
    pub fn label(self) -> &'a [u8] {
        self.label
    }

    /// What follows that label.
    pub fn parent(self) -> NameRef<'a> {
        self.parent
    }

    /// The whole name, owned.
    pub fn to_name(self) -> Name {
        if self.label.is_empty() {
            return self.parent.to_name();
        }
        let mut wire = Vec::with_capacity(1 + self.label.len() + self.parent.0.len());
        // At most 63: checked where the parts met.
        wire.push(self.label.len() as u8);
        wire.extend_from_slice(self.label);
        wire.extend_from_slice(self.parent.0);
        Name(wire.into())
    }
}

impl<'a> From<NameRef<'a>> for NameParts<'a> {
    fn from(parent: NameRef<'a>) -> Self {
        Self { label: &[], parent }
    }
}

impl<'a> From<&'a Name> for NameRef<'a> {
    fn from(name: &'a Name) -> Self {
        Self(&name.0)
    }
}

impl<'a> From<&'a Name> for NameParts<'a> {
    fn from(name: &'a Name) -> Self {
        NameRef::from(name).into()
    }
}

impl Name {
    /// Takes uncompressed wire form, root label included.
    ///
    /// # Errors
    ///
    /// What is no such form.
    pub fn from_wire(wire: &[u8]) -> Result<Self, NameError> {
        NameRef::from_wire(wire).map(NameRef::to_name)
    }

    /// Reads presentation form (RFC 1035 §5.1): dots, `\DDD` and `\X` escapes; a trailing dot is optional,
    /// every name is absolute.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let mut wire = Vec::with_capacity(text.len() + 2);
        if text != "." && !text.is_empty() {
            let mut label = Vec::new();
            let mut bytes = text.bytes();
            let mut ended_by_dot = false;
            while let Some(byte) = bytes.next() {
                ended_by_dot = false;
                match byte {
                    b'.' => {
                        push_label(&mut wire, &label)?;
                        label.clear();
                        ended_by_dot = true;
                    }
                    b'\\' => label.push(escape(&mut bytes)?),
                    other => label.push(other),
                }
            }
            if !ended_by_dot {
                push_label(&mut wire, &label)?;
            }
        }
        wire.push(0);
        if wire.len() > 255 {
            return Err(NameError::TooLong);
        }
        Ok(Self(wire.into()))
    }

    /// The wire form.
    pub fn wire(&self) -> &[u8] {
        &self.0
    }

    /// The labels, leftmost first, without the root.
    pub fn labels(&self) -> impl Iterator<Item = &[u8]> + Clone {
        Labels(&self.0)
    }

    /// The root.
    pub fn root() -> Self {
        Self([0].into())
    }

    /// The same name in lowercase.
    pub fn to_lowercase(&self) -> Self {
        Self(self.0.to_ascii_lowercase().into())
    }

    /// Whether this name is `zone` or below it.
    pub fn is_within(&self, zone: &Name) -> bool {
        let Some(start) = self.0.len().checked_sub(zone.0.len()) else { return false };
        let mut at = 0;
        while at < start {
            at += 1 + usize::from(self.0[at]);
        }
        at == start && self.0[start..].eq_ignore_ascii_case(&zone.0)
    }
}

/// Puts a canonical (lowercase) name together, label by label from the left, without allocating before the end.
pub(crate) struct NameBuilder {
    wire: [u8; 255],
    length: usize,
    fits: bool,
}

impl NameBuilder {
    pub(crate) fn new() -> Self {
        Self { wire: [0; 255], length: 0, fits: true }
    }

    /// Appends a label; an empty or over-long one makes [`Self::under`] answer `None`.
    pub(crate) fn label(mut self, label: &[u8]) -> Self {
        let end = self.length + 1 + label.len();
        if label.is_empty() || label.len() > 63 || end > self.wire.len() {
            self.fits = false;
            return self;
        }
        self.wire[self.length] = label.len() as u8;
        for (to, from) in self.wire[self.length + 1..end].iter_mut().zip(label) {
            *to = from.to_ascii_lowercase();
        }
        self.length = end;
        self
    }

    /// Appends labels in wire form, without a root.
    pub(crate) fn labels(mut self, wire: &[u8]) -> Self {
        let end = self.length + wire.len();
        match self.wire.get_mut(self.length..end) {
            Some(room) => {
                room.copy_from_slice(wire);
                self.length = end;
            }
            None => self.fits = false,
        }
        self
    }

    /// The name below `parent`; `None` when it is longer than 255 octets or a label was none.
    pub(crate) fn under(self, parent: &Name) -> Option<Name> {
        self.under_ref(parent.into()).map(|name| name.by_ref().to_name())
    }

    /// The same, on the stack.
    pub(crate) fn under_ref(mut self, parent: NameRef<'_>) -> Option<LowerName> {
        let end = self.length + parent.0.len();
        if !self.fits || end > self.wire.len() {
            return None;
        }
        let rest = &mut self.wire[self.length..end];
        rest.copy_from_slice(parent.0);
        rest.make_ascii_lowercase();
        Some(LowerName { wire: self.wire, length: end })
    }
}

/// A lowercase name on the stack.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct LowerName {
    wire: [u8; 255],
    length: usize,
}

impl LowerName {
    pub(crate) fn new(name: NameRef<'_>) -> Self {
        let mut wire = [0; 255];
        let length = name.0.len();
        wire[..length].copy_from_slice(name.0);
        wire[..length].make_ascii_lowercase();
        Self { wire, length }
    }

    pub(crate) fn by_ref(&self) -> NameRef<'_> {
        NameRef(&self.wire[..self.length])
    }

    /// The labels left of `suffix` (lowercase wire form), leftmost first; `None` when the name is not within it.
    pub(crate) fn labels_before(&self, suffix: &[u8]) -> Option<Labels<'_>> {
        let wire = self.by_ref().0;
        let start = wire.len().checked_sub(suffix.len())?;
        if wire[start..] != *suffix {
            return None;
        }
        let mut at = 0;
        while at < start {
            at += 1 + usize::from(wire[at]);
        }
        (at == start).then_some(Labels(&wire[..start]))
    }
}

/// Labels of a name, leftmost first.
#[derive(Clone)]
pub(crate) struct Labels<'a>(&'a [u8]);

impl<'a> Labels<'a> {
    /// The labels in wire form.
    pub(crate) fn wire(&self) -> &'a [u8] {
        self.0
    }
}

impl<'a> Iterator for Labels<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (&length, tail) = self.0.split_first()?;
        if length == 0 {
            return None;
        }
        let (label, tail) = tail.split_at(usize::from(length));
        self.0 = tail;
        Some(label)
    }
}

fn push_label(wire: &mut Vec<u8>, label: &[u8]) -> Result<(), NameError> {
    match label.len() {
        0 => return Err(NameError::EmptyLabel),
        1..=63 => wire.push(label.len() as u8),
        _ => return Err(NameError::LabelTooLong),
    }
    wire.extend_from_slice(label);
    Ok(())
}

fn escape(bytes: &mut std::str::Bytes<'_>) -> Result<u8, NameError> {
    let first = bytes.next().ok_or(NameError::BadEscape)?;
    if !first.is_ascii_digit() {
        return Ok(first);
    }
    let mut value = u16::from(first - b'0');
    for _ in 0..2 {
        let digit = bytes.next().filter(u8::is_ascii_digit).ok_or(NameError::BadEscape)?;
        value = value * 10 + u16::from(digit - b'0');
    }
    u8::try_from(value).map_err(|_| NameError::BadEscape)
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for Name {}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for byte in &*self.0 {
            state.write_u8(byte.to_ascii_lowercase());
        }
    }
}

/// Presentation form with a trailing dot; bytes outside printable ASCII as `\DDD`.
impl fmt::Display for NameRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.len() == 1 {
            return f.write_str(".");
        }
        for label in Labels(self.0) {
            for &byte in label {
                match byte {
                    b'.' | b'\\' | b'"' | b';' | b'(' | b')' | b'@' | b'$' => {
                        write!(f, "\\{}", char::from(byte))?
                    }
                    b'!'..=b'~' => write!(f, "{}", char::from(byte))?,
                    _ => write!(f, "\\{byte:03}")?,
                }
            }
            f.write_str(".")?;
        }
        Ok(())
    }
}

impl fmt::Debug for NameRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NameRef({self})")
    }
}

/// As [`NameRef`]'s.
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        NameRef::from(self).fmt(f)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Name({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_becomes_a_name_and_back() {
        let long = "a".repeat(63);
        let longest = format!("{long}.{long}.{long}.{}", "a".repeat(61));
        for (text, written) in [
            ("", Ok(".")),
            (".", Ok(".")),
            ("Db.Prod", Ok("Db.Prod.")),
            ("db.prod.", Ok("db.prod.")),
            (r"a\.b.c", Ok(r"a\.b.c.")),
            (r"\000\255", Ok(r"\000\255.")),
            (r"a\032b", Ok(r"a\032b.")),
            (r"\(", Ok(r"\(.")),
            (&longest, Ok(&*format!("{longest}."))),
            (&format!("{longest}a"), Err(NameError::TooLong)),
            (&format!("{long}a"), Err(NameError::LabelTooLong)),
            ("a..b", Err(NameError::EmptyLabel)),
            (".a", Err(NameError::EmptyLabel)),
            (r"\256", Err(NameError::BadEscape)),
            (r"\25", Err(NameError::BadEscape)),
            ("\\", Err(NameError::BadEscape)),
        ] {
            let name = Name::parse(text).map(|name| name.to_string());
            assert_eq!(name, written.map(str::to_owned), "{text}");
        }
    }

    #[test]
    fn wire_form_is_checked() {
        for (wire, expected) in [
            (&b"\0"[..], Ok(".")),
            (b"\x01a\0", Ok("a.")),
            (b"", Err(NameError::Truncated)),
            (b"\x01a", Err(NameError::Truncated)),
            (b"\x02a", Err(NameError::Truncated)),
            (b"\x01a\0\0", Err(NameError::Truncated)),
            (b"\xc0\x0c", Err(NameError::LabelTooLong)),
            (&[1; 256], Err(NameError::TooLong)),
        ] {
            let name = Name::from_wire(wire).map(|name| name.to_string());
            assert_eq!(name, expected.map(str::to_owned), "{wire:?}");
        }
    }

    #[test]
    fn a_canonical_name_fits_or_is_none() {
        let parent = Name::parse("SVC.cluster.local").unwrap();
        let built = |label: &[u8]| NameBuilder::new().label(label).under(&parent);
        assert_eq!(built(b"Db").unwrap().to_string(), "db.svc.cluster.local.");
        assert_eq!(built(b""), None);
        assert_eq!(built(&[b'a'; 64]), None);
        let long = (0..4).fold(NameBuilder::new(), |name, _| name.label(&[b'a'; 60]));
        assert_eq!(long.under(&parent), None);
    }

    #[test]
    fn only_whole_labels_make_a_name_lie_within_a_zone() {
        for (name, zone, within) in [
            ("db.Cluster.local", "cluster.LOCAL", true),
            ("cluster.local", "cluster.local", true),
            ("mycluster.local", "cluster.local", false),
            ("local", "cluster.local", false),
            ("anything", ".", true),
        ] {
            let (name, zone) = (Name::parse(name).unwrap(), Name::parse(zone).unwrap());
            assert_eq!(name.is_within(&zone), within, "{name} {zone}");
        }
    }
}
