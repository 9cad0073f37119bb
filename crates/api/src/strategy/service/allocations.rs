//! The cluster IPs and node ports that Services hold.
//!
//! What a write needs is claimed before it and given back when the write does not happen; what a write gives up
//! is released after it. So no two Services ever hold the same, and at worst a number is taken a little longer than needed.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use manifest::field::{FieldError, FieldPath};
use manifest::kind::{Kind, KindId};
use serde_json::Value;

use super::{
    cluster_ips, families, is_headless, needs_cluster_ip, needs_node_port, node_port, ports,
    set_cluster_ips,
};
use crate::allocate::{Cidr, CidrError, Family, NodePorts, ServiceRange};
use crate::object::{self, strings};
use crate::store::Store;

struct Pools {
    addresses: ServiceRange,
    node_ports: NodePorts,
}

/// Who holds what is known from the stored Services; this says only what is taken.
pub(crate) struct Allocations {
    pools: Arc<Mutex<Pools>>,
    families: Vec<Family>,
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
        Self {
            addresses: cluster_ips(service).into_iter().filter_map(|ip| ip.parse().ok()).collect(),
            node_ports: ports(service)
                .iter()
                .filter_map(|port| u16::try_from(node_port(port)).ok())
                .filter(|port| *port != 0)
                .collect(),
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
    pub(crate) fn restore(cidrs: &[Cidr], store: &dyn Store) -> Result<Self, CidrError> {
        let mut addresses = ServiceRange::new(cidrs)?;
        let mut node_ports = NodePorts::new();
        let families = addresses.families().collect();
        let kind = Kind::of(KindId::Service);
        for entry in store.list(kind.resource(), None).entries {
            let held = Held::of(&object::stored(&entry.json));
            for address in held.addresses {
                // The range may have been another one when the Service was made; its address then stays as it is.
                if let Err(error) = addresses.reserve(address) {
                    tracing::warn!(service = %entry.key.name, namespace = %entry.key.namespace, %address, %error, "cluster IP");
                }
            }
            for port in held.node_ports {
                if let Err(error) = node_ports.reserve(port) {
                    tracing::warn!(service = %entry.key.name, namespace = %entry.key.namespace, port, %error, "node port");
                }
            }
        }
        Ok(Self { pools: Arc::new(Mutex::new(Pools { addresses, node_ports })), families })
    }

    /// The configured families, primary first.
    pub(crate) fn families(&self) -> &[Family] {
        &self.families
    }

    /// Gives a new Service what it needs.
    pub(crate) fn create(&self, service: &mut Value) -> Result<Claim, Vec<FieldError>> {
        self.claim(&Value::Null, service)
    }

    /// Gives a changed Service what it needs on top of what it has.
    pub(crate) fn update(&self, old: &Value, new: &mut Value) -> Result<Claim, Vec<FieldError>> {
        self.claim(old, new)
    }

    /// Takes back what a removed Service held.
    pub(crate) fn release(&self, service: &Value) {
        Held::of(service).release(&mut lock(&self.pools));
    }

    fn claim(&self, old: &Value, new: &mut Value) -> Result<Claim, Vec<FieldError>> {
        let held = Held::of(old);
        let mut claim =
            Claim { pools: self.pools.clone(), taken: Held::default(), given_up: Held::default() };
        let outcome = {
            let mut pools = lock(&self.pools);
            self.claim_addresses(&mut pools, &held, &mut claim.taken, new)
                .and_then(|()| claim_node_ports(&mut pools, &held, &mut claim.taken, new))
        };
        // An error drops the claim, which gives back what it had got so far; the pools are unlocked by now.
        outcome?;
        let kept = Held::of(new);
        claim.given_up = Held {
            addresses: held.addresses.difference(&kept.addresses).copied().collect(),
            node_ports: held.node_ports.difference(&kept.node_ports).copied().collect(),
        };
        Ok(claim)
    }

    fn claim_addresses(
        &self,
        pools: &mut Pools,
        held: &Held,
        taken: &mut Held,
        service: &mut Value,
    ) -> Result<(), Vec<FieldError>> {
        if !needs_cluster_ip(service) {
            return Ok(());
        }
        let errors = families::check(service, &self.families);
        if !errors.is_empty() {
            return Err(errors);
        }
        if is_headless(service) {
            return Ok(());
        }
        let mut ips: Vec<String> = cluster_ips(service).into_iter().map(str::to_owned).collect();
        let refuse = |ips: &[String], text: String| {
            let path = FieldPath::new("spec");
            Err(vec![FieldError::invalid(
                &path.child("clusterIPs"),
                Value::from(ips.to_vec()),
                text,
            )])
        };
        for ip in &ips {
            let Ok(address) = ip.parse::<IpAddr>() else {
                return refuse(&ips, format!("failed to allocate IP {ip}: not an IP address"));
            };
            if held.addresses.contains(&address) {
                continue;
            }
            if let Err(error) = pools.addresses.reserve(address) {
                return refuse(&ips, format!("failed to allocate IP {ip}: {error}"));
            }
            taken.addresses.insert(address);
        }
        let wanted: Vec<Family> = strings(&service["spec"]["ipFamilies"])
            .into_iter()
            .filter_map(|name| self.families.iter().copied().find(|family| family.name() == name))
            .collect();
        for family in wanted.into_iter().skip(ips.len()) {
            match pools.addresses.allocate(family) {
                Ok(address) => {
                    taken.addresses.insert(address);
                    ips.push(address.to_string());
                }
                Err(error) => {
                    return refuse(&ips, format!("failed to allocate a cluster IP: {error}"));
                }
            }
        }
        set_cluster_ips(service, &ips);
        Ok(())
    }
}

fn claim_node_ports(
    pools: &mut Pools,
    held: &Held,
    taken: &mut Held,
    service: &mut Value,
) -> Result<(), Vec<FieldError>> {
    let allocate = needs_node_port(service);
    let spec_path = FieldPath::new("spec");
    let ports_path = spec_path.child("ports");
    let mut errors = Vec::new();
    // The same port number over two protocols shares one node port.
    let mut by_port: Vec<(Option<i64>, String, u16)> = Vec::new();
    let Some(ports) = service["spec"]["ports"].as_array_mut() else { return Ok(()) };
    for (index, port) in ports.iter().enumerate() {
        let Ok(number) = u16::try_from(node_port(port)) else { continue };
        if number == 0 {
            continue;
        }
        let (protocol, key) = super::port_key(port);
        by_port.push((key, protocol, number));
        if held.node_ports.contains(&number) || taken.node_ports.contains(&number) {
            continue;
        }
        match pools.node_ports.reserve(number) {
            Ok(()) => {
                taken.node_ports.insert(number);
            }
            Err(error) => {
                let place = ports_path.index(index);
                errors.push(FieldError::invalid(
                    &place.child("nodePort"),
                    number,
                    error.to_string(),
                ));
            }
        }
    }
    for (index, port) in ports.iter_mut().enumerate() {
        if !allocate || node_port(port) != 0 || !errors.is_empty() {
            continue;
        }
        let (protocol, key) = super::port_key(port);
        let shared = by_port.iter().find(|(candidate, other, number)| {
            *candidate == key
                && *other != protocol
                && !by_port.iter().any(|(_, p, n)| *p == protocol && n == number)
        });
        let number = match shared {
            Some((_, _, number)) => *number,
            None => match pools.node_ports.allocate() {
                Ok(number) => {
                    taken.node_ports.insert(number);
                    number
                }
                Err(error) => {
                    let place = ports_path.index(index);
                    let text = format!("failed to allocate a nodePort: {error}");
                    errors.push(FieldError::invalid(&place.child("nodePort"), 0, text));
                    continue;
                }
            },
        };
        port["nodePort"] = number.into();
        by_port.push((key, protocol, number));
    }
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}
