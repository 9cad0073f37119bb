use std::collections::HashSet;

use k8s_openapi::api::core::v1::ContainerPort;
use manifest::ObjectRef;
use manifest::read::Level;

use crate::lint::{Findings, Objects, Rule};

pub(super) const RULE: Rule = Rule {
    code: "HC014",
    level: Level::Note,
    title: "a headless Service that names pods lists no ports",
    explanation: "\
A headless Service may do without ports, and the pods' names and addresses are answered as ever. But there are no SRV records then, clients cannot learn
a port number from DNS, and what reads a Service's ports finds nothing: a service mesh that needs a port's protocol, monitoring that scrapes by port name.",
    remedy: "List the ports that the containers declare, each with a name.",
    sources: &[
        "Kubernetes, validation of Services: a headless one needs no ports",
        "Kubernetes DNS specification, 2.4.2",
    ],
    check,
};

fn check(objects: &Objects, findings: &mut Findings<'_>) {
    let mut told: HashSet<&ObjectRef> = HashSet::new();
    for workload in &objects.workloads {
        let Some(service) = objects.governing(workload) else { continue };
        let mut declared = workload.ports();
        // Pods that declare no ports either may well have none that others should dial.
        let Some((first, _)) = declared.next() else { continue };
        let selects = objects.selecting(workload).any(|other| std::ptr::eq(other, service));
        if !service.is_headless() || !service.ports().is_empty() || !selects {
            continue;
        }
        if !told.insert(&service.reference) {
            continue;
        }
        let ports: Vec<String> = workload.ports().map(|(_, port)| entry(port)).collect();
        let finding = findings.add(
            service.subject(),
            service.label("spec.ports", "no ports"),
            format!(
                "headless Service {}, which names the pods of {}, lists no ports",
                service.reference.name,
                workload.title()
            ),
        );
        finding.with(workload.pod_label(&first, "the pods declare theirs"));
        finding.help(format!(
            "{} answers addresses, and there are no SRV records",
            service.dns_name()
        ));
        finding.help(format!("write ports: [{}]", ports.join(", ")));
    }
}

/// A Service's port for a container's, as YAML.
fn entry(port: &ContainerPort) -> String {
    let name = match port.name.as_deref() {
        Some(name) if !name.is_empty() => name.to_owned(),
        _ => format!("port-{}", port.container_port),
    };
    let protocol = match port.protocol.as_deref() {
        None | Some("TCP") => String::new(),
        Some(protocol) => format!(", protocol: {protocol}"),
    };
    format!("{{name: {name}, port: {}{protocol}}}", port.container_port)
}
