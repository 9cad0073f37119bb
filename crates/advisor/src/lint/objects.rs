//! The objects of all manifests, typed and indexed, as rules look at them.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{Endpoints, Namespace, Service, ServicePort};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::{Ingress, NetworkPolicy};
use manifest::read::{Document, Examined, Foreign, Located, Problem, examine};
use manifest::{KindId, ObjectRef, Stored, gateway};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::allow::Annotated;
use super::finding::{Label, Subject};
use super::report::in_namespace;
use super::selecting::Selecting;
use super::texts::{Texts, Unread};
use super::workload::Workload;

/// What the author of the manifests had in mind, and did not write into them.
#[derive(Clone, Debug)]
pub struct Options {
    /// The namespace of objects that name none.
    pub namespace: String,
    /// The oldest Kubernetes that the manifests are for.
    pub kubernetes: Version,
    /// The zone that the cluster's names are in, without a dot at the end.
    pub cluster_domain: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            namespace: "default".to_owned(),
            kubernetes: Version { major: 1, minor: 36 },
            cluster_domain: "cluster.local".to_owned(),
        }
    }
}

/// A version of Kubernetes: `1.33`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// The first number.
    pub major: u16,
    /// The second number.
    pub minor: u16,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// `1.33`, `v1.33` and `v1.33.2` alike.
impl FromStr for Version {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.strip_prefix('v').unwrap_or(text).split('.');
        let mut number = || parts.next()?.parse().ok();
        match (number(), number()) {
            (Some(major), Some(minor)) => Ok(Self { major, minor }),
            _ => Err(format!("{text:?} is not a version of Kubernetes such as 1.33")),
        }
    }
}

/// An object with its places.
#[derive(Clone, Debug)]
pub struct Item<T> {
    /// The object as its author wrote it.
    pub document: Arc<Document>,
    /// What names it.
    pub reference: ObjectRef,
    /// The object with its namespace and defaults; what the author wrote, `document.has` tells.
    pub object: T,
}

impl<T> Item<T> {
    /// A field of it; `text` stands at the place.
    pub fn label(&self, field: &str, text: impl Into<String>) -> Label {
        Label::new(&self.document, field, text)
    }

    /// The object as findings name it.
    pub fn subject(&self) -> Subject {
        subject(&self.reference)
    }
}

/// An object as findings name it.
pub(super) fn subject(reference: &ObjectRef) -> Subject {
    let ObjectRef { kind, namespace, name } = reference;
    Subject { kind: (*kind).to_owned(), namespace: namespace.clone(), name: name.clone() }
}

impl Item<Service> {
    /// Its name within the cluster, without the zone: `db.prod.svc`.
    pub fn dns_name(&self) -> String {
        let ObjectRef { namespace, name, .. } = &self.reference;
        format!("{name}.{namespace}.svc")
    }

    /// Whether it is headless: `clusterIP: None`, and not an ExternalName.
    pub fn is_headless(&self) -> bool {
        let spec = self.object.spec.as_ref();
        !self.is_external_name() && spec.and_then(|spec| spec.cluster_ip.as_deref()) == Some("None")
    }

    /// Whether it is of type ExternalName.
    pub fn is_external_name(&self) -> bool {
        self.type_name() == "ExternalName"
    }

    /// `spec.type`.
    pub fn type_name(&self) -> &str {
        let spec = self.object.spec.as_ref();
        spec.and_then(|spec| spec.type_.as_deref()).unwrap_or("ClusterIP")
    }

    /// The selector by which it has endpoints; `None` when it has none, or when it is ignored.
    pub fn selector(&self) -> Option<&BTreeMap<String, String>> {
        let selector = self.object.spec.as_ref()?.selector.as_ref()?;
        (!selector.is_empty() && !self.is_external_name()).then_some(selector)
    }

    /// `spec.ports`.
    pub fn ports(&self) -> &[ServicePort] {
        self.object.spec.as_ref().and_then(|spec| spec.ports.as_deref()).unwrap_or_default()
    }

