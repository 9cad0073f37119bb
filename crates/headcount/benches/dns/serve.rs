//! The echo: what runs as a process of its own beside the servers.

use std::error::Error;
use std::fs;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::Path;

use directory::Name;
use dns::{Config, Server, udp};
use preview::{Settings, settle};

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

/// Serves what manifests come to.
pub(crate) fn manifests(
    address: SocketAddr,
    batch: NonZeroUsize,
    folder: &Path,
) -> Result<(), Box<dyn Error>> {
    let mut documents = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        documents.extend(
            manifest::read::read(&path.display().to_string(), &fs::read_to_string(&path)?).0,
        );
    }
    let (checked, _) = manifest::read::check(documents, "default");
    let settings = Settings { domain: Name::parse("cluster.local")?, not_ready: Vec::new() };
    let values = checked.into_iter().map(|checked| checked.value);
    let reader = settle(values, &settings)?.now.reader().clone();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let config =
            Config { udp_threads: Some(NonZeroUsize::MIN), udp_batch: batch, ..Config::default() };
        let _server = Server::bind(&[address], config, reader)?;
        std::future::pending::<()>().await;
        Ok(())
    })
}
