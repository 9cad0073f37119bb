//! Pods, of which a cluster has the most: kept as little as controllers need.

use std::net::IpAddr;

use jiff::Timestamp;
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::{Metadata, NamespaceResourceScope, Resource};
use manifest::Object;

/// A pod, as far as controllers look at it: a tenth of the memory that the whole takes.
///
/// They change nothing of a pod but its metadata, so as an [`Object`] it is that alone.
#[derive(Clone, Debug, PartialEq)]
pub struct Pod {
    pub(crate) metadata: ObjectMeta,
    /// Its node's name, once it has one.
    pub(crate) node: Option<Box<str>>,
    pub(crate) hostname: Option<Box<str>>,
    pub(crate) subdomain: Option<Box<str>>,
    /// The ports that have names, of its containers and then of its sidecars.
    pub(crate) ports: Vec<NamedPort>,
    /// One of Kubernetes' phases; empty before a node took it.
    pub(crate) phase: &'static str,
    /// Its addresses in canonical form, the first first.
    pub(crate) addresses: Vec<IpAddr>,
    /// Its condition Ready.
    pub(crate) ready: Option<Ready>,
    /// How often the container was restarted that was restarted most.
    pub(crate) restarts: i32,
}

/// A port that a Service can lead to by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NamedPort {
    pub(crate) name: Box<str>,
    /// None is TCP.
    pub(crate) protocol: Option<Box<str>>,
    pub(crate) number: i32,
}

/// Whether a pod is ready, and since when it is or is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ready {
    pub(crate) is: bool,
    pub(crate) since: Option<Timestamp>,
}

impl Pod {
    /// Whether its condition Ready is True.
    pub fn is_ready(&self) -> bool {
        self.ready.is_some_and(|ready| ready.is)
    }
}

impl From<&core::Pod> for Pod {
    fn from(pod: &core::Pod) -> Self {
        let core::Pod { metadata, spec, status } = pod;
        let spec = spec.as_ref();
        let status = status.as_ref();
        Self {
            metadata: metadata.clone(),
            node: spec.and_then(|spec| text(&spec.node_name)),
            hostname: spec.and_then(|spec| text(&spec.hostname)),
            subdomain: spec.and_then(|spec| text(&spec.subdomain)),
            ports: spec.map(named_ports).unwrap_or_default(),
            phase: status.and_then(|status| status.phase.as_deref()).map_or("", known_phase),
            addresses: status.map(addresses).unwrap_or_default(),
            ready: status.and_then(readiness),
            restarts: status.map_or(0, restarts),
        }
    }
}

impl From<core::Pod> for Pod {
    fn from(pod: core::Pod) -> Self {
        Self::from(&pod)
    }
}

impl From<Pod> for Object {
    fn from(pod: Pod) -> Self {
        Self::Pod(core::Pod { metadata: pod.metadata, ..core::Pod::default() })
    }
}

impl Resource for Pod {
    const API_VERSION: &'static str = core::Pod::API_VERSION;
    const GROUP: &'static str = core::Pod::GROUP;
    const KIND: &'static str = core::Pod::KIND;
    const VERSION: &'static str = core::Pod::VERSION;
    const URL_PATH_SEGMENT: &'static str = core::Pod::URL_PATH_SEGMENT;
    type Scope = NamespaceResourceScope;
}

impl Metadata for Pod {
    type Ty = ObjectMeta;

    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn metadata_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

fn text(text: &Option<String>) -> Option<Box<str>> {
    text.as_deref().filter(|text| !text.is_empty()).map(Into::into)
}

fn named_ports(spec: &core::PodSpec) -> Vec<NamedPort> {
    // An init container that restarts always is a sidecar: it runs, and serves, beside the others.
    let sidecar =
        |container: &&core::Container| container.restart_policy.as_deref() == Some("Always");
    let sidecars = spec.init_containers.iter().flatten().filter(sidecar);
    spec.containers
        .iter()
        .chain(sidecars)
        .flat_map(|container| container.ports.iter().flatten())
        .filter_map(|port| {
            Some(NamedPort {
                name: text(&port.name)?,
                protocol: text(&port.protocol).filter(|protocol| **protocol != *"TCP"),
                number: port.container_port,
            })
        })
        .collect()
}

fn known_phase(phase: &str) -> &'static str {
    ["Pending", "Running", "Succeeded", "Failed", "Unknown"]
        .into_iter()
        .find(|known| *known == phase)
        .unwrap_or_default()
}

