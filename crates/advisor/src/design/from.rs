//! An intent from manifests that are there, and what a design changes of them.

use manifest::read::Located;
use manifest::{KindId, ObjectRef};
use serde_json::Value;

use super::Plan;
use super::draft::{Draft, Given, Place, Trouble};
use super::intent::Existing;
use super::manifests::to_yaml;
use super::resolve::usual_name;
use crate::lint::{Item, Objects, Options, Workload};
use k8s_openapi::api::core::v1::{Service, ServicePort};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// What manifests gave.
#[derive(Debug)]
pub struct Found {
    /// The words, each with its place.
    pub draft: Draft,
    /// What was taken from where, a line each.
    pub taken: Vec<String>,
}

/// What an intent can begin with.
enum Start<'o> {
    Pods(&'o Workload),
    Alias(&'o Item<Service>),
}

impl Start<'_> {
    fn reference(&self) -> &ObjectRef {
        match self {
            Self::Pods(workload) => &workload.reference,
            Self::Alias(service) => &service.reference,
        }
    }
}

/// Makes words of the StatefulSet, the Deployment or the ExternalName Service among these objects.
///
/// # Errors
///
/// There is none, or there are several and `name` does not say which.
pub fn from_objects(objects: &Objects, name: Option<&Given>) -> Result<Found, Vec<Trouble>> {
    let pods = objects.workloads.iter().filter(|workload| {
        matches!(workload.document.kind.id, KindId::StatefulSet | KindId::Deployment)
    });
    let aliases = objects.services.iter().filter(|service| service.is_external_name());
    let mut starts: Vec<Start<'_>> =
        pods.map(Start::Pods).chain(aliases.map(Start::Alias)).collect();
    if let Some(name) = name {
        starts.retain(|start| start.reference().name == name.text);
    }
    match starts.as_slice() {
        [] => Err(vec![match name {
            Some(name) => name
                .trouble("no StatefulSet, Deployment or ExternalName Service has this name there"),
            None => Trouble::missing(
                "--from: there is no StatefulSet, Deployment or ExternalName Service to begin with",
            ),
        }]),
        [Start::Pods(workload)] => Ok(from_pods(objects, workload)),
        [Start::Alias(service)] => Ok(from_alias(service)),
        several => {
            let names: Vec<String> = several
                .iter()
                .map(|start| format!("{} {}", start.reference().kind, start.reference().name))
                .collect();
            let message =
                format!("--from: a design is of one workload, and there are {}", names.join(", "));
            Err(vec![
                Trouble::missing(message)
                    .help(format!("say which: --name {}", several[0].reference().name)),
            ])
        }
    }
}

/// Collects words with their places.
struct Taker<'d> {
    document: &'d Located,
    taken: Vec<String>,
}

impl Taker<'_> {
    fn take(&mut self, word: &str, field: &str, text: impl Into<String>) -> Option<Given> {
        let text = text.into();
        // What its author did not write is left to the design's own defaults.
        if text.is_empty() || !self.document.has(field) {
            return None;
        }
        let (source, at) = (self.document.source.clone(), self.document.position(field));
        self.taken.push(format!("{word} {text} from {field} ({source}:{}:{})", at.line, at.column));
        Some(Given { text, place: Place::Field { source, at, field: field.to_owned() } })
    }
}

fn from_alias(service: &Item<Service>) -> Found {
    let mut taker = Taker { document: &service.document, taken: Vec::new() };
    let host = service.object.spec.as_ref().and_then(|spec| spec.external_name.clone());
    let draft = Draft {
        workload: taker.take("workload", "spec.type", "external"),
        name: taker.take("name", "metadata.name", &service.reference.name),
        namespace: taker.take("namespace", "metadata.namespace", &service.reference.namespace),
        external: taker.take("external", "spec.externalName", host.unwrap_or_default()),
        ..Draft::default()
    };
    Found { draft, taken: taker.taken }
}

