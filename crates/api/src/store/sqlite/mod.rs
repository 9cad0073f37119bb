//! The durable store: the serving state of [`super::Memory`], with an SQLite database behind it.
//!
//! A write waits in a bounded queue; one thread takes all writes that wait, checks each against the newest
//! state, commits them in one transaction (`synchronous=FULL`: the log is on the disk when the commit
//! returns), and only then shows them to readers and watchers and acknowledges them. So nothing that a
//! power cut could take back is ever seen.
//!
//! The database is in WAL mode with SQLite's ordinary locks, rather than `locking_mode=EXCLUSIVE`: the lock
//! on the data folder already keeps a second headcount out, and so `sqlite3 headcount.db` can look into
//! the file while headcount runs.
//!
//! What can happen, and why an acknowledged write is there afterwards (`tests/store_kill.rs` and
//! `tests/store_power.rs` try it):
//!
//! - *The process dies.* A transaction is in the log or it is not: SQLite takes a transaction of the log for
//!   true only up to its last frame with the right checksum. Acknowledged ones are; of those under way, all
//!   or nothing is. The kernel gives the folder's lock up.
//! - *The power goes.* The log was synced before the acknowledgement. What a checkpoint moves into the
//!   database is synced there before the log may be overwritten. The names of both files are durable:
//!   SQLite syncs the folder with the first sync of a log it creates, and we sync it after an open, and the
//!   folder above after creating a folder.
//! - *A write or a sync fails.* The transaction is rolled back, and every write of the batch is refused,
//!   conflicts too, as they may have been with a write of it. The next transaction overwrites the same
//!   place in the log, so no sync is relied upon that has failed before. A refused write may still turn up
//!   if the machine goes down before that: its outcome is unknown, as with any failing disk.
//! - *Someone else writes to the file.* Each commit checks that the revision on the disk is the one before
//!   it, and refuses otherwise.
//!
//! | table | columns |
//! |---|---|
//! | `objects` | `resource`, `namespace`, `name` (the primary key), `revision`, `json` |
//! | `meta` | `name`, `value`; the row `revision` is the store's revision (deletions raise it too) |

mod file;
mod folder;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::{mpsc, oneshot};

use super::serving::Serving;
use super::{
    Change, Entry, Expect, Key, Limits, Listing, Revision, Store, TooOld, Watch, WriteError,
    Writing,
};
use file::File;
use folder::Folder;
use writer::{Job, Writer};

/// How to open a store.
#[derive(Clone, Debug)]
pub struct Options {
    /// How much history to keep.
    pub limits: Limits,
    /// The size of the write-ahead log, in bytes, at which it is moved into the database. The default is
    /// 4 MiB, as SQLite's own.
    pub checkpoint_bytes: usize,
    /// The SQLite VFS to use by name; the default one if `None`. (The tests that cut the power have their
    /// own.)
    pub vfs: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self { limits: Limits::default(), checkpoint_bytes: 4 << 20, vfs: None }
    }
}

/// Why a store cannot be opened. Each text names the file or folder, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The data folder cannot be created or used.
    #[error("cannot use the data folder {}: {source}; name another with --data-dir", path.display())]
    Folder {
        /// The folder, or what in it failed.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Another process has it.
    #[error(
        "the data folder {} is in use by another headcount{}: stop that one, or name another folder with --data-dir",
        path.display(),
        process.map(|id| format!(" (process {id})")).unwrap_or_default()
    )]
    InUse {
        /// The folder.
        path: PathBuf,
        /// The other process, when it could be read.
        process: Option<u32>,
    },
    /// The file is not ours.
    #[error("{} is not a headcount database ({detail}): move it away, or name another folder with --data-dir", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        detail: String,
    },
    /// The file was written by a later version.
    #[error(
        "{} was written by a newer headcount (schema version {found}; this one knows {known}): use that version, or name another folder with --data-dir",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema version.
        found: i64,
        /// The newest that this program knows.
        known: i64,
    },
    /// The file is damaged.
    #[error(
        "{} is damaged ({detail}): restore it from a copy, move it away to begin anew, or name another folder with --data-dir",
        path.display()
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong in it.
        detail: String,
    },
    /// The file cannot be read or written.
    #[error("cannot open {}: {source}; {}", path.display(), file::advice(source))]
    Database {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
}

