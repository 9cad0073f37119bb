//! Which endpoints a port of a Service has.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use manifest::IpFamily;

use crate::world::{Endpoint, Key, Port, World};

/// The endpoints of one port, of one family.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Endpoints<'w>(BTreeMap<SocketAddr, &'w Endpoint>);

impl<'w> Endpoints<'w> {
    /// The endpoints of a port. One that two slices list, as it moves between them, is ready when one of them says so.
    pub(crate) fn of(world: &'w World, service: &Key, port: &Port, family: IpFamily) -> Self {
        let mut endpoints = BTreeMap::<SocketAddr, &Endpoint>::new();
        for slice in world.slices.get(service).into_iter().flat_map(BTreeMap::values) {
            let ports = slice.ports.iter();
            let ports = ports
                .filter(|(name, protocol, _)| *name == port.name && *protocol == port.protocol);
            for (_, _, number) in ports {
                for endpoint in &slice.endpoints {
                    if IpFamily::of(endpoint.address) == family {
                        let listed = endpoints.entry(SocketAddr::new(endpoint.address, *number));
                        let known = listed.or_insert(endpoint);
                        if endpoint.ready && !known.ready {
                            *known = endpoint;
                        }
                    }
                }
            }
        }
        Self(endpoints)
    }

    /// Those of a node.
    pub(crate) fn on(&self, node: &str) -> Self {
        let here = self.0.iter().filter(|(_, endpoint)| endpoint.node.as_deref() == Some(node));
        Self(here.map(|(address, endpoint)| (*address, *endpoint)).collect())
    }

    /// Who gets new connections: those that are ready; while none is, those that end but still answer.
    pub(crate) fn eligible(&self) -> Vec<SocketAddr> {
        let having = |wanted: fn(&Endpoint) -> bool| -> Vec<SocketAddr> {
            let endpoints = self.0.iter().filter(|(_, endpoint)| wanted(endpoint));
            endpoints.map(|(address, _)| *address).collect()
        };
        let ready = having(|endpoint| endpoint.ready);
        if ready.is_empty() { having(|endpoint| endpoint.draining) } else { ready }
    }

    /// Who may keep what it has: whoever still answers.
    pub(crate) fn answering(&self) -> BTreeSet<SocketAddr> {
        let answering = self.0.iter().filter(|(_, endpoint)| endpoint.ready || endpoint.draining);
        answering.map(|(address, _)| *address).collect()
    }
}
