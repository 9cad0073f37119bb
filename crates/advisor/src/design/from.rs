//! An intent from manifests that are there.

use std::collections::HashSet;

use k8s_openapi::api::core::v1::{Service, ServicePort};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use manifest::read::Located;
use manifest::{KindId, ObjectRef};

use super::draft::{Draft, Given, Place, Trouble};
use super::intent::Existing;
use super::resolve::usual_name;
use crate::lint::{Item, Objects, Workload};
use crate::peers::Peer;

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

/// Makes words of the StatefulSet, the Deployment or the ExternalName Service among these objects; words that were given win,
/// and are not looked for.
///
/// # Errors
///
/// There is none, or there are several and no name was given to say which; or its Services lead to ports that it lacks.
pub fn from_objects(objects: &Objects, given: &Draft) -> Result<Found, Vec<Trouble>> {
    let name = given.name.as_ref();
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
            None => nothing(objects),
        }]),
        [Start::Pods(workload)] => from_pods(objects, workload, given),
        [Start::Alias(service)] => Ok(from_alias(service, given)),
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

/// There is nothing to begin with; what there is instead may be told in flags.
fn nothing(objects: &Objects) -> Trouble {
    let trouble = Trouble::missing(
        "--from: there is no StatefulSet, Deployment or ExternalName Service to begin with",
    );
    match objects.services.iter().find(|service| service.selector().is_none()) {
        Some(service) => trouble.help(format!(
            "Service {} has no selector: if what is behind it is outside of the cluster, say --workload external --name {0} --external IP[,IP] --port NAME:NUMBER in place of --from",
            service.reference.name
        )),
        None => trouble,
    }
}

/// Collects words with their places.
struct Taker<'d> {
    document: &'d Located,
    taken: Vec<String>,
}

impl<'d> Taker<'d> {
    fn new(document: &'d Located) -> Self {
        Self { document, taken: Vec::new() }
    }

    /// A word, unless it was given.
    fn take(
        &mut self,
        word: &str,
        given: &Option<Given>,
        field: &str,
        text: impl Into<String>,
    ) -> Option<Given> {
        let text = text.into();
        // What its author did not write is left to the design's own defaults.
        if given.is_some() || text.is_empty() || !self.document.has(field) {
            return None;
        }
        Some(self.found(word, field, text, None))
    }

    fn found(&mut self, word: &str, field: &str, text: String, how: Option<String>) -> Given {
        let given = at(self.document, field, text);
        if let Place::Field { source, at, .. } = &given.place {
            let (Given { text, .. }, how) = (&given, how.map(|how| format!(", {how}")));
            self.taken.push(format!(
                "{word} {text} from {field} ({source}:{}:{}){}",
                at.line,
                at.column,
                how.unwrap_or_default()
            ));
        }
        given
    }
}

/// A word with its place in a manifest.
pub(super) fn at(document: &Located, field: &str, text: impl Into<String>) -> Given {
    let (source, at) = (document.source.clone(), document.position(field));
    Given { text: text.into(), place: Place::Field { source, at, field: field.to_owned() } }
}

fn from_alias(service: &Item<Service>, given: &Draft) -> Found {
    let mut taker = Taker::new(&service.document);
    let host = service.object.spec.as_ref().and_then(|spec| spec.external_name.clone());
    let ObjectRef { namespace, name, .. } = &service.reference;
    let draft = Draft {
        workload: taker.take("workload", &given.workload, "spec.type", "external"),
        name: taker.take("name", &given.name, "metadata.name", name),
        namespace: taker.take("namespace", &given.namespace, "metadata.namespace", namespace),
        external: taker.take(
            "external",
            &given.external,
            "spec.externalName",
            host.unwrap_or_default(),
        ),
        ..Draft::default()
    };
    Found { draft, taken: taker.taken }
}

