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

pub use check::{Checked, check};
pub use document::{Document, read, read_bytes};
pub use problem::{Level, Position, Problem};
