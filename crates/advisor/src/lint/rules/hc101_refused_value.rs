use manifest::read::{Fault, Level};

use crate::lint::{Findings, Objects, Rule};

pub(in crate::lint) const RULE: Rule = Rule {
    code: "HC101",
    level: Level::Error,
    title: "a value that the API refuses",
    explanation: "\
The API server checks every object against its kind's validation before it stores it, and answers `Invalid` with the field and the reason given
here. Nothing of the object is applied. Pods that a workload's template makes are checked here, too, though the API does so only when they
are made: there the workload is accepted, and no pod appears.",
    remedy: "Give the field a value that its message allows.",
    sources: &["Kubernetes, pkg/apis/*/validation"],
    check,
};

fn check(objects: &Objects, findings: &mut Findings<'_>) {
    findings.of_problems(objects, |fault| *fault == Fault::Value);
}
