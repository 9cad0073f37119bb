use manifest::read::Level;

use crate::lint::peering::{Rollout, rollouts};
use crate::lint::{Findings, Objects, Rule};

pub(super) const RULE: Rule = Rule {
    code: "HC023",
    level: Level::Warning,
    title: "a rollout that hangs on a pod is not mended by applying a better template",
    explanation: "\
With `podManagementPolicy: OrderedReady`, the default, the controller does nothing more for a StatefulSet while one of its pods is not running
and ready. An update that makes a pod fail thus stops at that pod, which is well; and when the template is put right again, the controller still
waits for the pod of the bad template, which never becomes ready. Nothing in the objects says so.

This is found by comparing with what the cluster has, where that is given.",
    remedy: "Apply the good template, then delete the pod that is not ready: it is made anew of the good one.",
    sources: &[
        "kubernetes/kubernetes#67250",
        "Kubernetes documentation, StatefulSets: Forced rollback",
    ],
    check,
};

fn check(objects: &Objects, findings: &mut Findings<'_>) {
    for (set, rollout) in rollouts(objects) {
        if set.is_parallel() || !rollout.changes {
            continue;
        }
        let (name, namespace) = (&set.item.reference.name, &set.item.reference.namespace);
        let Rollout { ready, replicas, not_ready, .. } = &rollout;
        let finding = findings.add(
            set.item.subject(),
            set.item.label("spec.template", "waits for a pod of the former template"),
            format!(
                "{ready} of {replicas} pods of {name} are ready, and until all are, this template replaces none of them"
            ),
        );
        finding.with(rollout.live.label("status.readyReplicas", "not all are ready now"));
        finding.help(match not_ready.as_slice() {
            [] => format!(
                "if they do not become ready by themselves, delete those that are not after this is applied: kubectl get pods -n {namespace}"
            ),
            pods => format!(
                "if it does not become ready by itself, delete it after this is applied: kubectl delete pod {} -n {namespace}",
                pods.join(" ")
            ),
        });
    }
}
