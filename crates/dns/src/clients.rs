//! How much is under way, in total and for each client: so that one client can't take the turn of all others.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Counts what is under way (connections, or queries that wait), in total and per client address.
pub(crate) struct Clients {
    counts: Mutex<HashMap<IpAddr, usize>>,
    per_client_max: usize,
    slots: Arc<Semaphore>,
    slot_count: u32,
}

/// One of a client's; dropping it ends the count.
pub(crate) struct Entered {
    clients: Arc<Clients>,
    client: IpAddr,
}

impl Clients {
    /// Nobody yet. Both bounds are at least 1.
    pub(crate) fn new(total_max: usize, per_client_max: usize) -> Arc<Self> {
        let most = u32::try_from(Semaphore::MAX_PERMITS).unwrap_or(u32::MAX);
        let slot_count = u32::try_from(total_max).unwrap_or(most).clamp(1, most);
        Arc::new(Self {
            counts: Mutex::default(),
            per_client_max: per_client_max.max(1),
            slots: Arc::new(Semaphore::new(slot_count as usize)),
            slot_count,
        })
    }

    /// Counts one more, unless its client has too many.
    pub(crate) fn enter(self: &Arc<Self>, client: IpAddr) -> Option<Entered> {
        let mut counts = self.counts();
        let count = counts.entry(client).or_default();
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

    /// Room for one more, if there is some now.
    pub(crate) fn try_slot(&self) -> Option<OwnedSemaphorePermit> {
        self.slots.clone().try_acquire_owned().ok()
    }

    /// How many slots are taken.
    pub(crate) fn taken(&self) -> usize {
        (self.slot_count as usize).saturating_sub(self.slots.available_permits())
    }

    /// Waits until no slot is taken.
    pub(crate) async fn all_gone(&self) {
        // Never closed, so never an error.
        let _ = self.slots.acquire_many(self.slot_count).await;
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        // Counts are whole after every statement, whatever thread died.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let mut counts = self.clients.counts();
        if let Some(count) = counts.get_mut(&self.client) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.client);
            }
        }
    }
}
