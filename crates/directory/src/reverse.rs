//! Reverse names: `4.3.2.1.in-addr.arpa` (RFC 1035 §3.5) and nibbles under `ip6.arpa` (RFC 3596 §2.5).

use std::net::IpAddr;

use crate::Name;
use crate::name::{LowerName, NameBuilder, NameRef};
use crate::zone::Cidr;

const IN_ADDR: &[u8] = b"\x07in-addr\x04arpa\0";
const IP6: &[u8] = b"\x03ip6\x04arpa\0";

/// A name under `in-addr.arpa` or `ip6.arpa`, parsed.
///
/// ```text
/// 4.3.2.1.in-addr.arpa                   an address: four octets, last first, decimal without leading zeros
/// 3.2.1.in-addr.arpa, in-addr.arpa       fewer octets: what lies above addresses
/// 1.0.(28 more).d.f.ip6.arpa             an address: 32 nibbles, last first
/// d.f.ip6.arpa, ip6.arpa                 fewer nibbles
/// anything else left of one of these     `is_exact` is false: no such name exists
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReverseName {
    /// The range that the well-formed labels name; a whole address when its prefix is full.
    range: Cidr,
    /// Whether these are all labels that there are.
    pub(crate) is_exact: bool,
}

impl ReverseName {
    /// `None` when the name is not a reverse name at all.
    pub(crate) fn parse(name: &LowerName) -> Option<Self> {
        let (labels, is_ipv6) = match name.labels_before(IN_ADDR) {
            Some(labels) => (labels, false),
            None => (name.labels_before(IP6)?, true),
        };
        let parse = if is_ipv6 { parse_nibble } else { parse_octet };
        let (width, count_max) = if is_ipv6 { (4, 32) } else { (8, 4) };
        // Labels come last octet first: the rightmost ones count, as long as they are well-formed.
        let mut kept = [None; 32];
        let mut total = 0;
        for label in labels {
            kept.rotate_right(1);
            kept[0] = parse(label);
            total += 1;
        }
        let mut bits = 0u128;
        let mut count = 0;
        while count < total.min(count_max)
            && let Some(value) = kept[count]
        {
            bits = bits << width | u128::from(value);
            count += 1;
        }
        let prefix = count as u32 * width;
        let address = if is_ipv6 {
            IpAddr::V6(bits.checked_shl(128 - prefix).unwrap_or(0).into())
        } else {
            IpAddr::V4(((bits as u32).checked_shl(32 - prefix).unwrap_or(0)).into())
        };
        let range = Cidr::new(address, prefix as u8)?;
        Some(Self { range, is_exact: count == total })
    }

    /// The name of an address.
    pub(crate) fn of(address: IpAddr) -> Option<Name> {
        let prefix = if address.is_ipv4() { 32 } else { 128 };
        name_of(Cidr::new(address, prefix)?).map(|name| name.by_ref().to_name())
    }

    /// The address, when the name is that of one.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        let (first, last) = self.bounds();
        (self.is_exact && first == last).then_some(first)
    }

    /// The first and the last address below the name.
    pub(crate) fn bounds(&self) -> (IpAddr, IpAddr) {
        self.range.bounds()
    }
}

fn parse_octet(label: &[u8]) -> Option<u8> {
    if matches!(label, [b'0', _, ..]) || !label.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(label).ok()?.parse().ok()
}

fn parse_nibble(label: &[u8]) -> Option<u8> {
    match label {
        [digit @ b'0'..=b'9'] => Some(digit - b'0'),
        [digit @ b'a'..=b'f'] => Some(digit - b'a' + 10),
        _ => None,
    }
}

/// A zone of reverse names that is ours: all or a part of a configured range. A range that does not end at a
/// label, such as 10.96.0.0/12, is made of several zones, `96.10.in-addr.arpa` to `111.10.in-addr.arpa`.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ReverseZone {
    pub(crate) apex: LowerName,
    /// Whether the name asked for is the apex itself.
    pub(crate) at_apex: bool,
}

