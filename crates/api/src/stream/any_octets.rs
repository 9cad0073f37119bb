//! What must hold of any octets that a client sends in a session: for tests, and for the fuzz target of the same name.

use bytes::{Bytes, BytesMut};

use super::channels::{self, Input, Protocol};
use super::spdy::{CONTROL_MAX, Decoder, Frame, HEADERS_MAX, PIECE_MAX, Unpacker};

/// Reads octets as a message of a session, and as SPDY.
///
/// # Panics
///
/// When they are read in another way than they should be, or take more memory than they may.
pub fn check(octets: &[u8]) {
    for protocol in Protocol::ALL {
        match channels::parse(protocol, Bytes::copy_from_slice(octets)) {
            Some(Input::Stdin(data)) => assert_eq!(data, octets[1..]),
            Some(Input::Resize(size)) => assert!(size.width > 0 && size.height > 0),
            Some(Input::StdinEnd) => assert_eq!(protocol, Protocol::V5),
            None => {}
        }
    }
    let whole = read(&[octets]);
    for cut in [1, 7, 8, octets.len() / 2] {
        let (first, second) = octets.split_at(cut.min(octets.len()));
        assert_eq!(read(&[first, second]), whole, "cut after {} octets", first.len());
    }
}

/// The frames that come of octets which arrive in parts, and whether they end with a fault. Data is joined.
fn read(parts: &[&[u8]]) -> (Vec<String>, bool) {
    let (mut decoder, mut unpacker) = (Decoder::default(), Unpacker::new());
    let mut octets = BytesMut::new();
    let (mut seen, mut data): (Vec<String>, Vec<u8>) = (Vec::new(), Vec::new());
    for part in parts {
        octets.extend_from_slice(part);
        loop {
            let frame = match decoder.next(&mut octets) {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                Err(_) => return (seen, true),
            };
            let said = match frame {
                Frame::Data { stream, data: piece, fin } => {
                    assert!(piece.len() <= PIECE_MAX);
                    data.extend_from_slice(&piece);
                    if !fin {
                        continue;
                    }
                    format!("{stream} {:?}", std::mem::take(&mut data))
                }
                Frame::Open { stream, fin, headers } | Frame::Headers { stream, fin, headers } => {
                    assert!(headers.len() <= CONTROL_MAX);
                    let Ok(headers) = unpacker.unpack(&headers) else { return (seen, true) };
                    assert!(headers.octets() <= HEADERS_MAX);
                    format!("{stream} {fin} {headers:?}")
                }
                other @ (Frame::Reset { .. }
                | Frame::Ping { .. }
                | Frame::GoAway
                | Frame::Other) => {
                    format!("{other:?}")
                }
            };
            seen.push(said);
        }
        assert!(octets.len() < CONTROL_MAX + 8, "what waits to be whole has a bound");
    }
    (seen, false)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn seeds_of_the_fuzz_target() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/seeds/any_octets");
        let mut count = 0;
        for entry in std::fs::read_dir(folder).expect("the folder of seeds") {
            let path = entry.unwrap().path();
            check(&std::fs::read(&path).unwrap());
            count += 1;
        }
        assert!(count >= 8, "{count} seeds");
    }

    proptest! {
        #[test]
        fn any_octets(octets: Vec<u8>) {
            check(&octets);
        }

        /// Of a client that speaks SPDY, and then something else.
        #[test]
        fn a_begun_connection(kind in 0u8..12, octets: Vec<u8>) {
            let [.., high, middle, low] = octets.len().to_be_bytes();
            check(&[&[0x80, 3, 0, kind, 1, high, middle, low], &octets[..]].concat());
        }
    }
}
