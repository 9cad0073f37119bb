//! Pods and pod templates.

mod container;
mod defaults;
mod validate;

pub(crate) use defaults::{default, default_template};
pub(crate) use validate::{Volumes, known, validate, validate_template};
