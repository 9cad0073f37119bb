//! Kubernetes objects from text: reading with positions, kinds, defaults, validation, selectors.
//!
//! Pure: text and values in, values and problems out.

pub mod object;

pub use object::{Object, ObjectRef};
