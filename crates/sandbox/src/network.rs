//! The cluster's network and those of pods. Everything is routed: a pod's only neighbour is the engine, which plays all nodes, so that what
//! goes from pod to pod is seen by the engine's rules as what goes to a Service is.

use std::fs::{self, File};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use ipnet::IpNet;
use rustix::io::Errno;
use rustix::net::sockopt::{set_ipv6_v6only, set_socket_reuseaddr, set_socket_reuseport};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, listen, socket_with};
use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space};

use crate::failure::Unsupported;
use crate::netlink::{Interface, LOOPBACK, Netlink};
use crate::spec::{PodAddress, Settings};
use crate::sys;
use crate::users::Users;

/// The number of a pod's interface in the pod.
const POD_INTERFACE: u32 = 2;

/// Connections that wait to be accepted.
const BACKLOG: i32 = 1024;

/// The cluster's network: the engine's own.
#[derive(Debug)]
pub(crate) struct Cluster {
    netlink: Mutex<Netlink>,
    users: Users,
}

/// The network of a pod.
#[derive(Debug)]
pub(crate) struct PodNetwork {
    namespace: OwnedFd,
    /// The engine's end.
    index: u32,
    addresses: Vec<IpAddr>,
}

impl Cluster {
    pub(crate) fn set_up(settings: &Settings, users: Users) -> Result<Self, Unsupported> {
        let failed = |what: String| {
            move |error: io::Error| Unsupported::Network { what, error: error.to_string() }
        };
        // Whoever asks for it may listen on any port and ping: no container has a right over its network.
        for_everyone(users).map_err(failed("settings of its ports".into()))?;
        for (name, value) in [
            ("ipv4/ip_forward", "1"),
            // Who is refused by ICMP is to be told each time: the kernel tells few a second otherwise.
            ("ipv4/icmp_ratelimit", "0"),
            // From a pod comes what has its own address alone: by another's, it would be judged by another's policies. Version 6 has no such setting.
            ("ipv4/conf/all/rp_filter", "0"),
            ("ipv4/conf/default/rp_filter", "1"),
        ] {
            set(name, value).map_err(failed(format!("net/{name}")))?;
        }
        // That a range is local is enough to bind to an address of version 4; version 6 must be told that it need not be an interface's.
        let nodes = [
            ("conf/all/forwarding", "1"),
            ("conf/default/forwarding", "1"),
            ("ip_nonlocal_bind", "1"),
            ("icmp/ratelimit", "0"),
        ];
        version_6(&nodes).map_err(failed("IPv6".into()))?;
        let netlink = Netlink::open().map_err(failed("a netlink socket".into()))?;
        netlink.up(LOOPBACK).map_err(failed("the loopback interface".into()))?;
        for range in &settings.service_ranges {
            netlink.add_local(*range).map_err(failed(format!("the range {range}")))?;
        }
        let cluster = Self { netlink: Mutex::new(netlink), users };
        for address in &settings.node_addresses {
            cluster.add_address(*address).map_err(failed(format!("the address {address}")))?;
        }
        Ok(cluster)
    }

    /// Gives everything a way, by which it gets nowhere: rules can lead it elsewhere only if it has one. What lies in ranges that are inside,
    /// and is not there, is unreachable as before.
    pub(crate) fn open_outside(&self, inside: &[IpNet]) -> io::Result<()> {
        let families = [IpAddr::from([0; 4]), IpAddr::from([0_u16; 8])];
        self.with(|netlink| {
            for everything in families {
                let is_of_it = |range: &&IpNet| range.addr().is_ipv4() == everything.is_ipv4();
                let mut inside = inside.iter().filter(is_of_it).peekable();
                if inside.peek().is_some() {
                    netlink.add_route(IpNet::new_assert(everything, 0), LOOPBACK, None)?;
                }
                inside.try_for_each(|range| netlink.add_unreachable(*range))?;
            }
            Ok(())
        })
    }

    /// Makes an address the nodes' own.
    pub(crate) fn add_address(&self, address: IpAddr) -> io::Result<()> {
        self.with(|netlink| netlink.add_address(LOOPBACK, address.into()))
    }

    /// Makes the network of a pod, and leaves the calling thread in it.
    pub(crate) fn add_pod(&self, index: u32, addresses: &[PodAddress]) -> io::Result<PodNetwork> {
        sys::unshare(UnshareFlags::NEWNET)?;
        let namespace = OwnedFd::from(File::open("/proc/thread-self/ns/net")?);
        let addresses_only = addresses.iter().map(|address| address.address.addr()).collect();
        let pod = PodNetwork { namespace, index, addresses: addresses_only };
        for_everyone(self.users)?;
        version_6(&[])?;
        let inside = Netlink::open()?;
        inside.up(LOOPBACK)?;
        if addresses.is_empty() {
            return Ok(pod);
        }
        let (ours, theirs) = pair(index);
        self.with(|netlink| netlink.add_pair(&ours, &theirs, pod.namespace.as_fd()))?;
        inside.up(theirs.index)?;
        self.with(|netlink| netlink.up(index))?;
        for address in addresses {
            self.connect_pod((&inside, &theirs), &ours, *address)?;
        }
        Ok(pod)
    }

