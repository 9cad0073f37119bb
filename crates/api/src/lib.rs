//! The embedded Kubernetes API as a tower service, and its store.

pub mod allocate;
pub mod discovery;
pub mod patch;
pub mod serve;
pub mod store;
pub mod table;
