//! The address that a datagram was sent to, and the one that it leaves from (Linux).

use std::io;
use std::mem::{size_of, zeroed};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::ptr::addr_of;

use libc::{c_int, c_void};
use socket2::SockAddr;

use super::{Local, Peer};

/// Room for one control message of either family, aligned as `cmsghdr` is.
#[repr(C, align(8))]
#[derive(Clone, Copy)]
pub(super) struct Control([u8; 64]);

impl Default for Control {
    fn default() -> Self {
        Self([0; 64])
    }
}

/// Asks the kernel to tell each datagram's destination.
pub(super) fn enable(socket: &UdpSocket, v6: bool) -> io::Result<()> {
    let (level, option) = match v6 {
        true => (libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO),
        false => (libc::IPPROTO_IP, libc::IP_PKTINFO),
    };
    let on: c_int = 1;
    // SAFETY: the descriptor is open, and the value is a c_int of the length given, as both options want.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            addr_of!(on).cast::<c_void>(),
            size_of::<c_int>() as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Waits for a datagram.
pub(super) fn receive(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<(usize, Peer)> {
    let mut control = Control::default();
    let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    let mut local = None;
    let mut length = 0;
    // SAFETY: `init` is given zeroed storage of the length it is told. All pointers in the header are to live
    // values of the lengths given: the storage, the buffer and the control block. The kernel sets
    // msg_controllen to what it wrote, and the CMSG functions stay within that.
    let ((), address) = unsafe {
        SockAddr::try_init(|storage, storage_len| {
            let mut header: libc::msghdr = zeroed();
            header.msg_name = storage.cast();
            header.msg_namelen = *storage_len;
            header.msg_iov = &mut part;
            header.msg_iovlen = 1;
            header.msg_control = control.0.as_mut_ptr().cast();
            header.msg_controllen = control.0.len() as _;
            let received = libc::recvmsg(socket.as_raw_fd(), &mut header, 0);
            length = usize::try_from(received).map_err(|_| io::Error::last_os_error())?;
            *storage_len = header.msg_namelen;
            local = read(&header);
            Ok(())
        })
    }?;
    match address.as_socket() {
        Some(address) => Ok((length, Peer { address, local })),
        // A socket that was shut down returns no datagram and no sender.
        None => Err(io::ErrorKind::WouldBlock.into()),
    }
}

/// Finds the destination among the control messages.
///
/// # Safety
///
/// `header` was filled by a successful `recvmsg` or `recvmmsg`, and its control block is alive.
pub(super) unsafe fn read(header: &libc::msghdr) -> Option<Local> {
    // SAFETY: per the contract above; the data is read unaligned, as its own type says.
    unsafe {
        let mut message = libc::CMSG_FIRSTHDR(header);
        while !message.is_null() {
            let data = libc::CMSG_DATA(message);
            match ((*message).cmsg_level, (*message).cmsg_type) {
                (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                    let info = data.cast::<libc::in_pktinfo>().read_unaligned();
                    let address = IpAddr::from(info.ipi_spec_dst.s_addr.to_ne_bytes());
                    return Some(Local { address, interface: 0 });
                }
                (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                    let info = data.cast::<libc::in6_pktinfo>().read_unaligned();
                    let address = std::net::Ipv6Addr::from(info.ipi6_addr.s6_addr);
                    let interface =
                        if address.is_unicast_link_local() { info.ipi6_ifindex } else { 0 };
                    return Some(Local { address: address.into(), interface });
                }
                _ => message = libc::CMSG_NXTHDR(header, message),
            }
        }
        None
    }
}

/// Sends a datagram from `local`.
pub(super) fn send(
    socket: &UdpSocket,
    reply: &[u8],
    to: SocketAddr,
    local: Local,
) -> io::Result<()> {
    let to = SockAddr::from(to);
    let mut control = Control::default();
    let mut part = libc::iovec { iov_base: reply.as_ptr().cast_mut().cast(), iov_len: reply.len() };
    // SAFETY: all pointers in the header are to live values of the lengths given; sendmsg writes to none of
    // them.
    let sent = unsafe {
        let mut header: libc::msghdr = zeroed();
        header.msg_name = to.as_ptr().cast_mut().cast();
        header.msg_namelen = to.len();
        header.msg_iov = &mut part;
        header.msg_iovlen = 1;
        write(&mut header, &mut control, local);
        libc::sendmsg(socket.as_raw_fd(), &header, 0)
    };
    if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Lets a header that is to be sent say, by way of `control`, that it leaves from `local`.
pub(super) fn write(header: &mut libc::msghdr, control: &mut Control, local: Local) {
    header.msg_control = control.0.as_mut_ptr().cast();
    header.msg_controllen = control.0.len() as _;
    // SAFETY: the control block is aligned, longer than the space of either message, and alive; so its first
    // message is not null.
    let space = unsafe {
        let message = libc::CMSG_FIRSTHDR(header);
        match local.address {
            IpAddr::V4(address) => {
                let mut info: libc::in_pktinfo = zeroed();
                info.ipi_spec_dst.s_addr = u32::from_ne_bytes(address.octets());
                (*message).cmsg_level = libc::IPPROTO_IP;
                (*message).cmsg_type = libc::IP_PKTINFO;
                write_data(message, info)
            }
            IpAddr::V6(address) => {
                let mut info: libc::in6_pktinfo = zeroed();
                info.ipi6_addr.s6_addr = address.octets();
                info.ipi6_ifindex = local.interface as _;
                (*message).cmsg_level = libc::IPPROTO_IPV6;
                (*message).cmsg_type = libc::IPV6_PKTINFO;
                write_data(message, info)
            }
        }
    };
    header.msg_controllen = space as _;
}

/// Puts the data of a control message in place and returns the space that the message takes.
///
/// # Safety
///
/// `message` is the first of a control block that has room for `T`.
unsafe fn write_data<T>(message: *mut libc::cmsghdr, data: T) -> usize {
    // SAFETY: per the contract above; the write is unaligned.
    unsafe {
        (*message).cmsg_len = libc::CMSG_LEN(size_of::<T>() as _) as _;
        libc::CMSG_DATA(message).cast::<T>().write_unaligned(data);
        libc::CMSG_SPACE(size_of::<T>() as _) as usize
    }
}
