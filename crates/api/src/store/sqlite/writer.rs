//! The thread that writes: takes what waits, commits it together, shows it, acknowledges it.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::super::past::Packer;
use super::super::serving::{Serving, decide};
use super::super::{Change, Entry, Event, EventKind, Expect, Key, Revision, WriteError};
use super::file::File;
use super::folder::Folder;

/// What the thread is asked to do.
pub(super) enum Job {
    Write(Write),
    /// Do what waits, close the database, and say so.
    Close(oneshot::Sender<()>),
}

pub(super) struct Write {
    pub(super) key: Key,
    pub(super) expect: Expect,
    pub(super) change: Change,
    pub(super) reply: Reply,
}

type Reply = oneshot::Sender<Result<Arc<Entry>, WriteError>>;

pub(super) struct Writer {
    serving: Arc<Serving>,
    packer: Packer,
    file: File,
    /// Given up after the database is closed.
    folder: Folder,
    /// An estimate of the bytes in the log since the last checkpoint.
    logged: usize,
    checkpoint_bytes: usize,
}

impl Writer {
    /// Writes of one commit: some milliseconds of work at most, so that the first of them does not wait
    /// much longer than the disk makes it.
    pub(super) const BATCH: usize = 512;

    /// What a write adds to the log beside its JSON: whole pages of the table and of its index.
    const PAGES: usize = 2 * 4096;

    pub(super) fn new(
        serving: Arc<Serving>,
        file: File,
        folder: Folder,
        checkpoint_bytes: usize,
    ) -> Self {
        Self { serving, packer: Packer::default(), file, folder, logged: 0, checkpoint_bytes }
    }

    /// Works until the queue is closed and empty.
    pub(super) fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        let mut writes = Vec::new();
        let mut closers = Vec::new();
        while let Some(first) = jobs.blocking_recv() {
            let mut next = Some(first);
            while let Some(job) = next {
                match job {
                    Job::Write(write) => writes.push(write),
                    Job::Close(done) => {
                        jobs.close();
                        closers.push(done);
                    }
                }
                next = (writes.len() < Self::BATCH).then(|| jobs.try_recv().ok()).flatten();
            }
            self.commit(writes.drain(..));
            if self.logged >= self.checkpoint_bytes {
                // After the acknowledgements: only the next commit waits for it.
                self.file.checkpoint();
                self.logged = 0;
            }
        }
        let Self { serving: _, packer: _, file, folder, logged: _, checkpoint_bytes: _ } = self;
        file.close();
        drop(folder);
        for done in closers {
            // Whoever asked may have gone.
            _ = done.send(());
        }
    }

    fn commit(&mut self, writes: impl Iterator<Item = Write>) {
        let base = self.serving.revision();
        let mut events: Vec<Event> = Vec::new();
        // The newest state of what this batch has changed.
        let mut changed: HashMap<Key, Option<Arc<Entry>>> = HashMap::new();
        let mut replies: Vec<(Reply, Result<Arc<Entry>, WriteError>)> = Vec::new();
        for Write { key, expect, change, reply } in writes {
            let current = match changed.get(&key) {
                Some(newest) => newest.clone(),
                None => self.serving.get(&key),
            };
            let revision = Revision(base.0 + events.len() as u64 + 1);
            let packer = &mut self.packer;
            let result = prepare(key, current.as_ref(), expect, change, revision, packer);
            let result = result.map(|event| {
                let entry = event.entry.clone();
                let newest = match event.kind {
                    EventKind::Added | EventKind::Modified => Some(entry.clone()),
                    EventKind::Deleted => None,
                };
                changed.insert(entry.key.clone(), newest);
                self.logged += entry.json.len() + Self::PAGES;
                events.push(event);
                entry
            });
            replies.push((reply, result));
        }
        let committed = self.file.commit(base, &events);
        match &committed {
            Ok(()) => self.serving.publish(events),
            Err(error) => {
                tracing::error!(writes = events.len(), "{}", self.file.refusal(error));
            }
        }
        for (reply, result) in replies {
            let result = match &committed {
                Ok(()) => result,
                // Conflicts too: they may have been with a write of this batch.
                Err(error) => Err(WriteError::Storage(self.file.refusal(error))),
            };
            // Whoever asked may have gone; the write stands.
            _ = reply.send(result);
        }
    }
}

/// [`decide`], for a thread that must outlive a panic in a caller's rendering.
fn prepare(
    key: Key,
    current: Option<&Arc<Entry>>,
    expect: Expect,
    change: Change,
    revision: Revision,
    packer: &mut Packer,
) -> Result<Event, WriteError> {
    let event =
        catch_unwind(AssertUnwindSafe(|| decide(key, current, expect, change, revision, packer)))
            .unwrap_or_else(|_| {
            Err(WriteError::Storage("the object could not be rendered as JSON".to_owned()))
        })?;
    if std::str::from_utf8(&event.entry.json).is_err() {
        return Err(WriteError::Storage("the object's JSON is not UTF-8".to_owned()));
    }
    Ok(event)
}
