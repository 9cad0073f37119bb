//! What stands for an address that only a cluster can allot.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use directory::view::ObjectName;
use directory::{Name, Rdata, dashed};
use manifest::IpFamily;

use crate::settle::{Addresses, Holder};

/// The addresses that stand for others, by what they stand for. Without any, everything is shown as it is.
#[derive(Debug, Default)]
pub(crate) struct Symbols {
    /// `ip of db-0`, without brackets.
    addresses: BTreeMap<IpAddr, String>,
    /// The addresses as labels.
    labels: HashMap<String, IpAddr>,
    /// Whether the ranges for documentation were not enough.
    pub(crate) overflowed: bool,
}

impl Symbols {
    pub(crate) fn new(addresses: &Addresses) -> Self {
        let held: Vec<_> = addresses.held().collect();
        let mut families: BTreeMap<&Holder, usize> = BTreeMap::new();
        let mut names: BTreeMap<(bool, &str), Vec<&ObjectName>> = BTreeMap::new();
        for (holder, _, _) in &held {
            *families.entry(holder).or_default() += 1;
            let (is_pod, id) = match holder {
                Holder::Pod(id) => (true, id),
                Holder::Service(id) => (false, id),
                Holder::Server => continue,
            };
            let of_name = names.entry((is_pod, &id.name)).or_default();
            if !of_name.contains(&id) {
                of_name.push(id);
            }
        }
        let mut symbols = Self { overflowed: addresses.overflowed(), ..Self::default() };
        for (holder, family, address) in &held {
            let ip = match (families.get(holder), family) {
                (Some(2), IpFamily::V4) => "ipv4",
                (Some(2), IpFamily::V6) => "ipv6",
                _ => "ip",
            };
            // The namespace is said where the name alone could mean two.
            let title = |is_pod: bool, id: &ObjectName| match names
                .get(&(is_pod, &*id.name))
                .map_or(0, Vec::len)
            {
                0 | 1 => id.name.to_string(),
                _ => id.to_string(),
            };
            let text = match holder {
                Holder::Pod(id) => format!("{ip} of {}", title(true, id)),
                Holder::Service(id) => format!("cluster {ip} of {}", title(false, id)),
                Holder::Server => format!("{ip} of the DNS server"),
            };
            symbols.labels.insert(dashed(*address), *address);
            symbols.addresses.insert(*address, text);
        }
        symbols
    }

    /// Whether nothing stands for anything else.
    pub(crate) fn is_empty(&self) -> bool {
        self.addresses.is_empty()
    }

    /// What an address stands for: `ip of db-0`.
    pub(crate) fn meaning(&self, address: IpAddr) -> Option<&str> {
        self.addresses.get(&address).map(String::as_str)
    }

    /// `<ip of db-0>`, or the address itself.
    pub(crate) fn address(&self, address: IpAddr) -> String {
        match self.meaning(address) {
            Some(meaning) => format!("<{meaning}>"),
            None => address.to_string(),
        }
    }

    /// A name of the cluster zone, in which a label may be an address: `<dashed ip of web-1>.web.default.svc…`.
    pub(crate) fn name(&self, name: &Name) -> String {
        let text = name.to_string();
        let labelled = text.split_once('.').and_then(|(label, rest)| {
            let mut below = rest.split('.');
            let ours = below.nth(1) == Some("pod") || below.next() == Some("svc");
            if !ours {
                return None;
            }
            Some(format!("<dashed {}>.{rest}", self.meaning(*self.labels.get(label)?)?))
        });
        labelled.unwrap_or(text)
    }

    /// The reverse name of an address: `<reverse name of ip of db-0>`, or as it is.
    pub(crate) fn reverse(&self, name: &Name, address: IpAddr) -> String {
        match self.meaning(address) {
            Some(meaning) => format!("<reverse name of {meaning}>"),
            None => name.to_string(),
        }
    }

    /// Data in presentation format, with symbols.
    pub(crate) fn data(&self, data: &Rdata) -> String {
        match data {
            Rdata::A(address) => self.address((*address).into()),
            Rdata::Aaaa(address) => self.address((*address).into()),
            Rdata::Cname(name) | Rdata::Ptr(name) | Rdata::Ns(name) => self.name(name),
            Rdata::Srv { priority, weight, port, target } => {
                format!("{priority} {weight} {port} {}", self.name(target))
            }
            Rdata::Soa { .. } | Rdata::Txt(_) | Rdata::Hinfo { .. } => data.to_string(),
        }
    }
}
