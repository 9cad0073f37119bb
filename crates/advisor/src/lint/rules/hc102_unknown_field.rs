use manifest::read::{Fault, Level};

use crate::lint::{Findings, Objects, Rule};

pub(super) const RULE: Rule = Rule {
    code: "HC102",
    level: Level::Error,
    title: "a field that the kind does not have",
    explanation: "\
`kubectl apply` refuses a field that the kind does not have (`--validate=strict`, its default). Clients that do not validate, such as many
deployment tools, have it dropped without a word: the setting is in the manifest and nowhere else. It is a slip of the pen, a field of another
version, or one that stands at the wrong depth.",
    remedy: "Correct the name, or move the field to where it belongs; `kubectl explain KIND.spec` lists the fields there are.",
    sources: &["Kubernetes documentation, API concepts, Field validation"],
    check,
};

fn check(objects: &Objects, findings: &mut Findings<'_>) {
    findings.of_problems(objects, |fault| *fault == Fault::Field);
}
