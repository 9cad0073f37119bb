//! By which names and addresses a server that listens on every address is reached.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// Where programs on this machine reach a server that listens there: on every address, by loopback.
pub(crate) fn from_here(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

/// Where others reach it: on every address, by this machine's own one.
pub(crate) fn from_elsewhere(listen: SocketAddr) -> SocketAddr {
    let own = listen.ip().is_unspecified().then(|| own_address(listen.ip())).flatten();
    SocketAddr::new(own.unwrap_or(listen.ip()), listen.port())
}

/// This machine's own address in the direction of most others, of the family of `listen`. Nothing is sent: the system is
/// only asked which way it would be.
fn own_address(listen: IpAddr) -> Option<IpAddr> {
    // Addresses for documentation (RFC 5737, RFC 3849): out by the default route.
    let (any, there): (SocketAddr, SocketAddr) = match listen {
        IpAddr::V4(_) => (([0, 0, 0, 0], 0).into(), ([192, 0, 2, 1], 9).into()),
        IpAddr::V6(_) => {
            let there = [0x2001, 0xdb8, 0, 0, 0, 0, 0, 1];
            (([0; 8], 0).into(), (there, 9).into())
        }
    };
    let socket = UdpSocket::bind(any).ok()?;
    socket.connect(there).ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_unspecified() && !address.is_loopback()).then_some(address)
}

/// What else to name in the certificate of a server that listens on `listen`: where that is every address, this machine's
/// host name and its own address.
pub(super) fn names(listen: IpAddr) -> Vec<String> {
    if !listen.is_unspecified() {
        return Vec::new();
    }
    let host = host_name().filter(|name| is_dns_name(name));
    host.into_iter().chain(own_address(listen).map(|address| address.to_string())).collect()
}

fn host_name() -> Option<String> {
    rustix::system::uname().nodename().to_str().ok().map(str::to_ascii_lowercase)
}

fn is_dns_name(name: &str) -> bool {
    name.split('.').all(|label| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        (1..=63).contains(&label.len())
            && label.bytes().all(plain)
            && !label.starts_with('-')
            && !label.ends_with('-')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_to_a_server() {
        let check = |listen: &str, here: &str| {
            let listen = listen.parse().expect("an address");
            assert_eq!(from_here(listen).to_string(), here);
            let elsewhere = from_elsewhere(listen);
            assert!(elsewhere == listen || listen.ip().is_unspecified(), "{elsewhere}");
            assert_eq!(elsewhere.port(), listen.port());
        };
        check("0.0.0.0:6443", "127.0.0.1:6443");
        check("[::]:6443", "[::1]:6443");
        check("192.0.2.1:1", "192.0.2.1:1");
        check("127.0.0.1:1", "127.0.0.1:1");
    }

    #[test]
    fn names_for_a_certificate() {
        assert_eq!(names(IpAddr::from([192, 0, 2, 1])), Vec::<String>::new());
        for name in names(IpAddr::from([0, 0, 0, 0])) {
            assert!(is_dns_name(&name) || name.parse::<IpAddr>().is_ok(), "{name}");
        }
        let check = |name: &str, good: bool| assert_eq!(is_dns_name(name), good, "{name}");
        check("laptop", true);
        check("laptop-1.example.org", true);
        check("", false);
        check("my_laptop", false);
        check("a..b", false);
        check("-a", false);
    }
}
