//! What is wanted, once it is known to be possible.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::Value;

use crate::peers::{Peer, Reach};

/// What names, for whom, for what.
#[derive(Clone, Debug)]
pub struct Intent {
    /// The name that clients use; the workload's, too.
    pub name: String,
    /// The namespace.
    pub namespace: String,
    /// What is behind the name.
    pub workload: Workload,
    /// On which ports.
    pub ports: Vec<Port>,
    /// The namespaces of clients, besides its own.
    pub client_namespaces: Vec<String>,
    /// How clients outside of the cluster reach it.
    pub expose: Expose,
    /// The host name by which those ask for it, where the exposure goes by host names.
    pub host: String,
    /// The zone of the cluster's names, without a dot at the end.
    pub cluster_domain: String,
    /// The service mesh that the pods are in.
    pub mesh: Mesh,
}

/// What is behind a name.
#[derive(Clone, Debug)]
pub enum Workload {
    /// Pods of this cluster.
    Pods(Pods),
    /// Something outside, by a host name: labels without a dot at the end.
    Host(String),
    /// Something outside, by its addresses.
    Addresses {
        /// At least one.
        addresses: Vec<IpAddr>,
        /// Whether clients tell them apart.
        identity: Identity,
    },
}

/// Pods of one workload.
#[derive(Clone, Debug)]
pub struct Pods {
    /// What makes them.
    pub kind: PodsKind,
    /// What runs in them, where that is known.
    pub software: Option<&'static Peer>,
    /// Its image.
    pub image: String,
    /// How many.
    pub replicas: u32,
    /// What clients need.
    pub identity: Identity,
    /// What is there already.
    pub existing: Existing,
}

/// What makes pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PodsKind {
    /// A StatefulSet.
    StatefulSet,
    /// A Deployment.
    Deployment,
}

impl PodsKind {
    /// As `kind` is written.
    pub fn kind(self) -> &'static str {
        match self {
            Self::StatefulSet => "StatefulSet",
            Self::Deployment => "Deployment",
        }
    }
}

/// What clients need of a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    /// Each replica under a name of its own.
    Stable,
    /// Any that works.
    Any,
}

/// What was found in manifests and is kept.
#[derive(Clone, Debug, Default)]
pub struct Existing {
    /// The workload, as its author wrote it.
    pub workload: Option<Value>,
    /// The labels by which its pods are found; empty where they are the design's own.
    pub labels: BTreeMap<String, String>,
    /// The headless Service that its pods already name as theirs.
    pub governing: Option<String>,
    /// The Service with a virtual address that clients already use.
    pub client: Option<String>,
}

impl Existing {
    /// The ports that containers name, and their numbers.
    pub(super) fn declared_ports(&self) -> Vec<(String, u16)> {
        let containers = self
            .workload
            .iter()
            .filter_map(|workload| workload["spec"]["template"]["spec"]["containers"].as_array());
        let ports = containers.flatten().filter_map(|container| container["ports"].as_array());
        let named = ports.flatten().filter_map(|port| {
            let number = u16::try_from(port["containerPort"].as_u64()?).ok()?;
            Some((port["name"].as_str()?.to_owned(), number))
        });
        named.collect()
    }
}

/// A port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// Its name, by which SRV records are found.
    pub name: String,
    /// The Service's port.
    pub number: u16,
    /// The port that is listened on.
    pub target: u16,
    /// Whether clients dial it.
    pub for_clients: bool,
    /// Whether peers dial it.
    pub for_peers: bool,
    /// The transport.
    pub protocol: Protocol,
}

/// A transport protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl Protocol {
    /// As `protocol` is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
        }
    }
}

impl Port {
    /// Whether what is spoken on it is HTTP, by its name and number.
    pub fn is_http(&self) -> bool {
        let by_name = ["http", "https", "web", "api", "grpc", "rest", "ui", "management"];
        let first = self.name.split('-').next().unwrap_or_default();
        self.protocol == Protocol::Tcp
            && (by_name.contains(&first) || matches!(self.number, 80 | 443 | 8080 | 8443))
    }

    /// Whether both lead to the same port of a pod.
    fn leads_where(&self, other: &Self) -> bool {
        self.target == other.target && self.protocol == other.protocol
    }

    /// The owner name of its SRV records below a Service's name: `_http._tcp`.
    pub fn srv_labels(&self) -> String {
        format!("_{}._{}", self.name, self.protocol.name().to_lowercase())
    }
}

/// How clients outside of the cluster reach a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expose {
    /// Not at all.
    None,
    /// By an Ingress.
    Ingress,
    /// By a Gateway's HTTPRoute.
    Gateway,
    /// By a load balancer of the cloud.
    LoadBalancer,
    /// By a port of every node.
    NodePort,
}

/// A service mesh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mesh {
    /// None.
    None,
    /// Istio, with sidecars.
    Istio,
    /// Linkerd.
    Linkerd,
}

/// Which Services an intent comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A Service with a virtual address.
    ClusterIp,
    /// A headless Service.
    Headless,
    /// A headless Service for the pods' own names, and one with a virtual address for clients.
    HeadlessAndClient,
    /// An alias of an external name.
    ExternalName,
    /// A Service without selector, and the slices behind it; headless where clients tell the addresses apart.
    Addresses(Identity),
}

