//! The durable store's files: restarts, the lock on the folder, files that are not as they should be,
//! faults of the disk.

#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use api::store::{Change, Expect, OpenError, Options, Revision, Sqlite, Store, TooOld, WriteError};
use support::vfs::{self, Disk, Fault};
use support::{PODS, SERVICES, body, delete, key, put};

#[tokio::test]
async fn a_restart_finds_everything_as_it_was() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("not/yet/there");
    let store = Sqlite::open(&folder).unwrap();
    assert_eq!(store.path(), folder.join("headcount.db"));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    for file in ["headcount.db", "headcount.db-wal", "lock"] {
        assert_eq!(mode(&folder.join(file)), 0o600, "{file}");
    }
    let (db, pod) = (key(SERVICES, "prod", "db"), key(PODS, "prod", "日本"));
    put(&store, &db, Expect::Absent, "one").await.unwrap();
    put(&store, &pod, Expect::Absent, "ünï").await.unwrap();
    put(&store, &db, Expect::At(Revision(1)), "two").await.unwrap();
    let gone = key(PODS, "prod", "gone");
    put(&store, &gone, Expect::Absent, "x").await.unwrap();
    delete(&store, &gone, Expect::At(Revision(4)), "x").await.unwrap();
    drop(store);
    let mut left: Vec<_> =
        fs::read_dir(&folder).unwrap().map(|file| file.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["headcount.db", "lock"], "the log is emptied into the database at the end");

    for _ in 0..2 {
        let store = Sqlite::open(&folder).unwrap();
        assert_eq!(store.revision(), Revision(5), "the deletion counts");
        assert_eq!(store.get(&db).unwrap().json, body(3, "two"));
        assert_eq!(store.get(&pod).unwrap().json, body(2, "ünï"));
        assert_eq!(store.get(&gone), None);
        let listing = store.list(PODS, None);
        assert_eq!((listing.revision, listing.entries.len()), (Revision(5), 1));
        // The history is gone; from here on there is one.
        for from in 0..5 {
            let oldest = Revision(5);
            let too_old = store.watch(SERVICES, Revision(from)).err();
            assert_eq!(too_old, Some(TooOld { asked: Revision(from), oldest }));
        }
        assert!(store.watch(SERVICES, Revision(5)).is_ok());
        assert!(store.watch("unheard-of", Revision(4)).is_err());
    }
    let store = Sqlite::open(&folder).unwrap();
    let mut watch = store.watch(SERVICES, Revision(5)).unwrap();
    let entry = put(&store, &db, Expect::At(Revision(3)), "three").await.unwrap();
    assert_eq!(entry.revision, Revision(6));
    assert_eq!(watch.next().await.unwrap()[0].previous.as_ref().unwrap().json(), body(3, "two"));
}

#[tokio::test]
async fn a_closed_store_serves_reads_and_refuses_writes() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(Sqlite::open(folder.path()).unwrap());
    let db = key(SERVICES, "prod", "db");
    // Writes that wait when it is closed are still done.
    let writes = (0..20).map(|n| {
        let (store, key) = (store.clone(), key(PODS, "a", &n.to_string()));
        async move { put(&*store, &key, Expect::Absent, "x").await }
    });
    let (written, ()) = tokio::join!(futures::future::join_all(writes), store.close());
    assert!(written.iter().all(Result::is_ok));
    store.close().await;
    assert_eq!(store.list(PODS, None).entries.len(), 20);
    let error = put(&*store, &db, Expect::Absent, "x").await.unwrap_err();
    let path = store.path().display();
    assert_eq!(error.to_string(), format!("cannot write {path}: the store is closed"));
    // The folder is free, though the store still lives.
    let next = Sqlite::open(folder.path()).unwrap();
    assert_eq!(next.list(PODS, None).entries.len(), 20);
}

#[test]
fn a_folder_in_use_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let first = Sqlite::open(folder.path()).unwrap();
    let error = Sqlite::open(folder.path()).err().unwrap();
    let expected = format!(
        "the data folder {} is in use by another headcount (process {}): stop that one, or name another folder with --data-dir",
        folder.path().display(),
        std::process::id()
    );
    assert_eq!(error.to_string(), expected);
    drop(first);
    Sqlite::open(folder.path()).unwrap();
}

