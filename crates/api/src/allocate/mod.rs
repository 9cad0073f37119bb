//! Who has which cluster IP and node port.
//!
//! Both ranges have a *static band* at their beginning, for numbers that people choose: dynamic allocation
//! takes from above it, at random, and falls back into it only when the rest is full (Kubernetes
//! documentation, "Service ClusterIP allocation" and KEP-3668 for node ports). Nothing is stored: at start
//! the caller reserves what the existing Services hold.

mod address;
mod pool;
mod port;

pub(crate) use address::ServiceRange;
pub use address::{CidrError, dns_address, kubernetes_address};
pub(crate) use port::{NodePorts, PortError};
