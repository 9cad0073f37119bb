//! What is known of the cluster: an indexed cache of typed objects, and which work a change calls for.
//!
//! **Late echoes.** The results of own writes are applied at once and the watch delivers them again later, perhaps
//! after newer ones. So `apply` ignores an object whose resourceVersion is not newer than that of the object it
//! would replace (resourceVersions are compared as numbers; an object without one, or with another form, always
//! counts as newer), and one whose UID was removed lately (a bounded memory of UIDs; beyond it the watch is
//! authoritative, and its DELETED event follows every echo of an earlier state). `remove` takes the UID, so that
//! the late DELETED of an old pod does not remove its successor of the same name.
//!
//! Of kinds whose content no controller reads only the metadata is kept. Objects of kind Event are not kept.

mod affected;
mod index;
mod kept;
mod pod;
mod refusals;
mod store;
mod tombstones;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::core::v1::{Endpoints, Namespace, Node, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta, OwnerReference};
use manifest::labels::ENDPOINTS_MANAGED_BY;
use manifest::{Object, ObjectRef, StoredObject};

use crate::{Key, Work};
use affected::{gather, gather_stored};
use index::{Groups, PairIndex, SelectorIndex};
use kept::{Indexed, reference_of};
pub use kept::{Kept, kinds};
pub(crate) use kept::{known, names, reference};
pub use pod::Pod;
pub(crate) use pod::Ready;
pub use refusals::Refusal;
use refusals::Refusals;
pub use store::Store;
use tombstones::Tombstones;

/// The indexed cache. See the module's documentation for what it ignores.
#[derive(Clone, Debug, Default)]
pub struct World {
    namespaces: Store<Namespace>,
    nodes: Store<Node>,
    pods: Store<Pod>,
    services: Store<Service>,
    endpoints: Store<Endpoints>,
    slices: Store<EndpointSlice>,
    stateful_sets: Store<StatefulSet>,
    deployments: Store<Deployment>,
    replica_sets: Store<ReplicaSet>,
    revisions: Store<ControllerRevision>,
    /// The metadata of objects of the other kinds, by kind.
    stored: BTreeMap<&'static str, Store<ObjectMeta>>,

    pods_by_label: PairIndex,
    pods_by_node: Groups<Key>,
    services_by_selector: SelectorIndex,
    /// EndpointSlices by their label `kubernetes.io/service-name`.
    slices_by_service: PairIndex,
    /// Objects by the UIDs of their owners.
    dependents: Groups<ObjectRef>,
    /// ReplicaSets that nothing controls, by namespace.
    orphan_replica_sets: Groups<String>,
    /// ControllerRevisions that nothing controls, by namespace.
    orphan_revisions: Groups<String>,

    synced: HashSet<&'static str>,
    tombstones: Tombstones,
    refusals: Refusals,
}

impl World {
    /// An empty world, no kind of which is synced.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts in an object as created, read or watched, and says what must be looked at again: for the object as it
    /// was, and as it is. Nothing when it is a late echo.
    pub fn apply(&mut self, object: impl Into<Arc<Object>>) -> Vec<Work> {
        let object = object.into();
        match &*object {
            // Of these, which are most, the little that is kept is taken without a copy of the whole.
            Object::Pod(pod) => self.put(Pod::from(pod)),
            _ => self.put_object(Arc::unwrap_or_clone(object)),
        }
    }

    /// Takes out an object that is gone, and says what must be looked at again.
    ///
    /// With a `uid`, only that very object is taken out; without, whichever has the name.
    pub fn remove(&mut self, gone: &ObjectRef, uid: Option<&str>) -> Vec<Work> {
        if let Some(uid) = uid {
            self.tombstones.insert(uid);
        }
        self.take_object(gone, uid)
    }

    /// Notes that all objects of this kind are known by now. Until then none of them counts as gone.
    ///
    /// Returns what could not be decided before: objects whose owners of this kind are not there.
    pub fn set_synced(&mut self, kind: &'static str) -> Vec<Work> {
        if !self.synced.insert(kind) {
            return Vec::new();
        }
        let mut work = Vec::new();
        for reference in self.dependents.members() {
            let dangling = self.owner_references(reference).iter().any(|owner| {
                owner.kind == kind && !self.owner_present(&reference.namespace, owner)
            });
            if dangling {
                work.push(Work::Garbage(reference.clone()));
            }
        }
        if kind == "Service" {
            // Left over from a Service that went while nobody watched.
            for endpoints in self.endpoints.iter() {
                let (namespace, name) = names(&**endpoints);
                if self.services.get(namespace, name).is_some() {
                    continue;
                }
                let key = Key::new(namespace, name);
                work.push(Work::Mirror(key.clone()));
                let labels = endpoints.metadata.labels.as_ref();
                if labels.is_some_and(|labels| labels.contains_key(ENDPOINTS_MANAGED_BY)) {
                    work.push(Work::Endpoints(key));
                }
            }
        }
        if self.all_synced() {
            // Deletions that had to wait until every dependent and all content is known.
            let waiting = |work: &Work| matches!(work, Work::Garbage(_) | Work::Namespace(_));
            work.extend(self.all_work().into_iter().filter(waiting));
        }
        work.sort();
        work.dedup();
        work
    }

