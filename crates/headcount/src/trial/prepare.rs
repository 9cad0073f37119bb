//! What a trial applies of a plan, and what it asks: the plan's objects, made small and quick enough.

use std::collections::{BTreeMap, BTreeSet};

use advisor::design::{Backends, Expectation, Expected, Targets};
use manifest::{Kind, KindId};
use serde_json::{Value, json};

use super::text;

/// So many replicas of a workload are tried: enough for every case, and done in an instant.
pub(super) const REPLICAS_MAX: u32 = 12;

/// A plan, prepared.
pub(super) struct Prepared {
    /// The objects to apply, in this order.
    pub(super) objects: Vec<(&'static Kind, Value)>,
    /// Objects of kinds that no cluster has, and why.
    pub(super) refused: Vec<(String, String)>,
    /// What to ask.
    pub(super) expectations: Vec<Expectation>,
    /// Namespaces to make first.
    pub(super) namespaces: BTreeSet<String>,
    /// Whether the plan wants addresses of both families.
    pub(super) dual_stack: bool,
    /// What people should know of it.
    pub(super) notes: Vec<String>,
}

impl Prepared {
    pub(super) fn new(objects: &[Value], expectations: &[Expectation], namespace: &str) -> Self {
        let mut prepared = Self {
            objects: Vec::new(),
            refused: Vec::new(),
            expectations: Vec::new(),
            namespaces: BTreeSet::from([namespace.to_owned()]),
            dual_stack: objects.iter().any(wants_ipv6),
            notes: Vec::new(),
        };
        let mut delayed = false;
        // How many replicas are tried, where those are not all.
        let mut fewer: BTreeMap<(KindId, String), u32> = BTreeMap::new();
        for object in objects {
            let Some(kind) = prepared.kind_of(object) else { continue };
            if kind.namespaced {
                prepared.namespaces.insert(text_at(object, "/metadata/namespace", namespace));
            }
            let mut object = object.clone();
            if matches!(kind.id, KindId::StatefulSet | KindId::Deployment) {
                delayed |= take_delays(&mut object);
                if take_readiness(&mut object) {
                    let name = text_at(&object, "/metadata/name", "");
                    prepared.notes.push(format!(
                        "the annotation {} of the pods of {} {name} is left out: the trial itself lets pods be ready or not",
                        node::READY_ANNOTATION, kind.kind
                    ));
                }
                if let Some(replicas) = limit_replicas(&mut object) {
                    let name = text_at(&object, "/metadata/name", "");
                    prepared.notes.push(format!(
                        "tried with {REPLICAS_MAX} of the {replicas} replicas of {} {name}",
                        kind.kind
                    ));
                    fewer.insert((kind.id, name), REPLICAS_MAX);
                }
            }
            prepared.objects.push((kind, object));
        }
        // Names are in namespaces, and so must these be before.
        prepared.objects.sort_by_key(|(kind, _)| kind.id != KindId::Namespace);
        for (kind, object) in &prepared.objects {
            if kind.id == KindId::Namespace {
                prepared.namespaces.remove(&text_at(object, "/metadata/name", ""));
            }
        }
        if delayed {
            prepared.notes.push(
                "initialDelaySeconds of readiness probes is left out: pods of the trial are ready at once"
                    .to_owned(),
            );
        }
        for expectation in expectations {
            if let Expected::Alias(target) = &expectation.answer {
                prepared.notes.push(format!(
                    "that {} stands for {target} was asked; whether {target} is there was not",
                    expectation.name
                ));
            }
        }
        let is_tried = |pod: &str| {
            let set = (KindId::StatefulSet, text::set_of(pod).to_owned());
            fewer.get(&set).is_none_or(|tried| {
                text::ordinal(pod).is_some_and(|ordinal| ordinal < u64::from(*tried))
            })
        };
        let replicas_of = |name: &str| fewer.get(&(KindId::Deployment, name.to_owned())).copied();
        prepared.expectations = expectations
            .iter()
            .map(|expectation| (expectation, restricted(expectation, is_tried, replicas_of)))
            // The name of a pod that is left out is, too.
            .filter(|(whole, restricted)| has_pods(restricted) || !has_pods(whole))
            .map(|(_, restricted)| restricted)
            .collect();
        prepared
    }

