//! Links, addresses and routes of the network namespace in which a [`Netlink`] is opened.

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use ipnet::IpNet;
use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE, NLM_F_REQUEST, NetlinkHeader,
    NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::address::{
    AddressAttribute, AddressFlags, AddressHeaderFlags, AddressMessage,
};
use netlink_packet_route::link::{
    InfoData, InfoKind, InfoVeth, LinkAttribute, LinkFlags, LinkInfo, LinkMessage,
};
use netlink_packet_route::neighbour::{NeighbourAttribute, NeighbourMessage, NeighbourState};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{
    AddressFamily as Family, RecvFlags, SendFlags, SocketFlags, SocketType, bind, recv, sendto,
    socket_with,
};

/// The loopback's number, in any namespace.
pub(crate) const LOOPBACK: u32 = 1;

/// Longer than any answer: they name an error and the message at fault.
const ANSWER_BYTES: usize = 8192;

/// An interface to be made.
#[derive(Debug)]
pub(crate) struct Interface {
    pub(crate) index: u32,
    pub(crate) name: String,
    /// Its own address on the link.
    pub(crate) station: [u8; 6],
}

/// A socket by which a network namespace is changed.
#[derive(Debug)]
pub(crate) struct Netlink(OwnedFd);

impl Netlink {
    /// Of the calling thread's network namespace.
    pub(crate) fn open() -> io::Result<Self> {
        // Protocol 0 is that of links, addresses and routes.
        let socket = socket_with(Family::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
        bind(&socket, &SocketAddrNetlink::new(0, 0))?;
        Ok(Self(socket))
    }

    pub(crate) fn up(&self, index: u32) -> io::Result<()> {
        let mut link = LinkMessage::default();
        link.header.index = index;
        link.header.flags = LinkFlags::Up;
        link.header.change_mask = LinkFlags::Up;
        self.ask(RouteNetlinkMessage::NewLink(link), 0)
    }

    /// A pair of interfaces, of which the other one is in another namespace. Both are down.
    pub(crate) fn add_pair(
        &self,
        one: &Interface,
        other: &Interface,
        namespace: BorrowedFd<'_>,
    ) -> io::Result<()> {
        let mut peer = LinkMessage::default();
        peer.header.index = other.index;
        peer.attributes = vec![
            LinkAttribute::IfName(other.name.clone()),
            LinkAttribute::Address(other.station.to_vec()),
            LinkAttribute::NetNsFd(namespace.as_raw_fd()),
        ];
        let mut link = LinkMessage::default();
        link.header.index = one.index;
        link.attributes = vec![
            LinkAttribute::IfName(one.name.clone()),
            LinkAttribute::Address(one.station.to_vec()),
            LinkAttribute::LinkInfo(vec![
                LinkInfo::Kind(InfoKind::Veth),
                LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer))),
            ]),
        ];
        self.ask(RouteNetlinkMessage::NewLink(link), NLM_F_CREATE | NLM_F_EXCL)
    }

    /// Gives an interface an address. No route comes with it, and it can be used at once.
    pub(crate) fn add_address(&self, index: u32, address: IpNet) -> io::Result<()> {
        let mut message = AddressMessage::default();
        message.header.family = family(address.addr());
        message.header.prefix_len = address.prefix_len();
        message.header.index = index;
        message.header.flags = AddressHeaderFlags::Nodad;
        message.attributes = vec![
            AddressAttribute::Local(address.addr()),
            AddressAttribute::Address(address.addr()),
            AddressAttribute::Flags(AddressFlags::Noprefixroute | AddressFlags::Nodad),
        ];
        self.ask(RouteNetlinkMessage::NewAddress(message), NLM_F_CREATE | NLM_F_REPLACE)
    }

    /// Who has an address at the other end of an interface, so that nobody has to ask for it. What is told so does not count among the neighbours that are
    /// found out, of which the kernel has room for a thousand or so, in all namespaces together.
    pub(crate) fn add_neighbour(
        &self,
        index: u32,
        address: IpAddr,
        station: [u8; 6],
    ) -> io::Result<()> {
        let mut message = NeighbourMessage::default();
        message.header.family = family(address);
        message.header.ifindex = index;
        message.header.state = NeighbourState::Permanent;
        message.header.kind = RouteType::Unicast;
        message.attributes = vec![
            NeighbourAttribute::Destination(address.into()),
            NeighbourAttribute::LinkLayerAddress(station.to_vec()),
        ];
        self.ask(RouteNetlinkMessage::NewNeighbour(message), NLM_F_CREATE | NLM_F_REPLACE)
    }

    /// What goes to a destination leaves by an interface.
    pub(crate) fn add_route(
        &self,
        to: IpNet,
        index: u32,
        gateway: Option<IpAddr>,
    ) -> io::Result<()> {
        let scope = match gateway {
            Some(_) => RouteScope::Universe,
            None => RouteScope::Link,
        };
        self.route(to, index, gateway, RouteHeader::RT_TABLE_MAIN, (RouteType::Unicast, scope))
    }

    /// Nothing goes to a destination by an interface any more.
    /// One that is not there is removed already.
    pub(crate) fn remove_route(&self, to: IpNet, index: u32) -> io::Result<()> {
        let mut route = RouteMessage::default();
        route.header.address_family = family(to.addr());
        route.header.destination_prefix_length = to.prefix_len();
        route.header.table = RouteHeader::RT_TABLE_MAIN;
        route.header.scope = RouteScope::NoWhere;
        route.attributes =
            vec![RouteAttribute::Oif(index), RouteAttribute::Destination(to.network().into())];
        match self.ask(RouteNetlinkMessage::DelRoute(route), 0) {
            Err(error) if error.raw_os_error() == Some(Errno::SRCH.raw_os_error()) => Ok(()),
            removed => removed,
        }
    }

    /// What goes to a destination is for this namespace itself.
    pub(crate) fn add_local(&self, to: IpNet) -> io::Result<()> {
        // That of all local addresses.
        let table = 255;
        self.route(to, LOOPBACK, None, table, (RouteType::Local, RouteScope::Host))
    }

    /// Who sends something to a destination that nothing nearer leads to is told that it is not there.
    pub(crate) fn add_unreachable(&self, to: IpNet) -> io::Result<()> {
        let kind = (RouteType::Unreachable, RouteScope::Universe);
        self.route(to, LOOPBACK, None, RouteHeader::RT_TABLE_MAIN, kind)
    }

    fn route(
        &self,
        to: IpNet,
        index: u32,
        gateway: Option<IpAddr>,
        table: u8,
        (kind, scope): (RouteType, RouteScope),
    ) -> io::Result<()> {
        let mut route = RouteMessage::default();
        route.header.address_family = family(to.addr());
        route.header.destination_prefix_length = to.prefix_len();
        route.header.table = table;
        route.header.protocol = RouteProtocol::Static;
        route.header.scope = scope;
        route.header.kind = kind;
        if kind != RouteType::Unreachable {
            route.attributes.push(RouteAttribute::Oif(index));
        }
        if to.prefix_len() > 0 {
            route.attributes.push(RouteAttribute::Destination(to.network().into()));
        }
        if let Some(gateway) = gateway {
            route.attributes.push(RouteAttribute::Gateway(RouteAddress::from(gateway)));
        }
        self.ask(RouteNetlinkMessage::NewRoute(route), NLM_F_CREATE | NLM_F_REPLACE)
    }

    /// Sends a request and waits for what the kernel says to it, which it does within the call.
    fn ask(&self, message: RouteNetlinkMessage, flags: u16) -> io::Result<()> {
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | NLM_F_ACK | flags;
        let mut message = NetlinkMessage::new(header, NetlinkPayload::from(message));
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        sendto(&self.0, &bytes, SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;

        let mut answer = vec![0; ANSWER_BYTES];
        let (length, _) = recv(&self.0, &mut answer[..], RecvFlags::empty())?;
        let answer = NetlinkMessage::<RouteNetlinkMessage>::deserialize(&answer[..length])
            .map_err(io::Error::other)?;
        match answer.payload {
            NetlinkPayload::Error(error) => match error.code {
                None => Ok(()),
                Some(_) => Err(error.to_io()),
            },
            other => Err(io::Error::other(format!("an answer that was not asked for: {other:?}"))),
        }
    }
}

fn family(address: IpAddr) -> AddressFamily {
    match address {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    }
}
