use manifest::read::Level;

use crate::lint::peering::{PeerSet, Readiness, peer_sets};
use crate::lint::{Findings, Objects, Rule};
use crate::peers::{Known, PodManagement};

pub(super) const RULE: Rule = Rule {
    code: "HC022",
    level: Level::Warning,
    title: "a quorum system starts one pod at a time, each when the one before is ready",
    explanation: "\
With `podManagementPolicy: OrderedReady`, the default, the controller makes the second pod when the first is ready. A member of a quorum system
is ready when a majority has met, and one member of three is none. So the first pod waits for the second, which is not made. The first start may
hide this, for a new cluster can begin with one member; after all pods were down at once, it does not come back by itself.

`Parallel` makes all pods at once. It also replaces them one by one in an update, from the last to the first.",
    remedy: "\
Set `podManagementPolicy: Parallel`. The field cannot be changed: delete the StatefulSet with `kubectl delete statefulset NAME --cascade=orphan`,
which leaves its pods running, and create it again.",
    sources: &[
        "Kubernetes documentation, StatefulSets: Pod Management Policies",
        "kubernetes/kubernetes: pkg/controller/statefulset processReplica",
    ],
    check,
};

fn check(objects: &Objects, findings: &mut Findings<'_>) {
    for peers in peer_sets(objects) {
        let PeerSet { set, peer, .. } = &peers;
        let parallel = match peer.management {
            Some(known) if known.value() == PodManagement::Parallel => known,
            Some(_) | None => continue,
        };
        if !peers.has_quorum(objects) || set.is_parallel() || set.replicas() < 2 {
            continue;
        }
        // A pod that is ready by itself lets the next one start.
        let (Readiness::WithPeers, probe) = peers.readiness(objects) else { continue };
        let (name, namespace) = (&set.item.reference.name, &set.item.reference.namespace);
        let first = set.first_ordinal();
        let second = first.saturating_add(1);
        let certainty = match parallel {
            Known::Surely(_) => "",
            Known::Perhaps(_) => "probably ",
        };
        let finding = findings.add(
            set.item.subject(),
            set.item.label("spec.podManagementPolicy", "one pod at a time"),
            format!(
                "{} {certainty}needs a majority to be ready, and {name}-{second} is not made before {name}-{first} is ready",
                peer.name
            ),
        );
        if !matches!(parallel, Known::Surely(_)) {
            finding.level(Level::Note);
        }
        finding
            .with(set.workload.pod_label(&probe, "what makes a pod ready"))
            .help("after all pods were down at once the cluster does not come back: set podManagementPolicy: Parallel")
            .help(format!(
                "it cannot be changed in place: kubectl delete statefulset {name} -n {namespace} --cascade=orphan, then apply"
            ));
    }
}
