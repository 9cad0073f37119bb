//! Static checks across manifests: one rule a file, each with a code that never changes its meaning.
//!
//! ```text
//! documents ──► Objects ──► each rule's check ──► Findings
//! ```

mod dialled;
mod finding;
mod objects;
mod peering;
mod rule;
pub mod rules;
#[cfg(test)]
mod tests;
mod workload;

pub use finding::{Change, Finding, Fix, Label, Subject};
pub use objects::{Item, Objects, Options, Version};
pub use rule::{Findings, Rule};
pub use workload::Workload;

/// What all rules find, by text and place.
pub fn check(objects: &Objects) -> Vec<Finding> {
    let mut found: Vec<Finding> = rules::RULES
        .iter()
        .flat_map(|rule| {
            let mut findings = Findings::new(rule);
            (rule.check)(objects, &mut findings);
            findings.into_vec()
        })
        .collect();
    found.sort_by(|a, b| {
        let place = |finding: &Finding| (finding.primary.source.clone(), finding.primary.span);
        place(a).cmp(&place(b)).then(a.code.cmp(b.code))
    });
    found
}
