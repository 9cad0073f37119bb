//! Who is connected, and who may connect.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::TcpLimits;

/// Counts connections, in total and per client address.
pub(crate) struct Clients {
    connected: Mutex<HashMap<IpAddr, usize>>,
    per_client_max: usize,
    slots: Arc<Semaphore>,
}

/// A client's connection; dropping it ends the count.
pub(crate) struct Entered {
    clients: Arc<Clients>,
    client: IpAddr,
}

impl Clients {
    /// Nobody yet.
    pub(crate) fn new(limits: &TcpLimits) -> Arc<Self> {
        let slots = limits.connections.clamp(1, Semaphore::MAX_PERMITS);
        Arc::new(Self {
            connected: Mutex::default(),
            per_client_max: limits.connections_per_client.max(1),
            slots: Arc::new(Semaphore::new(slots)),
        })
    }

    /// Counts a connection in, unless its client has too many.
    pub(crate) fn enter(self: &Arc<Self>, client: IpAddr) -> Option<Entered> {
        let mut connected = self.connected();
        let count = connected.entry(client).or_default();
        if *count == self.per_client_max {
            return None;
        }
        *count += 1;
        Some(Entered { clients: self.clone(), client })
    }

    /// Waits until the total leaves room for one more.
    pub(crate) async fn slot(&self) -> Option<OwnedSemaphorePermit> {
        // Never closed, so never an error.
        self.slots.clone().acquire_owned().await.ok()
    }

    fn connected(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        // Counts are whole after every statement, whatever thread died.
        self.connected.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let mut connected = self.clients.connected();
        if let Some(count) = connected.get_mut(&self.client) {
            *count -= 1;
            if *count == 0 {
                connected.remove(&self.client);
            }
        }
    }
}
