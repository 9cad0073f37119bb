use manifest::read::Level;

use crate::lint::dialled::{Dialled, dialled};
use crate::lint::peering::{PeerSet, Readiness, Set, sets};
use crate::lint::{Findings, Objects, Rule};

pub(super) const RULE: Rule = Rule {
    code: "HC026",
    level: Level::Note,
    title: "peers that start together read their list of peers before it is whole",
    explanation: "\
The answer of a headless Service is the list of the pods that are ready *now*. Where all pods start at once and each reads that list once to
learn of its peers, the first gets NXDOMAIN, others get a part, and what one gets depends on the moment. Software that asks again and again, as
Elasticsearch does, is only late; software that takes the first answer for the whole, or counts itself as a peer that it has joined, may form a
cluster of its own.",
    remedy: "\
Set `publishNotReadyAddresses: true` on the peers' Service, which makes the list whole as soon as the pods have addresses; or name the peers one
by one, POD.SERVICE.",
    sources: &[
        "Kubernetes DNS-Based Service Discovery 1.1.0 §2.4.1",
        "kubernetes/kubernetes: endpointslice podToEndpoint",
    ],
    check,
};

/// Words in the key of a text that lists peers.
const LISTS: &[&str] = &["seed", "join", "peer", "discovery", "member"];

fn check(objects: &Objects, findings: &mut Findings<'_>) {
    for set in sets(objects) {
        // Those that are ready only with their peers never get a list at all, which is another rule's.
        let waits = |peers: PeerSet<'_>| peers.readiness(objects).0 == Readiness::WithPeers;
        if PeerSet::of(set).is_some_and(waits) {
            continue;
        }
        let Some(list) = list(&set, objects) else { continue };
        let (name, pods) = (&set.item.reference.name, set.replicas());
        let service = &list.service.reference.name;
        let field = match list.service.document.has("spec.publishNotReadyAddresses") {
            true => "spec.publishNotReadyAddresses",
            false => "metadata.name",
        };
        findings
            .add(
                set.item.subject(),
                set.workload.pod_label(&list.field, "the list of peers"),
                format!(
                    "the {pods} pods of {name} start at once, and {} lists only those that are ready when it is asked",
                    list.name
                ),
            )
            .with(list.service.label(field, "publishes ready pods only"))
            .with(set.item.label("spec.podManagementPolicy", "all pods start at once"))
            .help(format!(
                "set publishNotReadyAddresses: true in the spec of Service {service}, or list the pods by name: {}",
                set.pods()
                    .take(3)
                    .map(|pod| format!("{pod}.{service}"))
                    .collect::<Vec<_>>()
                    .join(",")
            ));
    }
}

/// Whether this rule speaks of a set's Service.
pub(super) fn has(peers: &PeerSet<'_>, objects: &Objects) -> bool {
    peers.readiness(objects).0 != Readiness::WithPeers && list(&peers.set, objects).is_some()
}

/// Where the pods of a set that start at once are told of their own Service, which is not published, as a list of peers.
fn list<'a>(set: &Set<'a>, objects: &'a Objects) -> Option<Dialled<'a>> {
    let service = set.unpublished(objects)?;
    if !set.is_parallel() || set.replicas() < 2 {
        return None;
    }
    dialled(objects, set.workload).into_iter().find(|used| {
        let key = used.key.to_lowercase();
        std::ptr::eq(used.service, service) && LISTS.iter().any(|word| key.contains(word))
    })
}
