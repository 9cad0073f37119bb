//! A table of nftables as a value, and the scripts that make it or change one into another.

use std::collections::BTreeMap;

use manifest::IpFamily;

/// The table's name, in each family.
const NAME: &str = "headcount";

/// How nftables calls things of a family of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Words {
    /// The family of a table, and what stands before `saddr`: `ip`.
    pub(super) ip: &'static str,
    /// The type of an address in a set: `ipv4_addr`.
    pub(super) address: &'static str,
    /// The protocol in which errors are told: `icmp`.
    pub(super) icmp: &'static str,
}

impl Words {
    pub(super) fn of(family: IpFamily) -> Self {
        match family {
            IpFamily::V4 => Self { ip: "ip", address: "ipv4_addr", icmp: "icmp" },
            IpFamily::V6 => Self { ip: "ip6", address: "ipv6_addr", icmp: "icmpv6" },
        }
    }
}

/// A chain and its rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Chain {
    /// The hook of a base chain: `type filter hook forward priority 0;`. Of one name it never changes.
    pub(super) hook: Option<String>,
    pub(super) rules: Vec<String>,
}

/// What a named set holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Elements {
    /// These keys.
    Keys(BTreeMap<String, ()>),
    /// These keys, with what follows from each: a map of verdicts.
    Verdicts(BTreeMap<String, String>),
    /// What rules put there while packets pass; a change leaves it alone.
    Learned,
}

/// A named set or map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Set {
    /// `type ipv4_addr;`. Of one name it never changes.
    pub(super) spec: String,
    pub(super) elements: Elements,
}

impl Set {
    /// `set` or `map`.
    fn word(&self) -> &'static str {
        match self.elements {
            Elements::Keys(_) | Elements::Learned => "set",
            Elements::Verdicts(_) => "map",
        }
    }

    /// The elements as they are written.
    fn written(&self) -> BTreeMap<&str, Option<&str>> {
        match &self.elements {
            Elements::Keys(keys) => keys.keys().map(|key| (key.as_str(), None)).collect(),
            Elements::Verdicts(verdicts) => verdicts
                .iter()
                .map(|(key, verdict)| (key.as_str(), Some(verdict.as_str())))
                .collect(),
            Elements::Learned => BTreeMap::new(),
        }
    }
}

/// A table of one family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) family: IpFamily,
    pub(super) chains: BTreeMap<String, Chain>,
    pub(super) sets: BTreeMap<String, Set>,
}

/// So many octets a script has at most, unless one chain alone has more. A user without rights may not give netlink a larger buffer, and what
/// nft makes of a script must fit into it: some 400 KiB, of which a script of this size takes half.
const SCRIPT_MAX: usize = 32 << 10;

/// So many octets of elements are written at once.
const ELEMENTS_MAX: usize = 4 << 10;

/// Transactions, one after the other: what is to be so from now on, then what takes away what is not referred to any more. Most changes are one
/// of each. (Some kernels refuse to delete a chain in the same transaction as the last element of a map that jumped to it.)
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    scripts: Vec<String>,
    sweeps: Vec<String>,
}

impl Change {
    /// The scripts, in order.
    pub fn scripts(&self) -> impl Iterator<Item = &str> {
        self.scripts.iter().chain(&self.sweeps).map(String::as_str)
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.scripts().next().is_none()
    }
}

/// Adds lines that belong together to the last script, or to one more.
fn push(scripts: &mut Vec<String>, lines: &str) {
    match scripts.last_mut() {
        Some(last) if last.len() + lines.len() <= SCRIPT_MAX => last.push_str(lines),
        _ => scripts.push(lines.to_owned()),
    }
}

impl Table {
    pub(super) fn new(family: IpFamily) -> Self {
        Self { family, chains: BTreeMap::new(), sets: BTreeMap::new() }
    }

    /// Adds a rule to a chain, which comes to be by that.
    pub(super) fn rule(&mut self, chain: &str, rule: impl Into<String>) {
        match self.chains.get_mut(chain) {
            Some(chain) => chain.rules.push(rule.into()),
            None => {
                let rules = vec![rule.into()];
                self.chains.insert(chain.to_owned(), Chain { hook: None, rules });
            }
        }
    }

