//! All objects of one kind, by namespace and name.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use k8s_openapi::Metadata;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

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

impl<T: Metadata<Ty = ObjectMeta>> Store<T> {
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

    /// Puts an object in and returns the one that it replaces.
    pub(super) fn insert(&mut self, object: Arc<T>) -> Option<Arc<T>> {
        let metadata = object.metadata();
        let namespace = metadata.namespace.clone().unwrap_or_default();
        let name = metadata.name.clone().unwrap_or_default();
        let old = self.namespaces.entry(namespace).or_default().insert(name, object);
        self.size += usize::from(old.is_none());
        old
    }

    /// Takes an object out.
    pub(super) fn remove(&mut self, namespace: &str, name: &str) -> Option<Arc<T>> {
        let objects = self.namespaces.get_mut(namespace)?;
        let old = objects.remove(name)?;
        if objects.is_empty() {
            self.namespaces.remove(namespace);
        }
        self.size -= 1;
        Some(old)
    }
}