impl ReverseZone {
    /// The zone of a reverse name in the longest of the ranges that it lies in.
    pub(crate) fn find(ranges: &[Cidr], name: &ReverseName) -> Option<Self> {
        let own = name.range;
        let contains =
            |range: &&Cidr| own.prefix() >= apex_prefix(range) && range.contains(own.network());
        let range = ranges.iter().filter(contains).max_by_key(|range| range.prefix())?;
        let prefix = apex_prefix(range);
        Some(Self {
            apex: name_of(Cidr::new(own.network(), prefix)?)?,
            at_apex: name.is_exact && own.prefix() == prefix,
        })
    }

    /// The names of all zones that the ranges are made of, in the order of the ranges and of their addresses.
    pub(crate) fn all(ranges: &[Cidr]) -> impl Iterator<Item = Name> {
        ranges.iter().flat_map(|range| {
            let prefix = apex_prefix(range);
            // At most 128: a label is an octet of IPv4, or half of one of IPv6.
            let count = 1u32 << (prefix - range.prefix());
            (0..count).filter_map(move |number| {
                let network = match range.network() {
                    IpAddr::V4(v4) => {
                        let step = number.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
                        IpAddr::V4((v4.to_bits() | step).into())
                    }
                    IpAddr::V6(v6) => {
                        let step =
                            u128::from(number).checked_shl(128 - u32::from(prefix)).unwrap_or(0);
                        IpAddr::V6((v6.to_bits() | step).into())
                    }
                };
                name_of(Cidr::new(network, prefix)?).map(|name| name.by_ref().to_name())
            })
        })
    }

    /// A zone that is just the name of an address: how known addresses outside the ranges answer.
    pub(crate) fn of_address(address: IpAddr) -> Option<Self> {
        let prefix = if address.is_ipv4() { 32 } else { 128 };
        Some(Self { apex: name_of(Cidr::new(address, prefix)?)?, at_apex: true })
    }
}

/// A range's prefix, rounded up to whole labels.
fn apex_prefix(range: &Cidr) -> u8 {
    match range.network() {
        IpAddr::V4(_) => range.prefix().next_multiple_of(8),
        IpAddr::V6(_) => range.prefix().next_multiple_of(4),
    }
}

