use crate::lint::{Findings, Objects, Rule, Version};
use manifest::read::Level;

pub(super) const RULE: Rule = Rule {
    code: "HC045",
    level: Level::Error,
    title: "a Service's name begins with a digit, which older clusters refuse",
    explanation: "\
Until Kubernetes 1.36 a Service's name must be a label of RFC 1035, which begins with a letter: `3scale` is refused, though a Deployment or a namespace
may have such a name. From 1.36 on the rule is that of other objects (RFC 1123), and a digit may stand first; in 1.34 and 1.35 it may where the feature
gate `RelaxedServiceNameValidation` was turned on.",
    remedy: "Let the name begin with a letter while the manifests are for clusters before 1.36.",
    sources: &["KEP-5311, relaxed validation for Service names"],
    check,
};

const RELAXED: Version = Version { major: 1, minor: 36 };

fn check(objects: &Objects, findings: &mut Findings<'_>) {
    let version = objects.options.kubernetes;
    if version >= RELAXED {
        return;
    }
    for service in &objects.services {
        let name = &service.reference.name;
        if !name.starts_with(|first: char| first.is_ascii_digit()) {
            continue;
        }
        findings
            .add(
                service.subject(),
                service.label("metadata.name", "begins with a digit"),
                format!("Kubernetes {version} refuses a Service named {name}: before {RELAXED} the first character must be a letter"),
            )
            .help(format!("name it for example svc-{name}, and write that name wherever {name} is dialled"));
    }
}
