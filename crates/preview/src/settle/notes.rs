//! What else there is to know of a Service: pods that are not there, and names that are otherwise in a cluster.

use std::collections::BTreeMap;
use std::sync::Arc;

use directory::view::ObjectName;
use k8s_openapi::api::apps::v1::{ReplicaSet, StatefulSet};
use k8s_openapi::api::core::v1::{PodTemplateSpec, Service};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use manifest::{Object, StoredObject};
use reconcile::World;
use reconcile::world::Pod;

use super::Api;
use crate::views::object_name;

/// The notes, by Service.
pub(super) fn of(api: &Api) -> BTreeMap<ObjectName, Vec<String>> {
    let mut notes: BTreeMap<ObjectName, Vec<String>> = BTreeMap::new();
    let mut note = |service: &Service, text: &str| {
        let notes = notes.entry(object_name(&service.metadata)).or_default();
        if !notes.iter().any(|known| known == text) {
            notes.push(text.to_owned());
        }
    };
    // What is said of pods is said of every Service that selects them.
    let mut told: Vec<(Arc<str>, Labels, Vec<String>)> = Vec::new();
    for object in api.objects.values() {
        match object {
            Object::StatefulSet(set) => {
                let Some(labels) = labels(set.spec.as_ref().map(|spec| &spec.template)) else {
                    continue;
                };
                let replicas = set.spec.as_ref().and_then(|spec| spec.replicas);
                let texts = waiting(&api.world, set).into_iter().chain(ungoverned(&api.world, set));
                let texts: Vec<String> =
                    texts.chain(without_pods("StatefulSet", &set.metadata, replicas)).collect();
                told.push((object_name(&set.metadata).namespace, labels, texts));
            }
            Object::Deployment(deployment) => {
                let spec = deployment.spec.as_ref();
                let Some(labels) = labels(spec.map(|spec| &spec.template)) else { continue };
                let replicas = spec.and_then(|spec| spec.replicas);
                let text = without_pods("Deployment", &deployment.metadata, replicas);
                let namespace = object_name(&deployment.metadata).namespace;
                told.push((namespace, labels, text.into_iter().collect()));
            }
            Object::ReplicaSet(set) => {
                let template = set.spec.as_ref().and_then(|spec| spec.template.as_ref());
                let Some(labels) = labels(template) else { continue };
                told.push((object_name(&set.metadata).namespace, labels, named_by_chance(set)));
            }
            Object::Stored(stored) => {
                let Some((labels, text)) = not_played(stored) else { continue };
                told.push((object_name(&stored.metadata).namespace, labels, vec![text]));
            }
            Object::Service(service) => {
                for text in unmatched(&api.world, service).into_iter().chain(preferring(service)) {
                    note(service, &text);
                }
            }
            _ => {}
        }
    }
    for (namespace, labels, texts) in told {
        for service in api.world.services_selecting(&namespace, &labels) {
            texts.iter().for_each(|text| note(service, text));
        }
    }
    notes
}

type Labels = BTreeMap<String, String>;

/// The labels of a workload's pods.
fn labels(template: Option<&PodTemplateSpec>) -> Option<Labels> {
    template?.metadata.as_ref()?.labels.clone()
}

/// A workload that is scaled to nothing: its labels do match, and it has no pods.
fn without_pods(kind: &str, metadata: &ObjectMeta, replicas: Option<i32>) -> Option<String> {
    (replicas == Some(0)).then(|| {
        format!("{kind} {} has replicas: 0, so it makes no pods", object_name(metadata).name)
    })
}

