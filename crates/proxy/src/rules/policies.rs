//! The rules by which NetworkPolicies judge.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use manifest::IpFamily;

use super::keys;
use super::names::{hash, name};
use super::services::listed;
use super::table::{Elements, Set, Table, Words};
use crate::config::of_family;
use crate::policy::{Allowed, Direction, Peers, Policies, Ports};
use crate::world::{Key, Protocol};

/// From isolated pods' addresses to the chain that judges.
pub(super) const EGRESS: &str = "egress";
pub(super) const INGRESS: &str = "ingress";
/// Isolated pods, paired with themselves: no policy stands between a pod and itself.
pub(super) const SELF: &str = "self";

/// Adds the chains and sets of all policies of a family.
pub(super) fn add(policies: &Policies, family: IpFamily, table: &mut Table) {
    let Policies { ingress, egress } = policies;
    let words = Words::of(family);
    // A rule of a policy names the other end, which is where packets come from, or go to.
    for (direction, name, peer) in [(ingress, INGRESS, "saddr"), (egress, EGRESS, "daddr")] {
        Maker { words, family, direction: name, peer, table }.add(direction);
    }
    let isolated: BTreeSet<IpAddr> =
        ingress.isolated.keys().chain(egress.isolated.keys()).copied().collect();
    let isolated = isolated.into_iter().filter(|address| IpFamily::of(*address) == family);
    let pairs = isolated.map(|address| format!("{address} . {address}"));
    let spec = format!("type {0} . {0};", words.address);
    table.sets.insert(SELF.to_owned(), Set { spec, elements: keys(pairs) });
}

struct Maker<'t> {
    words: Words,
    family: IpFamily,
    direction: &'static str,
    peer: &'static str,
    table: &'t mut Table,
}

impl Maker<'_> {
    fn add(&mut self, direction: &Direction) {
        let Direction { isolated, rules } = direction;
        let mut verdicts = BTreeMap::new();
        for (address, policies) in isolated {
            if IpFamily::of(*address) == self.family {
                verdicts.insert(address.to_string(), format!("goto {}", self.selected(policies)));
            }
        }
        let spec = format!("type {} : verdict;", self.words.address);
        let set = Set { spec, elements: Elements::Verdicts(verdicts) };
        self.table.sets.insert(self.direction.to_owned(), set);
        for (key, rules) in rules {
            let chain = self.policy(key);
            self.table.chains.entry(chain.clone()).or_default();
            for (index, rule) in rules.iter().enumerate() {
                self.rule(&chain, key, index, rule);
            }
        }
    }

    fn policy(&self, (namespace, policy): &Key) -> String {
        name(&["policy", self.direction, namespace, policy])
    }

    /// The chain of pods that the same policies select: what none of them allows is dropped.
    fn selected(&mut self, policies: &BTreeSet<Key>) -> String {
        let chains: Vec<String> = policies.iter().map(|key| self.policy(key)).collect();
        let chain =
            name(&["selected", self.direction, &format!("{:016x}", hash(&chains.join(" ")))]);
        if !self.table.chains.contains_key(&chain) {
            for policy in &chains {
                self.table.rule(&chain, format!("jump {policy}"));
            }
            self.table.rule(&chain, "drop");
        }
        chain
    }

    /// One rule of a policy: each of its peers on each of its ports.
    fn rule(&mut self, chain: &str, key: &Key, index: usize, rule: &Allowed) {
        let set = |kind: &str| name(&[kind, self.direction, &key.0, &key.1, &index.to_string()]);
        let (of_peers, of_ports) = (set("peers"), set("ports"));
        let Allowed { peers, ports } = rule;
        let peers = peers
            .as_ref()
            .map_or_else(|| vec![String::new()], |peers| self.peers(&of_peers, peers));
        let ports = ports
            .as_ref()
            .map_or_else(|| vec![String::new()], |ports| self.ports(&of_ports, ports));
        for peer in &peers {
            for port in &ports {
                self.table.rule(chain, format!("{peer}{port}accept"));
            }
        }
    }

    fn peers(&mut self, name: &str, Peers { pods, blocks }: &Peers) -> Vec<String> {
        let (Words { ip, address, .. }, peer, family) = (self.words, self.peer, self.family);
        let of = pods.iter().filter(|address| IpFamily::of(**address) == family);
        let set = Set { spec: format!("type {address};"), elements: keys(of) };
        self.table.sets.insert(name.to_owned(), set);
        let blocks = blocks.iter().filter(|(range, _)| IpFamily::of(range.addr()) == family);
        let blocks = blocks.map(|(range, except)| {
            let except = listed(&of_family(except.iter().copied(), family));
            let except =
                except.map(|except| format!("{ip} {peer} != {except} ")).unwrap_or_default();
            format!("{}{except}", in_range(ip, peer, *range))
        });
        [format!("{ip} {peer} @{name} ")].into_iter().chain(blocks).collect()
    }

    fn ports(&mut self, set: &str, Ports { ranges, named }: &Ports) -> Vec<String> {
        let mut ports: Vec<String> = ranges.iter().map(|range| on(*range)).collect();
        if let Some(named) = named {
            let Words { ip, address, .. } = self.words;
            let of = named.iter().filter(|(address, _, _)| IpFamily::of(*address) == self.family);
            let of = of.map(|(address, protocol, port)| {
                format!("{address} . {} . {port}", protocol.word())
            });
            let spec = format!("type {address} . inet_proto . inet_service;");
            self.table.sets.insert(set.to_owned(), Set { spec, elements: keys(of) });
            ports.push(format!("{ip} daddr . meta l4proto . th dport @{set} "));
        }
        ports
    }
}

/// nftables has no range of all addresses.
fn in_range(ip: &str, peer: &str, range: IpNet) -> String {
    match range.prefix_len() {
        0 => String::new(),
        _ => format!("{ip} {peer} {range} "),
    }
}

fn on((protocol, first, last): (Protocol, u16, u16)) -> String {
    let word = protocol.word();
    match (first, last) {
        (0, u16::MAX) => format!("meta l4proto {word} "),
        (first, last) if first == last => format!("{word} dport {first} "),
        (first, last) => format!("{word} dport {first}-{last} "),
    }
}
