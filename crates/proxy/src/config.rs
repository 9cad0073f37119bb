//! What the rules follow from besides objects.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use manifest::IpFamily;

/// The cluster's network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// The pods' addresses.
    pub pod_ranges: Vec<IpNet>,
    /// The Services' addresses.
    pub service_ranges: Vec<IpNet>,
    /// The addresses that load balancers are given.
    pub balancer_ranges: Vec<IpNet>,
    /// Where in the cluster's network TCP to the outside is taken, one listener of each family at most. What it takes has as its original
    /// destination what was dialled. Without one, nothing gets outside.
    pub egress: Vec<SocketAddr>,
    /// TCP ports of Services' addresses that are served in this process, where no rule may be in the way.
    pub served: Vec<SocketAddr>,
}

/// Addresses that are never outside: of a link, or of many.
const NEVER_OUTSIDE: [&str; 7] = [
    "127.0.0.0/8",
    "169.254.0.0/16",
    "224.0.0.0/4",
    "255.255.255.255/32",
    "::1/128",
    "fe80::/10",
    "ff00::/8",
];

impl Config {
    /// The families that the cluster has.
    pub(crate) fn families(&self) -> impl Iterator<Item = IpFamily> {
        let has = |family| move |range: &&IpNet| IpFamily::of(range.addr()) == family;
        [IpFamily::V4, IpFamily::V6]
            .into_iter()
            .filter(move |family| self.ranges().any(|range| has(*family)(&range)))
    }

    /// Where TCP to the outside goes.
    pub(crate) fn egress(&self, family: IpFamily) -> Option<SocketAddr> {
        self.egress.iter().copied().find(|address| IpFamily::of(address.ip()) == family)
    }

    /// Whether an address lies in the cluster, those of nodes apart.
    pub(crate) fn is_inside(&self, address: IpAddr) -> bool {
        self.ranges().any(|range| range.contains(&address))
    }

    /// All that is not outside, those of nodes apart.
    pub(crate) fn inside(&self, family: IpFamily) -> Vec<IpNet> {
        let fixed = NEVER_OUTSIDE.iter().filter_map(|range| range.parse().ok());
        of_family(self.ranges().copied().chain(fixed), family)
    }

    /// The ranges of what lies in the cluster, nodes apart.
    pub fn inside_ranges(&self) -> Vec<IpNet> {
        self.ranges().copied().collect()
    }

    fn ranges(&self) -> impl Iterator<Item = &IpNet> {
        self.pod_ranges.iter().chain(&self.service_ranges).chain(&self.balancer_ranges)
    }
}

/// Those of one family, none within another.
pub(crate) fn of_family(ranges: impl IntoIterator<Item = IpNet>, family: IpFamily) -> Vec<IpNet> {
    let ranges = ranges.into_iter().filter(|range| IpFamily::of(range.addr()) == family);
    IpNet::aggregate(&ranges.map(|range| range.trunc()).collect())
}
