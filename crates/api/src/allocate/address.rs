//! Cluster IPs.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use super::pool::{self, Pool, Random};

/// An IP family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Family {
    V4,
    V6,
}

impl Family {
    /// The family of an address.
    pub fn of(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }

    /// As in a Service's `ipFamilies`.
    pub fn name(self) -> &'static str {
        match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        }
    }

    fn bits(self) -> u8 {
        match self {
            Self::V4 => 32,
            Self::V6 => 128,
        }
    }

    fn address(self, number: u128) -> IpAddr {
        match self {
            // A number of this family has 32 bits.
            Self::V4 => IpAddr::V4(Ipv4Addr::from_bits(number as u32)),
            Self::V6 => IpAddr::V6(Ipv6Addr::from_bits(number)),
        }
    }
}

fn number(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => u128::from(ip.to_bits()),
        IpAddr::V6(ip) => ip.to_bits(),
    }
}

/// A block of addresses, such as `10.96.0.0/12`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr {
    family: Family,
    network: u128,
    length: u8,
}

/// Why a text is no block of addresses, or not one for Services.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CidrError {
    /// Not `ADDRESS/LENGTH`.
    #[error("{0:?} is no CIDR: expected an address and a prefix length, such as 10.96.0.0/12")]
    Syntax(String),
    /// The address has bits beyond the prefix.
    #[error("{given} has bits set beyond its prefix length: did you mean {network}?")]
    HostBits {
        /// As given.
        given: String,
        /// Without them.
        network: Cidr,
    },
    /// The tenth address, for the cluster's DNS, must be in it.
    #[error("the service CIDR {0} is too small: it must hold at least 16 addresses")]
    TooSmall(Cidr),
    /// One of each family at most, and one at least.
    #[error("there must be one service CIDR, or two of different families")]
    Families,
}

impl FromStr for Cidr {
    type Err = CidrError;

    fn from_str(text: &str) -> Result<Self, CidrError> {
        let syntax = || CidrError::Syntax(text.to_owned());
        let (ip, length) = text.split_once('/').ok_or_else(syntax)?;
        let ip: IpAddr = ip.parse().map_err(|_| syntax())?;
        let family = Family::of(ip);
        if length.is_empty() || !length.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(syntax());
        }
        let length: u8 = length.parse().map_err(|_| syntax())?;
        if length > family.bits() {
            return Err(syntax());
        }
        let host = Self::host_mask(family, length);
        let network = Self { family, network: number(ip) & !host, length };
        if number(ip) & host != 0 {
            return Err(CidrError::HostBits { given: text.to_owned(), network });
        }
        Ok(network)
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.family.address(self.network), self.length)
    }
}

impl Cidr {
    /// Its family.
    pub fn family(&self) -> Family {
        self.family
    }

    /// Whether an address lies in it.
    pub fn contains(&self, ip: IpAddr) -> bool {
        Family::of(ip) == self.family
            && number(ip) & !Self::host_mask(self.family, self.length) == self.network
    }

    /// The address at a distance from the network's own, if it lies in the block.
    pub fn nth(&self, distance: u128) -> Option<IpAddr> {
        (distance <= Self::host_mask(self.family, self.length))
            .then(|| self.family.address(self.network + distance))
    }

    fn host_mask(family: Family, length: u8) -> u128 {
        match family.bits() - length {
            128 => u128::MAX,
            host_bits => (1 << host_bits) - 1,
        }
    }
}

/// Why an address cannot be had; the texts are Kubernetes'.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Another Service has it.
    #[error("provided IP is already allocated")]
    Allocated,
    /// It is no address for Services.
    #[error("the provided IP ({ip}) is not in the valid range. The range of valid IPs is {range}")]
    NotInRange {
        /// The address asked for.
        ip: IpAddr,
        /// The block of its family, or of the first family when there is none.
        range: Cidr,
    },
    /// Every address is taken.
    #[error("range is full")]
    Full,
    /// There is no block of this family.
    #[error("no service CIDR of family {} is configured", .0.name())]
    NoFamily(Family),
}

/// The addresses of Services: a block, or one of each family.
pub struct ServiceRange {
    /// One or two, the first being the cluster's primary family.
    blocks: Vec<Block>,
}

struct Block {
    cidr: Cidr,
    pool: Pool,
}

impl Block {
    fn new(cidr: Cidr, random: Random) -> Result<Self, CidrError> {
        let last = Cidr::host_mask(cidr.family, cidr.length);
        if last < 15 {
            return Err(CidrError::TooSmall(cidr));
        }
        // The network's own address is never given, nor is IPv4's broadcast address.
        let usable_last = match cidr.family {
            Family::V4 => last - 1,
            Family::V6 => last,
        };
        let size = last.saturating_add(1);
        // Too small for a band if it would take everything.
        let band = if size <= 16 { 0 } else { (size / 16).clamp(16, 256) };
        let range = cidr.network + 1..=cidr.network + usable_last;
        Ok(Self { cidr, pool: Pool::new(range, cidr.network + band + 1, random) })
    }
}

impl ServiceRange {
    /// Nothing allocated yet; the first block is of the primary family.
    pub fn new(cidrs: &[Cidr]) -> Result<Self, CidrError> {
        Self::with_random(cidrs, pool::system)
    }

    /// As [`Self::new`], with another source of random numbers for each block.
    pub fn with_random(cidrs: &[Cidr], random: impl Fn() -> Random) -> Result<Self, CidrError> {
        match cidrs {
            [_] => {}
            [first, second] if first.family != second.family => {}
            _ => return Err(CidrError::Families),
        }
        let blocks: Result<_, _> = cidrs.iter().map(|cidr| Block::new(*cidr, random())).collect();
        Ok(Self { blocks: blocks? })
    }

