//! The one that takes objects in.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::directory::{Directory, PodGroup, Published};
use crate::name::{Name, NameBuilder};
use crate::page::{Head, Page, Shape};
use crate::segment::Segment;
use crate::view::{
    ImportedFrom, ObjectName, PodView, Publisher, PublisherKind, ServiceView, SliceView,
};
use crate::{Reader, label};

/// What happened to an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A namespace exists.
    Namespace(Arc<str>),
    /// A namespace is gone. Services that are still in it are answered until they are gone too.
    NamespaceGone(Arc<str>),
    /// A Service exists like this.
    Service(ServiceView),
    /// A Service is gone. Its slices are kept for when it comes back.
    ServiceGone(ObjectName),
    /// A ServiceImport exists like this: headless or with addresses. Without a zone for them, imports and their slices are
    /// left out.
    Import(ServiceView),
    /// A ServiceImport is gone. Its slices are kept for when it comes back.
    ImportGone(ObjectName),
    /// A slice exists like this.
    Slice(SliceView),
    /// A slice is gone.
    SliceGone(ObjectName),
    /// A pod is alive like this.
    Pod(PodView),
    /// A pod is gone or finished.
    PodGone(ObjectName),
}

/// Takes objects in. There is one per directory. Every method publishes what it changed before it returns.
///
/// Objects may come in any order, a slice before its Service too; what is answered depends on the objects that are
/// there, not on the way there. For a relist, apply what the list holds, then drop the rest with
/// [`Writer::retain_services`] and its like; answers stay whole meanwhile. An object whose name no DNS label can
/// carry is kept but not published.
pub struct Writer {
    directory: Arc<Directory>,
    namespaces: HashMap<Arc<str>, NamespaceState>,
    services: HashMap<Publisher, ServiceState>,
    slices: HashMap<ObjectName, SliceOf>,
    /// By namespace, then name: most memory of the writer is here.
    pods: HashMap<Arc<str>, HashMap<Box<str>, PodState>>,
    pod_count: usize,
    /// Groups in use, so that they are shared.
    groups: HashSet<Arc<PodGroup>>,
    /// Services whose page is to be made anew.
    dirty: BTreeSet<Publisher>,
    changed: bool,
}

/// A namespace exists while it is declared or holds Services or pods.
#[derive(Default)]
struct NamespaceState {
    declared: bool,
    content: usize,
}

/// What a slice belongs to, of what is published.
#[derive(Default, PartialEq, Eq)]
struct SliceOf {
    service: Option<Arc<str>>,
    import: Option<Arc<str>>,
}

/// A Service, its slices, or both.
#[derive(Default)]
struct ServiceState {
    head: Option<Arc<Head>>,
    segments: BTreeMap<Arc<str>, Arc<Segment>>,
}

#[derive(PartialEq, Eq)]
struct PodState {
    addresses: Addresses,
    group: Arc<PodGroup>,
}

/// A pod has one address as a rule.
#[derive(PartialEq, Eq)]
enum Addresses {
    One(IpAddr),
    Many(Box<[IpAddr]>),
}

impl Addresses {
    fn new(mut addresses: Vec<IpAddr>) -> Self {
        addresses.sort_unstable();
        addresses.dedup();
        match addresses[..] {
            [one] => Self::One(one),
            _ => Self::Many(addresses.into()),
        }
    }

    fn as_slice(&self) -> &[IpAddr] {
        match self {
            Self::One(address) => std::slice::from_ref(address),
            Self::Many(addresses) => addresses,
        }
    }
}

impl SliceOf {
    fn publishers(&self, namespace: &Arc<str>) -> impl Iterator<Item = Publisher> + use<> {
        let Self { service, import } = self;
        let namespace = namespace.clone();
        let both = [
            (PublisherKind::Service, service.clone()),
            (PublisherKind::ServiceImport, import.clone()),
        ];
        both.into_iter().filter_map(move |(kind, name)| {
            Some(Publisher { kind, id: ObjectName::new(namespace.clone(), name?) })
        })
    }
}

impl Writer {
    pub(crate) fn new(directory: Arc<Directory>) -> Self {
        Self {
            directory,
            namespaces: HashMap::new(),
            services: HashMap::new(),
            slices: HashMap::new(),
            pods: HashMap::new(),
            pod_count: 0,
            groups: HashSet::new(),
            dirty: BTreeSet::new(),
            changed: false,
        }
    }

    /// Takes one change.
    pub fn apply(&mut self, change: Change) {
        self.apply_all([change]);
    }

