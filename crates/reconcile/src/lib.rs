//! What each controller decides: objects in, actions out.
//!
//! Pure: the world is a value, the clock and chance are arguments. `cluster` runs the decisions against an
//! API; `records` runs them against nothing but the manifests.

pub mod action;

pub use action::Action;
