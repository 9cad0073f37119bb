use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use manifest::read::Level;

use crate::lint::{Findings, Objects, Rule};

pub(super) const RULE: Rule = Rule {
    code: "HC011",
    level: Level::Warning,
    title: "a headless Service's port is not the pods' port",
    explanation: "\
A headless Service has no address of its own, so nothing stands between client and pod that could map `port` to `targetPort`. Who asks SRV gets the
`targetPort` and is served; who takes an address from A or AAAA and dials the Service's `port` reaches a pod on a port that nothing listens on, and is refused. The
same manifest without `clusterIP: None` would have worked, which is how the difference is usually found.",
    remedy: "Make `port` the number that the pods listen on, and let clients use it. For another number towards clients, use a second Service with a cluster IP.",
    sources: &["Kubernetes documentation, Headless Services", "kubernetes/kubernetes#20488", "istio/istio#23675", "Kubernetes DNS specification, 2.4.2"],
    check,
};

fn check(objects: &Objects, findings: &mut Findings<'_>) {
    for service in objects.services.iter().filter(|service| service.is_headless() && service.selector().is_some()) {
        for (at, port) in service.ports().iter().enumerate() {
            let by_workload = |workload| {
                let number = crate::lint::Workload::target_port(workload, port)?;
                Some((number, Some(workload)))
            };
            let target = match &port.target_port {
                Some(IntOrString::Int(number)) => Some((*number, None)),
                // By name: what the pods make of it; a name that they lack is another rule's.
                Some(IntOrString::String(_)) => objects
                    .selected(service)
                    .filter_map(by_workload)
                    .find(|(number, _)| *number != port.port),
                None => None,
            };
            let Some((number, workload)) = target.filter(|(number, _)| *number != port.port) else {
                continue;
            };
            let name = &service.reference.name;
            let finding = findings.add(
                service.subject(),
                service.label(&format!("spec.ports[{at}].port"), "mapped by nothing"),
                format!("headless Service {name} has port {}, and its pods are reached on {number} only", port.port),
            );
            finding.with(service.label(&format!("spec.ports[{at}].targetPort"), format!("the pods' port {number}")));
            let declared = workload.and_then(|workload| {
                let declared = workload.ports().find(|(_, declared)| declared.container_port == number);
                declared.map(|(path, _)| workload.pod_label(&format!("{path}.containerPort"), "what the name stands for"))
            });
            finding.secondary.extend(declared);
            finding.help(format!("a client that dials {}:{} is refused; one that follows SRV records gets {number}", service.dns_name(), port.port));
            finding.help(format!("write port: {number}, and let clients dial that"));
        }
    }
}