    /// The configured families, primary first.
    pub fn families(&self) -> impl Iterator<Item = Family> + '_ {
        self.blocks.iter().map(|block| block.cidr.family)
    }

    /// The configured blocks, primary first.
    pub fn cidrs(&self) -> impl Iterator<Item = Cidr> + '_ {
        self.blocks.iter().map(|block| block.cidr)
    }

    /// The addresses for the Service `kubernetes`: the first of each block.
    pub fn kubernetes(&self) -> Vec<IpAddr> {
        self.nth(1)
    }

    /// The addresses for the cluster's DNS Service: the tenth of each block.
    pub fn dns(&self) -> Vec<IpAddr> {
        self.nth(10)
    }

    fn nth(&self, distance: u128) -> Vec<IpAddr> {
        self.blocks.iter().filter_map(|block| block.cidr.nth(distance)).collect()
    }

    /// Takes a free address.
    pub fn allocate(&mut self, family: Family) -> Result<IpAddr, AddressError> {
        let block = self
            .blocks
            .iter_mut()
            .find(|block| block.cidr.family == family)
            .ok_or(AddressError::NoFamily(family))?;
        let number = block.pool.allocate().ok_or(AddressError::Full)?;
        Ok(family.address(number))
    }

    /// Takes this address.
    pub fn reserve(&mut self, ip: IpAddr) -> Result<(), AddressError> {
        let family = Family::of(ip);
        let primary = self.blocks[0].cidr;
        let Some(block) = self.blocks.iter_mut().find(|block| block.cidr.family == family) else {
            return Err(AddressError::NotInRange { ip, range: primary });
        };
        if !block.pool.contains(number(ip)) {
            return Err(AddressError::NotInRange { ip, range: block.cidr });
        }
        if block.pool.take(number(ip)) { Ok(()) } else { Err(AddressError::Allocated) }
    }

    /// Gives an address back; one that was not taken is left as it is.
    pub fn release(&mut self, ip: IpAddr) {
        let family = Family::of(ip);
        if let Some(block) = self.blocks.iter_mut().find(|block| block.cidr.family == family) {
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
        let cidrs: Vec<Cidr> = cidrs.iter().map(|cidr| cidr.parse().unwrap()).collect();
        ServiceRange::new(&cidrs).unwrap()
    }

    /// Always the lowest free address.
    fn in_order(cidr: &str) -> ServiceRange {
        ServiceRange::with_random(&[cidr.parse().unwrap()], || Box::new(|| 0)).unwrap()
    }

    #[test]
    fn texts() {
        let check = |text: &str, expected: &str| {
            let shown = match text.parse::<Cidr>() {
                Ok(cidr) => cidr.to_string(),
                Err(error) => error.to_string(),
            };
            assert_eq!(shown, expected);
        };
        check("10.96.0.0/12", "10.96.0.0/12");
        check("fd00:10:96::/112", "fd00:10:96::/112");
        check("0.0.0.0/0", "0.0.0.0/0");
        check("::/0", "::/0");
        check(
            "10.97.0.0/12",
            "10.97.0.0/12 has bits set beyond its prefix length: did you mean 10.96.0.0/12?",
        );
        for bad in ["10.96.0.0", "10.96.0.0/33", "10.96.0.0/", "10.96.0.0/+8", "x/8", "::/129", ""]
        {
            let expected = format!(
                "{bad:?} is no CIDR: expected an address and a prefix length, such as 10.96.0.0/12"
            );
            check(bad, &expected);
        }
    }

    #[test]
    fn ranges_are_checked() {
        let check = |cidrs: &[&str], expected: &str| {
            let cidrs: Vec<Cidr> = cidrs.iter().map(|cidr| cidr.parse().unwrap()).collect();
            assert_eq!(ServiceRange::new(&cidrs).err().unwrap().to_string(), expected);
        };
        check(&[], "there must be one service CIDR, or two of different families");
        check(
            &["10.0.0.0/24", "10.1.0.0/24"],
            "there must be one service CIDR, or two of different families",
        );
        check(
            &["10.0.0.0/29"],
            "the service CIDR 10.0.0.0/29 is too small: it must hold at least 16 addresses",
        );
    }

    #[test]
    fn well_known_addresses() {
        let range = range(&["10.96.0.0/12", "fd00:10:96::/112"]);
        let shown = |ips: Vec<IpAddr>| ips.iter().map(IpAddr::to_string).collect::<Vec<_>>();
        assert_eq!(shown(range.kubernetes()), ["10.96.0.1", "fd00:10:96::1"]);
        assert_eq!(shown(range.dns()), ["10.96.0.10", "fd00:10:96::a"]);
        assert_eq!(range.families().collect::<Vec<_>>(), [Family::V4, Family::V6]);
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
                let IpAddr::V4(ip) = range.allocate(Family::V4).unwrap() else { panic!() };
                let host = ip.octets()[3];
                assert!((1..=62).contains(&host), "neither network nor broadcast");
                assert_eq!(host > 16, n < 46, "the band last");
                assert!(given.insert(host));
            }
            assert_eq!(range.allocate(Family::V4), Err(AddressError::Full));
            range.release("10.0.0.33".parse().unwrap());
            assert_eq!(range.allocate(Family::V4), Ok("10.0.0.33".parse().unwrap()));
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
            range.allocate(Family::V6).unwrap_err().to_string(),
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
                    Step::Allocate => match range.allocate(Family::V4) {
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
