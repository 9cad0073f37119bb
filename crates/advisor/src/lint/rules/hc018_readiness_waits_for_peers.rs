use k8s_openapi::api::core::v1::Service;
use manifest::read::Level;

use super::hc026_partial_peer_list;
use crate::lint::peering::{PeerSet, Readiness, peer_sets};
use crate::lint::{Findings, Item, Objects, Rule};
use crate::peers::Known;

pub(super) const RULE: Rule = Rule {
    code: "HC018",
    level: Level::Warning,
    title: "pods are ready only with their peers, and peers are found only when ready",
    explanation: "\
DNS has the names of pods that are ready, and no others. A member of a cluster that is ready only once it has found its peers is thus not to be
found by them: each waits for the names of the others, and all names are NXDOMAIN. It shows at the first start, and again after all pods were
down at once, when a cluster that has worked for months does not come back.

`publishNotReadyAddresses: true` on the peers' Service ends the circle: its names answer as soon as pods have addresses. It changes the Service's
EndpointSlices, where `ready` is true for every pod, so it belongs on the headless Service of the peers and not on the one that clients use.",
    remedy: "Set `publishNotReadyAddresses: true` on the headless Service that the peers use, and let clients use a Service without it.",
    sources: &[
        "kubernetes/kubernetes#78290",
        "Kubernetes DNS-Based Service Discovery 1.1.0 §2.4.1",
        "kubernetes/kubernetes: endpointslice podToEndpoint",
    ],
    check,
};

fn check(objects: &Objects, findings: &mut Findings<'_>) {
    for peers in peer_sets(objects) {
        if let Some(service) = unpublished(&peers, objects) {
            tell(&peers, service, objects, findings);
        }
    }
}

/// The Service of the peers that lacks the field, where this rule speaks of it.
fn unpublished<'a>(peers: &PeerSet<'a>, objects: &'a Objects) -> Option<&'a Item<Service>> {
    let service = peers.set.unpublished(objects)?;
    (peers.peer.publish_not_ready.value()
        && peers.set.replicas() >= 2
        && peers.readiness(objects).0 != Readiness::Running
        && !hc026_partial_peer_list::has(peers, objects))
    .then_some(service)
}

/// The Service of the same pods that has the field in place of the peers', and clients behind it.
fn misplaced_by<'a>(peers: &PeerSet<'a>, objects: &'a Objects) -> Option<&'a Item<Service>> {
    let mut selecting = objects.selecting(peers.set.workload);
    selecting.find(|service| service.publishes_not_ready() && !service.is_headless())
}

/// The Services that have the field in place of those of the peers: one fault, which is told here.
pub(super) fn misplaced(objects: &Objects) -> Vec<&Item<Service>> {
    let unpublished = peer_sets(objects).filter(|peers| unpublished(peers, objects).is_some());
    unpublished.filter_map(|peers| misplaced_by(&peers, objects)).collect()
}

fn tell(
    peers: &PeerSet<'_>,
    service: &Item<Service>,
    objects: &Objects,
    findings: &mut Findings<'_>,
) {
    let PeerSet { set, peer, .. } = peers;
    let (readiness, probe) = peers.readiness(objects);
    // One at a time, the first one is a cluster by itself where no majority is needed.
    let readiness = match readiness {
        Readiness::WithPeers if !peer.quorum && !set.is_parallel() => Readiness::Alone,
        other => other,
    };
    let is_sure = matches!(peer.publish_not_ready, Known::Surely(_));
    let (name, software) = (&service.reference.name, peer.name);
    let message = match (readiness, is_sure) {
        (Readiness::WithPeers, true) => format!(
            "the pods of {} are ready only with their peers, and Service {name} publishes only ready ones",
            set.item.reference.name
        ),
        (Readiness::WithPeers, false) => format!(
            "{software} probably needs its peers' names before it is ready, and Service {name} publishes only ready pods"
        ),
        (Readiness::Alone | Readiness::Running, _) => format!(
            "Service {name} publishes a {software} pod only when its probe has passed: until then its peers do not find it"
        ),
    };
    let field = match service.document.has("spec.publishNotReadyAddresses") {
        true => "spec.publishNotReadyAddresses",
        false => "metadata.name",
    };
    let finding =
        findings.add(service.subject(), service.label(field, "publishes ready pods only"), message);
    if !is_sure || readiness != Readiness::WithPeers {
        finding.level(Level::Note);
    }
    let pod = set.pods().next().unwrap_or_default();
    let namespace = &service.reference.namespace;
    finding
        .with(set.workload.pod_label(&probe, "what makes a pod ready"))
        .with(set.workload.pod_label(&format!("{}.image", peers.container), software))
        .help(format!(
            "{pod}.{name}.{namespace}.svc is NXDOMAIN for the others until that pod is ready, and {}",
            peer.why
        ));
    match misplaced_by(peers, objects) {
        Some(other) => finding
            .with(other.label("spec.publishNotReadyAddresses", "published here, for clients"))
            .help(format!(
                "move publishNotReadyAddresses from Service {} to {name}: the clients of {} are led to pods that are not ready",
                other.reference.name, other.reference.name
            )),
        None => finding.help(format!(
            "set publishNotReadyAddresses: true in the spec of Service {name}; clients should use another Service, without it"
        )),
    };
}
