//! Static checks across manifests: one rule a file, each with a code that never changes its meaning.
//!
//! ```text
//! texts ──► Objects ──► each rule's check ──► Findings ──► Report (what is allowed aside) ──► fixes
//! ```

#[cfg(test)]
mod alias_tests;
mod allow;
mod by_hand;
mod candidates;
mod dialled;
mod examples;
mod external_name;
mod finding;
mod fix;
pub(crate) mod mentions;
mod objects;
mod peering;
mod policy;
mod report;
mod rule;
pub mod rules;
mod selecting;
mod siblings;
#[cfg(test)]
mod tests;
mod texts;
mod told;
mod words;
mod workload;

pub use allow::{ANNOTATION, Allowance, NoAllowance};
pub use examples::{examples, findings_in_example};
pub use external_name::is_top_level_domain;
pub use finding::{Change, Finding, Fix, Label, Subject};
pub use fix::{Fixes, fix};
pub use objects::{Item, Objects, Options, Version};
pub use report::{Allowed, Report, Selection, check, run};
pub use rule::{Findings, Rule};
pub use texts::{Texts, Unread, Why};
pub use workload::Workload;