fn addresses(status: &core::PodStatus) -> Vec<IpAddr> {
    let all = status.pod_ips.as_deref().unwrap_or_default();
    let first = status.pod_ip.as_deref().filter(|_| all.is_empty());
    all.iter()
        .map(|address| address.ip.as_str())
        .chain(first)
        .filter_map(|address| address.parse::<IpAddr>().ok())
        .map(|address| address.to_canonical())
        .collect()
}

fn readiness(status: &core::PodStatus) -> Option<Ready> {
    let mut conditions = status.conditions.iter().flatten();
    let condition = conditions.find(|condition| condition.type_ == "Ready")?;
    Some(Ready {
        is: condition.status == "True",
        since: condition.last_transition_time.as_ref().map(|time| time.0),
    })
}

fn restarts(status: &core::PodStatus) -> i32 {
    let statuses = status.container_statuses.iter().flatten();
    statuses.map(|status| status.restart_count).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_kept() {
        let mut pod: core::Pod = serde_json::from_value(json!({
            "metadata": {"name": "p", "namespace": "n", "uid": "u"},
            "spec": {
                "nodeName": "node-1", "hostname": "p", "subdomain": "",
                "containers": [{"name": "a", "ports": [
                    {"name": "http", "containerPort": 80, "protocol": "TCP"},
                    {"containerPort": 81},
                    {"name": "dns", "containerPort": 53, "protocol": "UDP"},
                ]}],
                "initContainers": [
                    {"name": "once", "ports": [{"name": "x", "containerPort": 1}]},
                    {"name": "sidecar", "restartPolicy": "Always", "ports": [{"name": "y", "containerPort": 2}]},
                ],
            },
            "status": {
                "phase": "Running",
                "podIP": "10.0.0.1", "podIPs": [{"ip": "10.0.0.1"}, {"ip": "FD00::0:1"}, {"ip": "none"}],
                "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "1970-01-01T00:00:00Z"}],
                "containerStatuses": [
                    {"name": "a", "image": "i", "imageID": "i", "ready": true, "restartCount": 3},
                    {"name": "b", "image": "i", "imageID": "i", "ready": true, "restartCount": 1},
                ],
            },
        }))
        .unwrap();
        let port = |name: &str, protocol: Option<&str>, number| NamedPort {
            name: name.into(),
            protocol: protocol.map(Into::into),
            number,
        };
        let kept = Pod {
            metadata: pod.metadata.clone(),
            node: Some("node-1".into()),
            hostname: Some("p".into()),
            subdomain: None,
            ports: vec![port("http", None, 80), port("dns", Some("UDP"), 53), port("y", None, 2)],
            phase: "Running",
            addresses: vec!["10.0.0.1".parse().unwrap(), "fd00::1".parse().unwrap()],
            ready: Some(Ready { is: true, since: Some(Timestamp::UNIX_EPOCH) }),
            restarts: 3,
        };
        assert_eq!(Pod::from(&pod), kept);

        // An older server tells one address only.
        pod.status.as_mut().unwrap().pod_ips = None;
        assert_eq!(Pod::from(&pod).addresses, ["10.0.0.1".parse::<IpAddr>().unwrap()]);
        // As an object it is what controllers may have changed.
        let Object::Pod(changed) = kept.into() else { panic!("a pod") };
        assert_eq!((changed.metadata, changed.spec), (pod.metadata, None));
    }
}
