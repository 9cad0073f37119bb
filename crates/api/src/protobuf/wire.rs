//! The wire format of protocol buffers: tags, varints, and fields that carry their length.

use super::DecodeError;

/// What a field carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Payload<'a> {
    /// Numbers and booleans.
    Varint(u64),
    /// Texts, bytes, messages, packed numbers.
    Bytes(&'a [u8]),
    /// Fixed numbers, which no field in use has.
    Fixed,
}

/// Reads the fields of one message.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next field's number and payload; `None` at the end.
    pub(super) fn field(&mut self) -> Result<Option<(u32, Payload<'a>)>, DecodeError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let tag = self.varint()?;
        let number = u32::try_from(tag >> 3).ok().filter(|number| *number != 0);
        let number = number.ok_or(DecodeError::Malformed("a field number is out of range"))?;
        let payload = match tag & 7 {
            0 => Payload::Varint(self.varint()?),
            1 => self.take(8).map(|_| Payload::Fixed)?,
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| TRUNCATED)?;
                Payload::Bytes(self.take(length)?)
            }
            5 => self.take(4).map(|_| Payload::Fixed)?,
            _ => return Err(DecodeError::Malformed("a wire type is unknown")),
        };
        Ok(Some((number, payload)))
    }

    pub(super) fn varint(&mut self) -> Result<u64, DecodeError> {
        let mut value = 0;
        for (index, &byte) in self.rest.iter().take(10).enumerate() {
            // The tenth byte holds the last bit.
            if index == 9 && byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte & 0x80 == 0 {
                self.rest = &self.rest[index + 1..];
                return Ok(value);
            }
        }
        Err(if self.rest.len() < 10 {
            TRUNCATED
        } else {
            DecodeError::Malformed("a varint is too long")
        })
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(TRUNCATED)?;
        self.rest = rest;
        Ok(taken)
    }
}

const TRUNCATED: DecodeError = DecodeError::Malformed("it ends in the middle of a field");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields() {
        let check = |bytes: &[u8], expected: Result<Option<(u32, Payload<'_>)>, DecodeError>| {
            assert_eq!(Reader::new(bytes).field(), expected, "{bytes:?}");
        };
        check(b"", Ok(None));
        check(&[0x08, 0x96, 0x01], Ok(Some((1, Payload::Varint(150)))));
        check(&[0x12, 0x02, b'h', b'i'], Ok(Some((2, Payload::Bytes(b"hi")))));
        check(&[0x15, 0, 0, 0, 0], Ok(Some((2, Payload::Fixed))));
        check(&[0x11, 0, 0, 0, 0, 0, 0, 0, 0], Ok(Some((2, Payload::Fixed))));
        let all = [0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        check(&all, Ok(Some((1, Payload::Varint(u64::MAX)))));
        check(&[0x12, 0x03, b'h', b'i'], Err(TRUNCATED));
        check(&[0x08, 0x96], Err(TRUNCATED));
        check(&[0x15, 0, 0], Err(TRUNCATED));
        check(&[0x08; 1], Err(TRUNCATED));
        check(&[0x00, 0x00], Err(DecodeError::Malformed("a field number is out of range")));
        check(&[0x0b], Err(DecodeError::Malformed("a wire type is unknown")));
        let long = [0x08, 255, 255, 255, 255, 255, 255, 255, 255, 255, 2];
        check(&long, Err(DecodeError::Malformed("a varint is too long")));
    }
}
