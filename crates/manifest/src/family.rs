//! The families of IP addresses.

use std::fmt;
use std::net::IpAddr;

/// A family of IP addresses, as in a Service's `ipFamilies` and an EndpointSlice's `addressType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum IpFamily {
    /// `IPv4`
    V4,
    /// `IPv6`
    V6,
}

impl IpFamily {
    /// The family of an address. An IPv4 address in IPv6's clothes (`::ffff:10.0.0.1`) is IPv4, as in Kubernetes.
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }

    /// Reads `IPv4` or `IPv6`.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "IPv4" => Some(Self::V4),
            "IPv6" => Some(Self::V6),
            _ => None,
        }
    }

    /// `IPv4` or `IPv6`
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        }
    }

    /// The other one.
    pub fn other(self) -> Self {
        match self {
            Self::V4 => Self::V6,
            Self::V6 => Self::V4,
        }
    }
}

impl fmt::Display for IpFamily {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_address() {
        let check = |address: &str, expected: &str| {
            let family = IpFamily::of(address.parse().unwrap());
            assert_eq!(family.to_string(), expected, "{address}");
            assert_eq!(IpFamily::parse(expected), Some(family));
        };
        check("10.0.0.1", "IPv4");
        check("fd00::1", "IPv6");
        check("::ffff:10.0.0.1", "IPv4");
        assert_eq!(IpFamily::parse("ipv4"), None);
    }
}
