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

#[cfg(test)]
mod tests {
    use manifest::{Kind, Object};
    use serde_json::{Value, json};

    use super::*;

    fn outside(objects: &[Value]) -> Outside {
        let mut world = World::default();
        for value in objects {
            let text = |field: &str| value[field].as_str().unwrap();
            let kind = Kind::by_type(text("apiVersion"), text("kind")).unwrap();
            world.apply(&Object::from_value(kind.id, value).unwrap()).unwrap();
        }
        let pod_ranges = vec!["10.244.0.0/16".parse().unwrap()];
        Outside::of(&world, &Config { pod_ranges, ..Config::default() })
    }

    #[test]
    fn destinations() {
        let service = |name: &str, ip: &str, affinity: &str| {
            json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "name": name, "namespace": "default" },
                "spec": { "clusterIPs": [ip], "ports": [{ "port": 80 }], "sessionAffinity": affinity } })
        };
        let slice = |name: &str| {
            json!({ "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
                "metadata": { "name": name, "namespace": "default", "labels": { "kubernetes.io/service-name": name } },
                "addressType": "IPv4", "ports": [{ "port": 5432 }],
                "endpoints": [{ "addresses": ["203.0.113.10"] }, { "addresses": ["10.244.1.9"] }, { "addresses": ["203.0.113.11"] }] })
        };
        let pod = json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "a", "namespace": "default" },
            "spec": { "containers": [] }, "status": { "podIP": "10.244.1.2" } });
        let policy = json!({ "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": { "name": "one", "namespace": "default" },
            "spec": { "podSelector": {}, "policyTypes": ["Egress"], "egress": [
                { "to": [{ "ipBlock": { "cidr": "203.0.113.0/24", "except": ["203.0.113.11/32"] } }], "ports": [{ "port": 5432 }] }] } });
        let outside = outside(&[
            service("db", "10.96.0.1", "None"),
            slice("db"),
            service("sticky", "10.96.0.2", "ClientIP"),
            slice("sticky"),
            pod,
            policy,
        ]);
        let check = |client: &str, dialled: &str, chance: u64, expected: Result<&str, &str>| {
            let seen =
                outside.destination(client.parse().unwrap(), dialled.parse().unwrap(), chance);
            let seen = seen.map(|to| to.to_string()).map_err(|denied| denied.to_string());
            assert_eq!(seen.as_deref().map_err(String::as_str), expected);
        };
        check("10.244.1.3", "198.51.100.7:443", 0, Ok("198.51.100.7:443"));
        check("10.244.1.3", "10.96.0.1:80", 0, Ok("203.0.113.10:5432"));
        check("10.244.1.3", "10.96.0.1:80", 3, Ok("203.0.113.11:5432"));
        check("10.244.1.2", "10.96.0.1:80", 2, Ok("203.0.113.10:5432"));
        let denied = "no NetworkPolicy that isolates 10.244.1.2 lets it speak to 203.0.113.11:5432";
        check("10.244.1.2", "10.96.0.1:80", 1, Err(denied));
        let sticky = |chance| {
            outside
                .destination("10.244.1.3".parse().unwrap(), "10.96.0.2:80".parse().unwrap(), chance)
                .unwrap()
        };
        assert_eq!(sticky(0), sticky(1));
    }
}