    /// Whether all objects of this kind are known.
    pub fn synced(&self, kind: &str) -> bool {
        self.synced.contains(kind)
    }

    /// Whether all objects of every kind are known.
    pub fn all_synced(&self) -> bool {
        kinds().all(|kind| self.synced(kind))
    }

    /// Notes what the last try of a piece of work came to: which creation was refused, or none. The next decision of
    /// the same work tells people about it.
    pub fn note_refusal(&mut self, work: &Work, refusal: Option<Refusal>) {
        self.refusals.note(work, refusal);
    }

    /// What the API refused when this work was last tried.
    pub(crate) fn refusal(&self, work: &Work) -> Option<&Refusal> {
        self.refusals.of(work)
    }

    /// The object of kind `T` with this name; `namespace` is empty for cluster-scoped kinds.
    pub fn get<T: Kept>(&self, namespace: &str, name: &str) -> Option<&Arc<T>> {
        T::store(self).get(namespace, name)
    }

    /// All objects of kind `T`.
    pub fn store<T: Kept>(&self) -> &Store<T> {
        T::store(self)
    }

    /// Everything to look at once, for a start: the work of every object.
    pub fn all_work(&self) -> Vec<Work> {
        let mut work = BTreeSet::new();
        self.gather_all(&mut work);
        work.into_iter().collect()
    }

