//! The ReplicaSets of a Deployment: the new one, which has its template, and the old ones.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::apps::v1::{DeploymentSpec, ReplicaSet};
use k8s_openapi::api::core::v1::PodTemplateSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use manifest::labels::{REVISION, REVISION_HISTORY, TEMPLATE_HASH};

/// The longest history of revisions that an annotation keeps.
const HISTORY_BYTES_MAX: usize = 2000;

/// The ReplicaSets, oldest first.
pub(super) struct Sets {
    pub(super) new: Option<Arc<ReplicaSet>>,
    pub(super) old: Vec<Arc<ReplicaSet>>,
}

impl Sets {
    pub(super) fn new(spec: &DeploymentSpec, mut owned: Vec<Arc<ReplicaSet>>) -> Self {
        owned.sort_by_key(|set| {
            let created = set.metadata.creation_timestamp.as_ref().map(|time| time.0);
            (created, set.metadata.name.clone())
        });
        let wanted = without_hash(&spec.template);
        let at = owned.iter().position(|set| {
            let template = set.spec.as_ref().and_then(|spec| spec.template.as_ref());
            template.is_some_and(|template| without_hash(template) == wanted)
        });
        let new = at.map(|at| owned.remove(at));
        Self { new, old: owned }
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<ReplicaSet>> {
        self.old.iter().chain(&self.new)
    }

    /// The old ones that still want pods.
    pub(super) fn active_old(&self) -> Vec<Arc<ReplicaSet>> {
        self.old.iter().filter(|set| replicas(set) > 0).cloned().collect()
    }

    /// The revision after all old ones.
    pub(super) fn next_revision(&self) -> i64 {
        self.old.iter().map(|set| revision(&set.metadata)).max().unwrap_or(0) + 1
    }
}

/// A sum that stays within bounds, whatever people and statuses say.
pub(super) fn sum(counts: impl Iterator<Item = i32>) -> i32 {
    counts.fold(0, i32::saturating_add)
}

/// The template as its author wrote it.
fn without_hash(template: &PodTemplateSpec) -> PodTemplateSpec {
    let mut template = template.clone();
    if let Some(metadata) = &mut template.metadata
        && let Some(labels) = &mut metadata.labels
    {
        labels.remove(TEMPLATE_HASH);
    }
    template
}

/// How many pods it wants.
pub(super) fn replicas(set: &ReplicaSet) -> i32 {
    set.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1).max(0)
}

/// How many pods it has, as its status tells.
pub(super) fn observed(set: &ReplicaSet) -> i32 {
    set.status.as_ref().map_or(0, |status| status.replicas)
}

/// How many of its pods are ready, as its status tells.
pub(super) fn ready(set: &ReplicaSet) -> i32 {
    set.status.as_ref().and_then(|status| status.ready_replicas).unwrap_or(0)
}

/// How many of its pods are available, as its status tells.
pub(super) fn available(set: &ReplicaSet) -> i32 {
    set.status.as_ref().and_then(|status| status.available_replicas).unwrap_or(0)
}

/// The number of the rollout; 0 when it has none.
pub(super) fn revision(metadata: &ObjectMeta) -> i64 {
    let annotation =
        metadata.annotations.as_ref().and_then(|annotations| annotations.get(REVISION));
    annotation.and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// Writes a revision where it is higher than the one that is there, and that one into the history, whose oldest
/// entries make room.
pub(super) fn note_revision(annotations: &mut BTreeMap<String, String>, wanted: i64) {
    let held = annotations.get(REVISION).cloned();
    // Where somebody wrote something else, it stays.
    let lower = held.as_deref().map_or(Ok(0), str::parse).is_ok_and(|held: i64| held < wanted);
    if !lower {
        return;
    }
    annotations.insert(REVISION.to_owned(), wanted.to_string());
    let Some(held) = held else { return };
    let history = annotations.entry(REVISION_HISTORY.to_owned()).or_default();
    while !history.is_empty() && history.len() + 1 + held.len() > HISTORY_BYTES_MAX {
        *history = history.split_once(',').map_or(String::new(), |(_, rest)| rest.to_owned());
    }
    if !history.is_empty() {
        history.push(',');
    }
    history.push_str(&held);
}
