use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use manifest::read::Level;

use crate::lint::peering::{PeerSet, Rollout, peer_sets, rollouts};
use crate::lint::{Findings, Objects, Rule};

pub(super) const RULE: Rule = Rule {
    code: "HC024",
    level: Level::Warning,
    title: "an update takes away more members than a quorum can spare",
    explanation: "\
An update of a StatefulSet replaces its pods from the last to the first, and waits for each that it has replaced. Under the policy `Parallel` it
does not look at the others: where pod 0 of three is not ready, it takes pod 2 away even so, and one member of three is no majority.
A PodDisruptionBudget does not hold it back, for the controller deletes pods and does not evict them. And `maxUnavailable` of the update
strategy, where the cluster has it switched on (it is off by default but in 1.35.0 to 1.35.3), takes several away at once on purpose.

The first is found by comparing with what the cluster has, where that is given.",
    remedy: "Wait until all pods are ready before applying (`kubectl rollout status`), and let `maxUnavailable` leave a majority.",
    sources: &[
        "kubernetes/kubernetes#96218",
        "kubernetes/kubernetes#137409",
        "kubernetes/kubernetes: pkg/controller/statefulset updateStatefulSet",
    ],
    check,
};

fn check(objects: &Objects, findings: &mut Findings<'_>) {
    let is_quorum = |peers: &PeerSet<'_>| {
        peers.has_quorum(objects) && peers.set.rolls() && peers.set.replicas() >= 3
    };
    for peers in peer_sets(objects).filter(is_quorum) {
        at_once(&peers, findings);
    }
    for (set, rollout) in rollouts(objects) {
        if let Some(peers) = PeerSet::of(set).filter(is_quorum) {
            one_more(&peers, &rollout, findings);
        }
    }
}

/// How many members must be there.
fn majority(members: i32) -> i32 {
    members / 2 + 1
}

/// An update that takes away several at once.
fn at_once(peers: &PeerSet<'_>, findings: &mut Findings<'_>) {
    let PeerSet { set, peer, .. } = peers;
    let spec = set.item.object.spec.as_ref();
    let rolling = spec.and_then(|spec| spec.update_strategy.as_ref()?.rolling_update.as_ref());
    let members = set.replicas();
    let taken = match rolling.and_then(|rolling| rolling.max_unavailable.as_ref()) {
        None => return,
        Some(IntOrString::Int(count)) => *count,
        // Rounded down, and one at least.
        Some(IntOrString::String(text)) => {
            let Some(percent) = text.strip_suffix('%').and_then(|text| text.parse::<i32>().ok())
            else {
                return;
            };
            (members.saturating_mul(percent) / 100).max(1)
        }
    };
    let partition = rolling.and_then(|rolling| rolling.partition).unwrap_or(0);
    let taken = taken.min(members.saturating_sub(partition));
    let spare = members - majority(members);
    if taken <= spare {
        return;
    }
    let name = &set.item.reference.name;
    findings
        .add(
            set.item.subject(),
            set.item.label("spec.updateStrategy.rollingUpdate.maxUnavailable", ""),
            format!(
                "an update of {name} may take {taken} of {members} members away at once, and {} needs {} of them",
                peer.name,
                majority(members)
            ),
        )
        .with(set.item.label("spec.replicas", format!("a majority is {}", majority(members))))
        .help("the cluster has no leader while they are away: let maxUnavailable be 1")
        .help("where the cluster's feature gate MaxUnavailableStatefulSet is off the field is dropped, and pods go one by one");
}

/// An update that takes away one although another is not ready.
fn one_more(peers: &PeerSet<'_>, rollout: &Rollout<'_>, findings: &mut Findings<'_>) {
    let PeerSet { set, peer, .. } = peers;
    let Rollout { ready, replicas, not_ready, .. } = rollout;
    let last = set.pods().last();
    // The last is the first to be replaced: where it is the one that is not ready, the update mends it.
    let mends = matches!(not_ready.as_slice(), [only] if Some(only) == last.as_ref());
    if !set.is_parallel() || !rollout.changes || mends || *ready > majority(*replicas) {
        return;
    }
    let (name, namespace) = (&set.item.reference.name, &set.item.reference.namespace);
    let missing = match not_ready.as_slice() {
        [] => format!("{ready} of {replicas} members of {name} are ready"),
        pods => format!("{} of {name} is not ready", pods.join(", ")),
    };
    findings
        .add(
            set.item.subject(),
            set.item.label("spec.template", "replaces pods from the last to the first"),
            format!(
                "{missing}, and this update takes another away even so: {} needs {} of {replicas}",
                peer.name,
                majority(*replicas)
            ),
        )
        .with(set.item.label("spec.podManagementPolicy", "does not wait for pods that it has not replaced"))
        .with(rollout.live.label("status.readyReplicas", "not all are ready now"))
        .help(format!(
            "wait until all are ready before applying: kubectl rollout status statefulset/{name} -n {namespace}"
        ));
}