impl Intent {
    /// Which Services this comes to.
    pub fn shape(&self) -> Shape {
        let pods = match &self.workload {
            Workload::Host(_) => return Shape::ExternalName,
            Workload::Addresses { identity, .. } => return Shape::Addresses(*identity),
            Workload::Pods(pods) => pods,
        };
        let reach = pods.software.map(|software| software.reach);
        let has_client_port = self.client_ports().next().is_some();
        match (pods.kind, reach) {
            (PodsKind::Deployment, None) => Shape::ClusterIp,
            (_, Some(Reach::Pods)) => Shape::Headless,
            (_, Some(_)) if has_client_port => Shape::HeadlessAndClient,
            (_, Some(_)) => Shape::Headless,
            // An Ingress and a route want a virtual address behind them.
            (PodsKind::StatefulSet, None) if pods.identity == Identity::Any => {
                Shape::HeadlessAndClient
            }
            (PodsKind::StatefulSet, None) => match self.expose {
                Expose::None | Expose::LoadBalancer | Expose::NodePort => Shape::Headless,
                Expose::Ingress | Expose::Gateway => Shape::HeadlessAndClient,
            },
        }
    }

    /// The pods, if there are any behind the name.
    pub fn pods(&self) -> Option<&Pods> {
        match &self.workload {
            Workload::Pods(pods) => Some(pods),
            Workload::Host(_) | Workload::Addresses { .. } => None,
        }
    }

    /// What is known of the software.
    pub fn software(&self) -> Option<&'static Peer> {
        self.pods().and_then(|pods| pods.software)
    }

    /// What runs there, as texts name it: `etcd`, or the workload's own name.
    pub fn what(&self) -> &str {
        self.software().map_or(&self.name, |software| software.name)
    }

    /// The headless Service whose name the pods' names are below, where there is one.
    pub fn peer_service(&self) -> Option<String> {
        let pods = self.pods()?;
        let separate = match self.shape() {
            Shape::Headless => false,
            Shape::HeadlessAndClient => true,
            Shape::ClusterIp | Shape::ExternalName | Shape::Addresses(_) => return None,
        };
        Some(match (&pods.existing.governing, separate, pods.software) {
            (Some(governing), ..) => governing.clone(),
            (_, false, _) => self.name.clone(),
            (_, true, Some(_)) => format!("{}-peers", self.name),
            (_, true, None) => format!("{}-headless", self.name),
        })
    }

    /// The Service with a virtual address that clients use, where there is one.
    pub fn client_service(&self) -> Option<String> {
        match self.shape() {
            Shape::Addresses(Identity::Any) => return Some(self.name.clone()),
            Shape::ClusterIp | Shape::HeadlessAndClient => {}
            Shape::Headless | Shape::ExternalName | Shape::Addresses(Identity::Stable) => {
                return None;
            }
        }
        if let Some(existing) = self.pods().and_then(|pods| pods.existing.client.clone()) {
            return Some(existing);
        }
        let suffix = match self.software().map(|software| software.reach) {
            Some(Reach::Leader { suffix, .. }) => suffix,
            Some(Reach::Any | Reach::SeedThenPods | Reach::Pods) | None => "",
        };
        let name = format!("{}{suffix}", self.name);
        // The name may be the headless Service's already.
        let is_taken = self.peer_service().is_some_and(|peers| peers == name);
        Some(if is_taken { format!("{name}-client") } else { name })
    }

    /// The Service under whose name clients find it: theirs, else the only one.
    pub fn entry_service(&self) -> String {
        self.client_service().or_else(|| self.peer_service()).unwrap_or_else(|| self.name.clone())
    }

    /// The names of a StatefulSet's pods; empty where pods have none beforehand.
    pub fn pod_names(&self) -> Vec<String> {
        match self.pods() {
            Some(Pods { kind: PodsKind::StatefulSet, replicas, .. }) => {
                (0..*replicas).map(|at| format!("{}-{at}", self.name)).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The labels by which the pods are found.
    pub fn labels(&self) -> BTreeMap<String, String> {
        match self.pods() {
            Some(pods) if !pods.existing.labels.is_empty() => pods.existing.labels.clone(),
            _ => BTreeMap::from([("app.kubernetes.io/name".to_owned(), self.name.clone())]),
        }
    }

    /// A Service's full name, without a dot at the end.
    pub fn full_name(&self, service: &str) -> String {
        format!("{service}.{}.svc.{}", self.namespace, self.cluster_domain)
    }

    /// The ports that clients dial.
    pub fn client_ports(&self) -> impl Iterator<Item = &Port> {
        self.ports.iter().filter(|port| port.for_clients)
    }

    /// The ports that pods listen on, each once: several of a Service's can lead to one.
    pub fn listened(&self) -> impl Iterator<Item = &Port> {
        self.ports.iter().filter(|port| self.declared_name(port) == port.name)
    }

    /// The name by which pods declare what a port leads to: that of the first which leads there.
    pub fn declared_name<'i>(&'i self, port: &'i Port) -> &'i str {
        let first = self.ports.iter().find(|other| other.leads_where(port));
        &first.unwrap_or(port).name
    }

    /// Whether pods are published before they are ready, by the Service that has the pods' names.
    pub fn publishes_not_ready(&self) -> bool {
        match (self.software(), self.shape()) {
            (Some(software), Shape::Headless | Shape::HeadlessAndClient) => {
                software.publish_not_ready.value()
            }
            // Clients have a Service of their own, so that the pods' names may be there from the first moment; of a Service
            // that was there before, nobody knows who uses it.
            (None, Shape::HeadlessAndClient) => {
                self.pods().is_some_and(|pods| pods.existing.governing.is_none())
            }
            _ => false,
        }
    }

    /// Whether clients outside must be able to reach each pod by itself.
    pub fn exposes_each_pod(&self) -> bool {
        let by_name = match self.software().map(|software| software.reach) {
            Some(Reach::Pods | Reach::SeedThenPods) => true,
            Some(Reach::Any | Reach::Leader { .. }) => false,
            None => self.pods().is_some_and(|pods| pods.identity == Identity::Stable),
        };
        by_name
            && !self.pod_names().is_empty()
            && matches!(self.expose, Expose::LoadBalancer | Expose::NodePort)
    }
}