    /// Takes changes in order and publishes each page that they touch once, when all are in: a reader sees all
    /// slices of a Service that came in one batch at once.
    pub fn apply_all(&mut self, changes: impl IntoIterator<Item = Change>) {
        for change in changes {
            match change {
                Change::Namespace(name) => self.declare_namespace(&name, true),
                Change::NamespaceGone(name) => self.declare_namespace(&name, false),
                Change::Service(view) => self.put_service(PublisherKind::Service, view),
                Change::ServiceGone(id) => {
                    self.drop_service(&Publisher { kind: PublisherKind::Service, id });
                }
                Change::Import(view) => self.put_service(PublisherKind::ServiceImport, view),
                Change::ImportGone(id) => {
                    self.drop_service(&Publisher { kind: PublisherKind::ServiceImport, id });
                }
                Change::Slice(view) => self.put_slice(&view),
                Change::SliceGone(id) => self.drop_slice(&id),
                Change::Pod(view) => self.put_pod(view),
                Change::PodGone(id) => self.drop_pod(&id),
            }
        }
        self.publish();
    }

    /// Drops the namespaces that `keep` refuses.
    pub fn retain_namespaces(&mut self, mut keep: impl FnMut(&str) -> bool) {
        let declared = self.namespaces.iter().filter(|(_, state)| state.declared);
        let gone = declared.filter(|(name, _)| !keep(name)).map(|(name, _)| name.clone());
        let gone: Vec<_> = gone.collect();
        self.apply_all(gone.into_iter().map(Change::NamespaceGone));
    }

    /// Drops the Services that `keep` refuses.
    pub fn retain_services(&mut self, keep: impl FnMut(&ObjectName) -> bool) {
        let gone = self.refused(PublisherKind::Service, keep);
        self.apply_all(gone.into_iter().map(Change::ServiceGone));
    }

    /// Drops the ServiceImports that `keep` refuses.
    pub fn retain_imports(&mut self, keep: impl FnMut(&ObjectName) -> bool) {
        let gone = self.refused(PublisherKind::ServiceImport, keep);
        self.apply_all(gone.into_iter().map(Change::ImportGone));
    }

    fn refused(
        &self,
        kind: PublisherKind,
        mut keep: impl FnMut(&ObjectName) -> bool,
    ) -> Vec<ObjectName> {
        let present = self.services.iter().filter(|(_, state)| state.head.is_some());
        let of_kind = present.filter(|(publisher, _)| publisher.kind == kind);
        let gone = of_kind.filter(|(publisher, _)| !keep(&publisher.id));
        gone.map(|(publisher, _)| publisher.id.clone()).collect()
    }

    /// Drops the slices that `keep` refuses.
    pub fn retain_slices(&mut self, mut keep: impl FnMut(&ObjectName) -> bool) {
        let gone: Vec<_> = self.slices.keys().filter(|id| !keep(id)).cloned().collect();
        self.apply_all(gone.into_iter().map(Change::SliceGone));
    }

    /// Drops the pods that `keep` refuses.
    pub fn retain_pods(&mut self, mut keep: impl FnMut(&ObjectName) -> bool) {
        let id = |namespace: &Arc<str>, name: &str| ObjectName::new(namespace.clone(), name);
        let ids = self
            .pods
            .iter()
            .flat_map(|(namespace, pods)| pods.keys().map(move |name| id(namespace, name)));
        let gone: Vec<_> = ids.filter(|id| !keep(id)).collect();
        self.apply_all(gone.into_iter().map(Change::PodGone));
    }

    /// The initial lists are in: from now on readers answer.
    pub fn set_synced(&mut self) {
        self.directory.synced.store(true, Ordering::Release);
    }

    /// A reader of this directory.
    pub fn reader(&self) -> Reader {
        Reader::new(Arc::clone(&self.directory))
    }

    fn declare_namespace(&mut self, name: &str, declared: bool) {
        self.change_namespace(name, |state| state.declared = declared);
    }

    fn change_namespace(&mut self, name: &str, change: impl FnOnce(&mut NamespaceState)) {
        let name = match self.namespaces.get_key_value(name) {
            Some((name, _)) => Arc::clone(name),
            None => name.into(),
        };
        let state = self.namespaces.entry(Arc::clone(&name)).or_default();
        let exists = |state: &NamespaceState| state.declared || state.content > 0;
        let before = exists(state);
        change(state);
        let after = exists(state);
        if !after {
            self.namespaces.remove(&name);
        }
        if before != after && label::is_publishable(&name) {
            self.directory.set_namespace(&name, after);
            self.changed = true;
        }
    }

