//! Which Services a workload needs, and why: an intent becomes a plan, and says what must answer.
//!
//! ```text
//! flags, file, manifests ──► Draft ──► Intent ──► Plan (objects, reasons, checks, mistakes)
//!                                        └──────► Expectations (what must answer, whatever the plan says)
//! ```

mod changes;
mod checklist;
mod choice;
mod conflicts;
mod draft;
mod expectation;
mod expectations;
mod exposure;
pub mod file;
mod from;
#[cfg(test)]
mod from_tests;
mod health;
mod intent;
mod manifests;
mod mistakes;
mod policies;
mod resolve;
mod sections;
mod stale;
#[cfg(test)]
mod tests;
mod wiring;
mod workload;
pub mod yaml;

pub use changes::changes;
pub use checklist::{Local, Step};
pub use choice::{Choice, Rejected, Setting};
pub use conflicts::conflicts;
pub use draft::{Draft, Given, Place, Trouble};
pub use expectation::{Backends, Expectation, Expected, Targets, WhileNotReady};
pub use expectations::expectations;
pub use from::{Found, from_objects};
pub use intent::{
    Existing, Expose, Identity, Intent, Mesh, Pods, PodsKind, Port, Protocol, Shape, Workload,
};
pub use manifests::{Manifest, to_yaml};
pub use mistakes::{Mistake, Mistakes};
pub use resolve::resolve;
pub use sections::Section;

/// A design, whole.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What it is for.
    pub intent: Intent,
    /// Which Services, why, and why not the others.
    pub choice: Choice,
    /// What else there is to know.
    pub sections: Vec<Section>,
    /// The objects, in the order in which they are applied.
    pub manifests: Vec<Manifest>,
    /// What to run then, and what it prints.
    pub checklist: Vec<Step>,
    /// What is likeliest to go wrong.
    pub mistakes: Mistakes,
}

/// Designs what an intent asks for.
pub fn plan(intent: &Intent) -> Plan {
    Plan {
        intent: intent.clone(),
        choice: choice::choice(intent),
        sections: sections::sections(intent),
        manifests: manifests::manifests(intent),
        checklist: checklist::checklist(intent),
        mistakes: mistakes::mistakes(intent),
    }
}
