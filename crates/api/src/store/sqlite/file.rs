//! The database file: its schema, reading it whole, writing a batch.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use rusqlite::{
    Connection, ErrorCode, OpenFlags, OptionalExtension, Transaction, TransactionBehavior, params,
};

use super::super::{Entry, Event, EventKind, Key, Revision};
use super::OpenError;

/// `hdct`, in the header of a file of ours (`PRAGMA application_id`).
const APPLICATION_ID: i64 = 0x6864_6374;

/// The newest schema that this program knows (`PRAGMA user_version`).
const SCHEMA_VERSION: i64 = 1;

// `objects` keeps its hidden row number: rows of a few kilobytes then lie whole in leaves of one tree,
// and a replacement touches that leaf only.
const SCHEMA: &str = "
    CREATE TABLE objects (
        resource  TEXT NOT NULL,
        namespace TEXT NOT NULL,
        name      TEXT NOT NULL,
        revision  INTEGER NOT NULL,
        json      TEXT NOT NULL,
        PRIMARY KEY (resource, namespace, name)
    ) STRICT;
    CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
    INSERT INTO meta VALUES ('revision', 0);
";

/// How long to wait for another program that has the database locked (a backup, someone looking into it).
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

/// An open database; one connection, one user.
pub(super) struct File {
    path: PathBuf,
    connection: Connection,
}

/// What a database held when it was opened.
pub(super) struct Contents {
    pub(super) revision: Revision,
    pub(super) entries: Vec<Entry>,
}

impl File {
    pub(super) fn open(path: PathBuf, vfs: Option<&str>) -> Result<(Self, Contents), OpenError> {
        match Self::try_open(&path, vfs) {
            Ok((connection, contents)) => Ok((Self { path, connection }, contents)),
            Err(Failure::Open(error)) => Err(error),
            Err(Failure::Sqlite(source)) => Err(classify(path, source)),
        }
    }

    fn try_open(path: &Path, vfs: Option<&str>) -> Result<(Connection, Contents), Failure> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = match vfs {
            Some(vfs) => Connection::open_with_flags_and_vfs(path, flags, vfs)?,
            None => Connection::open_with_flags(path, flags)?,
        };
        connection.busy_timeout(BUSY_TIMEOUT)?;
        // Before anything is changed in it: is it ours?
        let version = version(&connection, path)?;

        let mode: String =
            connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
        if mode != "wal" {
            return Err(Failure::Open(OpenError::Folder {
                path: path.to_owned(),
                source: std::io::Error::new(
                    std::io::ErrorKind::Unsupported,
                    "SQLite's write-ahead log does not work on its file system",
                ),
            }));
        }
        // FULL: each commit is on the disk when it returns. fullfsync matters on macOS only, where an
        // ordinary fsync leaves the data in the drive's cache. Checkpoints are the writer's to choose; the
        // automatic one is a safeguard far above it.
        connection.execute_batch(
            "PRAGMA synchronous = FULL;
             PRAGMA fullfsync = ON;
             PRAGMA checkpoint_fullfsync = ON;
             PRAGMA trusted_schema = OFF;
             PRAGMA cell_size_check = ON;
             PRAGMA temp_store = MEMORY;",
        )?;
        let _: i64 =
            connection.query_row("PRAGMA wal_autocheckpoint = 20000", [], |row| row.get(0))?;
        if version.is_none() {
            let transaction = connection.transaction()?;
            transaction.execute_batch(SCHEMA)?;
            transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
            transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
            transaction.commit()?;
        }
        let contents = read(&connection, path)?;
        Ok((connection, contents))
    }

    /// Writes events in one transaction, which raises the store's revision from `base`. On an error
    /// nothing of it is in the database.
    pub(super) fn commit(&mut self, base: Revision, events: &[Event]) -> Result<(), CommitError> {
        let Some(last) = events.last() else { return Ok(()) };
        if !self.connection.is_autocommit() {
            // What failed before could not even be rolled back then.
            self.connection.execute_batch("ROLLBACK")?;
        }
        // Waits for another program's lock here rather than half-way.
        let immediate = TransactionBehavior::Immediate;
        let transaction = self.connection.transaction_with_behavior(immediate)?;
        write(&transaction, base, last.entry.revision, events)?;
        Ok(transaction.commit()?)
    }

    /// Moves what is in the log into the database, so that the log can start over.
    pub(super) fn checkpoint(&self) {
        let result = self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
        if let Err(error) = result {
            // Nothing is lost: it stays in the log, and the next checkpoint takes it.
            tracing::warn!(path = %self.path.display(), %error, "checkpoint failed");
        }
    }

    /// Closes the database; SQLite empties and removes the log.
    pub(super) fn close(self) {
        let Self { path, connection } = self;
        if let Err((_, error)) = connection.close() {
            tracing::warn!(path = %path.display(), %error, "closing the database failed");
        }
    }

    /// What to tell the caller of a write that was refused.
    pub(super) fn refusal(&self, error: &CommitError) -> String {
        let advice = match error {
            CommitError::Sqlite(error) => advice(error),
            CommitError::Changed => "restart headcount to take its new contents",
        };
        format!("cannot write {}: {error}; {advice}", self.path.display())
    }
}

