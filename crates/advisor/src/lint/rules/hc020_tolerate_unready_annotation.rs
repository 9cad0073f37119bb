use manifest::read::Level;

use crate::lint::peering::TOLERATE_UNREADY;
use crate::lint::{Change, Findings, Objects, Rule};

pub(super) const RULE: Rule = Rule {
    code: "HC020",
    level: Level::Warning,
    title: "an annotation stands in for publishNotReadyAddresses",
    explanation: "\
`service.alpha.kubernetes.io/tolerate-unready-endpoints` was the way to publish pods that are not ready before the field
`publishNotReadyAddresses` existed. EndpointSlices, from which DNS and kube-proxy work, never followed it, and since 1.24 nothing reads it. It is
accepted like any annotation, and does nothing: peers that must find one another before they are ready find NXDOMAIN.",
    remedy: "Set `publishNotReadyAddresses: true` in the spec, and remove the annotation.",
    sources: &["kubernetes/kubernetes#108020", "kubernetes/website#53219"],
    check,
};

fn check(objects: &Objects, findings: &mut Findings<'_>) {
    for service in &objects.services {
        let annotations = service.object.metadata.annotations.as_ref();
        let Some(value) = annotations.and_then(|all| all.get(TOLERATE_UNREADY)) else { continue };
        let name = &service.reference.name;
        let field = format!("metadata.annotations.{TOLERATE_UNREADY}");
        let has_field = service.document.has("spec.publishNotReadyAddresses");
        if value != "true" || has_field {
            let says = match service.publishes_not_ready() {
                true => "publishes",
                false => "does not publish",
            };
            findings
                .add(
                    service.subject(),
                    service.label(&field, "not read since 1.24"),
                    format!("the annotation tolerate-unready-endpoints: {value} does nothing on Service {name}"),
                )
                .level(Level::Note)
                .help(format!(
                    "by its field publishNotReadyAddresses the Service {says} pods that are not ready; the annotation can go"
                ))
                .fix(
                    "remove the annotation",
                    &service.document,
                    vec![Change::Remove { field }],
                );
            continue;
        }
        let finding = findings.add(
            service.subject(),
            service.label(&field, "not read since 1.24"),
            format!("Service {name} does not publish pods that are not ready: its annotation is no longer read"),
        );
        finding.help(
            "peers that look for one another before they are ready get NXDOMAIN: set publishNotReadyAddresses: true in spec",
        );
        if service.document.has("spec") {
            finding.fix(
                "set publishNotReadyAddresses in place of the annotation",
                &service.document,
                vec![
                    Change::Add {
                        parent: "spec".to_owned(),
                        key: "publishNotReadyAddresses".to_owned(),
                        value: "true".to_owned(),
                    },
                    Change::Remove { field },
                ],
            );
        }
    }
}