    fn put_service(&mut self, kind: PublisherKind, view: ServiceView) {
        let Some(published) = self.directory.published(kind) else { return };
        let head = Head::new(kind, view, &published.zone.services);
        let publisher = head.publisher();
        let state = self.services.entry(publisher.clone()).or_default();
        if state.head.as_deref() == Some(&head) {
            return;
        }
        let is_new = state.head.replace(Arc::new(head)).is_none();
        if is_new {
            self.change_namespace(&publisher.id.namespace, |state| state.content += 1);
        }
        self.dirty.insert(publisher);
    }

    fn drop_service(&mut self, publisher: &Publisher) {
        let Some(state) = self.services.get_mut(publisher) else { return };
        if state.head.take().is_some() {
            if state.segments.is_empty() {
                self.services.remove(publisher);
            }
            self.change_namespace(&publisher.id.namespace, |state| state.content -= 1);
            self.dirty.insert(publisher.clone());
        }
    }

    fn put_slice(&mut self, view: &SliceView) {
        // A slice of a cluster that no name can carry is of no use to its import.
        let parent = view.import.as_ref().and_then(|from| self.parent_of(from, &view.id));
        let of = SliceOf {
            service: view.service.clone(),
            import: view
                .import
                .as_ref()
                .filter(|_| parent.is_some())
                .map(|from| from.import.clone()),
        };
        if self.slices.get(&view.id).is_some_and(|old| *old != of) {
            self.drop_slice(&view.id);
        }
        for publisher in of.publishers(&view.id.namespace) {
            let parent = match publisher.kind {
                PublisherKind::Service => None,
                PublisherKind::ServiceImport => parent.clone(),
            };
            let segment = Segment::new(view, parent, &self.directory.config);
            let state = self.services.entry(publisher.clone()).or_default();
            match state.segments.get(&view.id.name) {
                Some(old) if **old == segment => {}
                _ => {
                    state.segments.insert(view.id.name.clone(), Arc::new(segment));
                    self.dirty.insert(publisher);
                }
            }
        }
        if of != SliceOf::default() {
            self.slices.insert(view.id.clone(), of);
        }
    }

    /// `C.S.N.svc`, below which the endpoints of an import's slice have their names.
    fn parent_of(&self, from: &ImportedFrom, slice: &ObjectName) -> Option<Name> {
        let published = self.directory.published(PublisherKind::ServiceImport)?;
        let ImportedFrom { import, cluster } = from;
        if !label::is_publishable(cluster) {
            return None;
        }
        let labels = [cluster, import, &slice.namespace].map(|label| label.as_bytes());
        let name = labels.into_iter().fold(NameBuilder::new(), NameBuilder::label);
        name.under(&published.zone.services)
    }

    fn drop_slice(&mut self, id: &ObjectName) {
        let Some(of) = self.slices.remove(id) else { return };
        for publisher in of.publishers(&id.namespace) {
            if let Some(state) = self.services.get_mut(&publisher) {
                state.segments.remove(&id.name);
                if state.segments.is_empty() && state.head.is_none() {
                    self.services.remove(&publisher);
                }
            }
            self.dirty.insert(publisher);
        }
    }

    fn put_pod(&mut self, view: PodView) {
        let PodView { id: ObjectName { namespace, name }, addresses, subdomain } = view;
        let namespace = match self.pods.get_key_value(&namespace) {
            Some((namespace, _)) => Arc::clone(namespace),
            None => namespace,
        };
        let group = PodGroup { namespace: namespace.clone(), subdomain };
        let group = match self.groups.get(&group) {
            Some(group) => Arc::clone(group),
            None => Arc::new(group),
        };
        let state = PodState { addresses: Addresses::new(addresses), group };
        if self.pods.get(&namespace).and_then(|pods| pods.get(&*name)) == Some(&state) {
            return;
        }
        self.groups.insert(Arc::clone(&state.group));
        // The new state is entered before the old one is left, so that no reader misses a pod that stays.
        self.change_namespace(&namespace, |state| state.content += 1);
        for &address in state.addresses.as_slice() {
            self.change_pods_at(address, |pods| pods.push(Arc::clone(&state.group)));
        }
        self.changed = true;
        self.pod_count += 1;
        let pods = self.pods.entry(Arc::clone(&namespace)).or_default();
        if let Some(old) = pods.insert((&*name).into(), state) {
            self.leave_pod(&namespace, old);
        }
    }

    fn drop_pod(&mut self, id: &ObjectName) {
        let Some(pods) = self.pods.get_mut(&id.namespace) else { return };
        let Some(old) = pods.remove(&*id.name) else { return };
        if pods.is_empty() {
            self.pods.remove(&id.namespace);
        }
        self.leave_pod(&id.namespace, old);
    }

