//! Frames of SPDY/3.1, without what is inside compressed headers: octets in, frames out, and back.
//!
//! Data is handed on as it arrives, in pieces: a frame of data may have 16 MiB, and nobody has to hold it. What is not
//! data is small, and more than [`CONTROL_MAX`] of it is a fault.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

/// The largest frame that is not data, in octets.
pub(crate) const CONTROL_MAX: usize = 64 * 1024;

/// The largest piece of data that is handed on, in octets.
pub(crate) const PIECE_MAX: usize = 16 * 1024;

const HEAD: usize = 8;
const VERSION: u16 = 3;
const FIN: u8 = 1;

/// What is said by the first octets of a control frame.
mod kind {
    pub(super) const SYN_STREAM: u16 = 1;
    pub(super) const SYN_REPLY: u16 = 2;
    pub(super) const RST_STREAM: u16 = 3;
    pub(super) const PING: u16 = 6;
    pub(super) const GOAWAY: u16 = 7;
    pub(super) const HEADERS: u16 = 8;
}

/// Why a stream ends early (`RST_STREAM`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ResetCode {
    /// A frame for a stream that cannot be.
    Protocol,
    /// The stream is not wanted, and nothing was done for it.
    Refused,
    /// The stream is no longer wanted.
    Cancel,
}

impl ResetCode {
    fn code(self) -> u32 {
        match self {
            Self::Protocol => 1,
            Self::Refused => 3,
            Self::Cancel => 5,
        }
    }
}

/// What comes from a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    /// A stream begins; its headers are compressed.
    Open { stream: u32, fin: bool, headers: Bytes },
    /// More headers of a stream, or a reply: of no use here, but they change what the decompressor knows.
    Headers { stream: u32, fin: bool, headers: Bytes },
    /// A piece of a stream's data.
    Data { stream: u32, data: Bytes, fin: bool },
    /// A stream ends at once.
    Reset { stream: u32 },
    /// Asks for an answer of the same number.
    Ping { id: u32 },
    /// The client opens no more streams.
    GoAway,
    /// Of no use here: settings, and windows, which clients of Kubernetes do not keep.
    Other,
}

/// Why octets are no frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FrameError {
    #[error("a frame of SPDY version {0}, not {VERSION}")]
    Version(u16),
    #[error("a control frame of {0} octets: at most {CONTROL_MAX} are read")]
    TooLarge(usize),
    #[error("a control frame of type {0} has {1} octets")]
    Length(u16, usize),
    #[error("a frame for stream 0")]
    NoStream,
}

/// Takes frames from octets as they arrive.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    /// The frame of data that is under way: its stream, what is missing, and whether its end is the stream's.
    data: Option<(u32, usize, bool)>,
}

impl Decoder {
    /// The next frame, taken from the front; `None` when more octets are needed.
    pub(crate) fn next(&mut self, from: &mut BytesMut) -> Result<Option<Frame>, FrameError> {
        if let Some((stream, missing, fin)) = self.data {
            if missing > 0 && from.is_empty() {
                return Ok(None);
            }
            let data = from.split_to(missing.min(from.len()).min(PIECE_MAX)).freeze();
            let missing = missing - data.len();
            self.data = (missing > 0).then_some((stream, missing, fin));
            return Ok(Some(Frame::Data { stream, data, fin: fin && missing == 0 }));
        }
        if from.len() < HEAD {
            return Ok(None);
        }
        let mut head = &from[..HEAD];
        let (first, second) = (head.get_u32(), head.get_u32());
        let [flags, ..] = second.to_be_bytes();
        let length = (second & 0x00ff_ffff) as usize;
        let fin = flags & FIN != 0;
        if first & 0x8000_0000 == 0 {
            if first == 0 {
                return Err(FrameError::NoStream);
            }
            from.advance(HEAD);
            self.data = Some((first, length, fin));
            return self.next(from);
        }
        let (version, kind) = ((first >> 16 & 0x7fff) as u16, first as u16);
        if version != VERSION {
            return Err(FrameError::Version(version));
        }
        if length > CONTROL_MAX {
            return Err(FrameError::TooLarge(length));
        }
        if from.len() < HEAD + length {
            return Ok(None);
        }
        from.advance(HEAD);
        control(kind, fin, from.split_to(length).freeze()).map(Some)
    }
}

