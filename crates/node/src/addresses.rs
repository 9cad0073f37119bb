//! Which pod has which address.

use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use sandbox::PodAddress;
use thiserror::Error;

use crate::config::{Blocks, Config};

/// The first address of a block is the network's, the second the gateway's.
const FIRST_OFFSET: u32 = 2;

/// All addresses of a range are taken.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("no address is left in the pods' range {0}")]
pub(crate) struct Exhausted(pub(crate) IpNet);

/// The addresses of all pods, in every family.
#[derive(Debug)]
pub(crate) struct Addresses(Vec<Family>);

impl Addresses {
    pub(crate) fn new(config: &Config) -> Self {
        let Config { nodes, pod_ranges } = config;
        Self(pod_ranges.iter().map(|range| Family::new(*range, *nodes)).collect())
    }

    /// Gives a node its first block of each family: the one it says it has, if that is free, else the next.
    pub(crate) fn add_node(&mut self, node: &str, pod_cidrs: &[IpNet]) {
        for family in &mut self.0 {
            family.add_node(node, pod_cidrs);
        }
    }

    /// Takes an address of each family for a pod on this node.
    pub(crate) fn take(&mut self, node: &str) -> Result<Vec<IpAddr>, Exhausted> {
        let mut taken = Vec::with_capacity(self.0.len());
        for family in &mut self.0 {
            match family.take(node) {
                Ok(address) => taken.push(address),
                Err(exhausted) => {
                    self.release(&taken);
                    return Err(exhausted);
                }
            }
        }
        Ok(taken)
    }

    /// Notes that a pod on this node has these addresses already. Those outside the ranges are not ours to give.
    pub(crate) fn hold(&mut self, node: &str, addresses: &[IpAddr]) {
        for address in addresses {
            for family in &mut self.0 {
                family.hold(node, *address);
            }
        }
    }

    /// Whether all of these are of the ranges, one of each.
    pub(crate) fn are_ours(&self, addresses: &[IpAddr]) -> bool {
        let of = |family: &Family, address| family.blocks.number_of(address).is_some();
        addresses.len() == self.0.len()
            && self.0.iter().all(|family| addresses.iter().any(|address| of(family, *address)))
    }

    /// Addresses as interfaces have them: with the length of their block's prefix, and the node's own address in that block,
    /// its first. An address that is of no range (a node's own) leads nowhere but to itself.
    pub(crate) fn interfaces(&self, addresses: &[IpAddr]) -> Vec<PodAddress> {
        let interface = |address: IpAddr| {
            let found = self.0.iter().find_map(|family| {
                let block = family.blocks.block(family.blocks.number_of(address)?);
                let address = IpNet::new(address, block.prefix_len()).ok()?;
                Some(PodAddress { address, gateway: block.hosts().next()? })
            });
            found.unwrap_or(PodAddress { address: address.into(), gateway: address })
        };
        addresses.iter().map(|address| interface(*address)).collect()
    }

    /// Takes back what a pod no longer has.
    pub(crate) fn release(&mut self, addresses: &[IpAddr]) {
        for address in addresses {
            for family in &mut self.0 {
                family.release(*address);
            }
        }
    }
}

#[derive(Debug)]
struct Family {
    range: IpNet,
    blocks: Blocks,
    /// Where the search for a free block begins.
    first: u32,
    taken: HashMap<u32, Block>,
    of_node: HashMap<String, Vec<u32>>,
}

#[derive(Debug, Default)]
struct Block {
    used: BTreeSet<u32>,
    /// The offset given last: the next one is searched after it, so that an address rests for as long as possible
    /// before another pod has it.
    last: u32,
}

impl Family {
    fn new(range: IpNet, nodes: u16) -> Self {
        let blocks = Blocks::new(range);
        let first = blocks.first(nodes);
        Self { range, blocks, first, taken: HashMap::new(), of_node: HashMap::new() }
    }

    fn add_node(&mut self, node: &str, pod_cidrs: &[IpNet]) {
        if self.of_node.contains_key(node) {
            return;
        }
        let own = pod_cidrs
            .iter()
            .filter_map(|cidr| self.blocks.number_of(cidr.network()))
            .find(|number| !self.taken.contains_key(number));
        if let Some(number) = own.or_else(|| self.free_block()) {
            self.claim(node, number);
        }
    }

    fn claim(&mut self, node: &str, number: u32) {
        self.taken.insert(number, Block::default());
        self.of_node.entry(node.to_owned()).or_default().push(number);
    }

    fn free_block(&self) -> Option<u32> {
        (self.first..self.blocks.count)
            .chain(0..self.first)
            .find(|number| !self.taken.contains_key(number))
    }

    fn take(&mut self, node: &str) -> Result<IpAddr, Exhausted> {
        let capacity = self.capacity();
        let of_node = self.of_node.get(node).map(Vec::as_slice).unwrap_or_default();
        for number in of_node {
            if let Some(offset) = self.taken.get_mut(number).and_then(|block| block.take(capacity))
            {
                return Ok(self.address(*number, offset));
            }
        }
        let number = self.free_block().ok_or(Exhausted(self.range))?;
        self.claim(node, number);
        let block = self.taken.entry(number).or_default();
        let offset = block.take(capacity).ok_or(Exhausted(self.range))?;
        Ok(self.address(number, offset))
    }

