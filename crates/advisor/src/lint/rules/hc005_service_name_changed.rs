use manifest::read::Level;

use crate::lint::{Findings, Objects, Rule};

pub(super) const RULE: Rule = Rule {
    code: "HC005",
    level: Level::Error,
    title: "serviceName differs from the StatefulSet that exists",
    explanation: "\
Of a StatefulSet's `spec` only replicas, template, update strategy and a few other fields can be changed; `serviceName` cannot, and the whole update is refused
(`updates to statefulset spec for fields other than … are forbidden`), with everything else that it would have changed. Pods take their
subdomain when they are created and keep it: even after the StatefulSet was created anew, those that it adopts answer under the old Service until each is replaced.",
    remedy: "\
Delete the StatefulSet with `--cascade=orphan`, which leaves its pods and volumes, apply the new one, which adopts them, and restart the pods so that
they take the new subdomain. Or keep the old `serviceName`.",
    sources: &[
        "Kubernetes, validation of StatefulSet updates",
        "Kubernetes, StatefulSet controller: a pod's hostname and subdomain are set at its creation",
    ],
    check,
};

fn check(objects: &Objects, findings: &mut Findings<'_>) {
    let Some(live) = objects.live.as_deref() else { return };
    for set in objects.workloads.iter().filter(|workload| workload.is("StatefulSet")) {
        let Some(old) = live.workloads.iter().find(|old| old.reference == set.reference) else {
            continue;
        };
        if old.subdomain() == set.subdomain() {
            continue;
        }
        let said =
            |name: Option<&str>| name.map_or_else(|| "empty".to_owned(), |name| name.to_owned());
        let (new, was) = (said(set.subdomain()), said(old.subdomain()));
        let (name, namespace) = (&set.reference.name, &set.reference.namespace);
        let finding = findings.add(
            set.subject(),
            set.label("spec.serviceName", format!("was {was}")),
            format!(
                "serviceName of {} is {was} in the cluster and cannot become {new}",
                set.title()
            ),
        );
        finding.with(old.label("spec.serviceName", "in the cluster"));
        finding.help("the API refuses the whole update");
        finding.help(format!(
            "kubectl delete statefulset {name} -n {namespace} --cascade=orphan, apply, then kubectl rollout \
             restart statefulset {name} -n {namespace}, for pods keep the subdomain they began with"
        ));
    }
}
