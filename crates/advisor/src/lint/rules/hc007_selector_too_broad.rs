use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Service;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use manifest::read::Level;

use crate::lint::{Findings, Item, Objects, Rule, Workload, words};

pub(super) const RULE: Rule = Rule {
    code: "HC007",
    level: Level::Warning,
    title: "a Service selects pods that do not serve its ports",
    explanation: "\
A selector such as `app: shop` takes every pod with that label: those of a worker, a cache or a CronJob of the same application too. A pod without readiness probe
is ready as soon as it runs, so each of them becomes an endpoint, and a share of the connections is refused, with a CronJob only while one of its
pods runs. In the list of a headless Service such pods look like peers.",
    remedy: "\
Give the pods that serve a label of their own (`app.kubernetes.io/component: web`) and ask for it in the selector. If the others do serve the port,
declare it in their containers.",
    sources: &["Kubernetes API, core/v1 ServiceSpec.selector", "Kubernetes, EndpointSlice controller: every running pod that matches is an endpoint"],
    check,
};

fn check(objects: &Objects, findings: &mut Findings<'_>) {
    for workload in &objects.workloads {
        let mut wrong = objects.selecting(workload).filter_map(|service| {
            let serving = serving(objects, service, workload)?;
            Some((service, serving))
        });
        let Some((service, serving)) = wrong.next() else { continue };
        let finding = findings.add(
            service.subject(),
            service.label("spec.selector", format!("takes {} too", workload.pods())),
            format!(
                "Service {}, served by {}, also selects {}{}",
                service.reference.name,
                serving.title(),
                workload.pods(),
                lacking(workload, service)
            ),
        );
        finding.with(workload.pod_label("metadata.labels", words::labels(&workload.labels)));
        for (other, _) in wrong {
            finding.with(other.label("spec.selector", "and so does this one"));
        }
        if !workload.ends() && may_listen(workload, service) {
            finding.level(Level::Note);
        }
        finding.help(match service.is_headless() {
            true => format!(
                "{} lists them among the others, where connections are refused",
                service.dns_name()
            ),
            false => "a share of the connections goes to them and is refused".to_owned(),
        });
        finding.help(mend(service, serving, workload));
    }
}

/// The workload that a Service is evidently for, if these pods are selected beside it by mistake.
fn serving<'o>(
    objects: &'o Objects,
    service: &'o Item<Service>,
    workload: &Workload,
) -> Option<&'o Workload> {
    let ports = service.ports();
    let declares = |workload: &Workload| ports.iter().any(|port| workload.declares(port));
    // One that names the Service as its own belongs there; one whose controller takes the other's pods is HC006's.
    if declares(workload) || workload.subdomain() == Some(service.reference.name.as_str()) {
        return None;
    }
    objects.selected(service).find(|other| {
        !other.ends()
            && (declares(other) || workload.ends())
            && !std::ptr::eq(*other, workload)
            && !workload.overlaps(other)
    })
}

/// What the pods lack, to be served by the Service; a Job's serve nobody, whatever they declare.
fn lacking(workload: &Workload, service: &Item<Service>) -> String {
    if workload.ends() {
        return String::new();
    }
    let targets: Vec<String> = service
        .ports()
        .iter()
        .map(|port| match &port.target_port {
            Some(IntOrString::String(name)) => name.clone(),
            Some(IntOrString::Int(number)) => number.to_string(),
            None => port.port.to_string(),
        })
        .collect();
    format!(", where port {} is not declared", words::list(&targets, 3))
}

/// Whether it may serve without saying so: nothing is declared, and the Service goes by number.
fn may_listen(workload: &Workload, service: &Item<Service>) -> bool {
    let by_number = service
        .ports()
        .iter()
        .any(|port| matches!(port.target_port, Some(IntOrString::Int(_)) | None));
    workload.ports().next().is_none() && by_number
}

/// A label to ask for, if the pods that serve have one that the others lack.
fn mend(service: &Item<Service>, serving: &Workload, workload: &Workload) -> String {
    let own = serving.labels.iter().find(|(key, value)| workload.labels.get(*key) != Some(value));
    match (own, service.selector()) {
        (Some((key, value)), Some(selector)) => {
            let mut narrower: BTreeMap<_, _> = selector.clone();
            narrower.insert(key.clone(), value.clone());
            format!("write selector: {}", words::yaml(&narrower))
        }
        _ => format!(
            "give the pods of {} a label that {} have not, and ask for it",
            serving.title(),
            workload.pods()
        ),
    }
}