/// The reverse name of a range whose prefix ends at a label.
fn name_of(range: Cidr) -> Option<LowerName> {
    let mut name = NameBuilder::new();
    match range.network() {
        IpAddr::V4(v4) => {
            for octet in v4.octets()[..usize::from(range.prefix() / 8)].iter().rev() {
                let digits = [octet / 100, octet / 10 % 10, octet % 10].map(|digit| b'0' + digit);
                let leading = if *octet < 10 { 2 } else { usize::from(*octet < 100) };
                name = name.label(&digits[leading..]);
            }
            name.under_ref(NameRef::from_wire(IN_ADDR).ok()?)
        }
        IpAddr::V6(v6) => {
            let bits = v6.to_bits();
            for at in (0..u32::from(range.prefix() / 4)).rev() {
                let nibble = (bits >> (124 - 4 * at) & 0xf) as usize;
                name = name.label(&b"0123456789abcdef"[nibble..=nibble]);
            }
            name.under_ref(NameRef::from_wire(IP6).ok()?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(name: &str) -> Option<ReverseName> {
        ReverseName::parse(&LowerName::new((&Name::parse(name).unwrap()).into()))
    }

    #[test]
    fn names_become_ranges() {
        let one = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.D.f.ip6.arpa";
        for (name, range, is_exact) in [
            ("4.3.2.1.in-addr.arpa", "1.2.3.4/32", true),
            ("255.255.255.255.IN-ADDR.arpa", "255.255.255.255/32", true),
            ("3.2.1.in-addr.arpa", "1.2.3.0/24", true),
            ("in-addr.arpa", "0.0.0.0/0", true),
            ("x.4.3.2.1.in-addr.arpa", "1.2.3.4/32", false),
            ("04.3.2.1.in-addr.arpa", "1.2.3.0/24", false),
            ("+4.3.2.1.in-addr.arpa", "1.2.3.0/24", false),
            ("256.3.2.1.in-addr.arpa", "1.2.3.0/24", false),
            ("4.x.2.1.in-addr.arpa", "1.2.0.0/16", false),
            ("0.0.0.0.in-addr.arpa", "0.0.0.0/32", true),
            (one, "fd00::1/128", true),
            (&format!("9.{one}"), "fd00::1/128", false),
            ("a.d.f.ip6.arpa", "fda0::/12", true),
            ("10.d.f.ip6.arpa", "fd00::/8", false),
            ("g.d.f.ip6.arpa", "fd00::/8", false),
            ("ip6.arpa", "::/0", true),
        ] {
            let expected = ReverseName { range: range.parse().unwrap(), is_exact };
            assert_eq!(parse(name), Some(expected), "{name}");
        }
        for name in ["arpa", "xin-addr.arpa", "1.2.3.4", "."] {
            assert_eq!(parse(name), None, "{name}");
        }
    }

    #[test]
    fn only_whole_names_are_addresses() {
        for (name, address) in [
            ("4.3.2.1.in-addr.arpa", Some("1.2.3.4")),
            ("3.2.1.in-addr.arpa", None),
            ("x.4.3.2.1.in-addr.arpa", None),
        ] {
            let address = address.map(|text| text.parse().unwrap());
            assert_eq!(parse(name).unwrap().address(), address, "{name}");
        }
    }

    #[test]
    fn ranges_are_cut_into_zones_at_labels() {
        let ranges: Vec<Cidr> =
            ["10.244.0.0/16", "10.96.0.0/12", "10.96.7.0/24", "fd00:10::/30", "192.0.2.128/25"]
                .map(|range| range.parse().unwrap())
                .into();
        for (name, apex) in [
            ("5.1.244.10.in-addr.arpa", Some(("244.10.in-addr.arpa", false))),
            ("244.10.in-addr.arpa", Some(("244.10.in-addr.arpa", true))),
            ("x.244.10.in-addr.arpa", Some(("244.10.in-addr.arpa", false))),
            ("1.0.97.10.in-addr.arpa", Some(("97.10.in-addr.arpa", false))),
            ("1.7.96.10.in-addr.arpa", Some(("7.96.10.in-addr.arpa", false))),
            ("1.0.112.10.in-addr.arpa", None),
            ("10.in-addr.arpa", None),
            ("x.10.in-addr.arpa", None),
            ("129.2.0.192.in-addr.arpa", Some(("129.2.0.192.in-addr.arpa", true))),
            ("1.2.0.192.in-addr.arpa", None),
            ("3.1.0.0.0.0.d.f.ip6.arpa", Some(("3.1.0.0.0.0.d.f.ip6.arpa", true))),
            ("9.3.1.0.0.0.0.d.f.ip6.arpa", Some(("3.1.0.0.0.0.d.f.ip6.arpa", false))),
            ("4.1.0.0.0.0.d.f.ip6.arpa", None),
            ("1.0.0.0.0.d.f.ip6.arpa", None),
        ] {
            let found = ReverseZone::find(&ranges, &parse(name).unwrap());
            let found = found.map(|zone| (zone.apex.by_ref().to_string(), zone.at_apex));
            let expected = apex.map(|(apex, at_apex)| (format!("{apex}."), at_apex));
            assert_eq!(found, expected, "{name}");
        }
    }
    #[test]
    fn a_range_is_made_of_zones() {
        for (range, zones) in [
            ("10.244.0.0/16", &["244.10.in-addr.arpa."][..]),
            ("192.0.2.128/31", &["128.2.0.192.in-addr.arpa.", "129.2.0.192.in-addr.arpa."]),
            ("0.0.0.0/0", &["in-addr.arpa."]),
            ("fd00:10::/31", &["0.1.0.0.0.0.d.f.ip6.arpa.", "1.1.0.0.0.0.d.f.ip6.arpa."]),
        ] {
            let ranges = [range.parse().unwrap()];
            let all: Vec<_> = ReverseZone::all(&ranges).map(|name| name.to_string()).collect();
            assert_eq!(all, zones, "{range}");
        }
        assert_eq!(ReverseZone::all(&["10.96.0.0/9".parse().unwrap()]).count(), 128);
    }
}
