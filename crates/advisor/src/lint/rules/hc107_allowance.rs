use manifest::read::Level;

use crate::lint::allow::{ANNOTATION, Annotated, Entry};
use crate::lint::rules::by_code;
use crate::lint::{Findings, Objects, Rule};

pub(in crate::lint) const RULE: Rule = Rule {
    code: "HC107",
    level: Level::Note,
    title: "an allowance that says no reason, names no rule, or allows nothing",
    explanation: "\
The annotation `headcount.dev/allow: \"CODE reason\"` on an object takes findings of that code about it out of the count. Who reads the manifest
later needs the reason. An allowance of what is not found any more hides the next finding, which may be another one.",
    remedy: "Write the reason behind the code; take out what is not needed. Several allowances stand on lines of their own, or behind commas.",
    sources: &["headcount, docs/lint.md"],
    check,
};

fn check(objects: &Objects, findings: &mut Findings<'_>) {
    for annotated in &objects.annotated {
        for Entry { code, reason } in &annotated.entries {
            let message = match by_code(code) {
                None => format!("{ANNOTATION} names {code}, and there is no such rule"),
                Some(_) if reason.is_empty() => {
                    format!("{ANNOTATION} allows {code} without a reason")
                }
                Some(_) => continue,
            };
            let finding = findings.add(annotated.subject.clone(), annotated.label.clone(), message);
            finding.help("write it as \"CODE reason\"; headcount lint --list prints the codes");
        }
    }
}

/// Says that an entry allowed nothing.
pub(in crate::lint) fn unused(annotated: &Annotated, entry: &Entry, findings: &mut Findings<'_>) {
    let message = format!("{ANNOTATION} allows {}, and nothing of that is found here", entry.code);
    findings
        .add(annotated.subject.clone(), annotated.label.clone(), message)
        .help("take it out, so that a later finding is seen");
}
