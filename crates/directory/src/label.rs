//! Labels that stand for endpoints and pods: hostnames, and addresses written with dashes.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A label by value.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Label {
    bytes: [u8; 63],
    length: u8,
}

impl Label {
    /// What fits of the bytes; callers pass labels that were checked.
    pub(crate) fn new(label: &[u8]) -> Self {
        let mut bytes = [0; 63];
        let length = label.len().min(63);
        bytes[..length].copy_from_slice(&label[..length]);
        Self { bytes, length: length as u8 }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }

    /// An address as a label: dots and colons become dashes, and since a host's label may not end with a dash
    /// (RFC 1123 §2.1), `fd00::` becomes `fd00--0`.
    pub(crate) fn dashed(address: IpAddr) -> Self {
        let mut label = Self { bytes: [0; 63], length: 0 };
        // At most 39 octets and the final zero: it always fits.
        let _ = match address {
            IpAddr::V4(v4) => write!(label, "{v4}"),
            IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
                // Otherwise displayed with dots in the last four octets.
                Some(_) => {
                    let [.., high, low] = v6.segments();
                    write!(label, "::ffff:{high:x}:{low:x}")
                }
                None => write!(label, "{v6}"),
            },
        };
        if label.as_bytes().ends_with(b"-") {
            let _ = label.write_str("0");
        }
        label
    }
}

/// The label that stands for an address in names of endpoints and pods: `10-1-2-3`, `fd00--1`.
pub fn dashed(address: IpAddr) -> String {
    String::from_utf8_lossy(Label::dashed(address).as_bytes()).into_owned()
}

impl Write for Label {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        for byte in text.bytes() {
            let slot = self.bytes.get_mut(usize::from(self.length)).ok_or(std::fmt::Error)?;
            *slot = if matches!(byte, b'.' | b':') { b'-' } else { byte };
            self.length += 1;
        }
        Ok(())
    }
}

/// Whether an object's name may stand in a DNS name: letters, digits, `-` and `_`, 1 to 63 octets.
pub(crate) fn is_publishable(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// The address whose label this is; exactly one label stands for an address.
pub(crate) fn parse_dashed(label: &[u8]) -> Option<IpAddr> {
    parse_address(label).filter(|&address| Label::dashed(address).as_bytes() == label)
}

/// Reads an address written with dashes, in any of its spellings (`fd00--1`, `fd00-0-0-0-0-0-0-1`).
pub(crate) fn parse_address(label: &[u8]) -> Option<IpAddr> {
    // Most labels are no addresses; that shows by their dashes.
    let dashes = label.iter().filter(|byte| **byte == b'-').count();
    let is_v6 =
        (2..=7).contains(&dashes) && (dashes == 7 || label.windows(2).any(|two| two == b"--"));
    let is_v4 = dashes == 3 && label[0].is_ascii_digit();
    let is_hex = |byte: &u8| *byte == b'-' || byte.is_ascii_hexdigit();
    if !(is_v4 || is_v6) || !label.iter().all(is_hex) {
        return None;
    }
    let with = |separator: u8| {
        let mut text = Label::new(label);
        for byte in &mut text.bytes[..label.len().min(63)] {
            if *byte == b'-' {
                *byte = separator;
            }
        }
        text
    };
    fn read<T: std::str::FromStr>(label: &Label) -> Option<T> {
        std::str::from_utf8(label.as_bytes()).ok()?.parse().ok()
    }
    let v4 = read::<Ipv4Addr>(&with(b'.')).map(IpAddr::from);
    v4.or_else(|| read::<Ipv6Addr>(&with(b':')).map(IpAddr::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_become_labels_and_back() {
        for (address, label) in [
            ("10.1.2.3", "10-1-2-3"),
            ("255.255.255.255", "255-255-255-255"),
            ("fd00::1", "fd00--1"),
            ("fd00::", "fd00--0"),
            ("::1", "--1"),
            ("::", "--0"),
            ("::ffff:1.2.3.4", "--ffff-102-304"),
            ("1111:2222:3333:4444:5555:6666:7777:8888", "1111-2222-3333-4444-5555-6666-7777-8888"),
        ] {
            let address: IpAddr = address.parse().unwrap();
            assert_eq!(Label::dashed(address).as_bytes(), label.as_bytes(), "{address}");
            assert_eq!(parse_dashed(label.as_bytes()), Some(address), "{label}");
        }
    }

    #[test]
    fn only_the_canonical_label_names_an_endpoint() {
        for label in ["10-01-2-3", "10-1-2", "10-1-2-256", "fd00-0-0-0-0-0-0-1", "fd00--", "db-0"] {
            assert_eq!(parse_dashed(label.as_bytes()), None, "{label}");
        }
        for bytes in [&b""[..], b"-", b"\xff-\xff", b"1.2-3.4", b"10.1.2.3", &[b'-'; 63]] {
            assert_eq!(parse_address(bytes), None, "{bytes:?}");
        }
        assert_eq!(
            parse_address(b"fd00-0-0-0-0-0-0-1"),
            Some("fd00::1".parse().unwrap()),
            "pods are found by any spelling"
        );
    }

    #[test]
    fn labels_that_no_name_can_carry_are_not_published() {
        for (label, publishable) in [
            ("db-0", true),
            ("DB_0", true),
            ("", false),
            ("a.b", false),
            ("a b", false),
            ("\u{e4}", false),
        ] {
            assert_eq!(is_publishable(label), publishable, "{label}");
        }
        assert!(is_publishable(&"a".repeat(63)));
        assert!(!is_publishable(&"a".repeat(64)));
    }
}
