//! What the API refused to create lately.

use std::collections::HashMap;

use manifest::ObjectRef;

use crate::Work;

/// An object that the API refused to create.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Which object.
    pub target: ObjectRef,
    /// Why, in the API's words.
    pub message: String,
}

/// At most one refusal for each piece of work: that of its last try.
#[derive(Clone, Debug, Default)]
pub(super) struct Refusals(HashMap<Work, Refusal>);

impl Refusals {
    pub(super) fn note(&mut self, work: &Work, refusal: Option<Refusal>) {
        match refusal {
            Some(refusal) => {
                self.0.insert(work.clone(), refusal);
            }
            None if self.0.is_empty() => {}
            None => {
                self.0.remove(work);
            }
        }
    }

    pub(super) fn of(&self, work: &Work) -> Option<&Refusal> {
        self.0.get(work)
    }
}
