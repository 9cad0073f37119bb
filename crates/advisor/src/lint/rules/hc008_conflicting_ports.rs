use std::collections::{HashMap, HashSet};

use k8s_openapi::api::core::v1::{Service, ServicePort};
use manifest::ObjectRef;
use manifest::read::Level;

use crate::lint::{Findings, Item, Objects, Rule, Workload};

pub(super) const RULE: Rule = Rule {
    code: "HC008",
    level: Level::Warning,
    title: "two Services of the same pods lead one port to different places",
    explanation: "\
Two Services may well lead to different ports of the same pods. But where both have the same port, by name or by number, and one leads to a port that the pods declare while the
other leads to a number that they do not, the second is most likely left over from an earlier configuration: clients of the one Service are served, and those of the
other are refused. `containerPort` is information only, so a port may be open without being declared; then this is no mistake.",
    remedy: "\
Let both lead to the same port, best by its name in the pods (`targetPort: client`). If the other port is really open, declare it in the container.",
    sources: &[
        "Kubernetes API, core/v1 ServicePort.targetPort",
        "Kubernetes API, core/v1 Container.ports",
    ],
    check,
};

/// A Service's port, and the number that it leads to.
#[derive(Clone, Copy)]
struct Way<'o> {
    service: &'o Item<Service>,
    at: usize,
    port: &'o ServicePort,
    number: i32,
}

fn check(objects: &Objects, findings: &mut Findings<'_>) {
    let mut told: HashSet<(&ObjectRef, usize)> = HashSet::new();
    for workload in &objects.workloads {
        let ways = ways(objects, workload);
        let mut declared: HashMap<(&str, Key<'_>), Way<'_>> = HashMap::new();
        let (good, doubtful): (Vec<_>, Vec<_>) =
            ways.into_iter().partition(|way| workload.declares(way.port));
        for way in good {
            for key in keys(way.port) {
                declared.entry((protocol(way.port), key)).or_insert(way);
            }
        }
        for way in doubtful {
            // A headless Service's port that is not the pods' is HC011's to say.
            if way.service.is_headless() && way.port.port != way.number {
                continue;
            }
            let other = keys(way.port).find_map(|key| declared.get(&(protocol(way.port), key)));
            let Some(other) = other.filter(|other| !std::ptr::eq(other.service, way.service))
            else {
                continue;
            };
            if told.insert((&way.service.reference, way.at)) {
                say(workload, way, *other, findings);
            }
        }
    }
}

/// What makes two ports of two Services the same to their clients.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Key<'o> {
    Name(&'o str),
    Number(i32),
}

fn keys(port: &ServicePort) -> impl Iterator<Item = Key<'_>> {
    let name = port.name.as_deref().filter(|name| !name.is_empty());
    name.map(Key::Name).into_iter().chain([Key::Number(port.port)])
}

fn protocol(port: &ServicePort) -> &str {
    port.protocol.as_deref().unwrap_or("TCP")
}

fn ways<'o>(objects: &'o Objects, workload: &Workload) -> Vec<Way<'o>> {
    let services = objects.selecting(workload);
    let ports = services.flat_map(|service| {
        service.ports().iter().enumerate().map(move |(at, port)| (service, at, port))
    });
    ports
        .filter_map(|(service, at, port)| {
            Some(Way { service, at, port, number: workload.target_port(port)? })
        })
        .collect()
}

fn say(workload: &Workload, way: Way<'_>, other: Way<'_>, findings: &mut Findings<'_>) {
    let (name, other_name) = (&way.service.reference.name, &other.service.reference.name);
    let port = match way.port.name.as_deref().filter(|name| !name.is_empty()) {
        Some(port) if way.port.name == other.port.name => port.to_owned(),
        _ => way.port.port.to_string(),
    };
    let finding = findings.add(
        way.service.subject(),
        way.service.label(&format!("spec.ports[{}].targetPort", way.at), "not among the pods' ports"),
        format!(
            "port {port} leads to {} by Service {name} and to {} by Service {other_name}, and only the \
             latter is declared in {}",
            way.number,
            other.number,
            workload.title()
        ),
    );
    finding.with(other.service.label(
        &format!("spec.ports[{}].targetPort", other.at),
        "the same port, to another number",
    ));
    let declared = workload.ports().find(|(_, declared)| declared.container_port == other.number);
    if let Some((path, _)) = declared {
        finding.with(workload.pod_label(&format!("{path}.containerPort"), "declared"));
    }
    finding.help(format!(
        "if nothing listens on {}, clients of {name} are refused while those of \
        {other_name} are served",
        way.number
    ));
    finding.help(format!(
        "write targetPort: {}, or declare {} in the container",
        other.number, way.number
    ));
}
