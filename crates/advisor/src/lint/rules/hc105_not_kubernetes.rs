use manifest::read::Level;

use crate::lint::texts::Why;
use crate::lint::{Findings, Objects, Rule};

pub(super) const RULE: Rule = Rule {
    code: "HC105",
    level: Level::Note,
    title: "a text that is no Kubernetes object",
    explanation: "\
The text has neither `apiVersion` nor `kind` nor `metadata`, or it is one of the files that tools read rather than the API: `kustomization.yaml`,
a chart's `Chart.yaml` and `values.yaml`. Nothing in it is checked, which is said so that nobody takes silence for approval.",
    remedy: "Give the objects to `lint`, or what a tool makes of the file: `kubectl kustomize FOLDER | headcount lint -`, `helm template CHART | headcount lint -`.",
    sources: &["Kubernetes documentation, Declarative management of objects using Kustomize", "Helm documentation, Charts"],
    check,
};

fn check(objects: &Objects, findings: &mut Findings<'_>) {
    findings.of_unread(objects, Why::Other);
}