fn from_pods(objects: &Objects, workload: &Workload, given: &Draft) -> Result<Found, Vec<Trouble>> {
    let mut taker = Taker::new(&workload.document);
    let is_set = workload.is("StatefulSet");
    let services: Vec<&Item<Service>> = objects.selecting(workload).collect();
    let governing = objects.governing(workload).filter(|service| service.is_headless());
    let client = services.iter().find(|service| !service.is_headless() && !is_for_outside(service));
    let kind = if is_set { "statefulset" } else { "deployment" };
    let replicas = match workload.replicas {
        Some(replicas) if workload.document.has("spec.replicas") => {
            taker.take("replicas", &given.replicas, "spec.replicas", replicas.to_string())
        }
        _ if given.replicas.is_some() => None,
        // What a cluster makes of nothing, whatever the design would.
        _ => {
            let how = "which says no number".to_owned();
            Some(taker.found("replicas", "spec", "1".to_owned(), Some(how)))
        }
    };
    let ObjectRef { namespace, name, .. } = &workload.reference;
    let mut draft = Draft {
        workload: taker.take("workload", &given.workload, "kind", kind),
        name: taker.take("name", &given.name, "metadata.name", name),
        namespace: taker.take("namespace", &given.namespace, "metadata.namespace", namespace),
        replicas,
        ..Draft::default()
    };
    if let Some((path, container)) = workload.containers().next() {
        let field = workload.pod_field(&format!("{path}.image"));
        let image = container.image.clone().unwrap_or_default();
        draft.image = taker.take("image", &given.image, &field, image);
    }
    let mut taken = taker.taken;
    let software = match &given.software {
        Some(software) => Peer::by_name(&software.text),
        None => {
            let image = given.image.as_ref().or(draft.image.as_ref());
            image.and_then(|image| Peer::by_image(&image.text))
        }
    };
    if given.ports.is_empty() {
        // The Service that clients dial knows the ports best, then the headless one, then the pods.
        let services = client.into_iter().copied().chain(governing);
        let (ports, lines) = ports(workload, software, services)?;
        draft.ports = ports;
        taken.extend(lines);
    }
    // What is known of software says more than which Services it has had.
    if is_set && software.is_none() && given.identity.is_none() {
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
    Ok(Found { draft, taken })
}

fn is_for_outside(service: &Item<Service>) -> bool {
    matches!(service.type_name(), "LoadBalancer" | "NodePort")
}

/// The ports as words, each with its place, and what was taken from where.
fn ports<'s>(
    workload: &Workload,
    software: Option<&Peer>,
    services: impl Iterator<Item = &'s Item<Service>>,
) -> Result<(Vec<Given>, Vec<String>), Vec<Trouble>> {
    let (mut ports, mut taken, mut troubles) = (Vec::new(), Vec::new(), Vec::new());
    // What earlier Services lead to.
    let mut known: HashSet<(i32, String)> = HashSet::new();
    for service in services {
        let mut taker = Taker::new(&service.document);
        let mut own = Vec::new();
        for (index, port) in service.ports().iter().enumerate() {
            let field = format!("spec.ports[{index}]");
            let Some(target) = target(workload, port) else {
                troubles.push(wrong_target(workload, service, port, &field));
                continue;
            };
            let protocol = port.protocol.as_deref().unwrap_or("TCP").to_owned();
            if known.contains(&(target, protocol.clone())) {
                continue;
            }
            let (name, how) = name_of(workload, software, port, target);
            let word = match target == port.port {
                true => format!("{name}:{target}"),
                false => format!("{name}:{}:{target}", port.port),
            };
            ports.push(taker.found("port", &field, with_protocol(word, &protocol), how));
            own.push((target, protocol));
        }
        known.extend(own);
        taken.extend(taker.taken);
    }
    if !troubles.is_empty() {
        return Err(troubles);
    }
    if ports.is_empty() {
        let mut taker = Taker::new(&workload.document);
        for (path, declared) in workload.ports() {
            let port = ServicePort {
                name: declared.name.clone(),
                port: declared.container_port,
                ..ServicePort::default()
            };
            let (name, how) = name_of(workload, software, &port, port.port);
            let protocol = declared.protocol.as_deref().unwrap_or("TCP");
            let word = with_protocol(format!("{name}:{}", port.port), protocol);
            ports.push(taker.found("port", &workload.pod_field(&path), word, how));
        }
        taken.extend(taker.taken);
    }
    Ok((ports, taken))
}