fn from_pods(objects: &Objects, workload: &Workload) -> Found {
    let mut taker = Taker { document: &workload.document, taken: Vec::new() };
    let is_set = workload.is("StatefulSet");
    let services: Vec<&Item<Service>> = objects.selecting(workload).collect();
    let governing = objects.governing(workload).filter(|service| service.is_headless());
    let client = services.iter().find(|service| !service.is_headless() && !is_for_outside(service));
    let kind = if is_set { "statefulset" } else { "deployment" };
    let replicas = match workload.replicas {
        Some(replicas) if workload.document.has("spec.replicas") => {
            taker.take("replicas", "spec.replicas", replicas.to_string())
        }
        // What a cluster makes of nothing, whatever the design would.
        _ => taker.take("replicas", "spec", "1"),
    };
    let mut draft = Draft {
        workload: taker.take("workload", "kind", kind),
        name: taker.take("name", "metadata.name", &workload.reference.name),
        namespace: taker.take("namespace", "metadata.namespace", &workload.reference.namespace),
        replicas,
        ..Draft::default()
    };
    if let Some((path, container)) = workload.containers().next() {
        let field = workload.pod_field(&format!("{path}.image"));
        draft.image = taker.take("image", &field, container.image.clone().unwrap_or_default());
    }
    let mut taken = taker.taken;
    let mut names = std::collections::HashSet::new();
    // The Service that clients dial knows the ports best, then the headless one, then the pods.
    for service in client.into_iter().copied().chain(governing) {
        let mut taker = Taker { document: &service.document, taken: Vec::new() };
        for (at, port) in service.ports().iter().enumerate() {
            let word = port_word(workload, port);
            if names.insert(word.split(':').next().unwrap_or_default().to_owned()) {
                draft.ports.extend(taker.take("port", &format!("spec.ports[{at}]"), word));
            }
        }
        taken.extend(taker.taken);
    }
    if draft.ports.is_empty() {
        let mut taker = Taker { document: &workload.document, taken: Vec::new() };
        for (path, port) in workload.ports() {
            let name = port.name.clone().unwrap_or_else(|| name_of(port.container_port));
            let word =
                with_protocol(format!("{name}:{}", port.container_port), port.protocol.as_deref());
            draft.ports.extend(taker.take("port", &workload.pod_field(&path), word));
        }
        taken.extend(taker.taken);
    }
    if is_set {
        let (identity, seen) = match client {
            Some(client) => {
                ("any", format!("Service {} has a virtual address", client.reference.name))
            }
            None => ("stable", "no Service with a virtual address selects its pods".to_owned()),
        };
        let given = Given { text: identity.to_owned(), place: Place::Flag("--identity") };
        taken.push(format!("identity {identity}: {seen}"));
        draft.identity = Some(given);
    }
    let labels = &workload.document.value["spec"]["selector"]["matchLabels"];
    draft.existing = Existing {
        workload: Some(workload.document.value.clone()),
        labels: labels
            .as_object()
            .into_iter()
            .flatten()
            .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
            .collect(),
        governing: governing.map(|service| service.reference.name.clone()),
        client: client.map(|service| service.reference.name.clone()),
    };
    Found { draft, taken }
}

fn is_for_outside(service: &Item<Service>) -> bool {
    matches!(service.type_name(), "LoadBalancer" | "NodePort")
}

/// A Service's port as a word: `name:number:target`.
fn port_word(workload: &Workload, port: &ServicePort) -> String {
    let target = match &port.target_port {
        Some(IntOrString::Int(number)) => *number,
        Some(IntOrString::String(name)) => workload
            .ports()
            .find(|(_, declared)| declared.name.as_deref() == Some(name))
            .map_or(port.port, |(_, declared)| declared.container_port),
        None => port.port,
    };
    let name = port.name.clone().unwrap_or_else(|| name_of(port.port));
    let word = match target == port.port {
        true => format!("{name}:{target}"),
        false => format!("{name}:{}:{target}", port.port),
    };
    with_protocol(word, port.protocol.as_deref())
}

/// A name for a port that has none.
fn name_of(port: i32) -> String {
    let usual = u16::try_from(port).ok().and_then(usual_name);
    usual.map_or_else(|| format!("port-{port}"), str::to_owned)
}

fn with_protocol(word: String, protocol: Option<&str>) -> String {
    match protocol {
        Some("UDP") => format!("{word}/udp"),
        _ => word,
    }
}

/// A field that decides.
struct Deciding {
    /// Its name in `spec`.
    field: &'static str,
    /// What to do where it cannot be changed in place; `NAME` is the object's.
    fixed: Option<&'static str>,
}

