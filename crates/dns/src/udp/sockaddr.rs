//! Addresses as Linux's calls take them.

use std::mem::{size_of, zeroed};
use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};

/// An IPv4 or IPv6 socket's address: the only ones that sockets of these families meet. `sockaddr_storage`
/// would be four times as long.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) union RawAddress {
    v4: libc::sockaddr_in,
    v6: libc::sockaddr_in6,
}

/// Its length, for a kernel that writes one.
pub(super) const RAW_LEN: libc::socklen_t = size_of::<RawAddress>() as libc::socklen_t;

impl RawAddress {
    pub(super) fn zeroed() -> Self {
        // SAFETY: both are integers alone.
        unsafe { zeroed() }
    }

    /// An address and its length.
    pub(super) fn new(address: SocketAddr) -> (Self, libc::socklen_t) {
        let mut raw = Self::zeroed();
        let length = match address {
            SocketAddr::V4(address) => {
                raw.v4 = libc::sockaddr_in {
                    sin_family: libc::AF_INET as _,
                    sin_port: address.port().to_be(),
                    sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(address.ip().octets()) },
                    sin_zero: [0; 8],
                };
                size_of::<libc::sockaddr_in>()
            }
            SocketAddr::V6(address) => {
                raw.v6 = libc::sockaddr_in6 {
                    sin6_family: libc::AF_INET6 as _,
                    sin6_port: address.port().to_be(),
                    sin6_flowinfo: address.flowinfo(),
                    sin6_addr: libc::in6_addr { s6_addr: address.ip().octets() },
                    sin6_scope_id: address.scope_id(),
                };
                size_of::<libc::sockaddr_in6>()
            }
        };
        (raw, length as libc::socklen_t)
    }

    /// The address that a kernel wrote `length` octets of; `None` when it wrote none.
    pub(super) fn read(&self, length: libc::socklen_t) -> Option<SocketAddr> {
        // SAFETY: every octet is initialised, either struct begins with the family, and any bits are valid in them.
        unsafe {
            match i32::from(self.v4.sin_family) {
                libc::AF_INET if length as usize >= size_of::<libc::sockaddr_in>() => {
                    let libc::sockaddr_in { sin_port, sin_addr, .. } = self.v4;
                    let ip = sin_addr.s_addr.to_ne_bytes().into();
                    Some(SocketAddrV4::new(ip, u16::from_be(sin_port)).into())
                }
                libc::AF_INET6 if length as usize >= size_of::<libc::sockaddr_in6>() => {
                    let libc::sockaddr_in6 {
                        sin6_port,
                        sin6_flowinfo,
                        sin6_addr,
                        sin6_scope_id,
                        ..
                    } = self.v6;
                    let (ip, port) = (sin6_addr.s6_addr.into(), u16::from_be(sin6_port));
                    Some(SocketAddrV6::new(ip, port, sin6_flowinfo, sin6_scope_id).into())
                }
                _ => None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_it_was_written() {
        for address in [
            "127.0.0.1:53".parse().unwrap(),
            "[2001:db8::1]:65535".parse().unwrap(),
            SocketAddrV6::new("fe80::1".parse().unwrap(), 53, 0, 7).into(),
        ] {
            let (raw, length) = RawAddress::new(address);
            assert_eq!(raw.read(length), Some(address));
            assert_eq!(raw.read(length - 1), None, "cut");
        }
        assert_eq!(RawAddress::zeroed().read(RAW_LEN), None);
    }
}
