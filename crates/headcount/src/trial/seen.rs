//! What the API says of a plan's namespace: its pods, Services and EndpointSlices, read at one time.

use std::collections::BTreeMap;
use std::net::IpAddr;

use advisor::design::Backends;
use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::{Api, ListParams};
use kube::{Client, ResourceExt as _};
use manifest::labels::SERVICE_NAME;

use super::owned::Owned;

/// What was read.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// By name, without those that are being deleted.
    pub(super) pods: BTreeMap<String, SeenPod>,
    /// By name.
    pub(super) services: BTreeMap<String, Service>,
    pub(super) slices: Vec<EndpointSlice>,
}

/// A pod, as far as its names go.
#[derive(Clone, Debug)]
pub(super) struct SeenPod {
    pub(super) uid: String,
    /// `status.podIPs`.
    pub(super) addresses: Vec<IpAddr>,
    pub(super) ready: bool,
    /// What the API says of a pod that is not ready.
    pub(super) reason: Option<String>,
    /// `metadata.labels`.
    labels: BTreeMap<String, String>,
    /// The Deployment it is of.
    deployment: Option<String>,
}

/// What is behind an expectation: each with its name, its addresses, and whether it is ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Backend {
    pub(super) name: String,
    pub(super) addresses: Vec<IpAddr>,
    pub(super) ready: bool,
}

impl Seen {
    /// Reads a namespace: lists and nothing else.
    pub(super) async fn read(client: &Client, namespace: &str) -> kube::Result<Self> {
        let all = ListParams::default();
        let pods = Api::<Pod>::namespaced(client.clone(), namespace);
        let services = Api::<Service>::namespaced(client.clone(), namespace);
        let slices = Api::<EndpointSlice>::namespaced(client.clone(), namespace);
        let sets = Api::<ReplicaSet>::namespaced(client.clone(), namespace);
        let (pods, services, slices, sets) = futures::try_join!(
            pods.list(&all),
            services.list(&all),
            slices.list(&all),
            sets.list(&all)
        )?;
        let deployments: BTreeMap<String, String> = sets
            .items
            .iter()
            .filter_map(|set| Some((set.name_any(), controller(set, "Deployment")?)))
            .collect();
        let pods = pods.items.iter().filter(|pod| pod.metadata.deletion_timestamp.is_none());
        Ok(Self {
            pods: pods.map(|pod| (pod.name_any(), SeenPod::new(pod, &deployments))).collect(),
            services: services.items.into_iter().map(|it| (it.name_any(), it)).collect(),
            slices: slices.items,
        })
    }

    /// What stands behind an expectation.
    ///
    /// # Errors
    ///
    /// What is not there of it.
    pub(super) fn backends(&self, backends: &Backends) -> Result<Vec<Backend>, String> {
        let backend = |name: &String, pod: &SeenPod| Backend {
            name: name.clone(),
            addresses: pod.addresses.clone(),
            ready: pod.ready,
        };
        let named = |name: &String| {
            let pod = self.pods.get(name).ok_or_else(|| format!("no pod {name}"))?;
            Ok(backend(name, pod))
        };
        match backends {
            Backends::Pods(names) => names.iter().map(named).collect(),
            Backends::Leader { pods, label, value } => {
                self.leading(pods, label, value).map(named).collect()
            }
            Backends::Deployment { name: deployment, replicas } => {
                let pods = self.pods_of(deployment);
                if pods.len() != *replicas as usize {
                    return Err(format!(
                        "{} pods of Deployment {deployment} instead of {replicas}",
                        pods.len()
                    ));
                }
                Ok(pods.into_iter().map(|(name, pod)| backend(name, pod)).collect())
            }
            Backends::Addresses(addresses) => Ok(addresses
                .iter()
                .map(|address| Backend {
                    name: "kept by hand".to_owned(),
                    addresses: vec![*address],
                    ready: true,
                })
                .collect()),
        }
    }

