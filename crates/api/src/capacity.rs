//! What the requests to one server share, so that none of them can take all of it.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Turns to be worked on, and room for bodies. A server puts it into its requests' extensions; without it, as for
/// clients in the same process, nothing is bounded.
#[derive(Clone, Debug)]
pub(crate) struct Capacity {
    turns: Arc<Semaphore>,
    room: Arc<Semaphore>,
}

impl Capacity {
    /// For so many requests at a time, and so many bytes of their bodies.
    pub(crate) fn new(requests: usize, bytes: usize) -> Self {
        let semaphore = |permits| Arc::new(Semaphore::new(permits));
        Self { turns: semaphore(requests), room: semaphore(bytes) }
    }

    /// Waits for a turn, which ends when what is returned is dropped.
    pub(crate) async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        // An error means that the semaphore is closed, which it never is.
        self.turns.clone().acquire_owned().await.ok()
    }

    /// Room for so many bytes, until what is returned is dropped; none where others have it. It is not waited for:
    /// bodies of which each holds a part, and waits for more, would wait for each other.
    pub(crate) fn room(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        self.room.clone().try_acquire_many_owned(u32::try_from(bytes).ok()?).ok()
    }
}
