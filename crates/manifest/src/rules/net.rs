//! Addresses, protocols and what else Services and endpoints have in common.

use std::net::IpAddr;

use super::names;
use crate::field::{FieldError, FieldPath};

/// Kubernetes' text for what is not an address.
pub(crate) const NOT_AN_ADDRESS: &str =
    "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";

const PROTOCOLS: [&str; 3] = ["SCTP", "TCP", "UDP"];

/// Reads an address; those with zone or leading zeros are none.
pub(crate) fn address(text: &str) -> Option<IpAddr> {
    text.parse().ok()
}

/// Kubernetes' text for what is not an address and a prefix length.
pub(crate) const NOT_A_CIDR: &str =
    "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";

/// Reads an address and a prefix length: `10.9.8.0/24`.
pub(crate) fn cidr(text: &str) -> Option<(IpAddr, u8)> {
    let (ip, length) = text.split_once('/')?;
    let ip = address(ip)?;
    let bits_max = if ip.is_ipv4() { 32 } else { 128 };
    let length = Some(length).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
    let length = length.parse::<u8>().ok().filter(|bits| *bits <= bits_max)?;
    Some((ip, length))
}

/// Whether a text is an address and a prefix length.
pub(crate) fn is_cidr(text: &str) -> bool {
    cidr(text).is_some()
}

/// Whether a range is a part of another, and not all of it.
pub(crate) fn is_strictly_within(
    (inner, inner_length): (IpAddr, u8),
    (outer, length): (IpAddr, u8),
) -> bool {
    // What follows the prefix is of no account.
    let shared = match (inner, outer) {
        (IpAddr::V4(inner), IpAddr::V4(outer)) => {
            (u32::from(inner) ^ u32::from(outer)).leading_zeros()
        }
        (IpAddr::V6(inner), IpAddr::V6(outer)) => {
            (u128::from(inner) ^ u128::from(outer)).leading_zeros()
        }
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return false,
    };
    length < inner_length && shared >= u32::from(length)
}

/// Checks an address that clients will be sent to: no address of this host, this link or a group.
pub(crate) fn reachable_address(path: &FieldPath<'_>, text: &str, errors: &mut Vec<FieldError>) {
    let Some(ip) = address(text) else {
        errors.push(FieldError::invalid(path, text, NOT_AN_ADDRESS));
        return;
    };
    let problems = unreachable(ip).into_iter();
    errors.extend(problems.map(|problem| FieldError::invalid(path, text, problem)));
}

/// Why clients cannot be sent to an address, in Kubernetes' words; empty if they can.
pub fn unreachable(ip: IpAddr) -> Vec<String> {
    let (link_local, link_local_group) = match ip {
        IpAddr::V4(ip) => (ip.is_link_local(), ip.octets()[..3] == [224, 0, 0]),
        IpAddr::V6(ip) => {
            let first = ip.segments()[0];
            (first & 0xffc0 == 0xfe80, first & 0xff0f == 0xff02)
        }
    };
    let problems = [
        (ip.is_unspecified(), format!("may not be unspecified ({ip})")),
        (ip.is_loopback(), "may not be in the loopback range (127.0.0.0/8, ::1/128)".to_owned()),
        (link_local, "may not be in the link-local range (169.254.0.0/16, fe80::/10)".to_owned()),
        (
            link_local_group,
            "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)".to_owned(),
        ),
    ];
    problems.into_iter().filter(|(holds, _)| *holds).map(|(_, problem)| problem).collect()
}

/// Checks a transport protocol.
pub(crate) fn protocol(path: &FieldPath<'_>, protocol: Option<&str>, errors: &mut Vec<FieldError>) {
    match protocol {
        None | Some("") => errors.push(FieldError::required(path, "")),
        Some(protocol) if PROTOCOLS.contains(&protocol) => {}
        Some(protocol) => errors.push(FieldError::not_supported(path, protocol, &PROTOCOLS)),
    }
}

/// Checks an application protocol, which is a qualified name.
pub(crate) fn app_protocol(
    path: &FieldPath<'_>,
    protocol: Option<&str>,
    errors: &mut Vec<FieldError>,
) {
    if let Some(protocol) = protocol {
        errors.extend(
            names::qualified_name(protocol)
                .into_iter()
                .map(|text| FieldError::invalid(path, protocol, text)),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reachable_addresses() {
        let check = |text: &str, expected: &[&str]| {
            let mut errors = Vec::new();
            reachable_address(&FieldPath::new("ip"), text, &mut errors);
            let texts: Vec<String> = errors.into_iter().map(|error| error.detail).collect();
            assert_eq!(texts, expected, "{text}");
        };
        check("10.0.0.1", &[]);
        check("2001:db8::1", &[]);
        check("10.0.0.256", &[NOT_AN_ADDRESS]);
        check("10.0.0.01", &[NOT_AN_ADDRESS]);
        check("0.0.0.0", &["may not be unspecified (0.0.0.0)"]);
        check("127.0.0.1", &["may not be in the loopback range (127.0.0.0/8, ::1/128)"]);
        check("169.254.1.1", &["may not be in the link-local range (169.254.0.0/16, fe80::/10)"]);
        check("fe80::1", &["may not be in the link-local range (169.254.0.0/16, fe80::/10)"]);
        check(
            "224.0.0.1",
            &["may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"],
        );
        check(
            "ff02::1",
            &["may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"],
        );
    }

    #[test]
    fn ranges() {
        for text in ["10.0.0.0/8", "::/0", "10.0.0.1/32"] {
            assert!(is_cidr(text), "{text}");
        }
        for text in ["10.0.0.0", "10.0.0.0/33", "10.0.0.0/+8", "/8", "x/8", "10.0.0.0/"] {
            assert!(!is_cidr(text), "{text}");
        }
    }

    #[test]
    fn ranges_within_ranges() {
        let check = |inner: &str, outer: &str, expected: bool| {
            let within = is_strictly_within(cidr(inner).unwrap(), cidr(outer).unwrap());
            assert_eq!(within, expected, "{inner} in {outer}");
        };
        check("10.1.0.0/16", "10.0.0.0/8", true);
        check("10.1.0.0/16", "10.9.9.9/8", true);
        check("10.0.0.0/8", "10.0.0.0/8", false);
        check("10.0.0.0/8", "10.0.0.0/16", false);
        check("11.0.0.0/16", "10.0.0.0/8", false);
        check("1.2.3.4/32", "0.0.0.0/0", true);
        check("::1/128", "::/0", true);
        check("::1/128", "0.0.0.0/0", false);
    }
}
