use manifest::read::{Fault, Level};

use crate::lint::{Findings, Objects, Rule};

pub(super) const RULE: Rule = Rule {
    code: "HC103",
    level: Level::Error,
    title: "the same object twice",
    explanation: "\
Two manifests have the same kind, namespace and name. They are one object for the API: which of the two is in force depends on the order in
which they are applied, and every deployment that applies both changes the object back and forth.",
    remedy: "Remove one of the two, or give it a name or a namespace of its own. An object that names no namespace is in the one of `-n`.",
    sources: &["Kubernetes documentation, Object names and IDs"],
    check,
};

fn check(objects: &Objects, findings: &mut Findings<'_>) {
    findings.of_problems(objects, |fault| matches!(fault, Fault::Twice(_)));
}
