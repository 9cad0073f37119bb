//! The cluster IPs and node ports that Services hold.
//!
//! What a write needs and gives up is decided in one place for all (`manifest::rules::service`); here it is carried out.
//! What a write needs is claimed before it and given back when the write does not happen; what it gives up is released after
//! it. So no two Services ever hold the same, and at worst a number is taken a little longer than needed.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ipnet::IpNet;
use manifest::IpFamily;
use manifest::field::{FieldError, FieldPath};
use manifest::kind::{Kind, KindId};
use manifest::rules::service::{Allocation, allocation, prepare};
use serde_json::Value;

use crate::allocate::{CidrError, NodePorts, PortError, ServiceRange};
use crate::object::{self, strings};
use crate::store::Store;

struct Pools {
    addresses: ServiceRange,
    node_ports: NodePorts,
}

/// What is taken. Who holds it is known from the stored Services.
pub(crate) struct Allocations {
    pools: Arc<Mutex<Pools>>,
    families: Vec<IpFamily>,
}

/// What one write takes and gives up. Dropped without [`Claim::commit`], it gives back what it took.
#[must_use]
pub(crate) struct Claim {
    pools: Arc<Mutex<Pools>>,
    taken: Held,
    given_up: Held,
}

#[derive(Default)]
struct Held {
    addresses: BTreeSet<IpAddr>,
    node_ports: BTreeSet<u16>,
}

impl Held {
    fn of(service: &Value) -> Self {
        let spec = &service["spec"];
        let single = spec["clusterIP"].as_str();
        let addresses = strings(&spec["clusterIPs"]).into_iter().chain(single);
        let ports = spec["ports"].as_array().into_iter().flatten();
        let numbers = ports
            .map(|port| &port["nodePort"])
            .chain([&spec["healthCheckNodePort"]])
            .filter_map(|number| u16::try_from(number.as_u64()?).ok());
        Self {
            addresses: addresses.filter_map(|ip| ip.parse().ok()).collect(),
            node_ports: numbers.filter(|number| *number != 0).collect(),
        }
    }

    fn release(&self, pools: &mut Pools) {
        let Self { addresses, node_ports } = self;
        for address in addresses {
            pools.addresses.release(*address);
        }
        for port in node_ports {
            pools.node_ports.release(*port);
        }
    }
}

fn lock(pools: &Mutex<Pools>) -> MutexGuard<'_, Pools> {
    // The pools are consistent between any two calls, so a panic elsewhere does not spoil them.
    pools.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Claim {
    /// The write has happened.
    pub(crate) fn commit(mut self) {
        self.taken = Held::default();
        let given_up = std::mem::take(&mut self.given_up);
        given_up.release(&mut lock(&self.pools));
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let taken = std::mem::take(&mut self.taken);
        taken.release(&mut lock(&self.pools));
    }
}

impl Allocations {
    /// Takes what the stored Services hold.
    pub(crate) fn restore(cidrs: &[IpNet], store: &dyn Store) -> Result<Self, CidrError> {
        let mut addresses = ServiceRange::new(cidrs)?;
        let mut node_ports = NodePorts::new();
        let families = addresses.families().collect();
        let kind = Kind::of(KindId::Service);
        for entry in store.list(kind.resource(), None).entries {
            let held = Held::of(&object::stored(&entry.json));
            let (namespace, name) = (&entry.key.namespace, &entry.key.name);
            for address in held.addresses {
                // The range may have been another one when the Service was made; its address then stays as it is.
                if let Err(error) = addresses.reserve(address) {
                    tracing::warn!(%namespace, %name, %address, %error, "cluster IP of a Service");
                }
            }
            for port in held.node_ports {
                if let Err(error) = node_ports.reserve(port) {
                    tracing::warn!(%namespace, %name, port, %error, "node port of a Service");
                }
            }
        }
        Ok(Self { pools: Arc::new(Mutex::new(Pools { addresses, node_ports })), families })
    }

    /// Fills in what depends on the cluster and on the stored Service, before validation.
    pub(crate) fn prepare(&self, new: &mut Value, old: Option<&Value>) -> Vec<FieldError> {
        prepare(new, old, &self.families)
    }

