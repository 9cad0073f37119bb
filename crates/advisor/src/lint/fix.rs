//! Making the fixes of findings in the texts.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use manifest::edit::{Refusal, edit};
use manifest::read::Position;

use super::finding::{Change, Finding, Fix};

/// What became of the fixes.
#[derive(Debug, Default)]
pub struct Fixes {
    /// The findings that are mended, by text and place.
    pub made: Vec<Finding>,
    /// Those that could not be, and why.
    pub refused: Vec<(Finding, Refusal)>,
}

/// Makes the findings' fixes in the texts, by name. A fix whose field another one moves waits: read the texts again, and
/// call this again, until no fix is made.
pub fn fix(texts: &mut BTreeMap<Arc<str>, String>, findings: &[Finding]) -> Fixes {
    let mut fixes = Fixes::default();
    let mut wanted: Vec<(&Finding, &Fix)> =
        findings.iter().filter_map(|finding| Some((finding, finding.fix.as_ref()?))).collect();
    // From the end of each text to its beginning, so that the places of what is still to be done stay.
    wanted.sort_by_key(|(_, fix)| (&fix.source, Reverse(fix.object)));
    // The object whose lists have lost an element: later elements are elsewhere now.
    let mut moved: Option<(Arc<str>, Position)> = None;
    // What was done to the object at hand.
    let mut done: Vec<&Change> = Vec::new();
    let mut last = None;
    for (finding, fix) in wanted {
        let object = (Arc::clone(&fix.source), fix.object);
        if last.as_ref() != Some(&object) {
            done.clear();
        }
        last = Some(object.clone());
        if moved.as_ref() == Some(&object) {
            continue;
        }
        // Two findings may ask for the same.
        let changes: Vec<Change> =
            fix.changes.iter().filter(|change| !done.contains(change)).cloned().collect();
        let Some(text) = texts.get_mut(&fix.source) else {
            fixes.refused.push((finding.clone(), Refusal::NoObject));
            continue;
        };
        match edit(&fix.source, text, fix.object, &changes) {
            Ok(new) => {
                *text = new;
                done.extend(&fix.changes);
                if fix.changes.iter().any(moves) {
                    moved = Some(object);
                }
                fixes.made.push(finding.clone());
            }
            Err(refusal) => fixes.refused.push((finding.clone(), refusal)),
        }
    }
    let place = |finding: &Finding| (Arc::clone(&finding.primary.source), finding.primary.span);
    fixes.made.sort_by_key(place);
    fixes.refused.sort_by_key(|(finding, _)| place(finding));
    fixes
}

/// Whether a change gives other elements of a list another number.
fn moves(change: &Change) -> bool {
    match change {
        Change::Remove { field } => field.ends_with(']'),
        Change::Set { .. } | Change::Add { .. } => false,
    }
}
