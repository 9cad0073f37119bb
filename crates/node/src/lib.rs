//! Pods under `up`: nodes and pods simulated through the API.
//!
//! Every Node of the API is simulated, and some are created at the start. A pod goes to the node with the fewest
//! pods, is given an address of that node's block, runs, and is ready when its readiness says so. What is decided
//! is pure ([`Config`] and most modules of this crate); [`Simulation`] does the asking, and tells what happens in Events
//! and in [`Logs`].

mod addresses;
mod config;
mod contents;
mod hands;
mod leases;
mod logs;
mod news;
mod nodes;
mod outlets;
mod pods;
mod process;
mod schedule;
mod simulation;
mod status;

pub use config::{Config, ConfigError};
pub use contents::{Images, resolv_conf};
pub use logs::{LogOptions, Logs};
pub use outlets::Outlets;
pub use pods::is_mirror;
pub use process::{
    Duplex, Failure, NoLog, Process, ProcessSettings, Processes, Runtime, StreamEnd, StreamOptions,
    Streams,
};
pub use simulation::{Simulation, StartError};
pub use status::READY_ANNOTATION;