    /// Gives a valid Service what it needs on top of what it has.
    pub(crate) fn claim(
        &self,
        old: Option<&Value>,
        new: &mut Value,
    ) -> Result<Claim, Vec<FieldError>> {
        let plan = allocation(Some(new), old);
        let held = old.map(Held::of).unwrap_or_default();
        let mut claim =
            Claim { pools: self.pools.clone(), taken: Held::default(), given_up: Held::default() };
        let outcome = {
            let mut pools = lock(&self.pools);
            claim_addresses(&mut pools, &plan, &mut claim.taken, new).and_then(|addresses| {
                let ports = claim_node_ports(&mut pools, &plan, &held, &mut claim.taken, new)?;
                Ok((addresses, ports))
            })
        };
        // An error drops the claim, which gives back what it had got so far; the pools are unlocked by now.
        let (addresses, ports) = outcome?;
        plan.fill(new, &addresses, &ports);
        let kept = Held::of(new);
        claim.given_up = Held {
            addresses: held.addresses.difference(&kept.addresses).copied().collect(),
            node_ports: held.node_ports.difference(&kept.node_ports).copied().collect(),
        };
        Ok(claim)
    }

    /// Takes back what a removed Service held.
    pub(crate) fn release(&self, service: &Value) {
        Held::of(service).release(&mut lock(&self.pools));
    }
}

fn claim_addresses(
    pools: &mut Pools,
    plan: &Allocation,
    taken: &mut Held,
    service: &Value,
) -> Result<Vec<IpAddr>, Vec<FieldError>> {
    let mut addresses = Vec::new();
    for request in &plan.cluster_ips {
        let (what, outcome) = match request.address {
            Some(address) => {
                (format!("IP {address}"), pools.addresses.reserve(address).map(|()| address))
            }
            None => ("a cluster IP".to_owned(), pools.addresses.allocate(request.family)),
        };
        match outcome {
            Ok(address) => {
                taken.addresses.insert(address);
                addresses.push(address);
            }
            Err(error) => {
                let given = service["spec"]["clusterIPs"].clone();
                let spec = FieldPath::new("spec");
                let text = format!("failed to allocate {what}: {error}");
                return Err(vec![FieldError::invalid(&spec.child("clusterIPs"), given, text)]);
            }
        }
    }
    Ok(addresses)
}

/// A port number over two protocols shares one node port, as far as the Service does not say otherwise.
fn claim_node_ports(
    pools: &mut Pools,
    plan: &Allocation,
    held: &Held,
    taken: &mut Held,
    service: &Value,
) -> Result<Vec<i32>, Vec<FieldError>> {
    let spec = FieldPath::new("spec");
    let ports_path = spec.child("ports");
    let port_at = |index: usize| service["spec"]["ports"][index]["port"].as_i64();
    // (port, protocol, node port) of what is settled.
    let mut settled: Vec<(Option<i64>, String, u16)> = Vec::new();
    for port in service["spec"]["ports"].as_array().into_iter().flatten() {
        let number = port["nodePort"].as_u64().and_then(|number| u16::try_from(number).ok());
        if let Some(number) = number.filter(|number| *number != 0) {
            let protocol = port["protocol"].as_str().unwrap_or("TCP").to_owned();
            settled.push((port["port"].as_i64(), protocol, number));
        }
    }
    let mut errors = Vec::new();
    let mut numbers = vec![0; plan.node_ports.len()];
    // Those that people chose come first, so that none of them is given to another port.
    let (chosen, free): (Vec<_>, Vec<_>) =
        plan.node_ports.iter().enumerate().partition(|(_, request)| request.node_port.is_some());
    for (place, request) in chosen.into_iter().chain(free) {
        let outcome = match request.node_port {
            Some(asked) => match u16::try_from(asked) {
                Ok(asked)
                    if held.node_ports.contains(&asked) || taken.node_ports.contains(&asked) =>
                {
                    Ok(asked)
                }
                Ok(asked) => pools.node_ports.reserve(asked).map(|()| asked),
                Err(_) => Err(PortError::NotInRange),
            },
            None => {
                let port = port_at(request.index);
                let shared = settled.iter().find(|(other, protocol, number)| {
                    *other == port
                        && *protocol != request.protocol
                        && !settled.iter().any(|(_, p, n)| *p == request.protocol && n == number)
                });
                match shared {
                    Some((_, _, number)) => Ok(*number),
                    None => pools.node_ports.allocate(),
                }
            }
        };
        match outcome {
            Ok(number) => {
                if !held.node_ports.contains(&number) {
                    taken.node_ports.insert(number);
                }
                settled.push((port_at(request.index), request.protocol.clone(), number));
                numbers[place] = i32::from(number);
            }
            Err(error) => {
                let place = ports_path.index(request.index);
                let path = place.child("nodePort");
                errors.push(match request.node_port {
                    Some(asked) => FieldError::invalid(&path, asked, error.to_string()),
                    None => FieldError::invalid(
                        &path,
                        0,
                        format!("failed to allocate a nodePort: {error}"),
                    ),
                });
            }
        }
    }
    if errors.is_empty() { Ok(numbers) } else { Err(errors) }
}