/// A control frame, from what follows its head.
fn control(kind: u16, fin: bool, mut rest: Bytes) -> Result<Frame, FrameError> {
    let length = rest.len();
    let least = match kind {
        kind::SYN_STREAM => 10,
        kind::SYN_REPLY | kind::HEADERS | kind::PING => 4,
        kind::RST_STREAM | kind::GOAWAY => 8,
        _ => 0,
    };
    if length < least {
        return Err(FrameError::Length(kind, length));
    }
    let mut stream = || match rest.get_u32() & 0x7fff_ffff {
        0 => Err(FrameError::NoStream),
        stream => Ok(stream),
    };
    Ok(match kind {
        kind::SYN_STREAM => {
            let stream = stream()?;
            // The stream it belongs to, and its priority: all are equal here.
            rest.advance(6);
            Frame::Open { stream, fin, headers: rest }
        }
        kind::SYN_REPLY | kind::HEADERS => {
            let stream = stream()?;
            Frame::Headers { stream, fin, headers: rest }
        }
        kind::RST_STREAM => Frame::Reset { stream: stream()? },
        kind::PING => Frame::Ping { id: rest.get_u32() },
        kind::GOAWAY => Frame::GoAway,
        // Settings, and windows, which nobody keeps; and what is unknown is passed over, as the specification wants it.
        _ => Frame::Other,
    })
}

fn head(kind: u16, fin: bool, length: usize, to: &mut BytesMut) {
    to.put_u16(0x8000 | VERSION);
    to.put_u16(kind);
    put_length(fin, length, to);
}

fn put_length(fin: bool, length: usize, to: &mut BytesMut) {
    debug_assert!(length < 1 << 24, "a frame's length has 24 bits");
    to.put_u32(u32::from(if fin { FIN } else { 0 }) << 24 | length as u32);
}

/// Writes the frame by which a stream is taken.
pub(crate) fn reply(stream: u32, headers: &[u8], to: &mut BytesMut) {
    head(kind::SYN_REPLY, false, 4 + headers.len(), to);
    to.put_u32(stream);
    to.put_slice(headers);
}

/// Writes a piece of data, which is shorter than 16 MiB.
pub(crate) fn data(stream: u32, data: &[u8], fin: bool, to: &mut BytesMut) {
    to.put_u32(stream);
    put_length(fin, data.len(), to);
    to.put_slice(data);
}

/// Writes the frame that ends a stream at once.
pub(crate) fn reset(stream: u32, code: ResetCode, to: &mut BytesMut) {
    head(kind::RST_STREAM, false, 8, to);
    to.put_u32(stream);
    to.put_u32(code.code());
}

/// Writes the answer to a ping.
pub(crate) fn ping(id: u32, to: &mut BytesMut) {
    head(kind::PING, false, 4, to);
    to.put_u32(id);
}

#[cfg(test)]
fn go_away(last: u32, to: &mut BytesMut) {
    head(kind::GOAWAY, false, 8, to);
    to.put_u32(last);
    to.put_u32(0);
}

