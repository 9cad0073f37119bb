//! All objects of one kind, by namespace and name.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// All objects of one kind. Cluster-scoped ones are in the namespace "".
#[derive(Clone, Debug)]
pub struct Store<T> {
    namespaces: HashMap<String, BTreeMap<String, Arc<T>>>,
    size: usize,
}

impl<T> Default for Store<T> {
    fn default() -> Self {
        Self { namespaces: HashMap::new(), size: 0 }
    }
}

impl<T> Store<T> {
    /// The object of this name.
    pub fn get(&self, namespace: &str, name: &str) -> Option<&Arc<T>> {
        self.namespaces.get(namespace)?.get(name)
    }

    /// The objects of one namespace, by name.
    pub fn in_namespace(&self, namespace: &str) -> impl Iterator<Item = &Arc<T>> {
        self.namespaces.get(namespace).into_iter().flat_map(BTreeMap::values)
    }

    /// All objects, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<T>> {
        self.namespaces.values().flat_map(BTreeMap::values)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.size
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.size == 0
    }

    /// Puts an object in, in place of one of the same name.
    pub(super) fn insert(&mut self, namespace: &str, name: &str, object: Arc<T>) {
        let objects = self.namespaces.entry(namespace.to_owned()).or_default();
        self.size += usize::from(objects.insert(name.to_owned(), object).is_none());
    }

    /// Takes an object out.
    pub(super) fn remove(&mut self, namespace: &str, name: &str) {
        let Some(objects) = self.namespaces.get_mut(namespace) else { return };
        self.size -= usize::from(objects.remove(name).is_some());
        if objects.is_empty() {
            self.namespaces.remove(namespace);
        }
    }
}
