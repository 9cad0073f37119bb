use manifest::read::Level;

use super::hc019_published_client_service::backends;
use crate::lint::dialled::dialled;
use crate::lint::peering::peer;
use crate::lint::siblings::Siblings;
use crate::lint::{Findings, Objects, Rule};

pub(super) const RULE: Rule = Rule {
    code: "HC021",
    level: Level::Note,
    title: "clients dial a headless Service that publishes pods which are not ready",
    explanation: "\
A headless Service with `publishNotReadyAddresses` is made for peers. Its answer holds every pod that has an address: one that starts, one that
fails its probe, and one that terminates, until it is gone. A client that takes any address of the answer dials those, too, and sees refused
connections during each rollout and scale-down, even where each pod shuts down cleanly. Clients that know the software's members by themselves
bear that; clients that take the first address do not.",
    remedy: "\
Give the clients a Service of their own with the same selector and without `publishNotReadyAddresses`; or have them retry with the next address.",
    sources: &[
        "kubernetes/kubernetes: endpointslice podToEndpoint",
        "Kubernetes API, discovery/v1 EndpointConditions",
    ],
    check,
};

fn check(objects: &Objects, findings: &mut Findings<'_>) {
    let is_published = |service: &&crate::lint::Item<_>| {
        service.is_headless() && service.publishes_not_ready() && service.selector().is_some()
    };
    if !objects.services.iter().any(|service| is_published(&service)) {
        return;
    }
    let backends = backends(objects);
    let siblings = Siblings::of(objects);
    for workload in &objects.workloads {
        // Peer software knows how to leave out a member that does not answer.
        if peer(workload).is_some() {
            continue;
        }
        let mut told = Vec::new();
        for used in dialled(objects, workload) {
            let service = used.service;
            let is_own = objects.selected(service).any(|own| std::ptr::eq(own, workload));
            let (namespace, name) = (&service.reference.namespace, &service.reference.name);
            if !is_published(&service)
                || is_own
                || told.contains(&(namespace, name))
                || backends.contains_key(&(namespace.as_str(), name.as_str()))
            {
                continue;
            }
            told.push((namespace, name));
            let finding = findings.add(
                workload.subject(),
                workload.pod_label(&used.field, ""),
                format!(
                    "{} dials {}, whose answer also holds pods that start, fail their probe or terminate",
                    workload.reference.name, used.name
                ),
            );
            finding.with(service.label("spec.publishNotReadyAddresses", "published for the peers"));
            let other = siblings.find(service, |other| !other.publishes_not_ready());
            match other {
                Some(other) => finding.help(format!(
                    "Service {} has the same pods, and only those that are ready: dial that one",
                    other.reference.name
                )),
                None => finding.help(format!(
                    "write a second Service with the selector of {name} and without publishNotReadyAddresses, and dial that one"
                )),
            };
        }
    }
}
