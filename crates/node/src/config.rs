//! How many nodes there are, and which addresses their pods have.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use thiserror::Error;

use crate::nodes::node_address;

/// What is simulated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// How many nodes to create, 1 to 250. Others that are created through the API are simulated as well.
    pub nodes: u16,
    /// The pods' addresses: a range, or one of each family; the first family is the primary one.
    pub pod_ranges: Vec<IpNet>,
}

/// Why a configuration cannot be.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ConfigError {
    /// No node, or more than have addresses.
    #[error("{0} nodes: 1 to 250 can be simulated")]
    Nodes(u16),
    /// No range, two of a family, or more than two.
    #[error("the pods' addresses are one range, or one of each family")]
    Ranges,
    /// A range has no block for each of the nodes.
    #[error(
        "the pods' range {range} has {blocks} blocks of the size /{block_prefix} that a node takes; {nodes} nodes need \
         one each"
    )]
    TooSmall {
        /// The range.
        range: IpNet,
        /// The length of a block's prefix.
        block_prefix: u8,
        /// How many blocks the range has.
        blocks: u32,
        /// How many nodes there are to be.
        nodes: u16,
    },
}

impl Config {
    /// The addresses of the nodes that there are from the start.
    pub fn node_addresses(&self) -> Vec<IpAddr> {
        let families = self.pod_ranges.iter().map(|range| range.network().is_ipv4());
        let of_number = |number| families.clone().map(move |v4| node_address(number, v4));
        (1..=self.nodes).flat_map(of_number).collect()
    }

    /// The address before that of the first node, as a network's router has it: for what leads into the cluster.
    pub fn gateway_address(&self) -> IpAddr {
        node_address(0, self.pod_ranges.first().is_none_or(|range| range.network().is_ipv4()))
    }

    /// Whether such nodes can be simulated.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] says what stands against it.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let Self { nodes, pod_ranges } = self;
        if !(1..=250).contains(nodes) {
            return Err(ConfigError::Nodes(*nodes));
        }
        match pod_ranges[..] {
            [_] | [IpNet::V4(_), IpNet::V6(_)] | [IpNet::V6(_), IpNet::V4(_)] => {}
            _ => return Err(ConfigError::Ranges),
        }
        for range in pod_ranges {
            let blocks = Blocks::new(*range);
            if blocks.count < u32::from(*nodes) {
                return Err(ConfigError::TooSmall {
                    range: *range,
                    block_prefix: blocks.prefix,
                    blocks: blocks.count,
                    nodes: *nodes,
                });
            }
        }
        Ok(())
    }
}

/// A range divided into the blocks that nodes take: /24 of IPv4, /64 of IPv6 (or 256 blocks of a range that is
/// too small for that).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Blocks {
    range: IpNet,
    pub(crate) prefix: u8,
    /// How many there are; not all of a vast range are counted.
    pub(crate) count: u32,
}

impl Blocks {
    pub(crate) fn new(range: IpNet) -> Self {
        let range = range.trunc();
        let prefix = match range {
            IpNet::V4(v4) => v4.prefix_len().max(24),
            IpNet::V6(v6) if v6.prefix_len() <= 56 => 64,
            IpNet::V6(v6) => v6.prefix_len().saturating_add(8).min(120).max(v6.prefix_len()),
        };
        let count = 1_u32 << (prefix - range.prefix_len()).min(16);
        Self { range, prefix, count }
    }

    /// The block of this number.
    pub(crate) fn block(&self, number: u32) -> IpNet {
        match self.range {
            IpNet::V4(range) => {
                let network =
                    range.network().to_bits() + (number << ((32 - u32::from(self.prefix)) % 32));
                let network = Ipv4Net::new(Ipv4Addr::from_bits(network), self.prefix);
                network.expect("the prefix of a block is at most 32").into()
            }
            IpNet::V6(range) => {
                let shift = 128 - u32::from(self.prefix);
                let network = range.network().to_bits() + (u128::from(number) << (shift % 128));
                let network = Ipv6Net::new(Ipv6Addr::from_bits(network), self.prefix);
                network.expect("the prefix of a block is at most 128").into()
            }
        }
    }

    /// The number of the block that holds an address.
    pub(crate) fn number_of(&self, address: IpAddr) -> Option<u32> {
        if !self.range.contains(&address) {
            return None;
        }
        let offset = match (address, self.range) {
            (IpAddr::V4(address), IpNet::V4(range)) => u128::from(
                (address.to_bits() - range.network().to_bits())
                    >> ((32 - u32::from(self.prefix)) % 32),
            ),
            (IpAddr::V6(address), IpNet::V6(range)) => {
                (address.to_bits() - range.network().to_bits())
                    >> ((128 - u32::from(self.prefix)) % 128)
            }
            _ => return None,
        };
        u32::try_from(offset).ok().filter(|number| *number < self.count)
    }

    /// The number of the block that the first node takes. Block 0 is left out where there is room, so that
    /// node 1 has 10.244.1.0/24.
    pub(crate) fn first(&self, nodes: u16) -> u32 {
        u32::from(self.count > u32::from(nodes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configurations() {
        fn check(nodes: u16, ranges: &[&str], expected: Result<(), &str>) {
            let pod_ranges = ranges.iter().map(|range| range.parse().unwrap()).collect();
            let seen = Config { nodes, pod_ranges }.validate().map_err(|error| error.to_string());
            assert_eq!(
                seen.as_ref().map_err(String::as_str),
                expected.as_ref().map_err(|e| *e).copied().map(|()| &())
            );
        }
        check(3, &["10.244.0.0/16"], Ok(()));
        check(250, &["10.244.0.0/16", "fd00:10:244::/56"], Ok(()));
        check(3, &["fd00:10:244::/56"], Ok(()));
        check(0, &["10.244.0.0/16"], Err("0 nodes: 1 to 250 can be simulated"));
        check(3, &[], Err("the pods' addresses are one range, or one of each family"));
        check(
            3,
            &["10.0.0.0/16", "10.1.0.0/16"],
            Err("the pods' addresses are one range, or one of each family"),
        );
        check(
            3,
            &["10.244.0.0/23"],
            Err(
                "the pods' range 10.244.0.0/23 has 2 blocks of the size /24 that a node takes; 3 nodes need one each",
            ),
        );
    }

    #[test]
    fn blocks() {
        fn check(range: &str, number: u32, block: &str) {
            let blocks = Blocks::new(range.parse().unwrap());
            let expected: IpNet = block.parse().unwrap();
            assert_eq!(blocks.block(number), expected);
            assert_eq!(blocks.number_of(expected.network()), Some(number));
            assert_eq!(blocks.number_of(expected.broadcast()), Some(number));
        }
        check("10.244.0.0/16", 1, "10.244.1.0/24");
        check("10.0.0.0/8", 65535, "10.255.255.0/24");
        check("192.168.7.0/24", 0, "192.168.7.0/24");
        check("192.168.7.16/28", 0, "192.168.7.16/28");
        check("fd00:10:244::/56", 2, "fd00:10:244:2::/64");
        check("fd00::/48", 256, "fd00:0:0:100::/64");
        check("fd00::/64", 3, "fd00::300:0:0:0/72");
        check("fd00::/112", 3, "fd00::300/120");
        assert_eq!(
            Blocks::new("10.244.0.0/16".parse().unwrap()).number_of("10.245.0.1".parse().unwrap()),
            None
        );
    }
}
