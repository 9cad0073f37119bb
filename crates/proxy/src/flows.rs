//! Flows of UDP that the kernel still sends to endpoints that are gone.
//!
//! Which endpoint a flow goes to is decided by its first packet and kept for as long as packets come. A client of TCP learns of
//! an endpoint's end from the endpoint; one of UDP does not, so such flows are taken out of the kernel's table (`nf_conntrack`), by its netlink
//! protocol, and the next packet is the first of a new one. kube-proxy does the same.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{RecvFlags, SendFlags, recv, send};

use crate::rules::UdpFlows;

/// So long the kernel may take to say anything.
const PATIENCE: Duration = Duration::from_secs(2);

/// What a piece of the kernel's answer takes at most.
const PIECE: usize = 64 << 10;

/// `NFNL_SUBSYS_CTNETLINK` with `IPCTNL_MSG_CT_NEW`, `_GET` and `_DELETE`.
const NEW: u16 = 0x0100;
const GET: u16 = 0x0101;
const DELETE: u16 = 0x0102;

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLM_F_REQUEST: u16 = 0x1;
const NLM_F_ACK: u16 = 0x4;
const NLM_F_DUMP: u16 = 0x300;

const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
const IPPROTO_UDP: u8 = 17;

/// Attributes, and those within a tuple.
const TUPLE_ORIG: u16 = 1;
const TUPLE_REPLY: u16 = 2;
const TUPLE_IP: u16 = 1;
const TUPLE_PROTO: u16 = 2;
const IP_SRC: [u16; 2] = [1, 3];
const IP_DST: [u16; 2] = [2, 4];
const PROTO_NUM: u16 = 1;
const PROTO_SRC_PORT: u16 = 2;
const PROTO_DST_PORT: u16 = 3;

/// The bits of an attribute's type that are no part of it.
const ATTRIBUTE_FLAGS: u16 = 0xc000;

/// A flow of UDP, as the kernel tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Flow {
    /// Where its client sends.
    dialled: SocketAddr,
    /// Who answers.
    endpoint: SocketAddr,
    /// Its first tuple as it was told, to name it by.
    tuple: Vec<u8>,
}

/// Forgets flows to Services' addresses whose endpoint does not answer there any more, and says how many those were. Addresses that only `old`
/// has are no Service's any more. The socket is one of `NETLINK_NETFILTER`, made in the cluster's network.
///
/// # Errors
///
/// What the kernel refuses.
pub(crate) fn forget(socket: &OwnedFd, old: &UdpFlows, now: &UdpFlows) -> io::Result<usize> {
    set_socket_timeout(socket, Timeout::Recv, Some(PATIENCE))?;
    let is_stale = |flow: &Flow| match now.get(&flow.dialled) {
        Some(endpoints) => !endpoints.contains(&flow.endpoint),
        None => old.contains_key(&flow.dialled),
    };
    let mut forgotten = 0;
    for family in [AF_INET, AF_INET6] {
        // What was dialled and answers itself was not sent on by any rule.
        let flows = list(socket, family)?.into_iter();
        for flow in flows.filter(|flow| flow.dialled != flow.endpoint && is_stale(flow)) {
            send(socket, &message(DELETE, NLM_F_ACK, family, &flow.tuple), SendFlags::empty())?;
            match answers(socket, |_, _| {}) {
                Ok(()) => forgotten += 1,
                // It ended by itself.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(forgotten)
}

fn list(socket: &OwnedFd, family: u8) -> io::Result<Vec<Flow>> {
    send(socket, &message(GET, NLM_F_DUMP, family, &[]), SendFlags::empty())?;
    let mut flows = Vec::new();
    answers(socket, |kind, body| flows.extend((kind == NEW).then(|| flow(body)).flatten()))?;
    Ok(flows)
}

/// A message: its header, that of netfilter, and attributes.
fn message(kind: u16, flags: u16, family: u8, attributes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(20 + attributes.len()).unwrap_or(u32::MAX);
    let mut message = length.to_ne_bytes().to_vec();
    message.extend(kind.to_ne_bytes());
    message.extend((NLM_F_REQUEST | flags).to_ne_bytes());
    // Sequence and port: one question is under way at a time.
    message.extend([0; 8]);
    message.extend([family, 0, 0, 0]);
    message.extend(attributes);
    message
}

/// Reads messages until the kernel has said that it is done.
fn answers(socket: &OwnedFd, mut each: impl FnMut(u16, &[u8])) -> io::Result<()> {
    let mut buffer = vec![0; PIECE];
    loop {
        let (length, _) = recv(socket, &mut buffer[..], RecvFlags::empty())?;
        let mut rest = &buffer[..length];
        while let Some((kind, body, after)) = split_message(rest) {
            match kind {
                NLMSG_DONE => return Ok(()),
                NLMSG_ERROR => {
                    let code = body.first_chunk().map_or(0, |code| i32::from_ne_bytes(*code));
                    return if code == 0 {
                        Ok(())
                    } else {
                        Err(io::Error::from_raw_os_error(-code))
                    };
                }
                kind => each(kind, body),
            }
            rest = after;
        }
    }
}

/// The kind and the body of the first message, and what comes after it.
fn split_message(octets: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let length = u32::from_ne_bytes(*octets.first_chunk()?) as usize;
    let kind = u16::from_ne_bytes(*octets.get(4..)?.first_chunk()?);
    let body = octets.get(16..length)?;
    Some((kind, body, octets.get(length.next_multiple_of(4)..).unwrap_or_default()))
}

/// Attributes: type, value, and the whole with its header.
fn attributes(mut octets: &[u8]) -> impl Iterator<Item = (u16, &[u8], &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16::from_ne_bytes(*octets.first_chunk()?));
        let kind = u16::from_ne_bytes(*octets.get(2..)?.first_chunk()?) & !ATTRIBUTE_FLAGS;
        let (value, whole) = (octets.get(4..length)?, octets.get(..length)?);
        octets = octets.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value, whole))
    })
}

