//! Where objects are kept: one revision for the whole store, compare-and-set writes, watches that resume.
//!
//! Two stores share one serving state ([`Memory`] is nothing but that state; [`Sqlite`] puts a durable
//! log in front of it), and one contract test-suite (`tests/store_contract.rs`) holds for both.

mod history;
mod memory;
mod past;
mod serving;
mod sqlite;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;

pub use history::Limits;
pub use memory::Memory;
pub use past::Past;
pub use sqlite::{OpenError, Options, Sqlite};

/// The store's revision; rises by one with every write. An object's `resourceVersion` is the revision of
/// its last write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Revision(pub u64);

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What names an object in the store. Ordered by resource, namespace, name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// Plural and group, for example `endpointslices.discovery.k8s.io`, `services` for the core group.
    pub resource: &'static str,
    /// Empty for cluster-scoped resources.
    pub namespace: String,
    /// The object's name.
    pub name: String,
}

/// A stored object. It never changes: readers, watchers and history share it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its key.
    pub key: Key,
    /// The revision of its last write.
    pub revision: Revision,
    /// The object as JSON, `metadata.resourceVersion` included.
    pub json: Bytes,
}

/// What a write requires of the object's present state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// It does not exist.
    Absent,
    /// It exists, last written at this revision.
    At(Revision),
}

/// Makes an object's JSON once the write's revision is known (it goes into `metadata.resourceVersion`).
pub type Render = Box<dyn FnOnce(Revision) -> Vec<u8> + Send>;

/// What to write.
pub enum Change {
    /// Create or replace.
    Put(Render),
    /// Delete; the rendered JSON is the object's last state, which watchers are told. What is absent cannot
    /// be deleted: together with [`Expect::Absent`] this is always a conflict.
    Delete(Render),
}

/// Why a write did not happen. Nothing of it is visible then.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The object's state is not the expected one; this is its present state.
    #[error("the object is not in the expected state")]
    Conflict(Option<Arc<Entry>>),
    /// The storage failed (disk full, I/O error): what and where.
    #[error("{0}")]
    Storage(String),
}

/// A consistent view of one resource.
#[derive(Clone, Debug)]
pub struct Listing {
    /// The store's revision at which this was true.
    pub revision: Revision,
    /// Ordered by namespace and name.
    pub entries: Vec<Arc<Entry>>,
}

/// One step of an object's life, as a watcher sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// The object after it (for a deletion: its last state, with the deletion's revision).
    pub entry: Arc<Entry>,
    /// The object before it, when there was one (selectors decide by it whether a watcher saw the object).
    pub previous: Option<Arc<Past>>,
}

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum EventKind {
    Added,
    Modified,
    Deleted,
}

/// The history needed to resume from a revision is gone; list again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too old resource version: {asked} ({oldest})")]
pub struct TooOld {
    /// What was asked for.
    pub asked: Revision,
    /// The oldest revision from which a watch can resume.
    pub oldest: Revision,
}

/// A cursor over one resource's events. It holds no queue: it reads the shared history, so a slow watcher
/// costs nothing and is told [`TooOld`] once the history has passed it.
pub trait Watch: Send {
    /// Waits for the next events, in order of revision; never empty. Dropping the future loses nothing.
    fn next(&mut self) -> Pin<Box<dyn Future<Output = Result<Vec<Event>, TooOld>> + Send + '_>>;

    /// The revision up to which this watcher has seen everything (for bookmarks).
    fn revision(&self) -> Revision;
}

/// The result of a write.
pub type Writing<'a> = Pin<Box<dyn Future<Output = Result<Arc<Entry>, WriteError>> + Send + 'a>>;

/// A store of objects. What `write` acknowledged survives a crash if the store is durable at all.
pub trait Store: Send + Sync + 'static {
    /// The newest revision that readers see.
    fn revision(&self) -> Revision;

    /// One object.
    fn get(&self, key: &Key) -> Option<Arc<Entry>>;

    /// All objects of a resource, or those of one namespace.
    fn list(&self, resource: &'static str, namespace: Option<&str>) -> Listing;

    /// Compare and set. The returned entry is durable and visible to readers and watchers. A caller that
    /// stops waiting does not take the write back: it may still happen.
    fn write(&self, key: Key, expect: Expect, change: Change) -> Writing<'_>;

    /// Drops history that has become too old. Each write does so too; this is for a store that rests.
    fn tidy(&self);

    /// Events of a resource after `from`. A `from` in the future waits.
    fn watch(&self, resource: &'static str, from: Revision) -> Result<Box<dyn Watch>, TooOld>;
}