    fn hold(&mut self, node: &str, address: IpAddr) {
        let Some(number) = self.blocks.number_of(address) else { return };
        if !self.taken.contains_key(&number) {
            self.claim(node, number);
        }
        let offset = self.offset(number, address);
        let block = self.taken.entry(number).or_default();
        block.used.insert(offset);
        block.last = block.last.max(offset);
    }

    fn release(&mut self, address: IpAddr) {
        let Some(number) = self.blocks.number_of(address) else { return };
        let offset = self.offset(number, address);
        if let Some(block) = self.taken.get_mut(&number) {
            block.used.remove(&offset);
        }
    }

    /// The offset after the last usable one. The last address of an IPv4 block is its broadcast address.
    fn capacity(&self) -> u32 {
        match self.range {
            IpNet::V4(_) => (1_u32 << (32 - u32::from(self.blocks.prefix))).saturating_sub(1),
            IpNet::V6(_) => 1_u32 << (128 - u32::from(self.blocks.prefix)).min(16),
        }
    }

    fn address(&self, number: u32, offset: u32) -> IpAddr {
        match self.blocks.block(number).network() {
            IpAddr::V4(network) => Ipv4Addr::from_bits(network.to_bits() + offset).into(),
            IpAddr::V6(network) => {
                Ipv6Addr::from_bits(network.to_bits() + u128::from(offset)).into()
            }
        }
    }

    fn offset(&self, number: u32, address: IpAddr) -> u32 {
        match (self.blocks.block(number).network(), address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => address.to_bits() - network.to_bits(),
            // Addresses beyond the offsets that are given out share one that is not.
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                u32::try_from(address.to_bits() - network.to_bits()).unwrap_or(u32::MAX)
            }
            _ => u32::MAX,
        }
    }
}

impl Block {
    fn take(&mut self, capacity: u32) -> Option<u32> {
        let after_last =
            self.last.saturating_add(1).clamp(FIRST_OFFSET, capacity.max(FIRST_OFFSET));
        let offset = (after_last..capacity)
            .chain(FIRST_OFFSET..after_last.min(capacity))
            .find(|o| !self.used.contains(o))?;
        self.used.insert(offset);
        self.last = offset;
        Some(offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(ranges: &[&str]) -> Addresses {
        let pod_ranges = ranges.iter().map(|range| range.parse().unwrap()).collect();
        let mut addresses = Addresses::new(&Config { nodes: 3, pod_ranges });
        for node in ["node-1", "node-2", "node-3"] {
            addresses.add_node(node, &[]);
        }
        addresses
    }

    fn take(addresses: &mut Addresses, node: &str) -> String {
        let taken = addresses.take(node).unwrap();
        taken.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn pods_have_addresses_of_their_node() {
        let mut addresses = addresses(&["10.244.0.0/16", "fd00:10:244::/56"]);
        let mut check =
            |node: &str, expected: &str| assert_eq!(take(&mut addresses, node), expected);
        check("node-1", "10.244.1.2 fd00:10:244:1::2");
        check("node-2", "10.244.2.2 fd00:10:244:2::2");
        check("node-1", "10.244.1.3 fd00:10:244:1::3");
        check("node-3", "10.244.3.2 fd00:10:244:3::2");
        check("unknown", "10.244.4.2 fd00:10:244:4::2");
    }

    #[test]
    fn an_address_rests_before_it_is_given_again() {
        let mut addresses = addresses(&["10.244.0.0/16"]);
        let first = addresses.take("node-1").unwrap();
        addresses.release(&first);
        assert_eq!(take(&mut addresses, "node-1"), "10.244.1.3");
        for _ in 4..=254 {
            addresses.take("node-1").unwrap();
        }
        assert_eq!(take(&mut addresses, "node-1"), "10.244.1.2", "after all others");
    }

    #[test]
    fn a_full_node_takes_a_further_block() {
        let mut addresses = addresses(&["10.244.0.0/16"]);
        for _ in 2..=254 {
            addresses.take("node-2").unwrap();
        }
        assert_eq!(take(&mut addresses, "node-2"), "10.244.4.2");
        assert_eq!(take(&mut addresses, "node-3"), "10.244.3.2");
    }

    #[test]
    fn what_pods_have_is_kept() {
        let mut addresses = addresses(&["10.244.0.0/16"]);
        let held: Vec<IpAddr> =
            ["10.244.1.7", "10.244.9.2", "192.0.2.1"].map(|a| a.parse().unwrap()).to_vec();
        addresses.hold("node-1", &held);
        assert_eq!(take(&mut addresses, "node-1"), "10.244.1.8");
        addresses.add_node("node-9", &["10.244.9.0/24".parse().unwrap()]);
        assert_eq!(take(&mut addresses, "node-9"), "10.244.4.2", "its block is another's already");
    }

    #[test]
    fn a_node_has_the_block_it_says() {
        let mut addresses = addresses(&["10.244.0.0/16"]);
        addresses.add_node("edge", &["10.244.77.0/24".parse().unwrap()]);
        assert_eq!(take(&mut addresses, "edge"), "10.244.77.2");
    }

    #[test]
    fn ranges_end() {
        let mut addresses = addresses(&["10.244.0.0/22"]);
        let taken = std::iter::from_fn(|| addresses.take("node-1").ok()).count();
        assert_eq!(taken, 2 * 253, "its own block and the free one");
        assert_eq!(addresses.take("node-1"), Err(Exhausted("10.244.0.0/22".parse().unwrap())));
        assert_eq!(take(&mut addresses, "node-2"), "10.244.2.2");
    }
}