/// Opens a folder after a change to the database's file, and shows the error without the path.
fn opened_after(change: impl FnOnce(&Path)) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("headcount.db");
    change(&path);
    let before = fs::read(&path).ok();
    let error = Sqlite::open(folder.path()).err().expect("an error").to_string();
    assert_eq!(fs::read(&path).ok(), before, "what is not ours, or damaged, is left alone");
    error.replace(&path.display().to_string(), "FILE")
}

/// A database of ours with a hundred pods.
fn filled(path: &Path) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let store = Sqlite::open(path.parent().unwrap()).unwrap();
        for n in 0..100 {
            let text = "x".repeat(500);
            put(&store, &key(PODS, "a", &n.to_string()), Expect::Absent, &text).await.unwrap();
        }
    });
}

fn sql(path: &Path, text: &str) {
    rusqlite::Connection::open(path).unwrap().execute_batch(text).unwrap();
}

#[test]
fn files_that_are_not_ours_are_refused() {
    let check = |expected: &str, change: &dyn Fn(&Path)| {
        assert_eq!(opened_after(change), expected);
    };
    check(
        "FILE is not a headcount database (it is no SQLite database): move it away, or name another folder with --data-dir",
        &|path| fs::write(path, "Dear diary, ".repeat(500)).unwrap(),
    );
    check(
        "FILE is not a headcount database (another program's SQLite database): move it away, or name another folder with --data-dir",
        &|path| sql(path, "CREATE TABLE diary (day TEXT)"),
    );
    check(
        "FILE was written by a newer headcount (schema version 2; this one knows 1): use that version, or name another folder with --data-dir",
        &|path| {
            filled(path);
            sql(path, "PRAGMA user_version = 2");
        },
    );
    check(
        "FILE is damaged (there is no schema version -1): restore it from a copy, move it away to begin anew, or name another folder with --data-dir",
        &|path| {
            filled(path);
            sql(path, "PRAGMA user_version = -1");
        },
    );
    check(
        "FILE is damaged (its revision is missing): restore it from a copy, move it away to begin anew, or name another folder with --data-dir",
        &|path| {
            filled(path);
            sql(path, "DELETE FROM meta");
        },
    );
    check(
        "FILE is damaged (pods a/7 is of revision 1000, the store of 100): restore it from a copy, move it away to begin anew, or name another folder with --data-dir",
        &|path| {
            filled(path);
            sql(path, "UPDATE objects SET revision = 1000 WHERE name = '7'");
        },
    );
}

#[test]
fn damaged_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("headcount.db");
    filled(&path);
    let whole = fs::read(&path).unwrap();
    let pages = whole.len() / 4096;
    assert!(pages > 10);
    // The first page begins with what makes it an SQLite database.
    for page in 1..pages {
        let mut damaged = whole.clone();
        damaged[page * 4096..][..4096].fill(0xA5);
        let error = opened_after(|path| fs::write(path, damaged).unwrap());
        assert!(error.starts_with("FILE is damaged ("), "page {page}: {error}");
        assert!(!error.contains('\n'), "{error}");
    }
    let error = opened_after(|path| {
        filled(path);
        let file = fs::OpenOptions::new().write(true).open(path).unwrap();
        file.set_len(3 * 4096).unwrap();
    });
    assert!(error.starts_with("FILE is damaged ("), "{error}");
}

