use manifest::read::Level;

use crate::lint::external_name::Target;
use crate::lint::{Change, Findings, Objects, Rule, Version, words};

/// The first that takes the dot.
const SINCE: Version = Version { major: 1, minor: 15 };

pub(super) const RULE: Rule = Rule {
    code: "HC029",
    level: Level::Error,
    title: "an ExternalName ends in a dot, which clusters before 1.15 refuse",
    explanation: "\
A dot at the end marks a name as complete. An external name always is: it is never searched, with or without the dot, so both answer the
same. Kubernetes takes the dot since 1.15 only.",
    remedy: "Leave the dot out; nothing else changes.",
    sources: &["kubernetes/kubernetes#78384, #78385 (release 1.15)"],
    check,
};

fn check(objects: &Objects, findings: &mut Findings<'_>) {
    let version = objects.options.kubernetes;
    if version >= SINCE {
        return;
    }
    for service in &objects.services {
        let Some(name) = Target::name_of(service) else { continue };
        let text = service.object.spec.as_ref().and_then(|spec| spec.external_name.as_deref());
        if text == Some(name) {
            continue;
        }
        let field = "spec.externalName";
        let to = Change::Set { field: field.to_owned(), to: words::scalar(name) };
        findings
            .add(
                service.subject(),
                service.label(field, "ends in a dot"),
                format!("Kubernetes {version} refuses the dot at the end of externalName {name}."),
            )
            .help(format!("write {name}: an external name is complete without it"))
            .fix("remove the dot at the end of externalName", &service.document, vec![to]);
    }
}