fn attribute(octets: &[u8], wanted: u16) -> Option<(&[u8], &[u8])> {
    let found = attributes(octets).find(|(kind, _, _)| *kind == wanted);
    found.map(|(_, value, whole)| (value, whole))
}

/// Reads a flow, if it is one of UDP.
fn flow(body: &[u8]) -> Option<Flow> {
    let octets = body.get(4..)?;
    let (original, whole) = attribute(octets, TUPLE_ORIG)?;
    let (reply, _) = attribute(octets, TUPLE_REPLY)?;
    let (protocol, _) = attribute(attribute(original, TUPLE_PROTO)?.0, PROTO_NUM)?;
    if protocol != [IPPROTO_UDP] {
        return None;
    }
    Some(Flow {
        dialled: end(original, IP_DST, PROTO_DST_PORT)?,
        endpoint: end(reply, IP_SRC, PROTO_SRC_PORT)?,
        tuple: whole.to_vec(),
    })
}

/// One end of a tuple.
fn end(tuple: &[u8], address: [u16; 2], port: u16) -> Option<SocketAddr> {
    let (addresses, _) = attribute(tuple, TUPLE_IP)?;
    let (ports, _) = attribute(tuple, TUPLE_PROTO)?;
    let [v4, v6] = address.map(|kind| attribute(addresses, kind).map(|(value, _)| value));
    let address = match (v4, v6) {
        (Some(octets), _) => IpAddr::from(Ipv4Addr::from(<[u8; 4]>::try_from(octets).ok()?)),
        (None, Some(octets)) => IpAddr::from(Ipv6Addr::from(<[u8; 16]>::try_from(octets).ok()?)),
        (None, None) => return None,
    };
    let (port, _) = attribute(ports, port)?;
    Some(SocketAddr::new(address, u16::from_be_bytes(*port.first_chunk()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute_of(kind: u16, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(4 + value.len()).unwrap();
        let mut octets = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
        octets.extend(value);
        octets.resize(octets.len().next_multiple_of(4), 0);
        octets
    }

    fn tuple(kind: u16, source: SocketAddr, target: SocketAddr, protocol: u8) -> Vec<u8> {
        let octets = |address: IpAddr| match address {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        };
        let index = usize::from(source.is_ipv6());
        let addresses = [
            attribute_of(IP_SRC[index], &octets(source.ip())),
            attribute_of(IP_DST[index], &octets(target.ip())),
        ];
        let ports = [
            attribute_of(PROTO_NUM, &[protocol]),
            attribute_of(PROTO_SRC_PORT, &source.port().to_be_bytes()),
            attribute_of(PROTO_DST_PORT, &target.port().to_be_bytes()),
        ];
        let parts = [
            attribute_of(TUPLE_IP | 0x8000, &addresses.concat()),
            attribute_of(TUPLE_PROTO | 0x8000, &ports.concat()),
        ];
        attribute_of(kind | 0x8000, &parts.concat())
    }

    #[test]
    fn flows_are_read() {
        let check = |client: &str, dialled: &str, endpoint: &str| {
            let [client, dialled, endpoint] =
                [client, dialled, endpoint].map(|a| a.parse().unwrap());
            let original = tuple(TUPLE_ORIG, client, dialled, IPPROTO_UDP);
            let mut body = vec![AF_INET, 0, 0, 0];
            body.extend(
                [original.clone(), tuple(TUPLE_REPLY, endpoint, client, IPPROTO_UDP)].concat(),
            );
            assert_eq!(flow(&body), Some(Flow { dialled, endpoint, tuple: original }));
            for length in 0..body.len() {
                // Whatever is cut off, nothing panics.
                let _ = flow(&body[..length]);
            }
            let tcp = [
                vec![0; 4],
                tuple(TUPLE_ORIG, client, dialled, 6),
                tuple(TUPLE_REPLY, endpoint, client, 6),
            ];
            assert_eq!(flow(&tcp.concat()), None);
        };
        check("10.244.1.9:40000", "10.96.0.1:53", "10.244.1.2:5353");
        check("[fd00::9]:40000", "[fd00:10:96::1]:53", "[fd00::2]:5353");
    }
}
