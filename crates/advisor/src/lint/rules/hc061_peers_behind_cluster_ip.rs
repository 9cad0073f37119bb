use k8s_openapi::api::core::v1::Service;
use manifest::read::Level;

use crate::lint::dialled::{Dialled, dialled};
use crate::lint::peering::{PeerSet, peer, peer_sets};
use crate::lint::{Findings, Item, Objects, Rule, Workload};
use crate::peers::{Known, Peer};

pub(super) const RULE: Rule = Rule {
    code: "HC061",
    level: Level::Warning,
    title: "peers that must tell one another apart are behind a load-balancing Service",
    explanation: "\
Peers of a clustered system dial one particular member: the leader, the holder of a replica, the seed. The name of a Service with a cluster IP
answers with one virtual address, and each connection to it goes to any pod behind it, perhaps to the very one that dials. The cluster forms now
and then, members see one another under the wrong name, and it is worse the more replicas there are.

A headless Service answers with the pods themselves, and the DNS specification promises names of single pods for headless Services only. Some
servers answer such names for others, too, and that is not portable.",
    remedy: "\
Give the peers a headless Service (`clusterIP: None`), name it in `serviceName` and in the peers' configuration, and keep the one with a cluster
IP for clients.",
    sources: &[
        "Kubernetes DNS-Based Service Discovery 1.1.0 §2.3.1, §2.4.1",
        "Kubernetes documentation, StatefulSets: Limitations",
    ],
    check,
};

/// Words in the key of a text that lists peers.
const LISTS: &[&str] =
    &["seed", "join", "peer", "discovery", "quorum", "initial", "gcomm", "routes"];

fn check(objects: &Objects, findings: &mut Findings<'_>) {
    for peers in peer_sets(objects) {
        let PeerSet { set, .. } = &peers;
        if !tell_apart(set.workload) {
            continue;
        }
        if let Some(service) = governing(set.workload, objects) {
            let name = &service.reference.name;
            tell(&peers, service, "spec.serviceName", "the Service of its peers", findings).help(format!(
                "the name {name} leads each connection to any pod: set clusterIP: None in a Service for the peers, and give clients a second one"
            ));
        } else if let Some(service) = only(set.workload, objects) {
            let (name, set) = (&service.reference.name, &set.item.reference.name);
            tell(&peers, service, "spec.serviceName", "names no Service", findings).help(format!(
                "write a headless Service, {set}-peers say, with the selector of {name} and publishNotReadyAddresses: true, and name it in serviceName"
            ));
        } else if let Some(listed) = listed(set.workload, objects) {
            let field = set.workload.pod_field(&listed.field);
            let finding = tell(&peers, listed.service, &field, "a list of peers", findings);
            if let Some(headless) = set.workload.subdomain() {
                finding.help(format!(
                    "it gives one virtual address, and behind it any pod: write {headless}, the Service that serviceName names"
                ));
            }
        }
    }
}

/// Whether a workload's pods are peers that find one another by DNS, and more than one.
fn tell_apart(workload: &Workload) -> bool {
    // What finds its peers by DNS publishes them before they are ready.
    let is_peer = |peer: &Peer| peer.publish_not_ready.value() && peer.management.is_some();
    peer(workload).is_some_and(|(peer, _)| is_peer(peer)) && workload.replicas.unwrap_or(1) >= 2
}

/// The Service with a cluster IP that the peers of a known software have for their governing one, and no headless one
/// beside it: with one, `serviceName` names the wrong of the two, which is said of any StatefulSet.
pub(super) fn governing<'a>(
    workload: &Workload,
    objects: &'a Objects,
) -> Option<&'a Item<Service>> {
    let service = objects.governing(workload)?;
    let is_lone = || !objects.selecting(workload).any(Item::is_headless);
    (has_cluster_ip(service) && tell_apart(workload) && is_lone()).then_some(service)
}

/// Where pods without a governing Service are selected by Services with a cluster IP alone, the first of these.
fn only<'a>(workload: &Workload, objects: &'a Objects) -> Option<&'a Item<Service>> {
    if workload.subdomain().is_some() {
        return None;
    }
    let mut selecting = objects.selecting(workload).peekable();
    let first = *selecting.peek()?;
    selecting.all(has_cluster_ip).then_some(first)
}

/// A list of peers that has the name of a Service with a cluster IP before these very pods, which have a headless one.
fn listed<'a>(workload: &Workload, objects: &'a Objects) -> Option<Dialled<'a>> {
    objects.governing(workload).filter(|service| service.is_headless())?;
    dialled(objects, workload).into_iter().find(|used| {
        let key = used.key.to_lowercase();
        has_cluster_ip(used.service)
            && objects.selected(used.service).any(|own| std::ptr::eq(own, workload))
            && LISTS.iter().any(|word| key.contains(word))
    })
}

fn has_cluster_ip(service: &Item<Service>) -> bool {
    !service.is_headless() && !service.is_external_name()
}

fn tell<'f>(
    peers: &PeerSet<'_>,
    service: &Item<Service>,
    field: &str,
    text: &str,
    findings: &'f mut Findings<'_>,
) -> &'f mut crate::lint::Finding {
    let item = peers.set.item;
    let finding = findings.add(
        item.subject(),
        item.label(field, text),
        format!(
            "the {} peers of {} are behind the load-balancing Service {}",
            peers.peer.name, item.reference.name, service.reference.name
        ),
    );
    let place = match service.document.has("spec.clusterIP") {
        true => "spec.clusterIP",
        false => "metadata.name",
    };
    finding.with(service.label(place, "has a cluster IP"));
    if let Known::Perhaps(discovery) = peers.peer.discovery {
        finding.level(Level::Note).help(format!("peers probably find one another by {discovery}"));
    }
    finding
}
