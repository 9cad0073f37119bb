use manifest::read::Level;

use crate::lint::{Findings, Objects, Rule};

pub(super) const RULE: Rule = Rule {
    code: "HC016",
    level: Level::Error,
    title: "a LoadBalancer or NodePort Service with clusterIP None",
    explanation: "\
Node ports and load balancers lead to a Service's virtual address, and a headless Service has none, so the API refuses the two together. One
Service cannot both name each pod and be reached from outside; two Services with the same selector can.",
    remedy: "\
Keep the headless Service for the names of the pods, of type ClusterIP, and write a second one of this type, without `clusterIP`, for the way in
from outside.",
    sources: &["kubernetes/kubernetes: ValidateService (may not be set to 'None' for LoadBalancer services)"],
    check,
};

fn check(objects: &Objects, findings: &mut Findings<'_>) {
    for service in &objects.services {
        let kind = service.type_name();
        if !service.is_headless() || !matches!(kind, "LoadBalancer" | "NodePort") {
            continue;
        }
        let name = &service.reference.name;
        findings
            .add(
                service.subject(),
                service.label("spec.clusterIPs[0]", "headless"),
                format!("Service {name} is headless and of type {kind}, which is refused"),
            )
            .with(service.label("spec.type", "this type needs a cluster IP"))
            .help(format!(
                "remove type to keep the pods' names, and write a second Service, {name}-external say, of type {kind} with the same selector and no clusterIP"
            ));
    }
}