/// The number that a Service's port leads to, if the containers have it. Containers that declare no port at all are believed to
/// listen where the Service says.
fn target(workload: &Workload, port: &ServicePort) -> Option<i32> {
    let protocol = port.protocol.as_deref().unwrap_or("TCP");
    let is_silent = workload.ports().next().is_none();
    workload
        .target_port(port)
        .filter(|target| is_silent || workload.declares_number(*target, protocol))
}

/// A Service's port leads to one that the containers do not have.
fn wrong_target(
    workload: &Workload,
    service: &Item<Service>,
    port: &ServicePort,
    field: &str,
) -> Trouble {
    let protocol = port.protocol.as_deref().unwrap_or("TCP");
    let target = workload.target_port(port);
    let declared: Vec<String> = workload
        .ports()
        .map(|(_, port)| {
            let protocol = match port.protocol.as_deref() {
                None | Some("TCP") => String::new(),
                Some(other) => format!("/{other}"),
            };
            let name = port.name.as_ref().map(|name| format!("{name} "));
            format!("{}{}{protocol}", name.unwrap_or_default(), port.container_port)
        })
        .collect();
    let written = match &port.target_port {
        Some(IntOrString::String(name)) => name.clone(),
        Some(IntOrString::Int(number)) => number.to_string(),
        None => port.port.to_string(),
    };
    let has = match declared.as_slice() {
        [] => "no port".to_owned(),
        declared => declared.join(", "),
    };
    let target_field = format!("{field}.targetPort");
    let field = if service.document.has(&target_field) { target_field } else { field.to_owned() };
    let (kind, add) = match target {
        None => ("a port named ", format!("name a container's port {written}")),
        Some(_) => ("", format!("add containerPort: {written}")),
    };
    let name = port.name.as_deref().filter(|name| !name.is_empty()).unwrap_or("NAME");
    let number = target.map_or("TARGET".to_owned(), |target| target.to_string());
    let other = workload.ports().next().map_or(number, |(_, port)| port.container_port.to_string());
    let message = format!(
        "Service {} leads its port {} to {kind}{written} ({protocol}), and the containers of {} declare {has}",
        service.reference.name,
        port.port,
        workload.title()
    );
    at(&service.document, &field, written).trouble(message).help(format!(
        "mend targetPort, or {add}; or say which it is: --port {name}:{}:{other}",
        port.port
    ))
}

/// A port's name, and how it came by it where its author gave none.
fn name_of(
    workload: &Workload,
    software: Option<&Peer>,
    port: &ServicePort,
    target: i32,
) -> (String, Option<String>) {
    if let Some(name) = port.name.as_deref().filter(|name| !name.is_empty()) {
        return (name.to_owned(), None);
    }
    let protocol = |protocol: &Option<String>| protocol.clone().unwrap_or("TCP".to_owned());
    let declared = workload.ports().find_map(|(_, declared)| {
        let is_it = declared.container_port == target
            && protocol(&declared.protocol) == protocol(&port.protocol);
        declared.name.clone().filter(|_| is_it)
    });
    if let Some(name) = declared {
        let how = format!("which has no name: {name} is the container's for {target}");
        return (name, Some(how));
    }
    let number = u16::try_from(target).unwrap_or_default();
    let known = software.and_then(|software| {
        let port = software.ports.iter().find(|known| known.number == number)?;
        Some((port.name, format!("{} is usual for {target} of {}", port.name, software.name)))
    });
    let served = u16::try_from(port.port).unwrap_or_default();
    let usual = || {
        let found = [served, number].into_iter().find_map(|at| Some((usual_name(at)?, at)));
        found.map(|(name, at)| (name, format!("{name} is usual for {at}")))
    };
    match known.or_else(usual) {
        Some((name, why)) => (name.to_owned(), Some(format!("which has no name: {why}"))),
        None => {
            let name = format!("port-{}", port.port);
            (name, Some("which has no name: it is called by its number".to_owned()))
        }
    }
}

fn with_protocol(word: String, protocol: &str) -> String {
    match protocol {
        "TCP" => word,
        other => format!("{word}/{}", other.to_lowercase()),
    }
}
