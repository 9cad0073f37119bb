use manifest::read::Level;

use crate::lint::texts::Why;
use crate::lint::{Findings, Objects, Rule};

pub(super) const RULE: Rule = Rule {
    code: "HC106",
    level: Level::Warning,
    title: "a template, of which nothing can be checked",
    explanation: "\
The text has places in `{{ }}` that Helm or the like fills in, and is no manifest before that: it cannot be read, or its objects have no names
yet. What will be applied depends on values that are not there.",
    remedy: "Lint what the template becomes, with the values that you deploy: `helm template CHART -f values.yaml | headcount lint -`.",
    sources: &["Helm documentation, helm template"],
    check,
};

fn check(objects: &Objects, findings: &mut Findings<'_>) {
    findings.of_unread(objects, Why::Template);
}
