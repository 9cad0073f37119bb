use k8s_openapi::api::core::v1::{Service, ServicePort};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use manifest::read::Level;

use crate::lint::{Findings, Item, Objects, Rule, Workload};

pub(super) const RULE: Rule = Rule {
    code: "HC011",
    level: Level::Warning,
    title: "a headless Service's port is not the pods' port",
    explanation: "\
A headless Service has no address of its own, so nothing stands between client and pod that could map `port` to `targetPort`. Who asks SRV gets the
`targetPort` and is served; who takes an address from A or AAAA and dials the Service's `port` reaches a pod on a port that nothing listens on, and is refused. The
same manifest without `clusterIP: None` would have worked, which is how the difference is usually found.",
    remedy: "Make `port` the number that the pods listen on, and let clients use it. For another number \
        towards clients, use a second Service with a cluster IP.",
    sources: &[
        "Kubernetes documentation, Headless Services",
        "kubernetes/kubernetes#20488",
        "istio/istio#23675",
        "Kubernetes DNS specification, 2.4.2",
    ],
    check,
};

fn check(objects: &Objects, findings: &mut Findings<'_>) {
    for service in objects.services.iter().filter(|service| service.is_headless()) {
        if service.selector().is_none() {
            // Whoever writes its endpoints writes their ports.
            continue;
        }
        for (at, port) in service.ports().iter().enumerate() {
            let Some(target) = target(objects, service, port) else { continue };
            if target.number == port.port {
                continue;
            }
            let protocol = port.protocol.as_deref().unwrap_or("TCP");
            let other = objects.selected(service).find(|workload| {
                workload.declares_number(port.port, protocol) && !workload.declares(port)
            });
            match other {
                Some(workload) => target_is_wrong(service, at, port, workload, findings),
                None => port_is_wrong(service, at, port, &target, findings),
            }
        }
    }
}

/// The number that a port leads to, and the workload that a name was looked up in.
struct Target<'o> {
    number: i32,
    named_by: Option<&'o Workload>,
}

/// Where a port leads; of several workloads that make different numbers of a name, the first that is not the port's.
/// `None` for a name that the pods lack.
fn target<'o>(
    objects: &'o Objects,
    service: &'o Item<Service>,
    port: &ServicePort,
) -> Option<Target<'o>> {
    match &port.target_port {
        Some(IntOrString::Int(number)) => Some(Target { number: *number, named_by: None }),
        Some(IntOrString::String(_)) => objects
            .selected(service)
            .filter_map(|workload| {
                let number = workload.target_port(port)?;
                Some(Target { number, named_by: Some(workload) })
            })
            .find(|target| target.number != port.port),
        None => None,
    }
}

fn port_is_wrong(
    service: &Item<Service>,
    at: usize,
    port: &ServicePort,
    target: &Target<'_>,
    findings: &mut Findings<'_>,
) {
    let number = target.number;
    let finding = findings.add(
        service.subject(),
        service.label(&format!("spec.ports[{at}].port"), "mapped by nothing"),
        format!(
            "headless Service {} has port {}, and its pods are reached on {number} only",
            service.reference.name, port.port
        ),
    );
    finding.with(
        service.label(&format!("spec.ports[{at}].targetPort"), format!("the pods' port {number}")),
    );
    let declared = target.named_by.and_then(|workload| {
        let mut ports = workload.ports();
        let (path, _) = ports.find(|(_, declared)| declared.container_port == number)?;
        Some(workload.pod_label(&format!("{path}.containerPort"), "what the name stands for"))
    });
    finding.secondary.extend(declared);
    finding.help(format!(
        "a client that dials {}:{} is refused; one that follows SRV records gets {number}",
        service.dns_name(),
        port.port
    ));
    finding.help(format!("write port: {number}, and let clients dial that"));
}

/// The pods declare the Service's port and not the number that SRV records would carry.
fn target_is_wrong(
    service: &Item<Service>,
    at: usize,
    port: &ServicePort,
    workload: &Workload,
    findings: &mut Findings<'_>,
) {
    let number = workload.target_port(port).unwrap_or_default();
    let finding = findings.add(
        service.subject(),
        service.label(&format!("spec.ports[{at}].targetPort"), "what SRV records carry"),
        format!(
            "headless Service {} leads clients that follow SRV records to {number}, and {} declare {}",
            service.reference.name,
            workload.pods(),
            port.port
        ),
    );
    let declared = workload.ports().find(|(_, declared)| declared.container_port == port.port);
    if let Some((path, _)) = declared {
        finding.with(workload.pod_label(&format!("{path}.containerPort"), "declared"));
    }
    finding.help(format!(
        "if nothing listens on {number}, they are refused, while who dials {}:{} is served",
        service.dns_name(),
        port.port
    ));
    finding.help(format!("leave targetPort out, or write targetPort: {}", port.port));
}
