//! Where a connection goes that leaves the cluster.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::{IpAddr, SocketAddr};

use manifest::IpFamily;

use crate::config::Config;
use crate::policy::Policies;
use crate::rules::Endpoints;
use crate::world::{Protocol, World};

/// What is known of connections to the outside: Services whose endpoints are there, and the policies that judge.
///
/// The kernel hands over all of them alike. Who dialled an address outside was judged by it already; who dialled a Service was not, for which
/// of its endpoints it would be was not known.
#[derive(Clone, Debug, Default)]
pub struct Outside {
    services: BTreeMap<SocketAddr, Far>,
    policies: Policies,
}

/// Endpoints outside of the cluster.
#[derive(Clone, Debug)]
struct Far {
    endpoints: Vec<SocketAddr>,
    /// Whether a client stays with its endpoint.
    sticky: bool,
}

/// A NetworkPolicy is against it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no NetworkPolicy that isolates {from} lets it speak to {to}")]
pub struct Denied {
    /// Who would speak.
    pub from: IpAddr,
    /// To whom.
    pub to: SocketAddr,
}

impl Outside {
    pub(crate) fn of(world: &World, config: &Config) -> Self {
        let mut services = BTreeMap::new();
        let is_node = |address| world.nodes.values().any(|node| node.addresses.contains(&address));
        for (key, service) in &world.services {
            for port in service.ports.iter().filter(|port| port.protocol == Protocol::Tcp) {
                for address in service.cluster_ips.iter().copied().chain(service.outer_ips()) {
                    let endpoints = Endpoints::of(world, key, port, IpFamily::of(address));
                    let mut endpoints = endpoints.eligible();
                    endpoints.retain(|endpoint| {
                        !config.is_inside(endpoint.ip()) && !is_node(endpoint.ip())
                    });
                    if !endpoints.is_empty() {
                        let far = Far { endpoints, sticky: service.affinity.is_some() };
                        services.insert(SocketAddr::new(address, port.number), far);
                    }
                }
            }
        }
        Self { services, policies: Policies::of(world) }
    }

    /// Where a connection goes that a client made to an address: there, or to an endpoint of the Service of that address.
    ///
    /// # Errors
    ///
    /// [`Denied`]: a policy stands between the client and the endpoint.
    pub fn destination(
        &self,
        client: IpAddr,
        dialled: SocketAddr,
        chance: u64,
    ) -> Result<SocketAddr, Denied> {
        let Some(Far { endpoints, sticky }) = self.services.get(&dialled) else {
            return Ok(dialled);
        };
        let draw = if *sticky { hash(client, dialled) } else { chance };
        let index = usize::try_from(draw % endpoints.len() as u64).unwrap_or(0);
        let to = endpoints[index];
        match self.policies.permit_egress(client, to.ip(), Protocol::Tcp, to.port()) {
            true => Ok(to),
            false => Err(Denied { from: client, to }),
        }
    }
}

fn hash(client: IpAddr, dialled: SocketAddr) -> u64 {
    let mut hasher = DefaultHasher::new();
    (client, dialled).hash(&mut hasher);
    hasher.finish()
}
