//! Indexes of the world: small maps that answer the questions controllers ask most.

use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Names by namespace, key and value: pods by label, Services by a pair of their selector.
#[derive(Clone, Debug, Default)]
pub(super) struct PairIndex {
    namespaces: HashMap<String, HashMap<String, HashMap<String, BTreeSet<String>>>>,
}

impl PairIndex {
    pub(super) fn insert(&mut self, namespace: &str, key: &str, value: &str, name: &str) {
        self.namespaces
            .entry(namespace.to_owned())
            .or_default()
            .entry(key.to_owned())
            .or_default()
            .entry(value.to_owned())
            .or_default()
            .insert(name.to_owned());
    }

    pub(super) fn remove(&mut self, namespace: &str, key: &str, value: &str, name: &str) {
        let Some(keys) = self.namespaces.get_mut(namespace) else { return };
        let Some(values) = keys.get_mut(key) else { return };
        let Some(names) = values.get_mut(value) else { return };
        names.remove(name);
        if names.is_empty() {
            values.remove(value);
        }
        if values.is_empty() {
            keys.remove(key);
        }
        if keys.is_empty() {
            self.namespaces.remove(namespace);
        }
    }

    /// The names under this pair.
    pub(super) fn get(&self, namespace: &str, key: &str, value: &str) -> Option<&BTreeSet<String>> {
        self.namespaces.get(namespace)?.get(key)?.get(value)
    }

    fn count(&self, namespace: &str, key: &str, value: &str) -> usize {
        self.get(namespace, key, value).map_or(0, BTreeSet::len)
    }

    /// The smallest set of names that holds every name with all of these pairs; `None` when `pairs` is empty or
    /// no name has one of them.
    pub(super) fn narrowest(
        &self,
        namespace: &str,
        pairs: &BTreeMap<String, String>,
    ) -> Option<&BTreeSet<String>> {
        let keys = self.namespaces.get(namespace)?;
        let mut best: Option<&BTreeSet<String>> = None;
        for (key, value) in pairs {
            let names = keys.get(key)?.get(value)?;
            if best.is_none_or(|best| names.len() < best.len()) {
                best = Some(names);
            }
        }
        best
    }
}

/// Objects with an equality selector, found by the labels that they may select.
///
/// Each is filed under one pair of its selector only: the pair with the fewest others at the time, so that a
/// pair which all share (`tier: backend`) does not gather them all.
#[derive(Clone, Debug, Default)]
pub(super) struct SelectorIndex {
    pairs: PairIndex,
    filed: HashMap<String, HashMap<String, (String, String)>>,
}

impl SelectorIndex {
    pub(super) fn insert(
        &mut self,
        namespace: &str,
        name: &str,
        selector: &BTreeMap<String, String>,
    ) {
        let Some((key, value)) =
            selector.iter().min_by_key(|(key, value)| self.pairs.count(namespace, key, value))
        else {
            return;
        };
        self.pairs.insert(namespace, key, value, name);
        self.filed
            .entry(namespace.to_owned())
            .or_default()
            .insert(name.to_owned(), (key.clone(), value.clone()));
    }

    pub(super) fn remove(&mut self, namespace: &str, name: &str) {
        let Some(filed) = self.filed.get_mut(namespace) else { return };
        if let Some((key, value)) = filed.remove(name) {
            self.pairs.remove(namespace, &key, &value, name);
        }
        if filed.is_empty() {
            self.filed.remove(namespace);
        }
    }

    /// The names whose selector may match these labels: a superset, to be checked.
    pub(super) fn candidates<'a>(
        &'a self,
        namespace: &'a str,
        labels: &'a BTreeMap<String, String>,
    ) -> impl Iterator<Item = &'a String> {
        labels
            .iter()
            .filter_map(move |(key, value)| self.pairs.get(namespace, key, value))
            .flatten()
    }
}

/// A set of members by group, without empty groups.
#[derive(Clone, Debug)]
pub(super) struct Groups<M> {
    groups: HashMap<String, BTreeSet<M>>,
}

impl<M> Default for Groups<M> {
    fn default() -> Self {
        Self { groups: HashMap::new() }
    }
}

impl<M: Ord> Groups<M> {
    pub(super) fn insert(&mut self, group: &str, member: M) {
        match self.groups.get_mut(group) {
            Some(members) => {
                members.insert(member);
            }
            None => {
                self.groups.insert(group.to_owned(), BTreeSet::from([member]));
            }
        }
    }

    pub(super) fn remove(&mut self, group: &str, member: &M) {
        if let Some(members) = self.groups.get_mut(group) {
            members.remove(member);
            if members.is_empty() {
                self.groups.remove(group);
            }
        }
    }

    /// Every member of every group; one that is in several comes several times.
    pub(super) fn members(&self) -> impl Iterator<Item = &M> {
        self.groups.values().flatten()
    }

    pub(super) fn get(&self, group: &str) -> impl Iterator<Item = &M> {
        self.groups.get(group).into_iter().flatten()
    }
}
