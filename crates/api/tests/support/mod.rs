//! What the tests of the stores share.
#![allow(dead_code, reason = "each test file uses a part")]

use api::store::{Change, Entry, Expect, Key, Revision, Store, WriteError};

pub const PODS: &str = "pods";
pub const SERVICES: &str = "services";

pub fn key(resource: &'static str, namespace: &str, name: &str) -> Key {
    Key { resource, namespace: namespace.to_owned(), name: name.to_owned() }
}

/// What the changes below render: the revision and a text.
pub fn body(revision: u64, text: &str) -> Vec<u8> {
    format!("{revision} {text}").into_bytes()
}

pub fn put_change(text: &str) -> Change {
    let text = text.to_owned();
    Change::Put(Box::new(move |Revision(revision)| body(revision, &text)))
}

pub fn delete_change(text: &str) -> Change {
    let text = text.to_owned();
    Change::Delete(Box::new(move |Revision(revision)| body(revision, &text)))
}

pub async fn put(
    store: &dyn Store,
    key: &Key,
    expect: Expect,
    text: &str,
) -> Result<Entry, WriteError> {
    store.write(key.clone(), expect, put_change(text)).await
}

pub async fn delete(
    store: &dyn Store,
    key: &Key,
    expect: Expect,
    text: &str,
) -> Result<Entry, WriteError> {
    store.write(key.clone(), expect, delete_change(text)).await
}
