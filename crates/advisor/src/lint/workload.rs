//! What makes pods, whatever its kind.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{Container, ContainerPort, PodSpec, ServicePort};
use manifest::read::Document;
use manifest::selector::LabelSelector;
use manifest::{KindId, ObjectRef, Stored};
use serde_json::Value;

use super::finding::{Label, Subject};
use super::objects::{Item, subject};

/// A StatefulSet, Deployment, ReplicaSet, DaemonSet, Job, CronJob or bare pod.
#[derive(Clone, Debug)]
pub struct Workload {
    /// The object as its author wrote it.
    pub document: Arc<Document>,
    /// What names it.
    pub reference: ObjectRef,
    /// The labels of its pods.
    pub labels: BTreeMap<String, String>,
    /// The annotations of its pods.
    pub annotations: BTreeMap<String, String>,
    /// What its pods are, with defaults.
    pub pod: PodSpec,
    /// How many; `None` where the kind has no such number.
    pub replicas: Option<i32>,
    /// A StatefulSet's `serviceName`.
    service_name: Option<String>,
    /// Its place among all workloads.
    pub(super) at: usize,
    /// Its place among the StatefulSets, if it is one.
    pub(super) stateful_set: Option<usize>,
    /// The path of the pods' template: `spec.template`; empty for a bare pod.
    template: &'static str,
}

impl Workload {
    pub(super) fn of(item: &Item<Value>) -> Option<Self> {
        let template = match item.document.kind.id {
            KindId::Pod => "",
            KindId::StatefulSet
            | KindId::Deployment
            | KindId::ReplicaSet
            | KindId::Stored(Stored::DaemonSet | Stored::Job) => "spec.template",
            KindId::Stored(Stored::CronJob) => "spec.jobTemplate.spec.template",
            KindId::Namespace
            | KindId::Node
            | KindId::Service
            | KindId::Endpoints
            | KindId::Event
            | KindId::EndpointSlice
            | KindId::Stored(_) => return None,
        };
        let object = &item.object;
        let made = template.split('.').filter(|part| !part.is_empty());
        let made = made.fold(object, |value, part| &value[part]);
        let texts = |value: &Value| {
            let entries = value.as_object().into_iter().flatten();
            entries
                .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
                .collect()
        };
        let number = |value: &Value| value.as_i64().and_then(|number| i32::try_from(number).ok());
        Some(Self {
            document: Arc::clone(&item.document),
            reference: item.reference.clone(),
            labels: texts(&made["metadata"]["labels"]),
            annotations: texts(&made["metadata"]["annotations"]),
            pod: serde_json::from_value(made["spec"].clone()).ok()?,
            replicas: number(&object["spec"]["replicas"]),
            service_name: object["spec"]["serviceName"].as_str().map(str::to_owned),
            at: 0,
            stateful_set: None,
            template,
        })
    }

    /// The workload as findings name it.
    pub fn subject(&self) -> Subject {
        subject(&self.reference)
    }

    /// A field of the object itself, for example `spec.replicas`.
    pub fn label(&self, field: &str, text: impl Into<String>) -> Label {
        Label::new(&self.document, field, text)
    }

    /// A field of its pods, for example `spec.containers[0].image` or `metadata.labels`.
    pub fn pod_label(&self, field: &str, text: impl Into<String>) -> Label {
        self.label(&self.pod_field(field), text)
    }

    /// The path in the object of a field of its pods.
    pub fn pod_field(&self, field: &str) -> String {
        match self.template {
            "" => field.to_owned(),
            template => format!("{template}.{field}"),
        }
    }

    /// Whether this is of that kind, for example `StatefulSet`.
    pub fn is(&self, kind: &str) -> bool {
        self.reference.kind == kind
    }

    /// The name that its pods have for their governing Service: a StatefulSet's `serviceName`, else `subdomain`. `None` when
    /// there is none or it is empty.
    pub fn subdomain(&self) -> Option<&str> {
        let name = match self.is("StatefulSet") {
            true => self.service_name.as_deref(),
            false => self.pod.subdomain.as_deref(),
        };
        name.filter(|name| !name.is_empty())
    }

    /// The containers that stay while a pod serves, and their paths among the pod's fields: `spec.containers[0]`, and init
    /// containers that are sidecars (`restartPolicy: Always`).
    pub fn containers(&self) -> impl Iterator<Item = (String, &Container)> {
        let main = self.pod.containers.iter().enumerate();
        let main = main.map(|(at, container)| (format!("spec.containers[{at}]"), container));
        let init = self.pod.init_containers.iter().flatten().enumerate();
        let sidecars = init
            .filter(|(_, container)| is_sidecar(container))
            .map(|(at, container)| (format!("spec.initContainers[{at}]"), container));
        main.chain(sidecars)
    }

