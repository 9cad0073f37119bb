//! A store that lives as long as its process (`--ephemeral`).

use std::sync::{Arc, Mutex, PoisonError};

use super::past::Packer;
use super::serving::{Serving, decide};
use super::{
    Change, Entry, Expect, Key, Limits, Listing, Revision, Store, TooOld, Watch, WriteError,
    Writing,
};

/// Objects in memory only. A write runs where it is awaited, without a hop to another thread.
pub struct Memory {
    serving: Arc<Serving>,
    /// Held while a write makes its JSON, so that readers wait for its publication only.
    turn: Mutex<Packer>,
}

impl Memory {
    /// An empty store, at revision 0.
    pub fn new() -> Self {
        Self::with_limits(Limits::default())
    }

    /// An empty store that keeps other amounts of history.
    pub fn with_limits(limits: Limits) -> Self {
        Self { serving: Arc::new(Serving::new(limits, Revision(0), [])), turn: Mutex::default() }
    }

    fn write_now(
        &self,
        key: Key,
        expect: Expect,
        change: Change,
    ) -> Result<Arc<Entry>, WriteError> {
        // A writer that panicked in its rendering has changed nothing.
        let mut packer = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let current = self.serving.get(&key);
        let revision = Revision(self.serving.revision().0 + 1);
        let event = decide(key, current.as_ref(), expect, change, revision, &mut packer)?;
        let entry = event.entry.clone();
        self.serving.publish([event]);
        Ok(entry)
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

impl Store for Memory {
    fn revision(&self) -> Revision {
        self.serving.revision()
    }

    fn get(&self, key: &Key) -> Option<Arc<Entry>> {
        self.serving.get(key)
    }

    fn list(&self, resource: &'static str, namespace: Option<&str>) -> Listing {
        self.serving.list(resource, namespace)
    }

    fn write(&self, key: Key, expect: Expect, change: Change) -> Writing<'_> {
        Box::pin(async move { self.write_now(key, expect, change) })
    }

    fn tidy(&self) {
        self.serving.tidy();
    }

    fn watch(&self, resource: &'static str, from: Revision) -> Result<Box<dyn Watch>, TooOld> {
        Ok(Box::new(self.serving.watch(resource, from)?))
    }
}
