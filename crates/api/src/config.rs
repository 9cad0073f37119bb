//! What the API server is told at start.

use std::net::SocketAddr;
use std::sync::Arc;

use ipnet::IpNet;
use jiff::Timestamp;

use crate::kubelet::Kubelet;

/// Tells the time; a parameter so that tests can set it.
pub(crate) type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// What the API server is told at start.
#[derive(Clone)]
pub struct Config {
    /// The ranges of cluster IPs: one, or two of different families, the first being of the primary family.
    pub service_cidrs: Vec<IpNet>,
    /// Where clients reach this server: the endpoint of the Service `kubernetes`.
    pub advertise: SocketAddr,
    /// Tells the time.
    pub clock: Clock,
    /// Answers for the nodes; without it, what only nodes know cannot be asked.
    pub kubelet: Option<Arc<dyn Kubelet>>,
}

impl Config {
    /// The system's clock, and no nodes.
    pub fn new(service_cidrs: Vec<IpNet>, advertise: SocketAddr) -> Self {
        Self { service_cidrs, advertise, clock: Arc::new(Timestamp::now), kubelet: None }
    }
}
