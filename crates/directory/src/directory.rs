//! One writer, many readers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use crate::view::{ObjectName, PodView, ServiceView, SliceView};
use crate::{Answer, Name, RecordType, ZoneConfig};

/// Makes an empty directory that is not synced yet.
pub fn new(config: ZoneConfig) -> (Writer, Reader) {
    let shared = Arc::new(Shared {
        serial: AtomicU32::new(config.first_serial),
        synced: AtomicBool::new(false),
        config,
    });
    (Writer { shared: shared.clone() }, Reader { shared })
}

/// What happened to an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A namespace exists.
    Namespace(Arc<str>),
    /// A namespace is gone.
    NamespaceGone(Arc<str>),
    /// A Service exists like this.
    Service(ServiceView),
    /// A Service is gone.
    ServiceGone(ObjectName),
    /// A slice exists like this.
    Slice(SliceView),
    /// A slice is gone.
    SliceGone(ObjectName),
    /// A pod is alive like this.
    Pod(PodView),
    /// A pod is gone or finished.
    PodGone(ObjectName),
}

struct Shared {
    serial: AtomicU32,
    synced: AtomicBool,
    config: ZoneConfig,
}

/// Takes objects in. There is one per directory. Every method publishes what it changed before it returns.
/// Objects may come in any order; the result depends on the objects that are there, not on the way.
pub struct Writer {
    shared: Arc<Shared>,
}

impl Writer {
    /// Takes one change.
    pub fn apply(&mut self, change: Change) {
        self.apply_all([change]);
    }

    /// Takes changes in order and publishes each page that they touch once, when all are in.
    pub fn apply_all(&mut self, changes: impl IntoIterator<Item = Change>) {
        for _ in changes {}
    }

    /// A namespace exists.
    pub fn apply_namespace(&mut self, name: &str) {
        self.apply(Change::Namespace(name.into()));
    }

    /// A namespace is gone.
    pub fn remove_namespace(&mut self, name: &str) {
        self.apply(Change::NamespaceGone(name.into()));
    }

    /// A Service exists like this.
    pub fn apply_service(&mut self, view: ServiceView) {
        self.apply(Change::Service(view));
    }

    /// A Service is gone. Its slices are kept for when it comes back.
    pub fn remove_service(&mut self, id: &ObjectName) {
        self.apply(Change::ServiceGone(id.clone()));
    }

    /// A slice exists like this.
    pub fn apply_slice(&mut self, view: SliceView) {
        self.apply(Change::Slice(view));
    }

    /// A slice is gone.
    pub fn remove_slice(&mut self, id: &ObjectName) {
        self.apply(Change::SliceGone(id.clone()));
    }

    /// A pod is alive like this.
    pub fn apply_pod(&mut self, view: PodView) {
        self.apply(Change::Pod(view));
    }

    /// A pod is gone or finished.
    pub fn remove_pod(&mut self, id: &ObjectName) {
        self.apply(Change::PodGone(id.clone()));
    }

    /// The initial lists are in: from now on readers answer.
    pub fn set_synced(&mut self) {
        self.shared.synced.store(true, Ordering::Release);
    }

    /// A reader of this directory.
    pub fn reader(&self) -> Reader {
        Reader { shared: self.shared.clone() }
    }
}

/// Answers questions. Cheap to clone; never waits for the writer.
#[derive(Clone)]
pub struct Reader {
    shared: Arc<Shared>,
}

impl Reader {
    /// What `name` answers for `rtype`, now.
    pub fn answer(&self, name: &Name, _rtype: RecordType) -> Answer {
        match (name.is_within(&self.shared.config.domain), self.is_synced()) {
            (true, false) => Answer::NotSynced,
            _ => Answer::NotOurs,
        }
    }

    /// The SOA serial: the revision of the data, rising with every change.
    pub fn serial(&self) -> u32 {
        self.shared.serial.load(Ordering::Acquire)
    }

    /// Whether the initial lists are in.
    pub fn is_synced(&self) -> bool {
        self.shared.synced.load(Ordering::Acquire)
    }

    /// The zone's settings.
    pub fn config(&self) -> &ZoneConfig {
        &self.shared.config
    }
}
