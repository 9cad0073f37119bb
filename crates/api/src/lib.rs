//! The embedded Kubernetes API as a tower service, and its store.
//!
//! A request is parsed into a closed form (`request`) before anything is looked up; the registry carries it out over
//! the [`store`]; failures are `Status` objects ([`StatusError`]).

pub mod allocate;
mod body;
mod bootstrap;
mod capacity;
mod config;
mod discovery;
mod duplicates;
mod filter;
mod kubelet;
mod list_body;
mod maintain;
mod negotiate;
mod object;
mod options;
mod ownership;
mod patch;
mod pods;
mod protobuf;
mod registry;
mod render;
mod request;
mod review;
pub mod serve;
mod service;
mod status;
pub mod store;
mod strategy;
mod stream;
mod table;
mod types;

pub use body::Body;
pub use config::Config;
pub use kubelet::{
    Container, Duplex, End, Kubelet, LogOptions, LogStream, NoLog, Pod, Refusal, StreamOptions,
    Streams, TerminalSize,
};
pub use service::ApiServer;
pub use status::StatusError;
#[cfg(any(test, feature = "fuzzing"))]
pub use stream::any_octets;