/// Objects in an SQLite database, served from memory. Dropping it finishes the writes that wait, and closes
/// the database.
pub struct Sqlite {
    serving: Arc<Serving>,
    path: PathBuf,
    /// `None` only while dropped.
    queue: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Sqlite {
    /// The database's name in the data folder.
    pub const FILE_NAME: &str = "headcount.db";

    /// Writes that may wait; more are held back at their callers. As many as one commit takes, twice.
    const QUEUE: usize = 2 * Writer::BATCH;

    /// Opens the store in a data folder, creating both when they are missing, and holds the folder against
    /// other processes until it is closed or the process ends.
    pub fn open(folder: &Path) -> Result<Self, OpenError> {
        Self::open_with(folder, Options::default())
    }

    /// Opens a store with other settings.
    pub fn open_with(folder: &Path, options: Options) -> Result<Self, OpenError> {
        let Options { limits, checkpoint_bytes, vfs } = options;
        let folder = Folder::open(folder)?;
        let path = folder.path().join(Self::FILE_NAME);
        if vfs.is_none() {
            // SQLite takes an empty file for a new database, and gives the log beside it the same mode.
            folder.create_file(Self::FILE_NAME)?;
        }
        let (file, contents) = File::open(path.clone(), vfs.as_deref())?;
        // A new database and its log are now named in the folder; so that they still are after a power cut:
        folder.sync()?;
        let serving = Arc::new(Serving::new(limits, contents.revision, contents.entries));
        let (queue, jobs) = mpsc::channel(Self::QUEUE);
        let writer = Writer::new(serving.clone(), file, folder, checkpoint_bytes);
        let thread = std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || writer.run(jobs))
            .map_err(|source| OpenError::Folder { path: path.clone(), source })?;
        Ok(Self { serving, path, queue: Some(queue), thread: Some(thread) })
    }

    /// The database file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Finishes the writes that wait, closes the database and gives up the folder. Reads go on; later
    /// writes are refused.
    pub async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if let Some(queue) = &self.queue
            && queue.send(Job::Close(done)).await.is_ok()
        {
            // An error means that the thread has ended in another way: closed as well.
            _ = closed.await;
        }
    }

    fn closed(&self) -> WriteError {
        WriteError::Storage(format!("cannot write {}: the store is closed", self.path.display()))
    }

    async fn enqueue(
        &self,
        key: Key,
        expect: Expect,
        change: Change,
    ) -> Result<Arc<Entry>, WriteError> {
        let (reply, answer) = oneshot::channel();
        let queue = self.queue.as_ref().ok_or_else(|| self.closed())?;
        let job = Job::Write(writer::Write { key, expect, change, reply });
        queue.send(job).await.map_err(|_| self.closed())?;
        answer.await.map_err(|_| self.closed())?
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        // The thread ends when it has emptied the queue.
        drop(self.queue.take());
        if let Some(thread) = self.thread.take()
            // A change that is dropped unrendered may hold the last reference to the store.
            && thread.thread().id() != std::thread::current().id()
            && thread.join().is_err()
        {
            tracing::error!(path = %self.path.display(), "the store's writer ended in a panic");
        }
    }
}

impl Store for Sqlite {
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
        Box::pin(self.enqueue(key, expect, change))
    }

    fn tidy(&self) {
        self.serving.tidy();
    }

    fn watch(&self, resource: &'static str, from: Revision) -> Result<Box<dyn Watch>, TooOld> {
        Ok(Box::new(self.serving.watch(resource, from)?))
    }
}
