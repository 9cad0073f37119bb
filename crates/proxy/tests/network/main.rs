//! The rules at work: in a network namespace of each test's own, with pods as namespaces, real sockets and the real nft.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod actor;
mod increments;
mod lab;
mod model;
mod objects;
mod policies;
mod scale;
mod services;
mod userspace;
mod whole;
