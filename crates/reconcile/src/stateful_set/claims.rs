//! The PersistentVolumeClaims of a StatefulSet's pods: made before them, and owned as the retention policy says.

use k8s_openapi::api::apps::v1::{StatefulSet, StatefulSetSpec};
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use manifest::{ObjectRef, Stored, StoredObject};
use serde_json::{Map, json};

use crate::owner::{controlled_by, controller};
use crate::world::{Pod, names};
use crate::{Action, World};

const KIND: &str = "PersistentVolumeClaim";

/// The templates with names, and the names of their claims for a pod: `<template>-<set>-<ordinal>`.
pub(super) fn of<'a>(
    set: &'a str,
    spec: &'a StatefulSetSpec,
    ordinal: i64,
) -> impl Iterator<Item = (&'a PersistentVolumeClaim, String)> {
    spec.volume_claim_templates.iter().flatten().filter_map(move |template| {
        let name = template.metadata.name.as_deref()?;
        Some((template, format!("{name}-{set}-{ordinal}")))
    })
}

/// The claims that a pod lacks; `None` while one that it had is on its way out.
pub(super) fn missing(
    world: &World,
    set: &StatefulSet,
    spec: &StatefulSetSpec,
    ordinal: i64,
) -> Option<Vec<StoredObject>> {
    let (namespace, set_name) = names(set);
    let pod = format!("{set_name}-{ordinal}");
    let mut missing = Vec::new();
    for (template, name) in of(set_name, spec, ordinal) {
        match world.stored(KIND, namespace, &name) {
            None => missing.push(new(set, spec, template, name)),
            Some(held) => {
                // One that goes with an earlier pod of this name is collected soon.
                let goes = |owner: &OwnerReference| owner.kind == "Pod" && owner.name == pod;
                let stale = held.owner_references.iter().flatten().any(goes);
                if stale || held.deletion_timestamp.is_some() {
                    return None;
                }
            }
        }
    }
    Some(missing)
}

fn new(
    set: &StatefulSet,
    spec: &StatefulSetSpec,
    template: &PersistentVolumeClaim,
    name: String,
) -> StoredObject {
    let mut labels = template.metadata.labels.clone().unwrap_or_default();
    labels.extend(spec.selector.match_labels.clone().unwrap_or_default());
    let mut content = Map::new();
    content.insert("spec".to_owned(), json!(template.spec));
    let metadata = ObjectMeta {
        annotations: template.metadata.annotations.clone(),
        labels: Some(labels).filter(|labels| !labels.is_empty()),
        name: Some(name),
        namespace: set.metadata.namespace.clone(),
        owner_references: Policy::of(spec).goes_with_set.then(|| vec![controlled_by(set)]),
        ..ObjectMeta::default()
    };
    StoredObject { kind: Stored::PersistentVolumeClaim, metadata, content }
}

/// What becomes of claims; without a word they stay.
#[derive(Clone, Copy)]
struct Policy {
    goes_with_set: bool,
    goes_when_scaled: bool,
}

impl Policy {
    fn of(spec: &StatefulSetSpec) -> Self {
        let policy = spec.persistent_volume_claim_retention_policy.as_ref();
        let deletes = |policy: Option<&String>| policy.is_some_and(|policy| policy == "Delete");
        Self {
            goes_with_set: deletes(policy.and_then(|policy| policy.when_deleted.as_ref())),
            goes_when_scaled: deletes(policy.and_then(|policy| policy.when_scaled.as_ref())),
        }
    }
}

/// The changes that make the claims of a pod belong to whom the policy says: to the set; to the pod, when it is
/// beyond the set's range; or to nobody.
pub(super) fn owned(
    world: &World,
    set: &StatefulSet,
    spec: &StatefulSetSpec,
    pod: &Pod,
    ordinal: i64,
    condemned: bool,
) -> Vec<Action> {
    let (namespace, set_name) = names(set);
    let policy = Policy::of(spec);
    let mut actions = Vec::new();
    for (_, name) in of(set_name, spec, ordinal) {
        let Some(held) = world.stored(KIND, namespace, &name) else { continue };
        if held.deletion_timestamp.is_some() {
            continue;
        }
        let ours = |owner: &OwnerReference| {
            [&set.metadata, &pod.metadata].iter().any(|ours| ours.uid.as_ref() == Some(&owner.uid))
        };
        let mut owners = held.owner_references.clone().unwrap_or_default();
        let strangers = controller(held).is_some_and(|owner| !ours(owner));
        let before = owners.clone();
        owners.retain(|owner| !ours(owner));
        if !strangers {
            if condemned && policy.goes_when_scaled {
                owners.push(controlled_by(pod));
            } else if policy.goes_with_set {
                owners.push(controlled_by(set));
            }
        }
        if owners == before {
            continue;
        }
        let target = ObjectRef { kind: KIND, namespace: namespace.to_owned(), name };
        if let Some(mut claim) = world.object(&target) {
            claim.metadata_mut().owner_references = Some(owners);
            actions.push(Action::Update(claim));
        }
    }
    actions
}

/// The Event that tells of a new claim.
pub(super) fn told(claim: &StoredObject, pod: &str, set: &str) -> String {
    let name = claim.metadata.name.as_deref().unwrap_or_default();
    format!("create Claim {name} Pod {pod} in StatefulSet {set} success")
}
