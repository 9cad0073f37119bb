use std::collections::HashMap;

use manifest::read::Level;
use manifest::selector::{LabelSelector, Operator};

use crate::lint::{Findings, Objects, Rule, Workload, words};

pub(super) const RULE: Rule = Rule {
    code: "HC006",
    level: Level::Warning,
    title: "two controllers select each other's pods",
    explanation: "\
Two StatefulSets (or Deployments, ReplicaSets, DaemonSets) whose selectors both match the pods of both cannot be told apart by labels. Since Kubernetes 1.6 each
keeps to the pods that it owns, so they no longer fight over them; but a Service, a PodDisruptionBudget, a NetworkPolicy or a HorizontalPodAutoscaler with
these labels takes both for one, and a pod that lost its owner (`--cascade=orphan`) may be adopted by the wrong one. Kubernetes does not refuse it, and
its documentation asks not to do it.",
    remedy: "\
Give each a label that the other has not, in `spec.selector` and in the template, and let each Service ask for it. A selector cannot be changed on an object that exists:
delete with `--cascade=orphan` and create it again, or use a new name.",
    sources: &[
        "Kubernetes documentation, Deployment: selector",
        "kubernetes/kubernetes#36859",
        "Kubernetes, controller references of pods (1.6)",
    ],
    check,
};

fn check(objects: &Objects, findings: &mut Findings<'_>) {
    let selectors: Vec<(&Workload, LabelSelector)> = objects
        .workloads
        .iter()
        .filter_map(|workload| Some((workload, workload.selector()?)))
        .collect();
    let mut by_label: HashMap<(&str, &str, &str), Vec<usize>> = HashMap::new();
    for (at, (workload, _)) in selectors.iter().enumerate() {
        for (key, value) in &workload.labels {
            let key = (workload.reference.namespace.as_str(), key.as_str(), value.as_str());
            by_label.entry(key).or_default().push(at);
        }
    }
    let mut told = vec![false; selectors.len()];
    for (at, (workload, selector)) in selectors.iter().enumerate() {
        let mut others = Vec::new();
        for other in narrowest(workload, selector, &by_label) {
            let (candidate, theirs) = &selectors[*other];
            if *other > at
                && !told[*other]
                && selector.matches(&candidate.labels)
                && theirs.matches(&workload.labels)
            {
                others.push(*other);
                told[*other] = true;
            }
        }
        if !others.is_empty() {
            let others: Vec<&Workload> = others.iter().map(|other| selectors[*other].0).collect();
            say(workload, selector, &others, findings);
        }
    }
}

/// Those that have the rarest of the labels that a selector asks for.
fn narrowest<'i>(
    workload: &'i Workload,
    selector: &'i LabelSelector,
    by_label: &'i HashMap<(&'i str, &'i str, &'i str), Vec<usize>>,
) -> &'i [usize] {
    let terms = selector.requirements().unwrap_or_default().iter();
    let candidates = terms.filter_map(|term| match (term.operator, term.values.as_slice()) {
        (Operator::In, [value]) => {
            let key = (workload.reference.namespace.as_str(), term.key.as_str(), value.as_str());
            Some(by_label.get(&key).map(Vec::as_slice).unwrap_or_default())
        }
        _ => None,
    });
    candidates.min_by_key(|candidates| candidates.len()).unwrap_or_default()
}

fn say(
    workload: &Workload,
    selector: &LabelSelector,
    others: &[&Workload],
    findings: &mut Findings<'_>,
) {
    let titles: Vec<String> =
        std::iter::once(&workload).chain(others).map(|workload| workload.title()).collect();
    let by = match others.iter().all(|other| other.selector().as_ref() == Some(selector)) {
        true => format!("all by {selector}"),
        false => "by different terms".to_owned(),
    };
    let finding = findings.add(
        workload.subject(),
        workload.label("spec.selector", format!("asks for {selector}")),
        format!("{} select one another's pods, {by}", words::list(&titles, 4)),
    );
    for other in others {
        let asked = other.selector().map(|selector| selector.to_string()).unwrap_or_default();
        finding.with(other.label("spec.selector", format!("{} asks for {asked}", other.title())));
    }
    finding.help(
        "a Service, PodDisruptionBudget or HorizontalPodAutoscaler with these labels takes the \
        pods of all of them, and a pod without owner may be adopted by the wrong one",
    );
    finding.help(format!(
        "add a label that tells them apart to selector and template of each, for example component: {}; a \
         selector cannot be changed once the object exists",
        workload.reference.name
    ));
}