    /// The kind of an object, if the trial can hold it.
    fn kind_of(&mut self, object: &Value) -> Option<&'static Kind> {
        let (api_version, kind) =
            (text_at(object, "/apiVersion", ""), text_at(object, "/kind", ""));
        let name = text_at(object, "/metadata/name", "");
        match Kind::by_type(&api_version, &kind) {
            Ok(kind) => Some(kind),
            Err(unknown) => {
                let group = api_version.rsplit_once('/').map_or("", |(group, _)| group);
                // Kubernetes' own groups have no kinds but their own; others are what people have installed.
                if Kind::all().iter().any(|kind| kind.group == group) {
                    self.refused.push((format!("{kind} {name}"), unknown.to_string()));
                } else {
                    self.notes.push(format!(
                        "{kind} {name} was not tried: kinds of {api_version} are not part of Kubernetes itself"
                    ));
                }
                None
            }
        }
    }
}

/// Whether an expectation speaks of pods by name.
fn has_pods(expectation: &Expectation) -> bool {
    let pods = text::behind(&expectation.answer).and_then(text::named);
    pods.is_some_and(|pods| !pods.is_empty())
}

/// An expectation of which only some pods are left: a StatefulSet's as `is_kept` says, a Deployment's as many as `replicas`
/// says, if it says so.
pub(super) fn restricted(
    expectation: &Expectation,
    is_kept: impl Fn(&str) -> bool,
    replicas: impl Fn(&str) -> Option<u32>,
) -> Expectation {
    let mut expectation = expectation.clone();
    let backends = match &mut expectation.answer {
        Expected::Each(backends)
        | Expected::Virtual { behind: backends, .. }
        | Expected::Ports { targets: Targets::Each { of: backends, .. }, .. } => backends,
        Expected::Ports { targets: Targets::Service(_), .. } | Expected::Alias(_) => {
            return expectation;
        }
    };
    match backends {
        Backends::Pods(names) | Backends::Leader { pods: names, .. } => {
            names.retain(|name| is_kept(name));
        }
        Backends::Deployment { name, replicas: wanted } => {
            *wanted = replicas(name).map_or(*wanted, |tried| tried.min(*wanted));
        }
        Backends::Addresses(_) => {}
    }
    expectation
}

/// Lets the pods of a StatefulSet begin as not ready.
pub(super) fn begin_not_ready(stateful_set: &mut Value) {
    let Some(template) = stateful_set.pointer_mut("/spec/template").and_then(Value::as_object_mut)
    else {
        return;
    };
    let metadata = template.entry("metadata").or_insert_with(|| json!({}));
    if metadata["annotations"].is_null() {
        metadata["annotations"] = json!({});
    }
    metadata["annotations"][node::READY_ANNOTATION] = "false".into();
}

/// Whether a Service asks for IPv6, or a slice holds it.
fn wants_ipv6(object: &Value) -> bool {
    let families = object.pointer("/spec/ipFamilies").and_then(Value::as_array);
    let policy = object.pointer("/spec/ipFamilyPolicy").and_then(Value::as_str);
    families.is_some_and(|families| families.iter().any(|family| family == "IPv6"))
        || policy.is_some_and(|policy| policy.ends_with("DualStack"))
}

/// Takes the delays out of a workload's readiness probes; whether there were any.
fn take_delays(workload: &mut Value) -> bool {
    let containers = workload.pointer_mut("/spec/template/spec/containers");
    let mut taken = false;
    for container in containers.and_then(Value::as_array_mut).into_iter().flatten() {
        let probe = container.pointer_mut("/readinessProbe").and_then(Value::as_object_mut);
        taken |= probe.and_then(|probe| probe.remove("initialDelaySeconds")).is_some();
    }
    taken
}

/// Takes away by what a workload's pods play ready or not; whether it was there.
fn take_readiness(workload: &mut Value) -> bool {
    let annotations = workload.pointer_mut("/spec/template/metadata/annotations");
    let annotations = annotations.and_then(Value::as_object_mut);
    annotations.and_then(|annotations| annotations.remove(node::READY_ANNOTATION)).is_some()
}

/// Takes replicas away where they are too many; how many there were.
fn limit_replicas(workload: &mut Value) -> Option<u64> {
    let replicas = workload.pointer_mut("/spec/replicas")?;
    let before = replicas.as_u64().filter(|replicas| *replicas > u64::from(REPLICAS_MAX))?;
    *replicas = REPLICAS_MAX.into();
    Some(before)
}

fn text_at(object: &Value, pointer: &str, otherwise: &str) -> String {
    let text = object.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty());
    text.unwrap_or(otherwise).to_owned()
}
