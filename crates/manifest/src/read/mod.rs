//! Objects from YAML and JSON text, with the places of everything, and what is wrong with them.

mod check;
mod document;
mod help;
mod json;
mod node;
mod problem;
mod scalar;
#[cfg(test)]
mod tests;
mod unmatched;
mod yaml;

pub use check::{Checked, Examined, Examiner, check, examine};
pub use document::{
    Document, Foreign, Located, Reading, read, read_any, read_bytes, read_each, read_mapping, text,
    typed,
};
pub(crate) use node::after_key;
pub use problem::{Fault, First, Level, Position, Problem, Span};
pub(crate) use yaml::{chunks, value_of};