/// Why a batch is not in the database.
#[derive(Debug, thiserror::Error)]
pub(super) enum CommitError {
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    /// What is in memory is no longer what is on the disk.
    #[error("another program has changed it")]
    Changed,
}

enum Failure {
    Open(OpenError),
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

fn classify(path: PathBuf, source: rusqlite::Error) -> OpenError {
    match source.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => {
            OpenError::Foreign { path, detail: "it is no SQLite database".to_owned() }
        }
        Some(ErrorCode::DatabaseCorrupt) => OpenError::Corrupt { path, detail: source.to_string() },
        _ => OpenError::Database { path, source },
    }
}

/// What a person can do about an error.
pub(super) fn advice(error: &rusqlite::Error) -> &'static str {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => {
            "free some space on that disk, or name another folder with --data-dir"
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "another program has it locked: close that one"
        }
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
            "check its permissions, or name another folder with --data-dir"
        }
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            "it is damaged: restore it from a copy, or name another folder with --data-dir"
        }
        _ => "check the disk, or name another folder with --data-dir",
    }
}

/// The schema version of a database of ours, `None` if it is empty; an error if it is another's.
fn version(connection: &Connection, path: &Path) -> Result<Option<i64>, Failure> {
    let number = |pragma: &str| connection.query_row(pragma, [], |row| row.get::<_, i64>(0));
    let application = number("PRAGMA application_id")?;
    let version = number("PRAGMA user_version")?;
    let tables = number("SELECT count(*) FROM sqlite_schema")?;
    match (application, version) {
        (0, 0) if tables == 0 => Ok(None),
        (APPLICATION_ID, SCHEMA_VERSION) => Ok(Some(version)),
        (APPLICATION_ID, found) if found > SCHEMA_VERSION => Err(Failure::Open(OpenError::Newer {
            path: path.to_owned(),
            found,
            known: SCHEMA_VERSION,
        })),
        (APPLICATION_ID, found) => Err(Failure::Open(OpenError::Corrupt {
            path: path.to_owned(),
            detail: format!("there is no schema version {found}"),
        })),
        _ => Err(Failure::Open(OpenError::Foreign {
            path: path.to_owned(),
            detail: "another program's SQLite database".to_owned(),
        })),
    }
}

fn read(connection: &Connection, path: &Path) -> Result<Contents, Failure> {
    let check: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    let corrupt =
        |detail: String| Failure::Open(OpenError::Corrupt { path: path.to_owned(), detail });
    if check != "ok" {
        return Err(corrupt(check.replace('\n', " ")));
    }
    let revision: Option<u64> = connection
        .query_row("SELECT value FROM meta WHERE name = 'revision'", [], |row| row.get(0))
        .optional()?;
    let revision = revision.ok_or_else(|| corrupt("its revision is missing".to_owned()))?;

    let mut statement =
        connection.prepare("SELECT resource, namespace, name, revision, json FROM objects")?;
    let mut rows = statement.query([])?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next()? {
        let key = Key {
            resource: intern(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?),
            namespace: row.get(1)?,
            name: row.get(2)?,
        };
        let written: u64 = row.get(3)?;
        if written > revision {
            let Key { resource, namespace, name } = key;
            return Err(corrupt(format!(
                "{resource} {namespace}/{name} is of revision {written}, the store of {revision}"
            )));
        }
        let json = row.get_ref(4)?.as_bytes().map_err(rusqlite::Error::from)?;
        let json = Bytes::copy_from_slice(json);
        entries.push(Entry { key, revision: Revision(written), json });
    }
    Ok(Contents { revision: Revision(revision), entries })
}

/// The resource's name as the program's own strings are. The few names that a database can hold are kept
/// for good, once each.
fn intern(resource: &str) -> &'static str {
    static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(name) = names.get(resource) {
        return name;
    }
    let name: &'static str = Box::leak(resource.to_owned().into_boxed_str());
    names.insert(name);
    name
}

fn write(
    transaction: &Transaction<'_>,
    base: Revision,
    last: Revision,
    events: &[Event],
) -> Result<(), CommitError> {
    let mut put = transaction.prepare_cached(
        "INSERT INTO objects (resource, namespace, name, revision, json) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (resource, namespace, name)
         DO UPDATE SET revision = excluded.revision, json = excluded.json",
    )?;
    let mut delete = transaction.prepare_cached(
        "DELETE FROM objects WHERE resource = ?1 AND namespace = ?2 AND name = ?3",
    )?;
    for Event { kind, entry, previous: _ } in events {
        let Entry { key: Key { resource, namespace, name }, revision, json } = &**entry;
        match kind {
            EventKind::Added | EventKind::Modified => {
                let json = std::str::from_utf8(json)
                    .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
                put.execute(params![resource, namespace, name, revision.0, json])?;
            }
            EventKind::Deleted => {
                delete.execute(params![resource, namespace, name])?;
            }
        }
    }
    let raised = transaction
        .prepare_cached("UPDATE meta SET value = ?1 WHERE name = 'revision' AND value = ?2")?
        .execute(params![last.0, base.0])?;
    if raised == 1 { Ok(()) } else { Err(CommitError::Changed) }
}
