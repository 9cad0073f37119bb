//! What NetworkPolicies come to: which pods are isolated, by which policies, and what those let pass, by address.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;

use crate::world::{Key, Peer, Pod, Policy, PolicyPort, PolicyRule, Protocol, World};

/// All policies.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Policies {
    pub(crate) ingress: Direction,
    pub(crate) egress: Direction,
}

/// The policies of one direction.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Direction {
    /// Isolated addresses, and the policies that isolate each.
    pub(crate) isolated: BTreeMap<IpAddr, BTreeSet<Key>>,
    /// What each policy lets pass. One that selects no pod is not here.
    pub(crate) rules: BTreeMap<Key, Vec<Allowed>>,
}

/// What one rule lets pass.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Allowed {
    /// From or to whom; `None`: anyone.
    pub(crate) peers: Option<Peers>,
    /// On which ports; `None`: any.
    pub(crate) ports: Option<Ports>,
}

/// Addresses of peers.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Peers {
    pub(crate) pods: BTreeSet<IpAddr>,
    /// Ranges, each but for some.
    pub(crate) blocks: Vec<(IpNet, Vec<IpNet>)>,
}

/// Ports of who is spoken to.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Ports {
    /// Ranges, first and last.
    pub(crate) ranges: Vec<(Protocol, u16, u16)>,
    /// Ports of some pods that have a name there. `None` where no port has a name.
    pub(crate) named: Option<BTreeSet<(IpAddr, Protocol, u16)>>,
}

impl Policies {
    /// What the policies of a world come to.
    pub(crate) fn of(world: &World) -> Self {
        let mut policies = Self::default();
        for (key, policy) in &world.policies {
            let Policy { pods, ingress, egress } = policy;
            let selected: Vec<&Pod> =
                of_namespace(world, &key.0).filter(|pod| pods.matches(&pod.labels)).collect();
            if selected.is_empty() {
                continue;
            }
            // Named ports are those of who is spoken to.
            if let Some(rules) = ingress {
                let spoken_to = |_: &[&Pod]| selected.clone();
                policies.ingress.add(world, key, &selected, rules, spoken_to);
            }
            if let Some(rules) = egress {
                policies.egress.add(world, key, &selected, rules, <[&Pod]>::to_vec);
            }
        }
        policies
    }

    /// Whether a connection to an address outside may be made.
    pub(crate) fn permit_egress(
        &self,
        from: IpAddr,
        to: IpAddr,
        protocol: Protocol,
        port: u16,
    ) -> bool {
        let Some(policies) = self.egress.isolated.get(&from) else { return true };
        let mut rules =
            policies.iter().flat_map(|key| self.egress.rules.get(key).into_iter().flatten());
        rules.any(|rule| rule.allows(to, to, protocol, port))
    }
}

impl Direction {
    fn add<'w>(
        &mut self,
        world: &'w World,
        key: &Key,
        selected: &[&Pod],
        rules: &[PolicyRule],
        spoken_to: impl Fn(&[&'w Pod]) -> Vec<&'w Pod>,
    ) {
        for address in selected.iter().flat_map(|pod| &pod.addresses) {
            self.isolated.entry(*address).or_default().insert(key.clone());
        }
        let rules = rules.iter().map(|rule| allowed(world, &key.0, rule, &spoken_to));
        self.rules.insert(key.clone(), rules.collect());
    }
}

impl Allowed {
    /// Whether a peer may be spoken with on a port of who is spoken to.
    fn allows(&self, peer: IpAddr, spoken_to: IpAddr, protocol: Protocol, port: u16) -> bool {
        let among = |Peers { pods, blocks }: &Peers| {
            let in_block = |(block, except): &(IpNet, Vec<IpNet>)| {
                block.contains(&peer) && !except.iter().any(|except| except.contains(&peer))
            };
            pods.contains(&peer) || blocks.iter().any(in_block)
        };
        let on = |Ports { ranges, named }: &Ports| {
            let named =
                named.as_ref().is_some_and(|named| named.contains(&(spoken_to, protocol, port)));
            let in_range = |(of, first, last): &(Protocol, u16, u16)| {
                *of == protocol && (*first..=*last).contains(&port)
            };
            named || ranges.iter().any(in_range)
        };
        self.peers.as_ref().is_none_or(among) && self.ports.as_ref().is_none_or(on)
    }
}

fn allowed<'w>(
    world: &'w World,
    namespace: &str,
    rule: &PolicyRule,
    spoken_to: &impl Fn(&[&'w Pod]) -> Vec<&'w Pod>,
) -> Allowed {
    let PolicyRule { peers, ports } = rule;
    // Whoever a peer may be, a name is looked for in every pod.
    let among: Vec<&Pod> = match peers.is_empty() {
        true => world.pods.values().collect(),
        false => peers.iter().flat_map(|peer| pods_of(world, namespace, peer)).collect(),
    };
    let peers = (!peers.is_empty()).then(|| Peers {
        pods: among.iter().flat_map(|pod| &pod.addresses).copied().collect(),
        blocks: peers.iter().filter_map(block).collect(),
    });
    let has_block = peers.as_ref().is_some_and(|peers| !peers.blocks.is_empty());
    let ports = (!ports.is_empty()).then(|| {
        let all;
        let among = if has_block {
            all = world.pods.values().collect::<Vec<_>>();
            &all
        } else {
            &among
        };
        resolve_ports(ports, &spoken_to(among))
    });
    Allowed { peers, ports }
}

fn resolve_ports(ports: &[PolicyPort], of: &[&Pod]) -> Ports {
    let mut resolved = Ports::default();
    for port in ports {
        match port {
            PolicyPort::All(protocol) => resolved.ranges.push((*protocol, 0, u16::MAX)),
            PolicyPort::Range(protocol, first, last) => {
                resolved.ranges.push((*protocol, *first, *last));
            }
            PolicyPort::Named(protocol, name) => {
                let key = (*protocol, name.clone());
                let named = resolved.named.get_or_insert_default();
                for pod in of {
                    let number = pod.ports.get(&key).copied();
                    let addresses = pod.addresses.iter();
                    named.extend(number.into_iter().flat_map(|number| {
                        addresses.clone().map(move |address| (*address, *protocol, number))
                    }));
                }
            }
        }
    }
    resolved
}

fn pods_of<'w>(world: &'w World, namespace: &str, peer: &Peer) -> Vec<&'w Pod> {
    let Peer::Pods { namespaces, pods } = peer else { return Vec::new() };
    let own = [namespace];
    let named: Vec<&str> = match namespaces {
        None => own.to_vec(),
        Some(selector) => {
            let all = world.namespaces.iter();
            all.filter(|(_, labels)| selector.matches(labels))
                .map(|(name, _)| name.as_str())
                .collect()
        }
    };
    let among = named.into_iter().flat_map(|namespace| of_namespace(world, namespace));
    among.filter(|pod| pods.matches(&pod.labels)).collect()
}

fn block(peer: &Peer) -> Option<(IpNet, Vec<IpNet>)> {
    match peer {
        Peer::Block(range, except) => Some((*range, except.clone())),
        Peer::Pods { .. } => None,
    }
}

fn of_namespace<'w>(world: &'w World, namespace: &str) -> impl Iterator<Item = &'w Pod> {
    let from = (namespace.to_owned(), String::new());
    let pods = world.pods.range(from..);
    let namespace = namespace.to_owned();
    pods.take_while(move |((of, _), _)| *of == namespace).map(|(_, pod)| pod)
}
