//! Datagrams in and out. A reply leaves from the address that its query was sent to, which a socket bound to
//! the wildcard address has to be told for each reply (`IP_PKTINFO`, RFC 3542 §6).

use std::io::{self, ErrorKind};
use std::mem::MaybeUninit;
use std::net::{IpAddr, Shutdown, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, Type};

#[cfg(target_os = "linux")]
use super::packet_info;

/// The buffers asked of the kernel in each direction, in octets: room for a burst of some thousand messages. The
/// kernel caps them at its own maximum (on Linux the settings net.core.rmem_max and wmem_max).
const BUFFER: usize = 4 << 20;

/// How long a reply may wait for room in the send buffer before it is lost. Meanwhile queries queue up.
const SEND_PATIENCE: Duration = Duration::from_millis(100);

/// How often a waiting thread looks at the stop flag where stopping does not wake it, which Linux does.
const STOP_POLL: Duration = Duration::from_secs(1);

/// One UDP socket, served by one thread; others may send replies through it.
pub struct Datagrams {
    socket: UdpSocket,
    /// Bound to the wildcard address.
    wildcard: bool,
    stopped: AtomicBool,
}

/// Where a query came from, and which of our addresses it was sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The client.
    pub address: SocketAddr,
    /// Our side, known where the socket is bound to the wildcard address.
    pub local: Option<Local>,
}

/// One of our addresses; the interface counts where the address is link-local.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Local {
    /// The address.
    pub address: IpAddr,
    /// The number of the interface, 0 for any.
    pub interface: u32,
}

impl Datagrams {
    /// Binds an address that nobody else has, then lets [`Datagrams::bind_shared`] join.
    pub(super) fn bind_alone(address: SocketAddr) -> io::Result<Self> {
        let socket = prepare(address)?;
        socket.bind(&address.into())?;
        #[cfg(unix)]
        socket.set_reuse_port(true)?;
        Self::new(socket, address)
    }

    /// Binds a further socket to an address that [`Datagrams::bind_alone`] has.
    pub(super) fn bind_shared(address: SocketAddr) -> io::Result<Self> {
        let socket = prepare(address)?;
        #[cfg(unix)]
        socket.set_reuse_port(true)?;
        socket.bind(&address.into())?;
        Self::new(socket, address)
    }

    /// Takes over a socket that was bound elsewhere.
    pub(crate) fn adopt(socket: UdpSocket) -> io::Result<Self> {
        let address = socket.local_addr()?;
        socket.set_nonblocking(false)?;
        let socket = Socket::from(socket);
        set_up(&socket)?;
        Self::new(socket, address)
    }

    fn new(socket: Socket, address: SocketAddr) -> io::Result<Self> {
        let wildcard = address.ip().is_unspecified();
        let socket = UdpSocket::from(socket);
        if wildcard {
            packet_info::enable(&socket, address.is_ipv6())?;
        }
        Ok(Self { socket, wildcard, stopped: AtomicBool::new(false) })
    }

    /// The address bound to, with its port.
    ///
    /// # Errors
    ///
    /// None is to be expected of a socket that is bound.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Waits for a datagram; a longer one than `buffer` is cut. A stopped socket returns length 0 or an error.
    pub(super) fn receive(&self, buffer: &mut [u8]) -> io::Result<(usize, Peer)> {
        if self.wildcard {
            return packet_info::receive(&self.socket, buffer);
        }
        // The standard library takes for granted that there is a sender, but a stopped socket returns without one.
        let room = std::ptr::from_mut(buffer) as *mut [MaybeUninit<u8>];
        // SAFETY: octets may stand where octets may be missing, and `recv_from` only writes octets there.
        let room = unsafe { &mut *room };
        let (length, sender) = SockRef::from(&self.socket).recv_from(room)?;
        let address = sender.as_socket().ok_or(ErrorKind::NotConnected)?;
        Ok((length, Peer { address, local: None }))
    }

    /// Sends a reply to where its query came from, from where that was sent to. Waits for room to send, though not
    /// for long.
    ///
    /// # Errors
    ///
    /// It could not be sent, and is lost.
    pub fn send(&self, reply: &[u8], peer: &Peer) -> io::Result<()> {
        match peer.local {
            Some(local) => packet_info::send(&self.socket, reply, peer.address, local),
            None => self.socket.send_to(reply, peer.address).map(drop),
        }
    }

    /// Ends the serving of this socket.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        // Wakes the thread that waits, though the call says ENOTCONN.
        let _ = SockRef::from(&self.socket).shutdown(Shutdown::Read);
    }

    /// Whether it is bound to the wildcard address, so that each datagram tells which of ours it was sent to.
    #[cfg(target_os = "linux")]
    pub(super) fn is_wildcard(&self) -> bool {
        self.wildcard
    }

    /// The socket's file descriptor.
    #[cfg(target_os = "linux")]
    pub(super) fn descriptor(&self) -> std::os::fd::RawFd {
        std::os::fd::AsRawFd::as_raw_fd(&self.socket)
    }

    /// Whether [`Datagrams::stop`] was called.
    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }
}

fn prepare(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        // So that [::] and 0.0.0.0 can be served side by side.
        socket.set_only_v6(true)?;
    }
    set_up(&socket)?;
    Ok(socket)
}

fn set_up(socket: &Socket) -> io::Result<()> {
    let _ = socket.set_recv_buffer_size(BUFFER);
    let _ = socket.set_send_buffer_size(BUFFER);
    socket.set_read_timeout(Some(STOP_POLL))?;
    socket.set_write_timeout(Some(SEND_PATIENCE))
}

/// Elsewhere, replies of a wildcard socket leave from the address that the system chooses.
#[cfg(not(target_os = "linux"))]
mod packet_info {
    use super::*;

    pub(super) fn enable(_: &UdpSocket, _v6: bool) -> io::Result<()> {
        Ok(())
    }

    pub(super) fn receive(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<(usize, Peer)> {
        let (length, address) = socket.recv_from(buffer)?;
        Ok((length, Peer { address, local: None }))
    }

    pub(super) fn send(
        socket: &UdpSocket,
        reply: &[u8],
        to: SocketAddr,
        _: Local,
    ) -> io::Result<()> {
        socket.send_to(reply, to).map(drop)
    }
}
