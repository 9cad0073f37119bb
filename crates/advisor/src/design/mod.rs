//! Which Services a workload needs, and why: an intent becomes a plan, and says what must answer.

mod expectation;

pub use expectation::{Backends, Expectation, Expected, Targets, WhileNotReady};