    /// The pods of a namespace that carry all of these labels, by name. None for an empty selector.
    pub fn pods_with<'a>(
        &'a self,
        namespace: &'a str,
        labels: &'a BTreeMap<String, String>,
    ) -> impl Iterator<Item = &'a Arc<Pod>> {
        self.pods_by_label
            .narrowest(namespace, labels)
            .into_iter()
            .flatten()
            .filter_map(move |name| self.pods.get(namespace, name))
            .filter(move |pod| pod.metadata.labels.as_ref().is_some_and(|has| carries(has, labels)))
    }

    /// The pods of a namespace that a label selector may match: all that carry its `matchLabels`.
    pub(crate) fn pods_selected<'a>(
        &'a self,
        namespace: &'a str,
        selector: &'a LabelSelector,
    ) -> Box<dyn Iterator<Item = &'a Arc<Pod>> + 'a> {
        match selector.match_labels.as_ref().filter(|labels| !labels.is_empty()) {
            Some(labels) => Box::new(self.pods_with(namespace, labels)),
            None => Box::new(self.pods.in_namespace(namespace)),
        }
    }

    /// The ReplicaSets of a namespace that nothing controls.
    pub(crate) fn orphan_replica_sets<'a>(
        &'a self,
        namespace: &'a str,
    ) -> impl Iterator<Item = &'a Arc<ReplicaSet>> + 'a {
        self.orphan_replica_sets
            .get(namespace)
            .filter_map(move |name| self.replica_sets.get(namespace, name))
    }

    /// The ControllerRevisions of a namespace that nothing controls.
    pub(crate) fn orphan_revisions<'a>(
        &'a self,
        namespace: &'a str,
    ) -> impl Iterator<Item = &'a Arc<ControllerRevision>> + 'a {
        self.orphan_revisions
            .get(namespace)
            .filter_map(move |name| self.revisions.get(namespace, name))
    }

    /// The Services of a namespace whose selector matches these labels.
    pub fn services_selecting<'a>(
        &'a self,
        namespace: &'a str,
        labels: &'a BTreeMap<String, String>,
    ) -> impl Iterator<Item = &'a Arc<Service>> {
        self.services_by_selector
            .candidates(namespace, labels)
            .filter_map(move |name| self.services.get(namespace, name))
            .filter(move |service| selector(service).is_some_and(|wanted| carries(labels, wanted)))
    }

    /// The EndpointSlices that carry the label `kubernetes.io/service-name` with this value.
    pub fn slices_of<'a>(
        &'a self,
        namespace: &'a str,
        service: &str,
    ) -> impl Iterator<Item = &'a Arc<EndpointSlice>> + use<'a> {
        self.slices_by_service
            .get(namespace, manifest::labels::SERVICE_NAME, service)
            .into_iter()
            .flatten()
            .filter_map(move |name| self.slices.get(namespace, name))
    }

    /// The objects that name this UID among their owners.
    pub fn dependents_of(&self, uid: &str) -> impl Iterator<Item = &ObjectRef> {
        self.dependents.get(uid)
    }

    /// Whether this namespace is being deleted.
    pub fn terminating(&self, namespace: &str) -> bool {
        self.namespaces
            .get("", namespace)
            .is_some_and(|namespace| namespace.metadata.deletion_timestamp.is_some())
    }

    /// Whether the owner that an object of `namespace` names is in the world, with that UID.
    pub(crate) fn owner_present(&self, namespace: &str, owner: &OwnerReference) -> bool {
        known(&owner.api_version, &owner.kind, namespace, &owner.name)
            .and_then(|reference| self.uid(&reference))
            .is_some_and(|uid| uid == owner.uid)
    }

    fn put<T: Indexed>(&mut self, object: T) -> Vec<Work> {
        let target = reference(&object);
        if !self.is_news(&target, object.metadata()) {
            return Vec::new();
        }
        let old = T::store(self).get(&target.namespace, &target.name).cloned();
        if let Some(old) = &old {
            self.forget_owners(&target, old.metadata());
            old.unindex(self);
        }
        let object = Arc::new(object);
        T::store_mut(self).insert(&target.namespace, &target.name, object.clone());
        self.note_owners(&target, object.metadata());
        object.index(self);
        let mut work = BTreeSet::new();
        gather(self, old.as_deref(), Some(&*object), &mut work);
        work.into_iter().collect()
    }

    fn take<T: Indexed>(&mut self, gone: &ObjectRef, uid: Option<&str>) -> Vec<Work> {
        let Some(old) = T::store(self).get(&gone.namespace, &gone.name).cloned() else {
            return Vec::new();
        };
        if !self.is_end(old.metadata(), uid) {
            return Vec::new();
        }
        self.forget_owners(gone, old.metadata());
        old.unindex(self);
        T::store_mut(self).remove(&gone.namespace, &gone.name);
        let mut work = BTreeSet::new();
        gather(self, Some(&*old), None, &mut work);
        work.into_iter().collect()
    }

    fn put_stored(&mut self, object: StoredObject) -> Vec<Work> {
        let kind = manifest::Kind::of(manifest::KindId::Stored(object.kind)).kind;
        let target = reference_of(kind, &object.metadata);
        if !self.is_news(&target, &object.metadata) {
            return Vec::new();
        }
        let old =
            self.stored.entry(kind).or_default().get(&target.namespace, &target.name).cloned();
        if let Some(old) = &old {
            self.forget_owners(&target, old);
        }
        let metadata = Arc::new(object.metadata);
        let store = self.stored.entry(kind).or_default();
        store.insert(&target.namespace, &target.name, metadata.clone());
        self.note_owners(&target, &metadata);
        let mut work = BTreeSet::new();
        gather_stored(self, kind, old.as_deref(), Some(&metadata), &mut work);
        work.into_iter().collect()
    }

    fn take_stored(&mut self, gone: &ObjectRef, uid: Option<&str>) -> Vec<Work> {
        let Some(store) = self.stored.get(gone.kind) else { return Vec::new() };
        let Some(old) = store.get(&gone.namespace, &gone.name).cloned() else { return Vec::new() };
        if !self.is_end(&old, uid) {
            return Vec::new();
        }
        self.forget_owners(gone, &old);
        if let Some(store) = self.stored.get_mut(gone.kind) {
            store.remove(&gone.namespace, &gone.name);
        }
        let mut work = BTreeSet::new();
        gather_stored(self, gone.kind, Some(&old), None, &mut work);
        work.into_iter().collect()
    }

    /// Whether an object that arrives is no late echo.
    fn is_news(&self, target: &ObjectRef, metadata: &ObjectMeta) -> bool {
        if target.name.is_empty() {
            return false;
        }
        if metadata.uid.as_deref().is_some_and(|uid| self.tombstones.contains(uid)) {
            return false;
        }
        let held = self.metadata(target).and_then(|held| held.resource_version.as_deref());
        let held = held.and_then(revision_number);
        let offered = metadata.resource_version.as_deref().and_then(revision_number);
        !matches!((held, offered), (Some(held), Some(offered)) if offered <= held)
    }

    /// Whether the end of an object with this UID is the end of `old`; it is not forgotten then.
    fn is_end(&mut self, old: &ObjectMeta, uid: Option<&str>) -> bool {
        let held = old.uid.as_deref();
        if uid.is_some_and(|uid| held.is_some_and(|held| held != uid)) {
            return false;
        }
        if let Some(held) = held {
            self.tombstones.insert(held);
        }
        true
    }

    fn note_owners(&mut self, target: &ObjectRef, metadata: &ObjectMeta) {
        for owner in metadata.owner_references.iter().flatten() {
            self.dependents.insert(&owner.uid, target.clone());
        }
    }

    fn forget_owners(&mut self, target: &ObjectRef, metadata: &ObjectMeta) {
        for owner in metadata.owner_references.iter().flatten() {
            self.dependents.remove(&owner.uid, target);
        }
    }
}

/// Whether `labels` has every pair of `wanted`.
pub(crate) fn carries(
    labels: &BTreeMap<String, String>,
    wanted: &BTreeMap<String, String>,
) -> bool {
    wanted.iter().all(|(key, value)| labels.get(key) == Some(value))
}

/// A Service's selector, unless it is missing or empty.
pub(crate) fn selector(service: &Service) -> Option<&BTreeMap<String, String>> {
    service.spec.as_ref()?.selector.as_ref().filter(|selector| !selector.is_empty())
}

fn revision_number(text: &str) -> Option<u64> {
    text.parse().ok()
}
