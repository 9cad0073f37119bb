//! What makes pods, whatever its kind.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{Container, ContainerPort, PodSpec};
use manifest::read::Document;
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
            .filter(|(_, container)| container.restart_policy.as_deref() == Some("Always"))
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
}
