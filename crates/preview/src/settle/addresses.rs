//! Addresses that no cluster allotted, from the ranges that are kept for documentation.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use directory::view::ObjectName;
use manifest::IpFamily;

use super::chance;

/// Who has an address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Holder {
    /// A pod.
    Pod(ObjectName),
    /// A Service: its cluster IP.
    Service(ObjectName),
    /// The DNS server.
    Server,
}

/// Addresses by holder.
///
/// Where an address lies is decided by its holder's name alone; only when that one is taken, the next free one is
/// given. So the same manifests have the same addresses however their files are ordered, and another object moves the
/// address of one that is there only where both would have the same.
///
/// IPv4: 192.0.2.0/24, 198.51.100.0/24 and 203.0.113.0/24 (RFC 5737), 762 addresses; when these are full, 198.18.0.0/15,
/// the range for benchmarks (RFC 2544 appendix C.2.2). IPv6: 2001:db8::/32 (RFC 3849).
#[derive(Debug, Default)]
pub(crate) struct Addresses {
    taken: BTreeSet<IpAddr>,
    /// How many of the documentation ranges are taken.
    documentation: u32,
    held: BTreeMap<(Holder, IpFamily), IpAddr>,
}

const BLOCKS: [[u8; 3]; 3] = [[192, 0, 2], [198, 51, 100], [203, 0, 113]];
const HOSTS: u32 = 254;
const DOCUMENTATION: u32 = BLOCKS.len() as u32 * HOSTS;

const BENCHMARKS: u32 = u32::from_be_bytes([198, 18, 0, 0]);
/// Without the first and the last of the range.
const BENCHMARK_COUNT: u32 = (1 << 17) - 2;

const V6: u128 = 0x2001_0db8 << 96;
/// As many as fit two short groups.
const V6_COUNT: u32 = (1 << 20) - 1;

impl Addresses {
    /// Notes an address that somebody chose.
    pub(crate) fn reserve(&mut self, address: IpAddr) {
        if self.taken.insert(address) && is_documentation(address) {
            self.documentation += 1;
        }
    }

    /// The address of a holder, which keeps it. `None` when all are taken.
    pub(crate) fn of(&mut self, holder: &Holder, family: IpFamily) -> Option<IpAddr> {
        let key = (holder.clone(), family);
        if let Some(held) = self.held.get(&key) {
            return Some(*held);
        }
        let text = match holder {
            Holder::Pod(id) => format!("Pod {id}"),
            Holder::Service(id) => format!("Service {id}"),
            Holder::Server => "Server".to_owned(),
        };
        let (count, at): (u32, fn(u32) -> IpAddr) = match family {
            IpFamily::V4 if self.documentation < DOCUMENTATION => (DOCUMENTATION, documentation),
            IpFamily::V4 => (BENCHMARK_COUNT, benchmark),
            IpFamily::V6 => (V6_COUNT, v6),
        };
        let first = (chance::number(&text, 0) % u64::from(count)) as u32;
        let free = (0..count)
            .map(|step| at((first + step) % count))
            .find(|address| !self.taken.contains(address))?;
        self.reserve(free);
        self.held.insert(key, free);
        Some(free)
    }

    /// Every holder with its addresses, by holder.
    pub(crate) fn held(&self) -> impl Iterator<Item = (&Holder, IpFamily, IpAddr)> {
        self.held.iter().map(|((holder, family), address)| (holder, *family, *address))
    }

    /// Whether the documentation ranges were not enough.
    pub(crate) fn overflowed(&self) -> bool {
        self.held.values().any(|address| match address {
            IpAddr::V4(v4) => v4.to_bits() & !((1 << 17) - 1) == BENCHMARKS,
            IpAddr::V6(_) => false,
        })
    }
}

fn is_documentation(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, host] = v4.octets();
            BLOCKS.contains(&[a, b, c]) && (1..=HOSTS).contains(&u32::from(host))
        }
        IpAddr::V6(_) => false,
    }
}

fn documentation(slot: u32) -> IpAddr {
    let [a, b, c] = BLOCKS[(slot / HOSTS) as usize % BLOCKS.len()];
    Ipv4Addr::new(a, b, c, (slot % HOSTS + 1) as u8).into()
}

fn benchmark(slot: u32) -> IpAddr {
    Ipv4Addr::from_bits(BENCHMARKS + 1 + slot).into()
}

fn v6(slot: u32) -> IpAddr {
    Ipv6Addr::from_bits(V6 | u128::from(slot + 1)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(number: u32) -> Holder {
        Holder::Pod(ObjectName::new("default", format!("db-{number}")))
    }

    #[test]
    fn an_address_follows_from_the_name() {
        let mut forwards = Addresses::default();
        let mut backwards = Addresses::default();
        let count = 12;
        for number in 0..count {
            forwards.of(&pod(number), IpFamily::V4).unwrap();
            backwards.of(&pod(count - 1 - number), IpFamily::V4).unwrap();
        }
        let list = |addresses: &Addresses| -> Vec<IpAddr> {
            addresses.held().map(|(_, _, address)| address).collect()
        };
        assert_eq!(list(&forwards), list(&backwards));
        let before = list(&forwards);
        forwards.of(&Holder::Service(ObjectName::new("default", "db")), IpFamily::V4).unwrap();
        forwards.of(&pod(0), IpFamily::V6).unwrap();
        for number in 0..count {
            assert!(before.contains(&forwards.of(&pod(number), IpFamily::V4).unwrap()));
        }
    }

    #[test]
    fn every_address_is_of_a_range_for_examples_and_held_once() {
        let mut addresses = Addresses::default();
        let chosen: IpAddr = "192.0.2.1".parse().unwrap();
        addresses.reserve(chosen);
        let mut seen = BTreeSet::from([chosen]);
        for number in 0..761 {
            let address = addresses.of(&pod(number), IpFamily::V4).unwrap();
            assert!(is_documentation(address), "{address}");
            assert!(seen.insert(address), "{address} twice");
        }
        assert!(!addresses.overflowed());
        let next = addresses.of(&pod(761), IpFamily::V4).unwrap();
        assert!(addresses.overflowed() && seen.insert(next), "{next}");
        let IpAddr::V4(v4) = next else { panic!("{next}") };
        assert!(v4.octets()[0] == 198 && (18..=19).contains(&v4.octets()[1]), "{v4}");
        let sixth = addresses.of(&pod(0), IpFamily::V6).unwrap();
        assert!(sixth.to_string().starts_with("2001:db8::"), "{sixth}");
    }
}
