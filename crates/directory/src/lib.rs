//! Who is here, and what every name answers.
//!
//! Objects come in trimmed ([`view`]), become pages, and pages become answers
//! ([`answer`]). Nothing here does I/O, knows a clock or speaks to Kubernetes.

pub mod answer;
pub mod name;
pub mod record;
pub mod view;

pub use answer::{Answer, Negative, Reason};
pub use name::{Name, NameError};
pub use record::{Rdata, Record, RecordType};
