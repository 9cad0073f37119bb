//! The `nameserver` lines of resolv.conf(5).

use std::net::SocketAddr;

use super::Upstream;
use super::config::is_own;
use super::upstream::parse_address;

/// How many servers are taken from a file. The C library takes 3; files for forwarders may list more.
const SERVERS_MAX: usize = 15;

/// The upstreams that a resolv.conf names, in order, each once, and what could not be used of it.
///
/// `own` are the addresses that we listen on: a file that a node's local cache has written names that cache. The
/// index of an interface in a link-local address is told by `interface`. All other lines (search, options) concern
/// the machine's own programs.
pub fn resolv_conf(
    text: &str,
    own: &[SocketAddr],
    interface: impl Fn(&str) -> Option<u32>,
) -> (Vec<Upstream>, Vec<Unusable>) {
    let (mut upstreams, mut unusable) = (Vec::new(), Vec::new());
    for (line, text) in (1..).zip(text.lines()) {
        let mut words = text.split_ascii_whitespace();
        if words.next() != Some("nameserver") {
            continue;
        }
        let address = words.next().unwrap_or_default();
        let mut unusable = |reason: String| unusable.push(Unusable { line, reason });
        match parse_address(address, 53, &interface) {
            Err(error) => unusable(error.to_string()),
            Ok(address) if is_own(address, own) => {
                unusable(format!("{address} is where this server listens itself"));
            }
            Ok(_) if upstreams.len() == SERVERS_MAX => {
                unusable(format!("no more than {SERVERS_MAX} servers are used"));
            }
            Ok(address) => {
                let upstream = Upstream::udp(address);
                if !upstreams.contains(&upstream) {
                    upstreams.push(upstream);
                }
            }
        }
    }
    (upstreams, unusable)
}

/// A `nameserver` line that names no upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unusable {
    /// The line, from 1.
    pub line: usize,
    /// Why.
    pub reason: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, own: &[&str], expected: &[&str], unusable: &[(usize, &str)]) {
        let own: Vec<_> = own.iter().map(|own| own.parse().expect("an address")).collect();
        let interface = |name: &str| (name == "eth0").then_some(2);
        let (upstreams, problems) = resolv_conf(text, &own, interface);
        let upstreams: Vec<_> = upstreams.iter().map(|one| one.address.to_string()).collect();
        assert_eq!(upstreams, expected);
        assert_eq!(problems.len(), unusable.len(), "{problems:?}");
        for (problem, (line, reason)) in problems.iter().zip(unusable) {
            assert_eq!(problem.line, *line);
            assert!(problem.reason.contains(reason), "{problem:?}");
        }
    }

    #[test]
    fn nameserver_lines_are_read() {
        check("", &[], &[], &[]);
        let text = "# made by hand\nnameserver 192.0.2.1\nsearch example.com\n\
            nameserver\t2001:db8::1 # the second\r\noptions ndots:5\n  nameserver fe80::1%eth0\n\
            nameserver 192.0.2.1\n;nameserver 192.0.2.9\nnameservers 192.0.2.8\n";
        check(text, &[], &["192.0.2.1:53", "[2001:db8::1]:53", "[fe80::1%2]:53"], &[]);
    }

    #[test]
    fn what_can_not_be_used_is_said() {
        let text = "nameserver\nnameserver dns.example\nnameserver fe80::1%eth9\n";
        check(
            text,
            &[],
            &[],
            &[(1, "is not an IP"), (2, "`dns.example` is not"), (3, "no interface `eth9`")],
        );
        let many: String = (1..=17).map(|n| format!("nameserver 192.0.2.{n}\n")).collect();
        let (upstreams, unusable) = resolv_conf(&many, &[], |_| None);
        assert_eq!((upstreams.len(), unusable.len()), (15, 2));
    }

    #[test]
    fn this_server_is_not_its_own_upstream() {
        let text = "nameserver 127.0.0.1\nnameserver 127.0.0.53\nnameserver ::1\n";
        check(text, &["127.0.0.1:53"], &["127.0.0.53:53", "[::1]:53"], &[(1, "listens itself")]);
        check(text, &["127.0.0.1:1053"], &["127.0.0.1:53", "127.0.0.53:53", "[::1]:53"], &[]);
        check(text, &["0.0.0.0:53"], &["[::1]:53"], &[(1, "itself"), (2, "itself")]);
        check(text, &["[::]:53"], &["127.0.0.1:53", "127.0.0.53:53"], &[(3, "itself")]);
    }
}
