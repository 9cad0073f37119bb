//! Kubernetes objects, trimmed on arrival to the fields that names depend on.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// A namespaced object's identity; ordering is by namespace, then name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectName {
    /// The namespace.
    pub namespace: Arc<str>,
    /// The name within the namespace.
    pub name: Arc<str>,
}

impl ObjectName {
    /// An identity from its two parts.
    pub fn new(namespace: impl Into<Arc<str>>, name: impl Into<Arc<str>>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }
}

/// `namespace/name`.
impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// The kinds of objects that have names by their endpoints, each in a zone of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PublisherKind {
    /// A Service, in the cluster's zone.
    Service,
    /// A ServiceImport (`multicluster.x-k8s.io`), in the zone of the cluster set.
    ServiceImport,
}

/// A Service or a ServiceImport.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Publisher {
    /// Which of the two.
    pub kind: PublisherKind,
    /// Namespace and name.
    pub id: ObjectName,
}

/// `Service namespace/name`.
impl fmt::Display for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            PublisherKind::Service => "Service",
            PublisherKind::ServiceImport => "ServiceImport",
        };
        write!(f, "{kind} {}", self.id)
    }
}

/// A Service, as DNS sees it; or a ServiceImport, which is one of the first two shapes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceView {
    /// Namespace and name.
    pub id: ObjectName,
    /// What the Service publishes.
    pub shape: ServiceShape,
    /// `spec.ports`, in order.
    pub ports: Vec<ServicePort>,
}

/// The shapes of a Service that DNS tells apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServiceShape {
    /// ClusterIP, NodePort and LoadBalancer: the virtual addresses, one or two. May be empty until allocated. Of imports:
    /// ClusterSetIP.
    ClusterIp(Vec<IpAddr>),
    /// `clusterIP: None`, or an import's type Headless: the ready endpoints answer.
    Headless,
    /// `externalName`, exactly as written.
    ExternalName(String),
}

/// A port that a Service declares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServicePort {
    /// Port name; empty when unnamed.
    pub name: String,
    /// Service port number.
    pub port: u16,
    /// Transport protocol.
    pub protocol: Protocol,
}

/// Transport protocols that SRV names can carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protocol {
    /// `_tcp`
    Tcp,
    /// `_udp`
    Udp,
    /// `_sctp`
    Sctp,
}

impl Protocol {
    /// As Kubernetes writes it: `TCP`, `UDP`, `SCTP`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
            Self::Sctp => "SCTP",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An EndpointSlice of address type IPv4 or IPv6 (FQDN slices are skipped and counted by the feed).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SliceView {
    /// Namespace and name of the slice itself.
    pub id: ObjectName,
    /// The Service that it belongs to: value of the label `kubernetes.io/service-name`. Without it, and without an import,
    /// the slice publishes nothing.
    pub service: Option<Arc<str>>,
    /// The ServiceImport that it belongs to, which is no Service's own name. Where a Service stands in for the import, it
    /// belongs to both.
    pub import: Option<ImportedFrom>,
    /// The slice's ports; one without a number stands for "all ports" and publishes no SRV.
    pub ports: Vec<SlicePort>,
    /// Its endpoints, in order.
    pub endpoints: Vec<EndpointView>,
}

/// The import of an EndpointSlice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportedFrom {
    /// Name of the ServiceImport: value of the label `multicluster.kubernetes.io/service-name`.
    pub import: Arc<str>,
    /// The cluster that the endpoints are in: value of the label `multicluster.kubernetes.io/source-cluster`.
    pub cluster: Arc<str>,
}

/// A port of an EndpointSlice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlicePort {
    /// Port name; empty when unnamed.
    pub name: String,
    /// Port number on the endpoints (the Service's resolved `targetPort`).
    pub port: Option<u16>,
    /// Transport protocol.
    pub protocol: Protocol,
}

/// One endpoint of a slice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointView {
    /// Addresses; Kubernetes allows up to 100, consumers use them all for DNS.
    pub addresses: Vec<IpAddr>,
    /// `hostname`, when set.
    pub hostname: Option<Arc<str>>,
    /// Condition `ready`, true when unset.
    pub ready: bool,
    /// Condition `serving`, equal to `ready` when unset.
    pub serving: bool,
    /// Condition `terminating`, false when unset.
    pub terminating: bool,
    /// Name of the pod behind it (`targetRef` of kind Pod).
    pub pod: Option<Arc<str>>,
    /// Topology zone.
    pub zone: Option<Arc<str>>,
}

/// A pod, for names under `pod.` and reverse names' order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodView {
    /// Namespace and name.
    pub id: ObjectName,
    /// `status.podIPs`; empty until assigned. Finished pods (Succeeded, Failed) are not passed in.
    pub addresses: Vec<IpAddr>,
    /// `spec.subdomain`, when set: the governing headless Service.
    pub subdomain: Option<Arc<str>>,
}
