//! Servers for names outside the cluster's zone, from the settings and the files that they name.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use dns::forward::{
    Authorities, CacheConfig, ForwardConfig, Order, StubZone, Upstream, interface_index,
    resolv_conf,
};

use super::config::forward::{self, Cache, Forward, Servers};
use crate::error::Error;

/// How to forward; `own` are the addresses that we listen on.
pub(super) fn forwarding(forward: Forward, own: &[SocketAddr]) -> Result<ForwardConfig, Error> {
    let Forward { upstreams, stub_zones, order, authorities, cache } = forward;
    let stub_zones = stub_zones.into_iter().map(|forward::StubZone { zone, upstreams }| {
        Ok(StubZone { zone: zone.0, upstreams: servers(upstreams.0, own)? })
    });
    let Cache { bytes, max_seconds, max_negative_seconds, serve_stale_seconds, prefetch } = cache;
    let seconds = |count: u32| Duration::from_secs(count.into());
    Ok(ForwardConfig {
        stub_zones: stub_zones.collect::<Result<_, Error>>()?,
        upstreams: servers(upstreams, own)?,
        order: match order {
            forward::Order::Random => Order::Random,
            forward::Order::AsListed => Order::AsListed,
        },
        authorities: authorities.map_or(Authorities::System, Authorities::File),
        cache: CacheConfig {
            bytes_max: usize::try_from(bytes).unwrap_or(usize::MAX),
            ttl_max: seconds(max_seconds),
            negative_ttl_max: seconds(max_negative_seconds),
            stale_max: seconds(serve_stale_seconds),
            prefetch,
            ..CacheConfig::default()
        },
        ..ForwardConfig::default()
    })
}

fn servers(named: Vec<Servers>, own: &[SocketAddr]) -> Result<Vec<Upstream>, Error> {
    let mut upstreams = Vec::new();
    for servers in named {
        match servers {
            Servers::One(upstream) => upstreams.push(upstream),
            Servers::File(path) => upstreams.extend(listed(&path, own)?),
        }
    }
    Ok(upstreams)
}

/// The servers that a file lists. Lines that are of no use are told of.
fn listed(path: &Path, own: &[SocketAddr]) -> Result<Vec<Upstream>, Error> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Error::caused(format_args!("could not read the servers in {}", path.display()), &error)
            .hint("name a file such as /etc/resolv.conf, or servers, with forward.upstreams")
    })?;
    let (upstreams, unusable) = resolv_conf(&text, own, interface_index);
    for unusable in unusable {
        tracing::warn!("{}:{}: {}", path.display(), unusable.line, unusable.reason);
    }
    if upstreams.is_empty() {
        tracing::warn!("{} names no server that could be asked", path.display());
    }
    Ok(upstreams)
}