#[cfg(test)]
pub(super) fn open(stream: u32, fin: bool, headers: &[u8], to: &mut BytesMut) {
    head(kind::SYN_STREAM, fin, 10 + headers.len(), to);
    to.put_u32(stream);
    to.put_slice(&[0; 6]);
    to.put_slice(headers);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frames(octets: &[u8]) -> Result<Vec<Frame>, FrameError> {
        let (mut decoder, mut from) = (Decoder::default(), BytesMut::from(octets));
        let mut frames = Vec::new();
        while let Some(frame) = decoder.next(&mut from)? {
            frames.push(frame);
        }
        Ok(frames)
    }

    #[test]
    fn frames_of_a_client() {
        let check = |octets: &[u8], expected: Result<&[Frame], FrameError>| {
            assert_eq!(frames(octets).as_deref().map_err(|error| *error), expected, "{octets:?}");
        };
        check(&[], Ok(&[]));
        check(&[0x80, 3, 0, 6, 0, 0, 0, 4, 0, 0, 0], Ok(&[]));
        check(&[0x80, 3, 0, 6, 0, 0, 0, 4, 0, 0, 0, 7], Ok(&[Frame::Ping { id: 7 }]));
        check(&[0x80, 3, 0, 7, 0, 0, 0, 8, 0, 0, 0, 1, 0, 0, 0, 0], Ok(&[Frame::GoAway]));
        check(
            &[0x80, 3, 0, 3, 0, 0, 0, 8, 0, 0, 0, 5, 0, 0, 0, 5],
            Ok(&[Frame::Reset { stream: 5 }]),
        );
        let headers = Bytes::from_static(b"h");
        check(
            &[0x80, 3, 0, 1, 1, 0, 0, 11, 0, 0, 0, 1, 0, 0, 0, 0, 0xe0, 0, b'h'],
            Ok(&[Frame::Open { stream: 1, fin: true, headers: headers.clone() }]),
        );
        check(
            &[0x80, 3, 0, 8, 0, 0, 0, 5, 0, 0, 0, 1, b'h'],
            Ok(&[Frame::Headers { stream: 1, fin: false, headers }]),
        );
        let data = |data, fin| Frame::Data { stream: 3, data: Bytes::from_static(data), fin };
        check(&[0, 0, 0, 3, 1, 0, 0, 2, b'a', b'b'], Ok(&[data(b"ab", true)]));
        check(&[0, 0, 0, 3, 1, 0, 0, 0], Ok(&[data(b"", true)]));
        // What is there of it is handed on, and is not the end.
        check(&[0, 0, 0, 3, 1, 0, 0, 2, b'a'], Ok(&[data(b"a", false)]));
        check(&[0x80, 3, 0, 4, 0, 0, 0, 0], Ok(&[Frame::Other]));
        check(&[0x80, 3, 0, 99, 0, 0, 0, 1, 1], Ok(&[Frame::Other]));
        check(&[0x80, 2, 0, 6, 0, 0, 0, 4], Err(FrameError::Version(2)));
        check(&[0x80, 3, 0, 1, 0, 1, 0, 1], Err(FrameError::TooLarge(65_537)));
        check(&[0x80, 3, 0, 6, 0, 0, 0, 0], Err(FrameError::Length(6, 0)));
        check(&[0, 0, 0, 0, 0, 0, 0, 0], Err(FrameError::NoStream));
        check(&[0x80, 3, 0, 3, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 5], Err(FrameError::NoStream));
    }

    #[test]
    fn large_data_comes_in_pieces() {
        let mut octets = BytesMut::new();
        data(7, &vec![1; PIECE_MAX + 1], true, &mut octets);
        let frames = frames(&octets).unwrap();
        let lengths: Vec<(usize, bool)> = frames
            .iter()
            .map(|frame| match frame {
                Frame::Data { stream: 7, data, fin } => (data.len(), *fin),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(lengths, [(PIECE_MAX, false), (1, true)]);
    }

    proptest! {
        #[test]
        fn arbitrary_octets_are_frames_or_faults(octets: Vec<u8>) {
            for frame in frames(&octets).into_iter().flatten() {
                if let Frame::Data { data, .. } = frame {
                    prop_assert!(data.len() <= PIECE_MAX);
                }
            }
        }

        #[test]
        fn what_is_written_is_read(stream in 1u32..0x7fff_ffff, payload: Vec<u8>, fin: bool, cut: usize) {
            let mut octets = BytesMut::new();
            ping(stream, &mut octets);
            open(stream, fin, &payload, &mut octets);
            data(stream, &payload, fin, &mut octets);
            reset(stream, ResetCode::Cancel, &mut octets);
            go_away(stream, &mut octets);
            // Wherever the octets are cut, the same frames come.
            let rest = octets.split_off(cut % (octets.len() + 1));
            let mut decoder = Decoder::default();
            let (mut read, mut ended) = (Vec::new(), false);
            let mut others = Vec::new();
            for part in [Some(rest), None] {
                while let Some(frame) = decoder.next(&mut octets).unwrap() {
                    match frame {
                        Frame::Data { data, fin, .. } => {
                            read.extend_from_slice(&data);
                            ended |= fin;
                        }
                        other => others.push(other),
                    }
                }
                if let Some(part) = part {
                    octets.unsplit(part);
                }
            }
            prop_assert_eq!(&read, &payload);
            prop_assert_eq!(ended, fin);
            let headers = Bytes::from(payload);
            prop_assert_eq!(others, [
                Frame::Ping { id: stream },
                Frame::Open { stream, fin, headers },
                Frame::Reset { stream },
                Frame::GoAway,
            ]);
        }
    }
}