/// A StatefulSet that makes its pods in order waits for one that is not ready.
fn waiting(world: &World, set: &StatefulSet) -> Option<String> {
    let spec = set.spec.as_ref()?;
    let id = object_name(&set.metadata);
    let first = spec.ordinals.as_ref().and_then(|ordinals| ordinals.start).unwrap_or(0);
    let wanted = spec.replicas.unwrap_or(1);
    let name = |place: i32| format!("{}-{}", id.name, i64::from(first) + i64::from(place));
    let there = |place: &i32| world.get::<Pod>(&id.namespace, &name(*place)).is_some();
    let made = (0..wanted).take_while(there).count();
    let made = i32::try_from(made).unwrap_or(wanted);
    if made == wanted || made == 0 {
        return None;
    }
    let missing = match wanted - made {
        1 => format!("{} is", name(made)),
        2 => format!("{} and {} are", name(made), name(wanted - 1)),
        _ => format!("{} to {} are", name(made), name(wanted - 1)),
    };
    Some(format!(
        "{missing} not there: StatefulSet {} makes its pods in order (podManagementPolicy: OrderedReady), \
         each when the one before is ready, and {} is not",
        id.name,
        name(made - 1),
    ))
}

/// A StatefulSet whose governing Service is not there.
fn ungoverned(world: &World, set: &StatefulSet) -> Option<String> {
    let spec = set.spec.as_ref()?;
    let id = object_name(&set.metadata);
    let (set, first) = (&id.name, spec.ordinals.as_ref().and_then(|ordinals| ordinals.start));
    let pod = format!("{set}-{}", first.unwrap_or(0));
    match spec.service_name.as_deref().filter(|name| !name.is_empty()) {
        None => Some(format!(
            "StatefulSet {set} has no serviceName: its pods have no names, {pod} and the others, only those by their addresses"
        )),
        Some(governing) if world.get::<Service>(&id.namespace, governing).is_none() => {
            Some(format!(
                "StatefulSet {set} names its pods below {governing} (serviceName), and there is no such Service: {pod}.{governing} does not exist"
            ))
        }
        Some(_) => None,
    }
}

/// A ReplicaSet's pods have names that end by chance.
fn named_by_chance(set: &ReplicaSet) -> Vec<String> {
    let spec = set.spec.as_ref();
    if spec.and_then(|spec| spec.replicas) == Some(0) {
        return Vec::new();
    }
    let owner =
        set.metadata.owner_references.iter().flatten().find(|owner| owner.controller == Some(true));
    let (kind, name) = match owner {
        Some(owner) => (owner.kind.as_str(), owner.name.as_str()),
        None => ("ReplicaSet", set.metadata.name.as_deref().unwrap_or_default()),
    };
    vec![format!(
        "the pods of {kind} {name} have made-up names here: in a cluster the last part is drawn by chance"
    )]
}

/// A workload whose pods are not made here: their labels, and what to say.
fn not_played(object: &StoredObject) -> Option<(Labels, String)> {
    let kind = manifest::Kind::of(manifest::KindId::Stored(object.kind)).kind;
    let (path, why) = match kind {
        "DaemonSet" => {
            ("/template", "it has a pod on each node, and how many those are only a cluster knows")
        }
        "Job" => ("/template", "its pods come and go"),
        "CronJob" => ("/jobTemplate/spec/template", "its pods come and go"),
        _ => return None,
    };
    let labels =
        object.content.get("spec")?.pointer(path)?.pointer("/metadata/labels")?.as_object()?;
    let labels = labels
        .iter()
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect();
    let name = object.metadata.name.as_deref().unwrap_or_default();
    Some((labels, format!("the pods of {kind} {name} are not shown: {why}")))
}

/// A Service whose selector matches no pod.
fn unmatched(world: &World, service: &Service) -> Option<String> {
    let spec = service.spec.as_ref()?;
    let selector = spec.selector.as_ref().filter(|selector| !selector.is_empty())?;
    let namespace = service.metadata.namespace.as_deref().unwrap_or_default();
    let is_alias = spec.type_.as_deref() == Some("ExternalName");
    if is_alias || world.pods_with(namespace, selector).next().is_some() {
        return None;
    }
    let pairs: Vec<String> = selector.iter().map(|(key, value)| format!("{key}={value}")).collect();
    Some(format!("its selector {} matches no pod here", pairs.join(",")))
}

/// A Service whose second family depends on the cluster.
fn preferring(service: &Service) -> Option<String> {
    let policy = service.spec.as_ref()?.ip_family_policy.as_deref();
    (policy == Some("PreferDualStack")).then(|| {
        "ipFamilyPolicy PreferDualStack: a cluster that has one address family has the records of that one alone"
            .to_owned()
    })
}