    /// Adds a base chain.
    pub(super) fn base(&mut self, chain: &str, hook: &str, rules: Vec<String>) {
        self.chains.insert(chain.to_owned(), Chain { hook: Some(hook.to_owned()), rules });
    }

    /// What makes the table, whatever was there before.
    pub(super) fn whole(&self, change: &mut Change) {
        let ip = Words::of(self.family).ip;
        let lines = ["add", "delete", "add"].map(|verb| format!("{verb} table {ip} {NAME}\n"));
        push(&mut change.scripts, &lines.concat());
        self.change_from(&Self::new(self.family), change);
    }

    /// What changes an earlier table into this one. What is as before is not touched, so that counts and what sets have
    /// learned stay. Whatever is cut between two scripts, packets meet whole chains: a chain is made before anything leads to it, and emptied when
    /// nothing does.
    pub(super) fn change_from(&self, old: &Self, change: &mut Change) {
        let ip = Words::of(self.family).ip;
        let Change { scripts, sweeps } = change;
        for (name, set) in &self.sets {
            if !old.sets.contains_key(name) {
                let (word, spec) = (set.word(), &set.spec);
                push(scripts, &format!("add {word} {ip} {NAME} {name} {{ {spec} }}\n"));
            }
        }
        for (name, chain) in &self.chains {
            if !old.chains.contains_key(name) {
                let hook = chain.hook.as_ref().map(|hook| format!(" {{ {hook} }}"));
                push(
                    scripts,
                    &format!("add chain {ip} {NAME} {name}{}\n", hook.unwrap_or_default()),
                );
            }
        }
        for (name, chain) in &self.chains {
            let before = old.chains.get(name);
            if before == Some(chain) {
                continue;
            }
            let flush = before.map(|_| format!("flush chain {ip} {NAME} {name}\n"));
            let rules =
                chain.rules.iter().map(|rule| format!("add rule {ip} {NAME} {name} {rule}\n"));
            push(scripts, &flush.into_iter().chain(rules).collect::<String>());
        }
        for (name, set) in &self.sets {
            let empty = BTreeMap::new();
            let (before, now) = (old.sets.get(name).map_or(empty, Set::written), set.written());
            let gone = before.iter().filter(|(key, value)| now.get(*key) != Some(*value));
            elements(scripts, "delete", ip, name, gone);
            let new = now.iter().filter(|(key, value)| before.get(*key) != Some(*value));
            elements(scripts, "add", ip, name, new);
        }
        for name in old.chains.keys().filter(|name| !self.chains.contains_key(*name)) {
            push(sweeps, &format!("flush chain {ip} {NAME} {name}\n"));
        }
        for name in old.chains.keys().filter(|name| !self.chains.contains_key(*name)) {
            push(sweeps, &format!("delete chain {ip} {NAME} {name}\n"));
        }
        for (name, set) in old.sets.iter().filter(|(name, _)| !self.sets.contains_key(*name)) {
            push(sweeps, &format!("delete {} {ip} {NAME} {name}\n", set.word()));
        }
    }
}

/// Adds or deletes elements of a set.
fn elements<'a>(
    scripts: &mut Vec<String>,
    verb: &str,
    ip: &str,
    set: &str,
    elements: impl Iterator<Item = (&'a &'a str, &'a Option<&'a str>)>,
) {
    let mut line = String::new();
    let end = |scripts: &mut Vec<String>, line: &mut String| {
        if !line.is_empty() {
            push(scripts, &format!("{verb} element {ip} {NAME} {set} {{ {line} }}\n"));
            line.clear();
        }
    };
    for (key, value) in elements {
        if line.len() > ELEMENTS_MAX {
            end(scripts, &mut line);
        }
        let comma = if line.is_empty() { "" } else { ", " };
        let value = value.map(|value| format!(" : {value}")).unwrap_or_default();
        line.push_str(&format!("{comma}{key}{value}"));
    }
    end(scripts, &mut line);
}
