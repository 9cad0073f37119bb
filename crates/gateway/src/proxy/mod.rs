//! Answers requests by the table: connections in (`serve`), requests on (`forward`).

mod forward;
mod serve;

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::Semaphore;

use crate::network::Network;
use crate::routing::Table;

pub(crate) use serve::serve;

/// How many connections of clients are open at once, over all ports; more wait to be accepted.
const CONNECTIONS_MAX: usize = 1024;

/// What all connections share.
#[derive(Clone)]
pub(crate) struct Proxy {
    pub(crate) table: Arc<ArcSwap<Table>>,
    network: Arc<dyn Network>,
    connections: Arc<Semaphore>,
}

impl Proxy {
    pub(crate) fn new(network: Arc<dyn Network>) -> Self {
        Self {
            table: Arc::default(),
            network,
            connections: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
        }
    }

    /// The network of the cluster.
    pub(crate) fn network(&self) -> &dyn Network {
        &*self.network
    }
}
