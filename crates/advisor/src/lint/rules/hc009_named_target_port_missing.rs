use k8s_openapi::api::core::v1::ContainerPort;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use manifest::read::Level;

use crate::lint::{Findings, Objects, Rule, Workload, words};

pub(super) const RULE: Rule = Rule {
    code: "HC009",
    level: Level::Error,
    title: "no container declares the port that targetPort names",
    explanation: "\
A `targetPort` that is a name is looked up among the ports that the pods' containers declare (those of sidecars too), for each pod. Where it is not there, the endpoint
is listed without that port: the Service looks healthy, and connections to its cluster IP are refused. A headless Service goes on answering the pods' addresses,
while the SRV name of that port is NXDOMAIN. Numbers are not looked up: a number that no container declares works.",
    remedy: "\
Name the port in the container (`ports: [{name: http, containerPort: 8080}]`), or write the name that it has, or the number, as `targetPort`.",
    sources: &[
        "Kubernetes, EndpointSlice controller: a port that is not found in the pod is left out",
        "kubernetes/kubernetes#109627",
    ],
    check,
};

fn check(objects: &Objects, findings: &mut Findings<'_>) {
    for service in &objects.services {
        let workloads: Vec<&Workload> = objects.selected(service).collect();
        for (at, port) in service.ports().iter().enumerate() {
            let Some(IntOrString::String(name)) = &port.target_port else { continue };
            let has_name = |workload: &&Workload| {
                workload.ports().any(|(_, port)| port.name.as_deref() == Some(name))
            };
            // Where some have it, the selector takes too much; where it has another protocol, HC010 says so.
            if workloads.is_empty() || workloads.iter().any(has_name) {
                continue;
            }
            let titles: Vec<String> = workloads.iter().map(|workload| workload.title()).collect();
            let finding = findings.add(
                service.subject(),
                service.label(
                    &format!("spec.ports[{at}].targetPort"),
                    "no port of this name in the pods",
                ),
                format!(
                    "targetPort {name} of Service {} is no port of {}",
                    service.reference.name,
                    words::list(&titles, 3)
                ),
            );
            let near = workloads
                .iter()
                .find_map(|workload| Some((*workload, nearest(workload, port.port)?)));
            match &near {
                Some((workload, (path, declared))) => {
                    finding.with(workload.pod_label(path, said(declared)));
                }
                None => {
                    finding.with(workloads[0].pod_label("spec.containers", "no port is declared"));
                }
            }
            let protocol = port.protocol.as_deref().unwrap_or("TCP").to_lowercase();
            let label = port.name.as_deref().filter(|name| !name.is_empty());
            let srv = label
                .map(|label| format!("_{label}._{protocol}.{} is NXDOMAIN", service.dns_name()));
            if service.is_headless() {
                finding.level(Level::Warning);
                let answers = format!("{} still answers the pods' addresses", service.dns_name());
                finding.help(match srv {
                    Some(srv) => format!("{srv}, while {answers}"),
                    None => format!("its endpoints have no port, while {answers}"),
                });
            } else {
                finding.help(format!(
                    "the endpoints have no such port: connections to {}:{} are refused",
                    service.dns_name(),
                    port.port
                ));
            }
            finding.help(match near {
                Some((_, (_, ContainerPort { name: Some(other), .. }))) => {
                    format!("write targetPort: {other}, or name that port {name} in the container")
                }
                Some((_, (_, declared))) => format!(
                    "give it its name in the container: {{name: {name}, containerPort: {}}}",
                    declared.container_port
                ),
                None => format!(
                    "declare it in the container: ports: [{{name: {name}, containerPort: {}}}]",
                    port.port
                ),
            });
        }
    }
}

/// The port that was probably meant: the one with the Service's number, or the only one.
fn nearest(workload: &Workload, number: i32) -> Option<(String, &ContainerPort)> {
    let mut ports = workload.ports();
    let first = ports.next()?;
    let is_only = ports.next().is_none();
    let same = workload.ports().find(|(_, port)| port.container_port == number);
    same.or_else(|| Some(first).filter(|_| is_only)).or_else(|| workload.ports().next())
}

fn said(port: &ContainerPort) -> String {
    match &port.name {
        Some(name) => format!("{} is named {name}", port.container_port),
        None => format!("{} has no name", port.container_port),
    }
}