    /// `spec.publishNotReadyAddresses`.
    pub fn publishes_not_ready(&self) -> bool {
        let spec = self.object.spec.as_ref();
        spec.and_then(|spec| spec.publish_not_ready_addresses).unwrap_or(false)
    }
}

/// All objects. An object of a wrong shape is among `examined` alone.
#[derive(Debug, Default)]
pub struct Objects {
    /// What the manifests are for.
    pub options: Options,
    /// The Namespaces.
    pub namespaces: Vec<Item<Namespace>>,
    /// The Services.
    pub services: Vec<Item<Service>>,
    /// The Endpoints.
    pub endpoints: Vec<Item<Endpoints>>,
    /// The EndpointSlices.
    pub slices: Vec<Item<EndpointSlice>>,
    /// The StatefulSets; each is a workload, too.
    pub stateful_sets: Vec<Item<StatefulSet>>,
    /// The Ingresses.
    pub ingresses: Vec<Item<Ingress>>,
    /// The NetworkPolicies.
    pub network_policies: Vec<Item<NetworkPolicy>>,
    /// Everything that makes pods: StatefulSets, Deployments, ReplicaSets, DaemonSets, Jobs, CronJobs and bare pods.
    pub workloads: Vec<Workload>,
    /// Every object of a kind that is served, with its defaults, in the order of the texts.
    pub all: Vec<Item<Value>>,
    /// Objects of other kinds, such as Certificates and GRPCRoutes.
    pub foreign: Vec<Foreign>,
    /// What is wrong with objects by themselves.
    pub refused: Vec<(Arc<Document>, ObjectRef, Vec<Problem>)>,
    /// Texts, and documents of them, that hold no object.
    pub unread: Vec<Unread>,
    /// What the cluster has now, where that was given: rules about changes compare with it.
    pub live: Option<Box<Objects>>,

    service_by_name: HashMap<(String, String), usize>,
    selecting: Selecting,
    /// The objects that allow findings about themselves.
    pub(super) annotated: Vec<Annotated>,
}

impl Objects {
    /// Types and indexes what was read.
    pub fn new(documents: Vec<Document>, foreign: Vec<Foreign>, options: Options) -> Self {
        Self::read(Texts { documents, foreign, unread: Vec::new() }, options)
    }

    /// Types and indexes what texts hold.
    pub fn read(texts: Texts, options: Options) -> Self {
        let Texts { documents, foreign, unread } = texts;
        let mut objects = Self { foreign, unread, ..Self::default() };
        for examined in examine(documents, &options.namespace) {
            objects.take(examined);
        }
        objects.options = options;
        objects.index();
        objects
    }

    fn take(&mut self, examined: Examined) {
        let Examined { document, reference, value, problems } = examined;
        let document = Arc::new(document);
        self.annotated.extend(Annotated::of(&document, || subject(&reference)));
        if !problems.is_empty() {
            self.refused.push((Arc::clone(&document), reference.clone(), problems));
        }
        let Some(value) = value else { return };
        let item = Item { document, reference, object: value };
        match item.document.kind.id {
            KindId::Namespace => put(&mut self.namespaces, &item),
            KindId::Service => put(&mut self.services, &item),
            KindId::Endpoints => put(&mut self.endpoints, &item),
            KindId::EndpointSlice => put(&mut self.slices, &item),
            KindId::StatefulSet => put(&mut self.stateful_sets, &item),
            KindId::Stored(Stored::Ingress) => put(&mut self.ingresses, &item),
            KindId::Stored(Stored::NetworkPolicy) => put(&mut self.network_policies, &item),
            KindId::Node
            | KindId::Pod
            | KindId::Event
            | KindId::Deployment
            | KindId::ReplicaSet
            | KindId::Stored(_) => {}
        }
        if let Some(mut workload) = Workload::of(&item) {
            workload.at = self.workloads.len();
            let last = self.stateful_sets.len().checked_sub(1);
            workload.stateful_set = last
                .filter(|at| Arc::ptr_eq(&self.stateful_sets[*at].document, &workload.document));
            self.workloads.push(workload);
        }
        self.all.push(item);
    }

