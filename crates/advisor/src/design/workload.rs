//! The StatefulSet or Deployment of a design.

use serde_json::{Value, json};

use super::health::readiness;
use super::intent::{Intent, Pods, PodsKind, Port};
use super::manifests::{Manifest, labels, object};
use super::wiring::{Wiring, wiring};
use super::yaml::{Map, Yaml};
use crate::peers::PodManagement;

/// How a StatefulSet makes its pods, and why: a clause after "because".
pub(super) fn management(intent: &Intent) -> (PodManagement, String) {
    let software = intent.software();
    let alone = intent.pods().is_some_and(|pods| pods.replicas == 1);
    match software.map(|software| (software, software.management)) {
        Some((software, Some(known))) => {
            let policy = known.value();
            let check = if known.sure().is_some() { "" } else { " (probably: check with its manual)" };
            let why = match policy {
                PodManagement::Parallel if software.quorum && alone => "with one replica it is all the same; with more, each would be ready only together with others, and the field cannot be changed later".to_owned(),
                PodManagement::Parallel if software.name == "Vault" => format!(
                    "{}-0 is ready only once it is unsealed, and one by one the others would not be made before",
                    intent.name
                ),
                PodManagement::Parallel if software.quorum => format!(
                    "{}after a full stop {}-0 is ready only together with others, and one by one they would never be made",
                    if software.name == "NATS" { "with JetStream, " } else { "" },
                    intent.name
                ),
                PodManagement::Parallel => "pods need not wait for one another".to_owned(),
                PodManagement::OrderedReady => {
                    format!("each pod of {} joins those that are there{check}", software.name)
                }
            };
            (policy, why)
        }
        Some((software, None)) if software.quorum => (
            PodManagement::Parallel,
            "a quorum of pods that wait for one another to be ready would never start again".to_owned(),
        ),
        Some((software, None)) => (
            PodManagement::OrderedReady,
            format!("{} works with either; this is the default", software.name),
        ),
        None => (
            PodManagement::OrderedReady,
            "the default, one pod after the other; if none becomes ready without the others, set Parallel"
                .to_owned(),
        ),
    }
}

/// As `podManagementPolicy` is written.
pub(super) fn policy_name(policy: PodManagement) -> &'static str {
    match policy {
        PodManagement::OrderedReady => "OrderedReady",
        PodManagement::Parallel => "Parallel",
    }
}

pub(super) fn manifest(intent: &Intent) -> Option<Manifest> {
    let pods = intent.pods()?;
    Some(match &pods.existing.workload {
        Some(existing) => changed(intent, pods, existing),
        None => new(intent, pods),
    })
}

fn new(intent: &Intent, pods: &Pods) -> Manifest {
    let mut spec = Map::new();
    if let (PodsKind::StatefulSet, Some(service)) = (pods.kind, intent.peer_service()) {
        let (policy, why) = management(intent);
        spec = spec
            .set("serviceName", service)
            .note("the headless Service; it cannot be changed later")
            .set("podManagementPolicy", policy_name(policy))
            .note(why);
    }
    let Wiring { env, args, todo } = wiring(intent);
    let mut container = Map::new().set("name", container_name(intent)).set("image", &pods.image);
    if !args.is_empty() {
        container = container.set("args", args);
    }
    if !env.is_empty() {
        let is_name = |one: &Map| one.text(&["value"]).is_some_and(|value| value.contains(".svc"));
        let has_names = env.iter().any(is_name);
        container = container.set("env", env);
        if has_names {
            container = container.note("names end at svc: the search path adds the domain");
        }
    }
    container = container.set("ports", intent.listened().map(container_port).collect::<Vec<_>>());
    if let Some((probe, note)) = readiness(intent) {
        container = container.set("readinessProbe", probe).note(note);
    }
    let pod = Map::new()
        .set("enableServiceLinks", false)
        .note("no variables such as DB_PORT=tcp://… of the Services of this namespace")
        .set("containers", vec![container]);
    let template =
        Map::new().set("metadata", Map::new().set("labels", labels(intent))).set("spec", pod);
    let spec = spec
        .set("replicas", pods.replicas)
        .set("selector", Map::new().set("matchLabels", labels(intent)))
        .set("template", template);
    let kind = pods.kind.kind();
    let object = object(intent, "apps/v1", kind, &intent.name).set("spec", spec);
    let mut purpose =
        "the pods, as far as their names go: volumes, resources and secrets are yours to add"
            .to_owned();
    for todo in todo {
        purpose.push_str(&format!("\nTo do: {todo}"));
    }
    Manifest { purpose, object }
}

/// What is there, with what the design changes of it.
fn changed(intent: &Intent, pods: &Pods, existing: &Value) -> Manifest {
    let mut value = existing.clone();
    if let Some(metadata) = value["metadata"].as_object_mut() {
        metadata.insert("namespace".to_owned(), json!(intent.namespace));
    }
    value["spec"]["replicas"] = json!(pods.replicas);
    if let (PodsKind::StatefulSet, Some(service)) = (pods.kind, intent.peer_service()) {
        value["spec"]["serviceName"] = json!(service);
        value["spec"]["podManagementPolicy"] = json!(policy_name(management(intent).0));
    }
    let map = match Yaml::from(&value) {
        Yaml::Map(map) => map,
        _ => Map::new(),
    };
    let purpose = "the workload that is there, with what the design changes of it".to_owned();
    Manifest { purpose, object: map }
}

/// A container is named for what runs in it.
fn container_name(intent: &Intent) -> String {
    let words = intent.what().to_lowercase();
    words.split(' ').next().unwrap_or_default().to_owned()
}

fn container_port(port: &Port) -> Map {
    let map = Map::new().set("name", &port.name).set("containerPort", port.target);
    map.set_some("protocol", Some(port.protocol.name()).filter(|name| *name != "TCP"))
}