const fn free(field: &'static str) -> Deciding {
    Deciding { field, fixed: None }
}

const fn fixed(field: &'static str, way: &'static str) -> Deciding {
    Deciding { field, fixed: Some(way) }
}

const SERVICE: &[Deciding] = &[
    free("type"),
    fixed(
        "clusterIP",
        "it cannot be changed in place: delete the Service and apply again, in a moment when clients can do without, or keep it and give the new one another name",
    ),
    free("externalName"),
    free("publishNotReadyAddresses"),
    free("selector"),
    free("ports"),
];

const STATEFUL_SET: &[Deciding] = &[
    fixed(
        "serviceName",
        "it cannot be changed in place: kubectl delete statefulset NAME --cascade=orphan, which leaves the pods, then apply; then restart the pods one by one, for their host names' subdomain is made with them",
    ),
    fixed(
        "podManagementPolicy",
        "it cannot be changed in place: kubectl delete statefulset NAME --cascade=orphan, which leaves the pods, then apply",
    ),
    free("replicas"),
];

const DEPLOYMENT: &[Deciding] = &[free("replicas")];

/// What decides of an object of this kind.
fn deciding(kind: &str) -> &'static [Deciding] {
    match kind {
        "Service" => SERVICE,
        "StatefulSet" => STATEFUL_SET,
        "Deployment" => DEPLOYMENT,
        _ => &[],
    }
}

/// What a plan changes of objects that are there, a line each.
pub fn changes(plan: &Plan, objects: &Objects) -> Vec<String> {
    let mut lines = Vec::new();
    let text = to_yaml(&plan.manifests);
    let reading = manifest::read::read_any("design", &text);
    let options = Options { namespace: plan.intent.namespace.clone(), ..Options::default() };
    let designed = Objects::new(reading.documents, reading.foreign, options);
    for new in &designed.all {
        let old = objects.all.iter().find(|old| old.reference == new.reference);
        let name = format!("{} {}", new.reference.kind, new.reference.name);
        match old {
            None => lines.push(format!("{name} is new")),
            Some(old) => differences(&name, &new.reference, &old.object, &new.object, &mut lines),
        }
    }
    let selected = plan.intent.labels();
    for old in &objects.services {
        let is_gone = designed.all.iter().all(|new| new.reference != old.reference);
        if is_gone && old.selector() == Some(&selected) {
            lines.push(format!("Service {} is not part of the design and stays as it is: delete it once nobody dials it", old.reference.name));
        }
    }
    lines
}

fn differences(
    name: &str,
    reference: &ObjectRef,
    old: &Value,
    new: &Value,
    lines: &mut Vec<String>,
) {
    let before = lines.len();
    for Deciding { field, fixed } in deciding(reference.kind) {
        let (was, is) = (&old["spec"][field], &new["spec"][field]);
        // An address that the API gave out is no difference.
        let same = was == is
            || (*field == "clusterIP"
                && was.as_str() != Some("None")
                && is.as_str() != Some("None"));
        if same {
            continue;
        }
        let mut line = format!("{name}: spec.{field} {} becomes {}", shown(was), shown(is));
        if let Some(fixed) = fixed {
            line.push_str(&format!("; {}", fixed.replace("NAME", &reference.name)));
        }
        lines.push(line);
    }
    if lines.len() == before {
        lines.push(format!("{name} stays as it is"));
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "(none)".to_owned(),
        Value::String(text) if text.is_empty() => "(none)".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.iter().all(|item| item["port"].is_number()) => {
            let ports: Vec<String> = items
                .iter()
                .map(|port| {
                    let target = match &port["targetPort"] {
                        Value::Null => String::new(),
                        target => format!("→{}", shown(target)),
                    };
                    format!(
                        "{}:{}{target}",
                        port["name"].as_str().unwrap_or("(unnamed)"),
                        port["port"]
                    )
                })
                .collect();
            ports.join(", ")
        }
        Value::Object(entries) => {
            let pairs: Vec<String> =
                entries.iter().map(|(key, value)| format!("{key}={}", shown(value))).collect();
            pairs.join(",")
        }
        other => other.to_string(),
    }
}
