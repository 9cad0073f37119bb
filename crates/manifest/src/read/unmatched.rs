//! Services whose selector selects no pod of the same texts.

use std::collections::BTreeMap;

use serde_json::Value;

use super::document::Document;
use super::problem::{Fault, Problem};
use crate::kind::{KindId, Stored};
use crate::selector::{self, LabelSelector};

type Labels = BTreeMap<String, String>;

/// A pod, or a workload that makes pods.
struct Pods<'d> {
    document: &'d Document,
    namespace: String,
    labels: Labels,
}

/// A note for each Service that selects none, with the index of its document.
///
/// Objects with errors count too: a slip elsewhere is no reason to doubt a selector.
pub(super) fn notes(documents: &[Document], default_namespace: &str) -> Vec<(usize, Problem)> {
    let pods: Vec<Pods<'_>> = documents
        .iter()
        .filter_map(|document| {
            let labels = match document.kind.id {
                KindId::Pod => &document.value["metadata"]["labels"],
                KindId::StatefulSet | KindId::Deployment | KindId::ReplicaSet => {
                    &document.value["spec"]["template"]["metadata"]["labels"]
                }
                KindId::Namespace
                | KindId::Node
                | KindId::Service
                | KindId::Endpoints
                | KindId::Event
                | KindId::EndpointSlice => return None,
                KindId::Stored(Stored::DaemonSet | Stored::Job) => {
                    &document.value["spec"]["template"]["metadata"]["labels"]
                }
                KindId::Stored(Stored::CronJob) => {
                    &document.value["spec"]["jobTemplate"]["spec"]["template"]["metadata"]["labels"]
                }
                KindId::Stored(_) => return None,
            };
            let namespace = document.reference(default_namespace).namespace;
            Some(Pods { document, namespace, labels: texts(labels) })
        })
        .collect();
    documents
        .iter()
        .enumerate()
        .filter(|(_, document)| document.kind.id == KindId::Service)
        .filter_map(|(index, service)| {
            let spec = &service.value["spec"];
            let selector = texts(&spec["selector"]);
            if selector.is_empty() || spec["type"] == "ExternalName" {
                return None;
            }
            let namespace = service.reference(default_namespace).namespace;
            let wanted = LabelSelector::from_map(&selector);
            let selects = |pods: &&Pods<'_>| wanted.matches(&pods.labels);
            let (near, far): (Vec<_>, Vec<_>) =
                pods.iter().partition(|pods| pods.namespace == namespace);
            if near.iter().any(selects) {
                return None;
            }
            let message = format!(
                "selects no pod of these files: none in namespace {namespace} is labelled {wanted}"
            );
            let elsewhere = far.iter().find(|pods| selects(pods)).map(|pods| {
                let Pods { document, namespace, .. } = pods;
                format!(
                    "{} {} is, but in namespace {namespace}",
                    document.kind.kind,
                    document.name()
                )
            });
            let help = elsewhere.or_else(|| nearest(&selector, &near));
            let problem = service.problem("spec.selector", message).of(Fault::Selector).into_note();
            Some((index, problem.with_help(help)))
        })
        .collect()
}

/// The pods that come nearest to being selected, and how they differ.
fn nearest(selector: &Labels, pods: &[&Pods<'_>]) -> Option<String> {
    let candidates = pods.iter().map(|pods| (pods.document, &pods.labels));
    let (document, differences) = selector::nearest(selector, candidates)?;
    let (kind, name) = (document.kind.kind, document.name());
    let (source, line) = (&document.source, document.start().line);
    Some(format!("{kind} {name} ({source}:{line}) has {differences}"))
}

/// The entries of a JSON object that are texts.
fn texts(value: &Value) -> Labels {
    value
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect()
}
