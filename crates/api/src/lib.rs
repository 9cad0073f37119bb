//! The embedded Kubernetes API as a tower service, and its store.
//!
//! A request is parsed into a closed form ([`request`]) before anything is looked up; the registry carries it out over
//! the [`store`]; failures are `Status` objects ([`status`]).

pub mod allocate;
pub mod body;
mod bootstrap;
pub mod config;
pub mod discovery;
pub mod filter;
mod maintain;
pub mod negotiate;
mod object;
pub mod options;
pub mod patch;
pub mod protobuf;
mod registry;
mod render;
pub mod request;
pub mod review;
pub mod serve;
pub mod service;
pub mod status;
pub mod store;
mod strategy;
pub mod table;

pub use body::Body;
pub use config::Config;
pub use service::ApiServer;
pub use status::StatusError;
