//! Selectors: which labels or fields an object must have.

mod field;
mod label;
mod near;

pub use field::{FieldRequirement, FieldSelector};
pub use label::{LabelSelector, Operator, Requirement};
pub use near::nearest;

use std::fmt;

/// A selector that cannot be understood, in Kubernetes' words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelectorError(pub(crate) String);

impl fmt::Display for SelectorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SelectorError {}
