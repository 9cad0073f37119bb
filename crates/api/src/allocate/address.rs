//! Cluster IPs.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use manifest::IpFamily;

use super::pool::{self, Pool, Random};

/// Why Services cannot have these address ranges.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CidrError {
    /// The address has bits beyond the prefix.
    #[error("{given} has bits set beyond its prefix length: did you mean {}?", .given.trunc())]
    HostBits {
        /// As given.
        given: IpNet,
    },
    /// The tenth address, for the cluster's DNS, must be in it.
    #[error("the service CIDR {0} is too small: it must hold at least 16 addresses")]
    TooSmall(IpNet),
    /// One of each family at most, and one at least.
    #[error("there must be one service CIDR, or two of different families")]
    Families,
}

/// The address of the Service `kubernetes` in a range: the first.
pub fn kubernetes_address(range: &IpNet) -> Option<IpAddr> {
    nth(range, 1)
}

/// The address of the Service of the cluster's DNS in a range: the tenth.
pub fn dns_address(range: &IpNet) -> Option<IpAddr> {
    nth(range, 10)
}

/// The address at a distance from the network's own, if it lies in the range.
fn nth(range: &IpNet, distance: u128) -> Option<IpAddr> {
    let nth = number(range.network()).checked_add(distance)?;
    (nth <= number(range.broadcast())).then(|| address(family(range), nth))
}

fn family(range: &IpNet) -> IpFamily {
    IpFamily::of(range.network())
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    }
}

fn address(family: IpFamily, number: u128) -> IpAddr {
    match family {
        // A number of this family has 32 bits.
        IpFamily::V4 => IpAddr::V4(Ipv4Addr::from_bits(number as u32)),
        IpFamily::V6 => IpAddr::V6(Ipv6Addr::from_bits(number)),
    }
}

/// Why an address cannot be had; the texts are Kubernetes'.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AddressError {
    /// Another Service has it.
    #[error("provided IP is already allocated")]
    Allocated,
    /// It is no address for Services.
    #[error("the provided IP ({ip}) is not in the valid range. The range of valid IPs is {range}")]
    NotInRange {
        /// The address asked for.
        ip: IpAddr,
        /// The block of its family, or of the first family when there is none.
        range: IpNet,
    },
    /// Every address is taken.
    #[error("range is full")]
    Full,
    /// There is no block of this family.
    #[error("no service CIDR of family {0} is configured")]
    NoFamily(IpFamily),
}

/// The addresses of Services: a block, or one of each family.
pub(crate) struct ServiceRange {
    /// One or two, the first being the cluster's primary family.
    blocks: Vec<Block>,
}

struct Block {
    cidr: IpNet,
    family: IpFamily,
    pool: Pool,
}

impl Block {
    fn new(cidr: IpNet, random: Random) -> Result<Self, CidrError> {
        if cidr.trunc() != cidr {
            return Err(CidrError::HostBits { given: cidr });
        }
        let (network, last) = (number(cidr.network()), number(cidr.broadcast()));
        if last - network < 15 {
            return Err(CidrError::TooSmall(cidr));
        }
        let family = family(&cidr);
        // The network's own address is never given, nor is IPv4's broadcast address.
        let usable_last = match family {
            IpFamily::V4 => last - 1,
            IpFamily::V6 => last,
        };
        let size = (last - network).saturating_add(1);
        // Too small for a band if it would take everything.
        let band = if size <= 16 { 0 } else { (size / 16).clamp(16, 256) };
        let pool = Pool::new(network + 1..=usable_last, network + band + 1, random);
        Ok(Self { cidr, family, pool })
    }
}

impl ServiceRange {
    /// Nothing allocated yet; the first block is of the primary family.
    pub(crate) fn new(cidrs: &[IpNet]) -> Result<Self, CidrError> {
        Self::with_random(cidrs, pool::system)
    }

    /// As [`Self::new`], with another source of random numbers for each block.
    fn with_random(cidrs: &[IpNet], random: impl Fn() -> Random) -> Result<Self, CidrError> {
        match cidrs {
            [_] => {}
            [first, second] if family(first) != family(second) => {}
            _ => return Err(CidrError::Families),
        }
        let blocks: Result<_, _> = cidrs.iter().map(|cidr| Block::new(*cidr, random())).collect();
        Ok(Self { blocks: blocks? })
    }