#[test]
fn a_folder_that_cannot_be_is_named() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("file");
    fs::write(&file, "").unwrap();
    for folder in [file.clone(), file.join("below")] {
        let error = Sqlite::open(&folder).err().unwrap();
        assert!(matches!(error, OpenError::Folder { .. }));
        let text = error.to_string();
        assert!(
            text.contains("file") && text.ends_with("; name another with --data-dir"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn the_tables_can_be_looked_into_while_it_runs() {
    let folder = tempfile::tempdir().unwrap();
    let store = Sqlite::open(folder.path()).unwrap();
    put(&store, &key(SERVICES, "prod", "db"), Expect::Absent, "one").await.unwrap();
    let look = rusqlite::Connection::open(store.path()).unwrap();
    let row = |text: &str| -> String { look.query_row(text, [], |row| row.get(0)).unwrap() };
    let objects = "SELECT group_concat(concat_ws('|', resource, namespace, name, revision, json)) FROM objects";
    assert_eq!(row(objects), "services|prod|db|1|1 one");
    assert_eq!(row("SELECT group_concat(name || '=' || value) FROM meta"), "revision=1");
    // Who looks does not keep the store from writing.
    look.execute_batch("BEGIN; SELECT * FROM objects;").unwrap();
    put(&store, &key(SERVICES, "prod", "db2"), Expect::Absent, "two").await.unwrap();
    look.execute_batch("COMMIT").unwrap();
    assert_eq!(row("SELECT group_concat(name || '=' || value) FROM meta"), "revision=2");
    // Who changes the revision beside it is noticed.
    look.execute_batch("UPDATE meta SET value = 9 WHERE name = 'revision'").unwrap();
    let error = put(&store, &key(SERVICES, "prod", "db3"), Expect::Absent, "x").await.unwrap_err();
    let expected = format!(
        "cannot write {}: another program has changed it; restart headcount to take its new contents",
        store.path().display()
    );
    assert_eq!(error.to_string(), expected);
    assert_eq!(store.revision(), Revision(2));
}

#[tokio::test]
async fn a_failed_commit_is_refused_whole_and_later_ones_go_through() {
    let root = tempfile::tempdir().unwrap();
    for (fault, cause) in [
        (
            Fault::Full,
            "database or disk is full; free some space on that disk, or name another folder with --data-dir",
        ),
        (Fault::Write, "disk I/O error; check the disk, or name another folder with --data-dir"),
        (Fault::Sync, "disk I/O error; check the disk, or name another folder with --data-dir"),
    ] {
        let folder = root.path().join(format!("{fault:?}"));
        let disk = Disk::new(&folder, &Default::default());
        let vfs = Some(vfs::NAME.to_owned());
        let store = Sqlite::open_with(&folder, Options { vfs, ..Options::default() }).unwrap();
        let db = key(SERVICES, "prod", "db");
        let first = put(&store, &db, Expect::Absent, "one").await.unwrap();
        let mut watch = store.watch(SERVICES, Revision(0)).unwrap();
        watch.next().await.unwrap();

        disk.set_fault(Some(fault));
        let refused = format!("cannot write {}: {cause}", store.path().display());
        for _ in 0..3 {
            let (create, replace) = (key(SERVICES, "prod", "new"), Expect::At(first.revision));
            let results = tokio::join!(
                put(&store, &db, replace, "two"),
                put(&store, &create, Expect::Absent, "x"),
                delete(&store, &db, replace, "last"),
            );
            for result in [results.0, results.1, results.2] {
                match result {
                    Err(WriteError::Storage(text)) => assert_eq!(text, refused, "{fault:?}"),
                    other => panic!("{fault:?}: {other:?}"),
                }
            }
            assert_eq!(store.get(&db), Some(first.clone()), "reads go on");
            assert_eq!(store.revision(), Revision(1));
        }
        disk.set_fault(None);
        let second = put(&store, &db, Expect::At(Revision(1)), "two").await.unwrap();
        assert_eq!(second.revision, Revision(2), "{fault:?}: a refused write takes no revision");
        let events = watch.next().await.unwrap();
        assert_eq!(events.len(), 1, "watchers know of nothing that was refused");
        assert_eq!(events[0].entry, second);
        drop(store);
        let vfs = Some(vfs::NAME.to_owned());
        let store = Sqlite::open_with(&folder, Options { vfs, ..Options::default() }).unwrap();
        assert_eq!((store.get(&db), store.revision()), (Some(second), Revision(2)), "{fault:?}");
    }
}

#[tokio::test]
async fn what_cannot_be_rendered_is_refused_alone() {
    let folder = tempfile::tempdir().unwrap();
    let store = Sqlite::open(folder.path()).unwrap();
    let db = key(SERVICES, "prod", "db");
    let binary = Change::Put(Box::new(|_| vec![0xFF, 0xFE]));
    let panics = Change::Put(Box::new(|_| panic!("a fault in a caller")));
    let results = tokio::join!(
        store.write(key(PODS, "a", "1"), Expect::Absent, binary),
        store.write(key(PODS, "a", "2"), Expect::Absent, panics),
        put(&store, &db, Expect::Absent, "one"),
    );
    assert_eq!(results.0.unwrap_err().to_string(), "the object's JSON is not UTF-8");
    let expected = "the object could not be rendered as JSON";
    assert_eq!(results.1.unwrap_err().to_string(), expected);
    assert_eq!(results.2.unwrap().revision, Revision(1));
    assert!(store.list(PODS, None).entries.is_empty());
}
