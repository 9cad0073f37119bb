//! Running rules over objects: which ones, what of their findings is allowed, and in which order the rest comes.

use std::collections::HashSet;
use std::sync::Arc;

use manifest::read::Level;

use super::allow::Allowance;
use super::finding::{Finding, Subject};
use super::objects::Objects;
use super::rule::{Findings, Rule};
use super::rules::{ALLOWANCE, REFUSED_VALUE, RULES, unused_allowance};

/// Which rules run, and what they may find.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// These alone; all where there are none.
    pub only: Vec<&'static Rule>,
    /// Findings that do not count.
    pub allow: Vec<Allowance>,
}

impl Selection {
    /// The rules that run.
    pub fn rules(&self) -> impl Iterator<Item = &'static Rule> {
        let runs =
            |rule: &&Rule| self.only.is_empty() || self.only.iter().any(|it| it.code == rule.code);
        RULES.iter().filter(runs)
    }
}

/// A finding that does not count.
#[derive(Clone, Debug, PartialEq)]
pub struct Allowed {
    /// What was found.
    pub finding: Finding,
    /// Why it is allowed, as the object's annotation says; `None` where the command line allows it.
    pub reason: Option<String>,
}

/// What the rules found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// What counts, by text and place.
    pub findings: Vec<Finding>,
    /// What does not.
    pub allowed: Vec<Allowed>,
    /// Allowances of the selection, about objects, that nothing was found for.
    pub unused: Vec<Allowance>,
    /// How many rules looked.
    pub rules: usize,
}

/// What all rules find, by text and place, allowed or not.
pub fn check(objects: &Objects) -> Vec<Finding> {
    found(objects, &Selection::default())
}

/// Runs the selected rules, and sorts out what is allowed.
pub fn run(objects: &Objects, selection: &Selection) -> Report {
    let mut report = Report { rules: selection.rules().count(), ..Report::default() };
    let mut used: HashSet<(usize, usize)> = HashSet::new();
    let namespace = &objects.options.namespace;
    let by_subject = objects.allowances();
    for finding in found(objects, selection) {
        let annotated = by_subject.get(&in_namespace(&finding.subject, namespace));
        let entries = annotated.into_iter().flatten().flat_map(|at| {
            let entries = objects.annotated[*at].entries.iter().enumerate();
            entries.map(move |(entry_at, entry)| ((*at, entry_at), entry))
        });
        let mut reason = None;
        for (at, entry) in
            entries.filter(|(_, entry)| finding.code.eq_ignore_ascii_case(&entry.code))
        {
            used.insert(at);
            reason = Some(entry.reason.clone());
        }
        if reason.is_some() || selection.allow.iter().any(|it| it.covers(&finding, namespace)) {
            report.allowed.push(Allowed { finding, reason });
        } else {
            report.findings.push(finding);
        }
    }
    let runs = |code: &str| selection.rules().any(|rule| rule.code.eq_ignore_ascii_case(code));
    if runs(ALLOWANCE.code) {
        let mut findings = Findings::new(&ALLOWANCE);
        for (at, annotated) in objects.annotated.iter().enumerate() {
            for (entry_at, entry) in annotated.entries.iter().enumerate() {
                if runs(&entry.code) && !used.contains(&(at, entry_at)) {
                    unused_allowance(annotated, entry, &mut findings);
                }
            }
        }
        for finding in findings.into_vec() {
            if selection.allow.iter().any(|it| it.covers(&finding, namespace)) {
                report.allowed.push(Allowed { finding, reason: None });
            } else {
                report.findings.push(finding);
            }
        }
        sort(&mut report.findings);
    }
    let found = || report.findings.iter().chain(report.allowed.iter().map(|it| &it.finding));
    let unused = selection.allow.iter().filter(|it| {
        it.is_of_an_object(selection.rules()) && !found().any(|found| it.covers(found, namespace))
    });
    report.unused = unused.cloned().collect();
    report
}

/// The subject with the namespace that it has where it names none.
pub(super) fn in_namespace(subject: &Subject, default: &str) -> Subject {
    let mut subject = subject.clone();
    if subject.namespace.is_empty() {
        subject.namespace = default.to_owned();
    }
    subject
}

fn found(objects: &Objects, selection: &Selection) -> Vec<Finding> {
    let mut found = Vec::new();
    for rule in selection.rules() {
        let mut findings = Findings::new(rule);
        (rule.check)(objects, &mut findings);
        found.extend(findings.into_vec());
    }
    drop_generic(&mut found);
    sort(&mut found);
    found
}

fn sort(findings: &mut [Finding]) {
    findings.sort_by(|a, b| {
        let place = |finding: &Finding| (Arc::clone(&finding.primary.source), finding.primary.span);
        place(a).cmp(&place(b)).then(a.code.cmp(b.code))
    });
}

/// That the API refuses a value is not said where a rule says why at the same field: with an error, for what is less may
/// be about something else.
fn drop_generic(found: &mut Vec<Finding>) {
    let is_generic = |finding: &Finding| finding.code == REFUSED_VALUE.code;
    let place = |finding: &Finding, at: usize| {
        let label = match at {
            0 => Some(&finding.primary),
            at => finding.secondary.get(at - 1),
        };
        // The one address is also the first of the list that defaulting makes of it.
        let field = label.map(|label| match label.field.strip_prefix("spec.clusterIPs[0]") {
            Some(_) => "spec.clusterIP".to_owned(),
            None => label.field.clone(),
        });
        label
            .zip(field)
            .map(|(label, field)| (label.source.clone(), finding.subject.clone(), field))
    };
    if !found.iter().any(is_generic) {
        return;
    }
    let specific: HashSet<_> = found
        .iter()
        .filter(|finding| !is_generic(finding) && finding.level == Level::Error)
        .flat_map(|finding| (0..=finding.secondary.len()).filter_map(move |at| place(finding, at)))
        .collect();
    found.retain(|finding| {
        !is_generic(finding) || place(finding, 0).is_none_or(|place| !specific.contains(&place))
    });
}