    fn index(&mut self) {
        for (at, service) in self.services.iter().enumerate() {
            let ObjectRef { namespace, name, .. } = &service.reference;
            self.service_by_name.entry((namespace.clone(), name.clone())).or_insert(at);
        }
        self.selecting = Selecting::new(&self.services, &self.workloads);
        for foreign in &self.foreign {
            let annotated = Annotated::of(&foreign.located, || self.subject_of(&foreign.located));
            self.annotated.extend(annotated);
        }
    }

    /// The objects of the Gateway API, each with its kind, whether this one is served or not.
    pub fn gateway_api(&self) -> impl Iterator<Item = (&str, &Located)> {
        let served = self.all.iter().filter(|item| item.document.kind.group == gateway::GROUP);
        let served = served.map(|item| (item.document.kind.kind, &item.document.located));
        let foreign = self
            .foreign
            .iter()
            .filter(|foreign| foreign.api_version().split('/').next() == Some(gateway::GROUP));
        served.chain(foreign.map(|foreign| (foreign.kind(), &foreign.located)))
    }

    /// The annotations that allow findings, by object.
    pub(super) fn allowances(&self) -> HashMap<Subject, Vec<usize>> {
        let mut allowances: HashMap<Subject, Vec<usize>> = HashMap::new();
        for (at, annotated) in self.annotated.iter().enumerate() {
            let subject = in_namespace(&annotated.subject, &self.options.namespace);
            allowances.entry(subject).or_default().push(at);
        }
        allowances
    }

    /// An object of a kind that is not served, as findings name it.
    pub fn subject_of(&self, located: &Located) -> Subject {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Subject {
            kind: text(&located.value["kind"]),
            namespace: located.namespace().to_owned(),
            name: located.name().to_owned(),
        }
    }

    /// The Service of this name.
    pub fn service(&self, namespace: &str, name: &str) -> Option<&Item<Service>> {
        let at = self.service_by_name.get(&(namespace.to_owned(), name.to_owned()))?;
        Some(&self.services[*at])
    }

    /// The namespace that an object is in or would be put in.
    pub fn namespace_of<'o>(&'o self, located: &'o Located) -> &'o str {
        match located.namespace() {
            "" => &self.options.namespace,
            namespace => namespace,
        }
    }

    /// The Service of this name, among these objects or among those that the cluster has.
    pub fn known_service(&self, namespace: &str, name: &str) -> Option<&Item<Service>> {
        let live = || self.live.as_deref()?.service(namespace, name);
        self.service(namespace, name).or_else(live)
    }

    /// The workloads whose pods a Service selects.
    pub fn selected<'a>(
        &'a self,
        service: &'a Item<Service>,
    ) -> impl Iterator<Item = &'a Workload> + 'a {
        self.selecting.selected(service).map(|at| &self.workloads[at])
    }

    /// The Services that select a workload's pods; the workload is one of these objects.
    pub fn selecting<'a>(
        &'a self,
        workload: &Workload,
    ) -> impl Iterator<Item = &'a Item<Service>> + 'a {
        self.selecting.selecting(workload.at).map(|at| &self.services[at])
    }

    /// The Service that a workload's pods name as their subdomain: a StatefulSet's `serviceName`, or `subdomain`.
    pub fn governing(&self, workload: &Workload) -> Option<&Item<Service>> {
        let name = workload.subdomain()?;
        self.service(&workload.reference.namespace, name)
    }

    /// The StatefulSet that a workload is.
    pub fn stateful_set(&self, workload: &Workload) -> Option<&Item<StatefulSet>> {
        self.stateful_sets.get(workload.stateful_set?)
    }
}

fn put<T: DeserializeOwned>(items: &mut Vec<Item<T>>, item: &Item<Value>) {
    // A value of the kind's shape; one that is none after all is among those with problems.
    if let Ok(object) = T::deserialize(&item.object) {
        let (document, reference) = (Arc::clone(&item.document), item.reference.clone());
        items.push(Item { document, reference, object });
    }
}