    /// The configured families, primary first.
    pub(crate) fn families(&self) -> impl Iterator<Item = IpFamily> + '_ {
        self.blocks.iter().map(|block| block.family)
    }

    fn block(&mut self, family: IpFamily) -> Option<&mut Block> {
        self.blocks.iter_mut().find(|block| block.family == family)
    }

    /// Takes a free address.
    pub(crate) fn allocate(&mut self, family: IpFamily) -> Result<IpAddr, AddressError> {
        let block = self.block(family).ok_or(AddressError::NoFamily(family))?;
        let number = block.pool.allocate().ok_or(AddressError::Full)?;
        Ok(address(family, number))
    }

    /// Takes this address.
    pub(crate) fn reserve(&mut self, ip: IpAddr) -> Result<(), AddressError> {
        let ip = ip.to_canonical();
        let primary = self.blocks[0].cidr;
        let Some(block) = self.block(IpFamily::of(ip)) else {
            return Err(AddressError::NotInRange { ip, range: primary });
        };
        if !block.pool.contains(number(ip)) {
            return Err(AddressError::NotInRange { ip, range: block.cidr });
        }
        if block.pool.take(number(ip)) { Ok(()) } else { Err(AddressError::Allocated) }
    }

    /// Gives an address back; one that was not taken is left as it is.
    pub(crate) fn release(&mut self, ip: IpAddr) {
        let ip = ip.to_canonical();
        if let Some(block) = self.block(IpFamily::of(ip)) {
            block.pool.release(number(ip));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn range(cidrs: &[&str]) -> ServiceRange {
        let cidrs: Vec<IpNet> = cidrs.iter().map(|cidr| cidr.parse().unwrap()).collect();
        ServiceRange::new(&cidrs).unwrap()
    }

    /// Always the lowest free address.
    fn in_order(cidr: &str) -> ServiceRange {
        ServiceRange::with_random(&[cidr.parse().unwrap()], || Box::new(|| 0)).unwrap()
    }

    #[test]
    fn ranges_are_checked() {
        let check = |cidrs: &[&str], expected: &str| {
            let cidrs: Vec<IpNet> = cidrs.iter().map(|cidr| cidr.parse().unwrap()).collect();
            assert_eq!(ServiceRange::new(&cidrs).err().unwrap().to_string(), expected);
        };
        check(&[], "there must be one service CIDR, or two of different families");
        check(
            &["10.0.0.0/24", "10.1.0.0/24"],
            "there must be one service CIDR, or two of different families",
        );
        check(
            &["10.97.0.0/12"],
            "10.97.0.0/12 has bits set beyond its prefix length: did you mean 10.96.0.0/12?",
        );
        check(
            &["10.0.0.0/29"],
            "the service CIDR 10.0.0.0/29 is too small: it must hold at least 16 addresses",
        );
    }

    #[test]
    fn well_known_addresses() {
        let check = |range: &str, kubernetes: Option<&str>, dns: Option<&str>| {
            let range = range.parse().unwrap();
            let expected = [kubernetes, dns].map(|ip| ip.map(|ip| ip.parse::<IpAddr>().unwrap()));
            assert_eq!([kubernetes_address(&range), dns_address(&range)], expected, "{range}");
        };
        check("10.96.0.0/12", Some("10.96.0.1"), Some("10.96.0.10"));
        check("fd00:10:96::/112", Some("fd00:10:96::1"), Some("fd00:10:96::a"));
        check("0.0.0.0/0", Some("0.0.0.1"), Some("0.0.0.10"));
        check("::/0", Some("::1"), Some("::a"));
        check("10.96.0.8/29", Some("10.96.0.9"), None);
        check("255.255.255.255/32", None, None);
    }

    #[test]
    fn the_primary_family_is_the_first() {
        let check = |cidrs: &[&str], expected: &[IpFamily]| {
            assert_eq!(range(cidrs).families().collect::<Vec<_>>(), expected);
        };
        check(&["10.96.0.0/12", "fd00:10:96::/112"], &[IpFamily::V4, IpFamily::V6]);
        check(&["fd00:10:96::/112", "10.96.0.0/12"], &[IpFamily::V6, IpFamily::V4]);
    }

    #[test]
    fn dynamic_allocation_begins_above_the_static_band() {
        // The bands of the Kubernetes documentation ("How is the static band calculated").
        let check = |cidr: &str, expected: &str| {
            let mut range = in_order(cidr);
            let family = range.families().next().unwrap();
            assert_eq!(range.allocate(family).unwrap().to_string(), expected, "{cidr}");
        };
        check("10.96.0.0/28", "10.96.0.1");
        check("10.96.0.0/27", "10.96.0.17");
        check("10.96.0.0/24", "10.96.0.17");
        check("10.96.0.0/20", "10.96.1.1");
        check("10.96.0.0/16", "10.96.1.1");
        check("10.96.0.0/12", "10.96.1.1");
        check("0.0.0.0/0", "0.0.1.1");
        check("fd00::/112", "fd00::101");
        check("::/0", "::101");
    }

    #[test]
    fn a_full_range_falls_back_into_the_band_then_ends() {
        for mut range in [range(&["10.0.0.0/26"]), in_order("10.0.0.0/26")] {
            let mut given = BTreeSet::new();
            for n in 0..62 {
                let IpAddr::V4(ip) = range.allocate(IpFamily::V4).unwrap() else { panic!() };
                let host = ip.octets()[3];
                assert!((1..=62).contains(&host), "neither network nor broadcast");
                assert_eq!(host > 16, n < 46, "the band last");
                assert!(given.insert(host));
            }
            assert_eq!(range.allocate(IpFamily::V4), Err(AddressError::Full));
            range.release("10.0.0.33".parse().unwrap());
            assert_eq!(range.allocate(IpFamily::V4), Ok("10.0.0.33".parse().unwrap()));
        }
    }

    #[test]
    fn reserved_addresses() {
        let mut range = range(&["10.96.0.0/24", "fd00::/112"]);
        let mut check = |ip: &str, expected: &str| {
            let shown = match range.reserve(ip.parse().unwrap()) {
                Ok(()) => "ok".to_owned(),
                Err(error) => error.to_string(),
            };
            assert_eq!(shown, expected);
        };
        check("10.96.0.10", "ok");
        check("10.96.0.10", "provided IP is already allocated");
        check("10.96.0.254", "ok");
        check("fd00::ffff", "ok");
        for (ip, cidr) in [
            ("10.96.0.0", "10.96.0.0/24"),
            ("10.96.0.255", "10.96.0.0/24"),
            ("10.97.0.1", "10.96.0.0/24"),
            ("fd00::", "fd00::/112"),
            ("fd00::1:0", "fd00::/112"),
        ] {
            check(
                ip,
                &format!(
                    "the provided IP ({ip}) is not in the valid range. The range of valid IPs is {cidr}"
                ),
            );
        }
    }

    #[test]
    fn another_family_is_refused() {
        let mut range = range(&["10.96.0.0/24"]);
        assert_eq!(
            range.allocate(IpFamily::V6).unwrap_err().to_string(),
            "no service CIDR of family IPv6 is configured"
        );
        assert!(matches!(
            range.reserve("fd00::1".parse().unwrap()),
            Err(AddressError::NotInRange { .. })
        ));
        range.release("fd00::1".parse().unwrap());
    }

    #[derive(Clone, Debug)]
    enum Step {
        Allocate,
        Reserve(u8),
        Release(u8),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            3 => Just(Step::Allocate),
            2 => (0..=31_u8).prop_map(Step::Reserve),
            1 => (0..=31_u8).prop_map(Step::Release),
        ];
        prop::collection::vec(step, 0..120)
    }

    proptest! {
        #[test]
        fn no_address_is_given_twice(steps in steps(), seed: u64) {
            let mut state = seed;
            let random = move || -> Random {
                Box::new(move || { state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1); state })
            };
            let mut range =
                ServiceRange::with_random(&["10.0.0.0/27".parse().unwrap()], random).unwrap();
            let ip = |host: u8| IpAddr::from([10, 0, 0, host]);
            let mut model = BTreeSet::new();
            for step in steps {
                match step {
                    Step::Allocate => match range.allocate(IpFamily::V4) {
                        Ok(given) => {
                            let above = (17..=30).any(|host| !model.contains(&ip(host)));
                            prop_assert!(model.insert(given));
                            prop_assert_eq!(above, given >= ip(17));
                            prop_assert!((ip(1)..=ip(30)).contains(&given));
                        }
                        Err(error) => {
                            prop_assert_eq!(error, AddressError::Full);
                            prop_assert_eq!(model.len(), 30);
                        }
                    },
                    Step::Reserve(host) => match range.reserve(ip(host)) {
                        Ok(()) => prop_assert!(model.insert(ip(host))),
                        Err(AddressError::Allocated) => prop_assert!(model.contains(&ip(host))),
                        Err(error) => {
                            let outside = matches!(error, AddressError::NotInRange { .. });
                            prop_assert!(outside && (host == 0 || host == 31));
                        }
                    },
                    Step::Release(host) => {
                        range.release(ip(host));
                        model.remove(&ip(host));
                    }
                }
            }
        }
    }
}
