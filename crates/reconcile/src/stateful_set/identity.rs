//! What makes a StatefulSet's pod the one it is: name, labels, hostname, claims.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{StatefulSet, StatefulSetSpec};
use k8s_openapi::api::core::v1::{
    self as core, PersistentVolumeClaimVolumeSource, PodSpec, PodTemplateSpec, Volume,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use manifest::labels::{POD_INDEX, POD_NAME, REVISION_HASH};

use super::claims;
use crate::owner::controlled_by;
use crate::world::{Pod, names};

/// The ordinal in the name of a set's pod, `<set>-<ordinal>`.
pub(super) fn ordinal(set: &str, pod: &str) -> Option<i64> {
    let digits = pod.strip_prefix(set)?.strip_prefix('-')?;
    let plain = !digits.is_empty()
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && (digits == "0" || !digits.starts_with('0'));
    if plain { digits.parse().ok() } else { None }
}

/// A pod of a set, from one revision of its template.
pub(super) fn new_pod(
    set: &StatefulSet,
    spec: &StatefulSetSpec,
    (revision, template): (&str, &PodTemplateSpec),
    ordinal: i64,
) -> core::Pod {
    let (namespace, set_name) = names(set);
    let name = format!("{set_name}-{ordinal}");
    let labelled = template.metadata.clone().unwrap_or_default();
    let mut labels = labelled.labels.unwrap_or_default();
    labels.extend(identity(&name, ordinal));
    labels.insert(REVISION_HASH.to_owned(), revision.to_owned());
    let mut pod_spec = template.spec.clone().unwrap_or_default();
    pod_spec.hostname = Some(name.clone());
    pod_spec.subdomain = spec.service_name.clone().filter(|service| !service.is_empty());
    volumes(set_name, spec, ordinal, &mut pod_spec);
    core::Pod {
        metadata: ObjectMeta {
            annotations: labelled.annotations,
            finalizers: labelled.finalizers,
            generate_name: Some(format!("{set_name}-")),
            labels: Some(labels),
            name: Some(name),
            namespace: Some(namespace.to_owned()),
            owner_references: Some(vec![controlled_by(set)]),
            ..ObjectMeta::default()
        },
        spec: Some(pod_spec),
        status: None,
    }
}

fn identity(name: &str, ordinal: i64) -> BTreeMap<String, String> {
    BTreeMap::from([
        (POD_NAME.to_owned(), name.to_owned()),
        (POD_INDEX.to_owned(), ordinal.to_string()),
    ])
}

/// A volume per claim template, in place of a volume of that name.
fn volumes(set: &str, spec: &StatefulSetSpec, ordinal: i64, pod_spec: &mut PodSpec) {
    for (template, claim_name) in claims::of(set, spec, ordinal) {
        let name = template.metadata.name.clone().unwrap_or_default();
        let volumes = pod_spec.volumes.get_or_insert_default();
        volumes.retain(|volume| volume.name != name);
        volumes.push(Volume {
            name,
            persistent_volume_claim: Some(PersistentVolumeClaimVolumeSource {
                claim_name,
                read_only: None,
            }),
            ..Volume::default()
        });
    }
}

/// The pod with the labels of its identity, if it lacks one.
pub(super) fn identify(set: &StatefulSet, pod: &Pod) -> Option<Pod> {
    let (_, name) = names(pod);
    let identity = identity(name, ordinal(names(set).1, name)?);
    let labels = pod.metadata.labels.as_ref();
    if labels.is_some_and(|labels| crate::world::carries(labels, &identity)) {
        return None;
    }
    let mut identified = pod.clone();
    identified.metadata.labels.get_or_insert_default().extend(identity);
    Some(identified)
}
