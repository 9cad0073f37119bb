//! What is served, and may be replaced while it is.

use std::sync::Arc;

use arc_swap::{ArcSwap, Cache};

use crate::Config;

/// Settings and a source of answers, as one. Replacing them loses no query: those under way are answered from what was there
/// when they came.
pub struct Live<A>(ArcSwap<Serving<A>>);

/// What is served at a moment.
pub(crate) struct Serving<A> {
    pub(crate) config: Config,
    pub(crate) answering: A,
}

impl<A> Live<A> {
    /// Serves this first.
    pub fn new(config: Config, answering: A) -> Arc<Self> {
        Arc::new(Self(ArcSwap::from_pointee(Serving { config, answering })))
    }

    /// Serves this from now on. Of the settings, [`Config::udp_threads`] and [`Config::tcp`] stay what they were when the
    /// server was bound.
    pub fn replace(&self, config: Config, answering: A) {
        self.0.store(Arc::new(Serving { config, answering }));
    }

    /// What is served now.
    pub(crate) fn load(&self) -> Arc<Serving<A>> {
        self.0.load_full()
    }

    /// For a thread that asks often: to look whether there is something new is to read one word.
    pub(crate) fn cached(&self) -> Cache<&ArcSwap<Serving<A>>, Arc<Serving<A>>> {
        Cache::new(&self.0)
    }
}
