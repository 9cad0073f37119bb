use manifest::read::Level;

use crate::lint::{Change, Findings, Objects, Rule};

pub(super) const RULE: Rule = Rule {
    code: "HC034",
    level: Level::Note,
    title: "an ExternalName has a selector, which is ignored",
    explanation: "\
The controllers that collect pods leave Services of type ExternalName out, so a selector there does nothing: no slice is made, and the
name is an alias whatever the pods are. It is harmless while it is known to be a leftover; when pods do match it, somebody may believe
that they are served under this name, and that is a warning.",
    remedy: "Remove the selector; or remove `type` and `externalName`, if the pods are what the name is for.",
    sources: &["kubernetes/kubernetes pkg/controller/endpointslice (Services of type ExternalName are skipped)"],
    check,
};

fn check(objects: &Objects, findings: &mut Findings<'_>) {
    for service in objects.services.iter().filter(|service| service.is_external_name()) {
        let Some(selector) = service.object.spec.as_ref().and_then(|spec| spec.selector.as_ref())
        else {
            continue;
        };
        if selector.is_empty() {
            continue;
        }
        let matched = objects.workloads.iter().find(|workload| {
            workload.reference.namespace == service.reference.namespace
                && selector.iter().all(|(key, value)| workload.labels.get(key) == Some(value))
        });
        let name = &service.reference.name;
        let field = "spec.selector";
        let finding = findings.add(
            service.subject(),
            service.label(field, "ignored"),
            match matched {
                None => {
                    format!("Service {name} is an ExternalName, and its selector selects nothing")
                }
                Some(workload) => format!(
                    "Service {name} is an ExternalName, and the pods of {} {} are not behind it",
                    workload.reference.kind, workload.reference.name
                ),
            },
        );
        match matched {
            None => {
                let remove = Change::Remove { field: field.to_owned() };
                finding.help("remove the selector: an alias has no endpoints").fix(
                    "remove spec.selector",
                    &service.document,
                    vec![remove],
                );
            }
            Some(workload) => {
                finding
                    .level(Level::Warning)
                    .with(workload.pod_label("metadata.labels", "these match"))
                    .help(format!(
                        "{name} is answered with its external name only: remove type and \
                         externalName if the pods should serve, else the selector"
                    ));
            }
        }
    }
}
