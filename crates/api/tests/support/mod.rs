//! What the tests of the stores share.
#![allow(dead_code, reason = "each test file uses a part")]

pub(crate) mod disk;
pub(crate) mod vfs;

use std::sync::Arc;

use api::store::{Change, Entry, Expect, Key, Revision, Store, WriteError};

/// A folder for tests that sync often and to which it is no matter: in memory where the system has that.
pub(crate) fn quick_folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

pub(crate) const PODS: &str = "pods";
pub(crate) const SERVICES: &str = "services";

pub(crate) fn key(resource: &'static str, namespace: &str, name: &str) -> Key {
    Key { resource, namespace: namespace.to_owned(), name: name.to_owned() }
}

/// What the changes below render: the revision and a text.
pub(crate) fn body(revision: u64, text: &str) -> Vec<u8> {
    format!("{revision} {text}").into_bytes()
}

pub(crate) fn put_change(text: &str) -> Change {
    let text = text.to_owned();
    Change::Put(Box::new(move |Revision(revision)| body(revision, &text)))
}

pub(crate) fn delete_change(text: &str) -> Change {
    let text = text.to_owned();
    Change::Delete(Box::new(move |Revision(revision)| body(revision, &text)))
}

pub(crate) async fn put(
    store: &dyn Store,
    key: &Key,
    expect: Expect,
    text: &str,
) -> Result<Arc<Entry>, WriteError> {
    store.write(key.clone(), expect, put_change(text)).await
}

pub(crate) async fn delete(
    store: &dyn Store,
    key: &Key,
    expect: Expect,
    text: &str,
) -> Result<Arc<Entry>, WriteError> {
    store.write(key.clone(), expect, delete_change(text)).await
}
