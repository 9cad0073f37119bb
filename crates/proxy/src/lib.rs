//! The network of a cluster: Services reach their endpoints, and NetworkPolicies stand between pods.
//!
//! What is decided is pure: a [`World`] of objects becomes a [`Ruleset`] for nftables, and two of those the [`Change`] from
//! one to the other.

mod config;
mod policy;
pub mod rules;
mod world;

pub use config::Config;
pub use rules::{Change, Ruleset};
pub use world::{Protocol, World};
