use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use manifest::read::Level;

use crate::lint::{Findings, Objects, Rule, Workload};

pub(super) const RULE: Rule = Rule {
    code: "HC010",
    level: Level::Error,
    title: "the port that targetPort names has another protocol in the pods",
    explanation: "\
A named `targetPort` is looked up by name *and* protocol, and both sides are TCP where they say nothing. A Service's UDP port that names a container's TCP port finds
nothing, and the endpoint is listed without it, as if the name were not there at all. The pod runs, the Service has endpoints, and requests to that
port are refused or lost.",
    remedy: "Write the same `protocol` on both sides. A port that serves TCP and UDP is declared twice, \
        under two names.",
    sources: &[
        "Kubernetes, EndpointSlice controller: a named port is found by name and protocol",
        "Kubernetes API, core/v1 ContainerPort.protocol",
    ],
    check,
};

fn check(objects: &Objects, findings: &mut Findings<'_>) {
    for service in &objects.services {
        let workloads: Vec<&Workload> = objects.selected(service).collect();
        for (at, port) in service.ports().iter().enumerate() {
            let Some(IntOrString::String(name)) = &port.target_port else { continue };
            if workloads.iter().any(|workload| workload.target_port(port).is_some()) {
                continue;
            }
            let declared = workloads.iter().find_map(|workload| {
                let mut ports = workload.ports();
                Some((workload, ports.find(|(_, port)| port.name.as_deref() == Some(name))?))
            });
            let Some((workload, (path, declared))) = declared else { continue };
            let wanted = port.protocol.as_deref().unwrap_or("TCP");
            let has = declared.protocol.as_deref().unwrap_or("TCP");
            let finding = findings.add(
                service.subject(),
                service.label(&format!("spec.ports[{at}].targetPort"), format!("asks for {wanted}")),
                format!(
                    "targetPort {name} of Service {} is {wanted}, and the port of that name in {} is {has}",
                    service.reference.name,
                    workload.title()
                ),
            );
            finding.with(workload.pod_label(&format!("{path}.name"), format!("is {has}")));
            let number = declared.container_port;
            if service.is_headless() {
                finding.level(Level::Warning);
                finding.help(format!(
                    "the endpoints have no such port: no SRV record leads to it, while {} \
                    still answers the pods' addresses",
                    service.dns_name()
                ));
            } else {
                finding.help(format!(
                    "the endpoints have no such port: {wanted} to {}:{} is refused",
                    service.dns_name(),
                    port.port
                ));
            }
            finding.help(format!(
                "write protocol: {has} in the Service, or protocol: {wanted} at \
                containerPort {number}, whichever the software speaks"
            ));
        }
    }
}
