//! The network of a cluster: Services reach their endpoints, and NetworkPolicies stand between pods.
//!
//! What is decided is pure: a [`World`] of objects becomes a [`Ruleset`] for nftables, and two of those the [`Change`] from
//! one to the other.

mod actor;
mod balancer;
mod config;
pub mod connections;
mod flows;
mod outside;
mod policy;
pub mod rules;
mod userspace;
mod world;

pub use actor::{Network, Proxy};
pub use balancer::Balancer;
pub use config::Config;
pub use outside::{Denied, Outside};
pub use rules::{Change, Ruleset};
pub use userspace::{Sockets, Userspace};
pub use world::{Protocol, World};