    /// The ports that its containers declare, and their paths among the pod's fields.
    pub fn ports(&self) -> impl Iterator<Item = (String, &ContainerPort)> {
        self.containers().flat_map(|(path, container)| {
            let ports = container.ports.iter().flatten().enumerate();
            ports.map(move |(at, port)| (format!("{path}.ports[{at}]"), port))
        })
    }

    /// The number on its pods that a Service's port leads to, declared or not. `None` when that is a name that they lack.
    pub fn target_port(&self, port: &ServicePort) -> Option<i32> {
        reconcile::target_port(port, |name, protocol| {
            let mut ports = self.declared();
            let port = ports
                .find(|port| port.name.as_deref() == Some(name) && protocol_of(port) == protocol)?;
            Some(port.container_port)
        })
    }

    /// Whether its containers declare the port that a Service's port leads to. A number works without that; a name does not.
    pub fn declares(&self, port: &ServicePort) -> bool {
        let protocol = port.protocol.as_deref().unwrap_or("TCP");
        self.target_port(port).is_some_and(|number| self.declares_number(number, protocol))
    }

    /// Whether its containers declare a port of this number and protocol.
    pub fn declares_number(&self, number: i32, protocol: &str) -> bool {
        self.declared().any(|port| port.container_port == number && protocol_of(port) == protocol)
    }

    /// The ports that its containers declare, without their paths, which take time to write.
    fn declared(&self) -> impl Iterator<Item = &ContainerPort> {
        let init = self.pod.init_containers.iter().flatten();
        let sidecars = init.filter(|container| is_sidecar(container));
        let containers = self.pod.containers.iter().chain(sidecars);
        containers.flat_map(|container| container.ports.iter().flatten())
    }

    /// The selector by which its controller knows its pods; `None` for bare pods and for Jobs, which get one of their own.
    pub fn selector(&self) -> Option<LabelSelector> {
        let kinds = ["StatefulSet", "Deployment", "ReplicaSet", "DaemonSet"];
        let selector = kinds
            .contains(&self.reference.kind)
            .then(|| &self.document.value["spec"]["selector"])?;
        let selector = LabelSelector::from_object(&serde_json::from_value(selector.clone()).ok()?);
        selector.ok().filter(|selector| !selector.is_everything())
    }

    /// The labels that tell its pods from others: those that its own selector asks for, else all that they have.
    pub fn identity(&self) -> BTreeMap<String, String> {
        let own = &self.document.value["spec"]["selector"]["matchLabels"];
        let own: Option<BTreeMap<_, _>> = serde_json::from_value(own.clone()).ok();
        own.filter(|labels| !labels.is_empty()).unwrap_or_else(|| self.labels.clone())
    }

    /// Whether this controller's selector takes the other's pods, and the other's this one's.
    pub fn overlaps(&self, other: &Self) -> bool {
        let takes =
            |of: &Self, labels| of.selector().is_some_and(|selector| selector.matches(labels));
        self.reference.namespace == other.reference.namespace
            && takes(self, &other.labels)
            && takes(other, &self.labels)
    }

    /// Whether it is a Job or a CronJob, whose pods end.
    pub fn ends(&self) -> bool {
        self.is("Job") || self.is("CronJob")
    }

    /// Its pods, as findings speak of them: `the pods of StatefulSet db`; a bare pod is itself.
    pub fn pods(&self) -> String {
        if self.is("Pod") { self.title() } else { format!("the pods of {}", self.title()) }
    }

    /// Its kind and name: `StatefulSet db`.
    pub fn title(&self) -> String {
        format!("{} {}", self.reference.kind, self.reference.name)
    }

    /// The host name of the first pod, where pods have host names: a StatefulSet's first ordinal, else `hostname`.
    pub fn first_host(&self) -> Option<String> {
        if self.is("StatefulSet") {
            let first = self.document.value["spec"]["ordinals"]["start"].as_i64().unwrap_or(0);
            return Some(format!("{}-{first}", self.reference.name));
        }
        self.pod.hostname.clone().filter(|hostname| !hostname.is_empty())
    }
}

/// Whether an init container stays.
fn is_sidecar(container: &Container) -> bool {
    container.restart_policy.as_deref() == Some("Always")
}

/// The protocol of a container's port.
fn protocol_of(port: &ContainerPort) -> &str {
    port.protocol.as_deref().unwrap_or("TCP")
}
