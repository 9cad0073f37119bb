//! A table of nftables as a value, and the scripts that make it or change one into another.

use std::collections::BTreeMap;
use std::fmt::Write as _;

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

/// Two transactions, one after the other. The second takes away what the first no longer refers to: kernels before 6.6 refuse
/// to delete a chain in the same transaction as the last element of a map that jumped to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// What is to be so from now on.
    pub script: String,
    /// What is left over then.
    pub sweep: String,
}

impl Change {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.script.is_empty() && self.sweep.is_empty()
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

    /// The script that makes the table, whatever was there before.
    pub(super) fn whole(&self, change: &mut Change) {
        let ip = Words::of(self.family).ip;
        for verb in ["add", "delete", "add"] {
            line(&mut change.script, format_args!("{verb} table {ip} {NAME}"));
        }
        self.change_from(&Self::new(self.family), change);
    }

    /// What changes an earlier table into this one. What is as before is not touched, so that counts and what sets have
    /// learned stay.
    pub(super) fn change_from(&self, old: &Self, change: &mut Change) {
        let ip = Words::of(self.family).ip;
        let Change { script, sweep } = change;
        for (name, set) in &self.sets {
            if !old.sets.contains_key(name) {
                let (word, spec) = (set.word(), &set.spec);
                line(script, format_args!("add {word} {ip} {NAME} {name} {{ {spec} }}"));
            }
        }
        for (name, chain) in &self.chains {
            if !old.chains.contains_key(name) {
                let hook =
                    chain.hook.as_ref().map(|hook| format!(" {{ {hook} }}")).unwrap_or_default();
                line(script, format_args!("add chain {ip} {NAME} {name}{hook}"));
            }
        }
        for (name, chain) in &self.chains {
            let before = old.chains.get(name);
            if before == Some(chain) {
                continue;
            }
            if before.is_some() {
                line(script, format_args!("flush chain {ip} {NAME} {name}"));
            }
            for rule in &chain.rules {
                line(script, format_args!("add rule {ip} {NAME} {name} {rule}"));
            }
        }
        for name in old.chains.keys().filter(|name| !self.chains.contains_key(*name)) {
            line(script, format_args!("flush chain {ip} {NAME} {name}"));
            line(sweep, format_args!("delete chain {ip} {NAME} {name}"));
        }
        for (name, set) in &self.sets {
            let empty = BTreeMap::new();
            let (before, now) = (old.sets.get(name).map_or(empty, Set::written), set.written());
            let gone = before.iter().filter(|(key, value)| now.get(*key) != Some(*value));
            elements(script, "delete", ip, name, gone);
            let new = now.iter().filter(|(key, value)| before.get(*key) != Some(*value));
            elements(script, "add", ip, name, new);
        }
        for (name, set) in old.sets.iter().filter(|(name, _)| !self.sets.contains_key(*name)) {
            let word = set.word();
            elements(script, "delete", ip, name, set.written().iter());
            line(sweep, format_args!("delete {word} {ip} {NAME} {name}"));
        }
    }
}

/// Adds or deletes elements of a set.
fn elements<'a>(
    script: &mut String,
    verb: &str,
    ip: &str,
    set: &str,
    elements: impl Iterator<Item = (&'a &'a str, &'a Option<&'a str>)>,
) {
    let written: Vec<String> = elements
        .map(|(key, value)| {
            value.map_or_else(|| (*key).to_owned(), |value| format!("{key} : {value}"))
        })
        .collect();
    if !written.is_empty() {
        let written = written.join(", ");
        line(script, format_args!("{verb} element {ip} {NAME} {set} {{ {written} }}"));
    }
}

fn line(script: &mut String, text: std::fmt::Arguments<'_>) {
    writeln!(script, "{text}").expect("a string takes all that is written to it");
}
