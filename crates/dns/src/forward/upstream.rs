//! Upstream servers, as they are written.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6, ToSocketAddrs};
use std::str::FromStr;

use tokio_rustls::rustls::pki_types::ServerName;

/// A server that is asked for names outside our zones.
///
/// Written `ADDRESS`, `udp://ADDRESS`, `tcp://ADDRESS` or `tls://ADDRESS#SERVER-NAME`. The port may be left out (53,
/// and 853 for TLS); an IPv6 address with a port stands in brackets; a link-local one names its interface
/// (`[fe80::1%eth0]:53`). Without a server name, the certificate must be for the address.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Upstream {
    /// Where it listens.
    pub address: SocketAddr,
    /// How it is spoken to.
    pub protocol: UpstreamProtocol,
}

/// How an upstream is spoken to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum UpstreamProtocol {
    /// Datagrams, and TCP for what does not fit or can't be trusted.
    Udp,
    /// TCP alone.
    Tcp,
    /// TLS over TCP (RFC 7858), with the name that its certificate must have.
    Tls(ServerName<'static>),
}

/// Why a text names no upstream.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpstreamError {
    /// The scheme is another.
    #[error("`{0}://` is not a way to reach an upstream: use udp://, tcp:// or tls://")]
    Scheme(String),
    /// What should be an address is a name, or nothing like it.
    #[error(
        "`{0}` is not an IP address with or without a port, such as 192.0.2.53 or [2001:db8::53]:5353"
    )]
    Address(String),
    /// The zone of an IPv6 address names no interface of this machine.
    #[error("this machine has no interface `{0}`")]
    Interface(String),
    /// A server name with a protocol that has none.
    #[error("a server name (`#{0}`) is for tls:// alone")]
    NameWithoutTls(String),
    /// What no certificate can have.
    #[error("`{0}` is not a name that a certificate can have")]
    ServerName(String),
}

impl Upstream {
    /// An upstream over UDP.
    pub fn udp(address: SocketAddr) -> Self {
        Self { address, protocol: UpstreamProtocol::Udp }
    }

    /// Reads an upstream; `interface` tells the index of a network interface.
    ///
    /// # Errors
    ///
    /// What can't be read, and what it should be.
    pub fn parse(
        text: &str,
        interface: impl Fn(&str) -> Option<u32>,
    ) -> Result<Self, UpstreamError> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("udp", text));
        let (address, name) = match rest.split_once('#') {
            Some((address, name)) => (address, Some(name)),
            None => (rest, None),
        };
        match (scheme.to_ascii_lowercase().as_str(), name) {
            ("udp" | "tcp", Some(name)) => Err(UpstreamError::NameWithoutTls(name.to_owned())),
            ("udp", None) => Ok(Self::udp(parse_address(address, 53, interface)?)),
            ("tcp", None) => {
                let address = parse_address(address, 53, interface)?;
                Ok(Self { address, protocol: UpstreamProtocol::Tcp })
            }
            ("tls", name) => {
                let address = parse_address(address, 853, interface)?;
                let name = match name {
                    None => ServerName::from(address.ip()),
                    Some(name) => ServerName::try_from(name.to_owned())
                        .map_err(|_| UpstreamError::ServerName(name.to_owned()))?,
                };
                Ok(Self { address, protocol: UpstreamProtocol::Tls(name) })
            }
            _ => Err(UpstreamError::Scheme(scheme.to_owned())),
        }
    }
}

/// As [`Upstream::parse`], with this machine's interfaces.
impl FromStr for Upstream {
    type Err = UpstreamError;

    fn from_str(text: &str) -> Result<Self, UpstreamError> {
        Self::parse(text, interface_index)
    }
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.protocol {
            UpstreamProtocol::Udp => write!(f, "udp://{}", self.address),
            UpstreamProtocol::Tcp => write!(f, "tcp://{}", self.address),
            UpstreamProtocol::Tls(name) => write!(f, "tls://{}#{}", self.address, name.to_str()),
        }
    }
}

