//! What there is to show.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use cluster::{Hearing, Hearings, Skips};
use directory::Reader;
use dns::forward::Forwarder;
use manifest::Kind;

use super::{Samples, Watcher};

/// What there is to show of a server.
pub(in crate::dns) struct State {
    pub(super) counters: Arc<dns::Counters>,
    pub(in crate::dns) samples: Samples,
    pub(in crate::dns) watcher: Arc<Watcher>,
    /// What forwards, where that was set up.
    pub(super) forwarder: OnceLock<Option<Arc<Forwarder>>>,
    stopping: AtomicBool,
    now: Mutex<Option<Now>>,
}

/// What is served at present.
pub(in crate::dns) struct Now {
    pub(in crate::dns) reader: Reader,
    /// How the watches of a cluster fare; none of manifests.
    pub(in crate::dns) hearings: Option<Hearings>,
    /// What the feed of a cluster left out.
    pub(in crate::dns) skips: Option<Arc<Skips>>,
}

impl Now {
    pub(super) fn hearings(&self) -> Vec<Hearing> {
        self.hearings.as_ref().map(Hearings::now).unwrap_or_default()
    }
}

impl State {
    pub(in crate::dns) fn new(counters: Arc<dns::Counters>) -> Arc<Self> {
        Arc::new(Self {
            counters,
            samples: Samples::new(),
            watcher: Arc::default(),
            forwarder: OnceLock::new(),
            stopping: AtomicBool::new(false),
            now: Mutex::new(None),
        })
    }

    /// Names outside the zone are forwarded by this, if at all.
    pub(in crate::dns) fn forward_by(&self, forwarder: Option<Arc<Forwarder>>) {
        // There is one server, which is bound once.
        let _ = self.forwarder.set(forwarder);
    }

    /// This is served from now on.
    pub(in crate::dns) fn serve(&self, now: Now) {
        *self.now() = Some(now);
    }

    /// From now on the server is not ready.
    pub(in crate::dns) fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    pub(super) fn now(&self) -> MutexGuard<'_, Option<Now>> {
        // It is replaced as a whole, whatever thread died.
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_ready(&self) -> bool {
        let synced = self.now().as_ref().is_some_and(|now| now.reader.is_synced());
        synced && !self.stopping.load(Ordering::Relaxed)
    }

    /// Whether queries should come here, and what is to be said of it.
    pub(super) fn readiness(&self) -> Result<String, String> {
        if self.stopping.load(Ordering::Relaxed) {
            return Err("not ready: stopping\n".to_owned());
        }
        let now = self.now();
        let hearings = now.as_ref().map(Now::hearings).unwrap_or_default();
        let news: String = hearings.iter().map(said).collect();
        match now.as_ref().is_some_and(|now| now.reader.is_synced()) {
            true => Ok(format!("ready\n{news}")),
            false => Err(format!("not ready: objects are still being read\n{news}")),
        }
    }
}

/// How old what is known of a kind may be.
fn said(hearing: &Hearing) -> String {
    let kind = Kind::of(hearing.kind).kind;
    match hearing.silent.map(|silent| Duration::from_secs(silent.as_secs())) {
        Some(silent) => format!("{kind}: last heard of {silent:?} ago\n"),
        None => format!("{kind}: not heard of yet\n"),
    }
}
