//! Address ranges given on the command line: one, or one of each family.

use std::fmt;
use std::str::FromStr;

use ipnet::IpNet;

/// One address range, or one of each family; the first is the cluster's primary family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Families(Vec<IpNet>);

impl Families {
    pub(super) fn ranges(&self) -> &[IpNet] {
        &self.0
    }

    /// A range of ours and one of `other` that share addresses.
    pub(super) fn overlap(&self, other: &Self) -> Option<(IpNet, IpNet)> {
        self.0.iter().find_map(|ours| {
            let theirs =
                other.0.iter().find(|theirs| ours.contains(*theirs) || theirs.contains(ours))?;
            Some((*ours, *theirs))
        })
    }
}

impl From<IpNet> for Families {
    fn from(range: IpNet) -> Self {
        Self(vec![range])
    }
}

impl fmt::Display for Families {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ranges: Vec<String> = self.0.iter().map(IpNet::to_string).collect();
        f.write_str(&ranges.join(","))
    }
}

impl FromStr for Families {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let ranges = text
            .split(',')
            .map(|part| match part.trim().parse::<IpNet>() {
                Ok(range) if range.addr() == range.network() => Ok(range),
                Ok(range) => Err(format!(
                    "{part} has bits set beyond its prefix: did you mean {}?",
                    range.trunc()
                )),
                Err(_) => Err(format!(
                    "{part:?} is not an address range such as 10.244.0.0/16 or fd00:10:244::/56"
                )),
            })
            .collect::<Result<Vec<_>, _>>()?;
        match ranges[..] {
            [_] | [IpNet::V4(_), IpNet::V6(_)] | [IpNet::V6(_), IpNet::V4(_)] => Ok(Self(ranges)),
            _ => Err("give one range, or one of IPv4 and one of IPv6".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<usize, &str>) {
        let seen = text.parse::<Families>().map(|families| families.0.len());
        assert_eq!(seen, expected.map_err(str::to_owned), "{text}");
    }

    #[test]
    fn one_range_or_one_of_each_family() {
        check("10.244.0.0/16", Ok(1));
        check("fd00:10:244::/56", Ok(1));
        check("10.244.0.0/16,fd00:10:244::/56", Ok(2));
        check("fd00::/108, 10.96.0.0/12", Ok(2));
        check(
            "10.244.0.1/16",
            Err("10.244.0.1/16 has bits set beyond its prefix: did you mean 10.244.0.0/16?"),
        );
        check("10.0.0.0/8,11.0.0.0/8", Err("give one range, or one of IPv4 and one of IPv6"));
        check(
            "pods",
            Err("\"pods\" is not an address range such as 10.244.0.0/16 or fd00:10:244::/56"),
        );
    }

    #[test]
    fn overlaps_are_found_in_both_directions() {
        let families = |text: &str| text.parse::<Families>().expect("a good range");
        assert!(families("10.0.0.0/8").overlap(&families("10.96.0.0/12")).is_some());
        assert!(families("10.96.0.0/12").overlap(&families("10.0.0.0/8")).is_some());
        assert!(families("10.244.0.0/16").overlap(&families("10.96.0.0/12,fd00::/108")).is_none());
    }
}
