//! The echo: what runs as a process of its own beside the servers.

use std::error::Error;
use std::fs;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::Path;

use dns::udp;

/// Sends back every datagram, cut or padded to the lengths of a file, one after the other. The I/O is that of our
/// own server; what is left out is all that is about DNS.
pub(crate) fn echo(
    address: SocketAddr,
    batch: NonZeroUsize,
    lengths: &Path,
) -> Result<(), Box<dyn Error>> {
    let text = fs::read_to_string(lengths)?;
    let lengths: Vec<usize> = text.lines().map(str::parse).collect::<Result<_, _>>()?;
    let mut next = lengths.iter().cycle();
    let socket = udp::bind(address, 1)?.remove(0);
    udp::serve(&socket, batch, |query, _peer, reply| {
        reply.extend_from_slice(query);
        reply.resize(*next.next().unwrap_or(&query.len()), 0);
        // A response, or dnsperf does not take it for one.
        reply[2] |= 0x80;
    });
    Ok(())
}