/// Reads an address with or without port, IPv6 with or without brackets and interface.
pub(super) fn parse_address(
    text: &str,
    default_port: u16,
    interface: impl Fn(&str) -> Option<u32>,
) -> Result<SocketAddr, UpstreamError> {
    let bad = || UpstreamError::Address(text.to_owned());
    let port = |text: &str| text.parse().ok().filter(|port| *port != 0).ok_or_else(bad);
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((host, "")) => (host, default_port),
            Some((host, rest)) => (host, port(rest.strip_prefix(':').ok_or_else(bad)?)?),
            None => return Err(bad()),
        },
        None => match text.split_once(':') {
            // A second colon: IPv6 without brackets, and so without a port.
            Some((host, rest)) if !rest.contains(':') => (host, port(rest)?),
            _ => (text, default_port),
        },
    };
    match host.split_once('%') {
        None => Ok(SocketAddr::new(host.parse::<IpAddr>().map_err(|_| bad())?, port)),
        Some((host, zone)) => {
            let ip = host.parse::<Ipv6Addr>().map_err(|_| bad())?;
            let index = zone.parse().ok().or_else(|| interface(zone));
            let scope = index.ok_or_else(|| UpstreamError::Interface(zone.to_owned()))?;
            Ok(SocketAddrV6::new(ip, port, 0, scope).into())
        }
    }
}

/// The index of a network interface of this machine.
pub fn interface_index(name: &str) -> Option<u32> {
    // The system reads zones of literal addresses; no name is looked up for them.
    let mut addresses = (format!("fe80::1%{name}"), 0).to_socket_addrs().ok()?;
    addresses.find_map(|address| match address {
        SocketAddr::V6(address) => Some(address.scope_id()).filter(|index| *index != 0),
        SocketAddr::V4(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Upstream, UpstreamError> {
        Upstream::parse(text, |name| (name == "eth0").then_some(7))
    }

    #[test]
    fn upstreams_are_written_in_many_ways() {
        for (text, expected) in [
            ("192.0.2.1", "udp://192.0.2.1:53"),
            ("192.0.2.1:5353", "udp://192.0.2.1:5353"),
            ("udp://192.0.2.1", "udp://192.0.2.1:53"),
            ("TCP://192.0.2.1", "tcp://192.0.2.1:53"),
            ("tls://192.0.2.1", "tls://192.0.2.1:853#192.0.2.1"),
            ("tls://192.0.2.1:8853#dns.example", "tls://192.0.2.1:8853#dns.example"),
            ("2001:db8::1", "udp://[2001:db8::1]:53"),
            ("[2001:db8::1]", "udp://[2001:db8::1]:53"),
            ("tls://[2001:db8::1]:8853#dns.example", "tls://[2001:db8::1]:8853#dns.example"),
            ("fe80::1%eth0", "udp://[fe80::1%7]:53"),
            ("[fe80::1%3]:5353", "udp://[fe80::1%3]:5353"),
        ] {
            let upstream = parse(text).map(|upstream| upstream.to_string());
            assert_eq!(upstream.as_deref(), Ok(expected), "{text}");
            assert_eq!(parse(expected).expect("it reads what it writes").to_string(), expected);
        }
    }

    #[test]
    fn what_is_no_upstream_is_said_why() {
        for (text, expected) in [
            ("quic://192.0.2.1", "`quic://` is not a way"),
            ("", "`` is not an IP address"),
            ("dns.example", "`dns.example` is not an IP address"),
            ("192.0.2.1:0", "`192.0.2.1:0` is not an IP address"),
            ("192.0.2.1:70000", "is not an IP address"),
            ("[2001:db8::1", "is not an IP address"),
            ("[2001:db8::1]53", "is not an IP address"),
            ("192.0.2.1%eth0", "is not an IP address"),
            ("fe80::1%wlan9", "no interface `wlan9`"),
            ("192.0.2.1#dns.example", "is for tls:// alone"),
            ("tls://192.0.2.1#a b", "`a b` is not a name"),
        ] {
            let error = parse(text).expect_err(text).to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn interfaces_of_this_machine_are_known() {
        assert!(interface_index("lo").is_some_and(|index| index > 0));
        assert_eq!(interface_index("no-such-interface"), None);
    }
}
