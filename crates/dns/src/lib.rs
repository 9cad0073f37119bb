//! The DNS server: what the directory answers, on the wire, over UDP and TCP.
//!
//! [`respond()`] is the heart: a query's octets in, a reply's octets out, without I/O, clock or panic. [`Server`]
//! carries octets between sockets and that function. Where the answers come from is an [`Answering`].

mod answering;
mod clients;
mod config;
mod counters;
pub mod forward;
mod https;
mod live;
mod respond;
mod rotation;
mod server;
mod shared;
mod tcp;
mod tls;
mod transfer;
pub mod udp;
pub mod wire;

pub use answering::Answering;
pub use config::{Config, EdeMode, EncryptedConfig, TcpLimits};
pub use counters::{
    Counters, DURATION_BOUNDS_NANOS, Durations, End, QueryLog, QueryType, SAMPLED,
    SAMPLED_NO_SUCH_NAME, Sample, SampleName,
};
pub use live::Live;
pub use respond::{Outcome, Transport, respond};
pub use rotation::Rotation;
pub use server::{BindError, Handed, Server};
pub use tls::CertificateError;