    fn leave_pod(&mut self, namespace: &str, PodState { addresses, group }: PodState) {
        for &address in addresses.as_slice() {
            self.change_pods_at(address, |pods| {
                if let Some(at) = pods.iter().position(|other| *other == group) {
                    pods.swap_remove(at);
                }
            });
        }
        drop(group);
        self.pod_count -= 1;
        if self.groups.len() > 2 * self.pod_count + 64 {
            self.groups.retain(|group| Arc::strong_count(group) > 1);
        }
        self.change_namespace(namespace, |state| state.content -= 1);
        self.changed = true;
    }

    fn change_pods_at(&self, address: IpAddr, change: impl FnOnce(&mut Vec<Arc<PodGroup>>)) {
        let pods = self.directory.pods_at(address);
        let mut pods = pods.map_or_else(Vec::new, |at| at.groups().cloned().collect());
        change(&mut pods);
        self.directory.set_pods_at(address, pods);
    }

    /// Makes the pages of dirty Services anew, then their reverse names.
    fn publish(&mut self) {
        for publisher in std::mem::take(&mut self.dirty) {
            let Some(published) = self.directory.published(publisher.kind) else { continue };
            let id = &publisher.id;
            let state = self.services.get(&publisher);
            let page = state.and_then(|state| {
                let head = state.head.as_ref().filter(|head| head.is_publishable())?;
                let segments = state.segments.values().cloned().collect();
                Some(Arc::new(Page::new(Arc::clone(head), segments)))
            });
            let old = published.page_of(id).map(|page| Arc::clone(&page));
            if old.is_none() && page.is_none() {
                continue;
            }
            self.changed = true;
            published.set_page(id, page.clone());
            self.count(publisher.kind, old.as_deref(), page.as_deref());
            publish_reverse(published, id, old.as_deref(), page.as_deref());
        }
        if std::mem::take(&mut self.changed) {
            self.directory.serial.fetch_add(1, Ordering::Release);
        }
    }

    fn count(&self, kind: PublisherKind, old: Option<&Page>, new: Option<&Page>) {
        let Directory { service_count, import_count, endpoint_count, .. } = &*self.directory;
        let endpoints = |page: Option<&Page>| page.map_or(0, |page| page.endpoint_counts().0);
        let count = match kind {
            PublisherKind::Service => service_count,
            PublisherKind::ServiceImport => import_count,
        };
        // Wrapping: the one writer adds before it takes away.
        count.fetch_add(usize::from(new.is_some()), Ordering::Relaxed);
        count.fetch_sub(usize::from(old.is_some()), Ordering::Relaxed);
        if kind == PublisherKind::ServiceImport {
            return;
        }
        endpoint_count.fetch_add(endpoints(new), Ordering::Relaxed);
        endpoint_count.fetch_sub(endpoints(old), Ordering::Relaxed);
    }
}

/// Enters and removes the Service at the addresses that a change touches.
fn publish_reverse(published: &Published, id: &ObjectName, old: Option<&Page>, new: Option<&Page>) {
    let mut touched = Vec::new();
    let heads_differ = match (old, new) {
        (Some(old), Some(new)) => !Arc::ptr_eq(&old.head, &new.head),
        _ => true,
    };
    if heads_differ {
        for page in [old, new].into_iter().flatten() {
            if let Shape::ClusterIp(addresses) = &page.head.shape {
                touched.extend_from_slice(addresses);
            }
        }
    }
    let segments = |page: Option<&Page>| {
        let of = |page: &Page| page.segments().iter().map(Arc::as_ptr).collect();
        page.map_or_else(HashSet::new, of)
    };
    let (olds, news) = (segments(old), segments(new));
    for (page, others) in [(old, &news), (new, &olds)] {
        for segment in page.map_or(&[][..], Page::segments) {
            if heads_differ || !others.contains(&Arc::as_ptr(segment)) {
                let published = segment.rows().iter().filter(|row| row.published);
                touched.extend(published.map(|row| row.address));
            }
        }
    }
    touched.sort_unstable();
    touched.dedup();
    touched.retain(|&address| {
        let reverses = |page: Option<&Page>| page.is_some_and(|page| page.reverses(address));
        reverses(old) != reverses(new)
    });
    let alone: Option<Arc<[_]>> = new.map(|page| Arc::from([Arc::clone(&page.head.id)]));
    published.reverse.update(&touched, |address, services| {
        let services = services.map_or(&[][..], |services| services);
        match new.filter(|page| page.reverses(address)) {
            Some(_) if services.is_empty() => alone.clone(),
            Some(page) => {
                let mut services = services.to_vec();
                services.push(Arc::clone(&page.head.id));
                services.sort();
                Some(services.into())
            }
            None => {
                let others: Vec<_> =
                    services.iter().filter(|service| ***service != *id).cloned().collect();
                (!others.is_empty()).then(|| others.into())
            }
        }
    });
}
