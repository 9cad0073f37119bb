//! The revisions of a StatefulSet's template, kept as ControllerRevisions (K: `pkg/controller/history`).

use std::collections::HashSet;
use std::sync::Arc;

use k8s_openapi::api::apps::v1::{ControllerRevision, StatefulSet, StatefulSetSpec};
use k8s_openapi::api::core::v1::PodTemplateSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::runtime::RawExtension;
use manifest::labels::CONTROLLER_HASH;
use serde_json::{Value, json};

use super::revision;
use crate::owner::controlled_by;
use crate::world::{Pod, names};
use crate::{Action, World, hash};

/// How many bytes of a set's name are in its revisions' names, so that the hash has room.
const PREFIX_BYTES_MAX: usize = 223;

/// A set's revisions, with what must be written before anything is done by them.
pub(super) struct Revisions {
    /// All of them, oldest first.
    held: Vec<Arc<ControllerRevision>>,
    /// The revision of the pods before the update that is under way.
    pub(super) current: String,
    /// The revision of the template.
    pub(super) update: String,
    /// The template of the current revision, where it is another than the set's.
    pub(super) current_template: Option<PodTemplateSpec>,
    /// What makes the update revision be there, and be the newest.
    pub(super) action: Option<Action>,
}

/// Another revision has the name of the one that is to be made.
pub(super) struct NameTaken;

impl Revisions {
    pub(super) fn new(
        world: &World,
        set: &StatefulSet,
        spec: &StatefulSetSpec,
        mut held: Vec<Arc<ControllerRevision>>,
    ) -> Result<Self, NameTaken> {
        held.sort_by_cached_key(|revision| {
            let created = revision.metadata.creation_timestamp.as_ref().map(|time| time.0);
            (revision.revision, created, revision.metadata.name.clone())
        });
        let status = set.status.as_ref();
        let collisions = status.and_then(|status| status.collision_count).unwrap_or(0);
        let data = data(&spec.template);
        let next = held.last().map_or(1, |last| last.revision.saturating_add(1));
        let same = held.iter().rposition(|revision| {
            revision.data.as_ref().is_some_and(|RawExtension(held)| *held == data)
        });
        let (update, action) = match same {
            // The newest: nothing has changed.
            Some(at) if at + 1 == held.len() => (name(&held[at]), None),
            // An earlier one: people have gone back to it.
            Some(at) => {
                let mut revision = ControllerRevision::clone(&held[at]);
                revision.revision = next;
                (name(&held[at]), Some(Action::Update(revision.into())))
            }
            None => {
                let revision = new(set, spec, &data, next, collisions);
                let (namespace, taken) = names(&revision);
                if world.get::<ControllerRevision>(namespace, taken).is_some() {
                    return Err(NameTaken);
                }
                (name(&revision), Some(Action::Create(revision.into())))
            }
        };
        let noted = status.and_then(|status| status.current_revision.as_deref());
        let current = held.iter().find(|revision| revision.metadata.name.as_deref() == noted);
        let current = current.filter(|current| name(current) != update);
        let current_template = current.and_then(|current| template(current));
        // A revision that cannot be read makes no pods.
        let current = current.filter(|_| current_template.is_some());
        let current = current.map_or_else(|| update.clone(), |current| name(current));
        Ok(Self { held, current, update, current_template, action })
    }

    /// The deletion of revisions beyond the limit, oldest first, that neither the set nor a pod of it names.
    pub(super) fn surplus(&self, spec: &StatefulSetSpec, pods: &[Arc<Pod>]) -> Vec<Action> {
        let Ok(limit) = usize::try_from(spec.revision_history_limit.unwrap_or(10)) else {
            return Vec::new();
        };
        if self.held.len() <= limit {
            return Vec::new();
        }
        let mut live: HashSet<&str> =
            pods.iter().filter_map(|pod| revision(pod).map(String::as_str)).collect();
        live.extend([&*self.current, &*self.update]);
        let history: Vec<_> =
            self.held.iter().filter(|revision| !live.contains(names(&***revision).1)).collect();
        let surplus = history.len().saturating_sub(limit);
        history.into_iter().take(surplus).map(|revision| Action::delete(&**revision)).collect()
    }
}

/// What a revision holds: the patch that brings its template back.
fn data(template: &PodTemplateSpec) -> Value {
    let mut template =
        serde_json::to_value(template).expect("Kubernetes types serialise to JSON objects");
    template["$patch"] = "replace".into();
    json!({ "spec": { "template": template } })
}

/// The template that a revision holds.
fn template(revision: &ControllerRevision) -> Option<PodTemplateSpec> {
    let RawExtension(data) = revision.data.as_ref()?;
    serde_json::from_value(data.pointer("/spec/template")?.clone()).ok()
}

fn new(
    set: &StatefulSet,
    spec: &StatefulSetSpec,
    data: &Value,
    number: i64,
    collisions: i32,
) -> ControllerRevision {
    let (namespace, set_name) = names(set);
    let hash = hash::template(&spec.template, collisions);
    let prefix = set_name.get(..PREFIX_BYTES_MAX).unwrap_or(set_name);
    let labelled = spec.template.metadata.as_ref();
    let mut labels = labelled.and_then(|metadata| metadata.labels.clone()).unwrap_or_default();
    labels.insert(CONTROLLER_HASH.to_owned(), hash.clone());
    ControllerRevision {
        metadata: ObjectMeta {
            annotations: set.metadata.annotations.clone(),
            labels: Some(labels),
            name: Some(format!("{prefix}-{hash}")),
            namespace: Some(namespace.to_owned()),
            owner_references: Some(vec![controlled_by(set)]),
            ..ObjectMeta::default()
        },
        data: Some(RawExtension(data.clone())),
        revision: number,
    }
}

fn name(revision: &ControllerRevision) -> String {
    revision.metadata.name.clone().unwrap_or_default()
}