    /// Those of these pods that the software has labelled as the one that leads.
    pub(super) fn leading<'p>(
        &self,
        pods: &'p [String],
        label: &str,
        value: &str,
    ) -> impl Iterator<Item = &'p String> {
        let has_label = move |pod: &&String| {
            let labels = self.pods.get(*pod).map(|pod| &pod.labels);
            labels.and_then(|labels| labels.get(label)).is_some_and(|it| it == value)
        };
        pods.iter().filter(has_label)
    }

    /// The pods of a Deployment, by name.
    pub(super) fn pods_of(&self, deployment: &str) -> Vec<(&String, &SeenPod)> {
        let is_of = |pod: &SeenPod| pod.deployment.as_deref() == Some(deployment);
        self.pods.iter().filter(|(_, pod)| is_of(pod)).collect()
    }

    /// What keeps pods from serving, in words; empty when all are there and ready.
    pub(super) fn not_serving(&self, backends: &Backends) -> Vec<String> {
        let troubles = |name: &str| match self.pods.get(name) {
            None => Some(format!("{name} is not there")),
            Some(SeenPod { ready: true, .. }) => None,
            Some(pod) => {
                let reason = pod.reason.as_deref().map(|reason| format!(": {reason}"));
                Some(format!("{name} is not ready{}", reason.unwrap_or_default()))
            }
        };
        match backends {
            Backends::Pods(names) | Backends::Leader { pods: names, .. } => {
                names.iter().filter_map(|name| troubles(name)).collect()
            }
            Backends::Deployment { name, .. } => match self.backends(backends) {
                Err(missing) => vec![format!("there are {missing}")],
                Ok(_) => {
                    self.pods_of(name).into_iter().filter_map(|(name, _)| troubles(name)).collect()
                }
            },
            Backends::Addresses(_) => Vec::new(),
        }
    }

    /// The slices that carry a Service's name.
    pub(super) fn slices_of<'s>(
        &'s self,
        service: &'s str,
    ) -> impl Iterator<Item = &'s EndpointSlice> {
        let is_of = move |slice: &&EndpointSlice| {
            slice.labels().get(SERVICE_NAME).is_some_and(|name| name == service)
        };
        self.slices.iter().filter(is_of)
    }

    /// Whether a Service's names have addresses of the family of this one. Those of a Service that is not there, or that says
    /// nothing of families, are of every family.
    pub(super) fn has_family(&self, service: &str, address: IpAddr) -> bool {
        let spec = self.services.get(service).and_then(|service| service.spec.as_ref());
        let families = spec.and_then(|spec| spec.ip_families.as_deref()).unwrap_or_default();
        let own = manifest::IpFamily::of(address).as_str();
        families.is_empty() || families.iter().any(|family| family == own)
    }

    /// A Service's virtual addresses.
    ///
    /// # Errors
    ///
    /// Why there are none.
    pub(super) fn virtual_addresses(&self, service: &str) -> Result<Vec<Owned>, String> {
        let Some(found) = self.services.get(service) else {
            return Err(format!("no Service {service}"));
        };
        let spec = found.spec.as_ref();
        let type_name = spec.and_then(|spec| spec.type_.as_deref()).unwrap_or("ClusterIP");
        if type_name == "ExternalName" {
            return Err(format!("none: Service {service} is an ExternalName"));
        }
        let all = spec.and_then(|spec| spec.cluster_ips.as_deref()).unwrap_or_default();
        let parsed = all.iter().filter_map(|text| text.parse().ok());
        let addresses: Vec<Owned> =
            parsed.map(|address| Owned::new(address, format!("Service {service}"))).collect();
        if addresses.is_empty() {
            return Err(format!("none: Service {service} is headless"));
        }
        Ok(addresses)
    }
}

impl SeenPod {
    fn new(pod: &Pod, deployments: &BTreeMap<String, String>) -> Self {
        let status = pod.status.as_ref();
        let addresses = status.and_then(|status| status.pod_ips.as_deref()).unwrap_or_default();
        let conditions = status.and_then(|status| status.conditions.as_deref()).unwrap_or_default();
        let condition = |kind: &str| conditions.iter().find(|condition| condition.type_ == kind);
        let ready = condition("Ready").is_some_and(|condition| condition.status == "True");
        // That it has no place says more than that it is not ready.
        let against = ["PodScheduled", "PodReadyToStartContainers", "Ready"]
            .into_iter()
            .find_map(|kind| condition(kind).filter(|condition| condition.status == "False"));
        Self {
            uid: pod.uid().unwrap_or_default(),
            addresses: addresses.iter().filter_map(|address| address.ip.parse().ok()).collect(),
            ready,
            labels: pod.labels().clone(),
            reason: against.and_then(|condition| condition.message.clone()),
            deployment: controller(pod, "ReplicaSet")
                .and_then(|set| deployments.get(&set).cloned()),
        }
    }
}

/// The name of the controller of this kind that an object has.
fn controller(object: &impl kube::Resource, kind: &str) -> Option<String> {
    let owners = object.meta().owner_references.as_deref().unwrap_or_default();
    let owner = owners.iter().find(|owner| owner.controller == Some(true) && owner.kind == kind)?;
    Some(owner.name.clone())
}