    fn connect_pod(
        &self,
        (inside, theirs): (&Netlink, &Interface),
        ours: &Interface,
        address: PodAddress,
    ) -> io::Result<()> {
        let PodAddress { address, gateway } = address;
        let everywhere = match gateway {
            IpAddr::V4(_) => IpNet::V4(Default::default()),
            IpAddr::V6(_) => IpNet::V6(Default::default()),
        };
        inside.add_address(theirs.index, address)?;
        inside.add_neighbour(theirs.index, gateway, ours.station)?;
        inside.add_route(gateway.into(), theirs.index, None)?;
        inside.add_route(everywhere, theirs.index, Some(gateway))?;
        self.with(|netlink| {
            netlink.add_address(ours.index, gateway.into())?;
            netlink.add_neighbour(ours.index, address.addr(), theirs.station)?;
            netlink.add_route(address.addr().into(), ours.index, None)
        })
    }

    /// Nothing reaches the pod any more. When nobody is in its network, the kernel removes it, and the interfaces of all such pods at once: one by one they would
    /// take longer to go than pods to come.
    pub(crate) fn remove_pod(&self, pod: &PodNetwork) -> io::Result<()> {
        pod.addresses.iter().try_for_each(|address| {
            self.with(|netlink| netlink.remove_route((*address).into(), pod.index))
        })
    }

    fn with<T>(&self, change: impl FnOnce(&Netlink) -> T) -> T {
        change(&self.netlink.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl PodNetwork {
    /// Moves the calling thread into the network.
    pub(crate) fn enter(&self) -> io::Result<()> {
        let network = Some(LinkNameSpaceType::Network);
        Ok(move_into_link_name_space(self.namespace.as_fd(), network)?)
    }
}

/// The engine's end and the pod's of what connects them.
fn pair(index: u32) -> (Interface, Interface) {
    let [a, b, c, d] = index.to_be_bytes();
    // The first octet says that these addresses are given out by nobody but us.
    (
        Interface { index, name: format!("pod{index}"), station: [0x0a, 0, a, b, c, d] },
        Interface { index: POD_INTERFACE, name: "eth0".to_owned(), station: [0x0a, 1, a, b, c, d] },
    )
}

/// Settings of the calling thread's network by which users of it need no rights over it.
fn for_everyone(users: Users) -> io::Result<()> {
    set("ipv4/ip_unprivileged_port_start", "0")?;
    set("ipv4/ping_group_range", users.groups())
}

/// Addresses of version 6 are used at once, not first looked for on the link. Without version 6 there is nothing to set.
fn version_6(more: &[(&str, &str)]) -> io::Result<()> {
    if !Path::new("/proc/sys/net/ipv6").exists() {
        return Ok(());
    }
    let always = [
        ("conf/all/accept_dad", "0"),
        ("conf/default/accept_dad", "0"),
        ("conf/default/accept_ra", "0"),
        ("conf/default/router_solicitations", "0"),
    ];
    always.iter().chain(more).try_for_each(|(name, value)| set(&format!("ipv6/{name}"), value))
}

fn set(name: &str, value: &str) -> io::Result<()> {
    fs::write(Path::new("/proc/sys/net").join(name), value)
}

/// A connection that has begun, in the calling thread's network.
pub(crate) fn begin_connection(to: SocketAddr) -> io::Result<OwnedFd> {
    let socket = socket(SocketType::STREAM, to)?;
    match connect(&socket, &to) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(socket),
        Err(error) => Err(error.into()),
    }
}

/// A listener in the calling thread's network.
pub(crate) fn listener(at: SocketAddr) -> io::Result<OwnedFd> {
    let socket = socket(SocketType::STREAM, at)?;
    set_socket_reuseaddr(&socket, true)?;
    bind_to(&socket, at)?;
    listen(&socket, BACKLOG)?;
    Ok(socket)
}

/// A UDP socket in the calling thread's network.
pub(crate) fn datagrams(at: SocketAddr) -> io::Result<OwnedFd> {
    let socket = socket(SocketType::DGRAM, at)?;
    set_socket_reuseport(&socket, true)?;
    bind_to(&socket, at)?;
    Ok(socket)
}

/// All addresses of version 6 are not those of version 4 as well: of both, each has a socket of its own.
fn bind_to(socket: &OwnedFd, at: SocketAddr) -> io::Result<()> {
    if at.is_ipv6() {
        set_ipv6_v6only(socket, true)?;
    }
    Ok(bind(socket, &at)?)
}

/// A socket by which the kernel is asked for the flows it knows. It blocks.
pub(crate) fn netfilter() -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC;
    let protocol = Some(rustix::net::netlink::NETFILTER);
    Ok(socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, protocol)?)
}

fn socket(kind: SocketType, of: SocketAddr) -> io::Result<OwnedFd> {
    let family = match of {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    Ok(socket_with(family, kind, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)?)
}
