//! Clients other than kubectl take the embedded API for the real thing: kube-rs and the Kubernetes client for Python,
//! against a `headcount up` of the test's own.

mod kube_rs;
mod python;
mod soak;
#[path = "../up/support/mod.rs"]
mod support;
