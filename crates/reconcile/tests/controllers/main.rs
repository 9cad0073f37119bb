//! The controllers together, on a model of the API: objects in, objects out.

// Helpers unwrap as tests do.
#![allow(clippy::unwrap_used)]

mod claims;
mod collection;
mod deployments;
mod endpoints;
mod model;
mod random;
mod refusals;
mod revisions;
mod slices;
mod stateful_sets;
mod world;
