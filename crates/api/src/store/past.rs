//! What objects were before they changed: kept for watchers that resume, and seldom read.
//!
//! The objects of one resource are much alike, and the versions of one object are more so. A past version is
//! therefore kept as what sets it apart from another of its resource (LZ4, with that one as the dictionary): a pod
//! of two kilobytes takes some hundred bytes.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use lz4_flex::block;

use super::{Entry, Key, Revision};

/// A past version of an object.
pub struct Past {
    key: Key,
    revision: Revision,
    length: usize,
    packed: Box<[u8]>,
    /// What it was packed against.
    model: Bytes,
}

impl Past {
    fn new(entry: &Entry, model: Bytes) -> Self {
        let Entry { key, revision, json } = entry;
        let packed = block::compress_with_dict(json, &model).into_boxed_slice();
        Self { key: key.clone(), revision: *revision, length: json.len(), packed, model }
    }

    /// The revision of the write that made it.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// The object's JSON then.
    pub fn json(&self) -> Bytes {
        // What was packed here unpacks: it has been in memory all the time.
        let json = block::decompress_with_dict(&self.packed, self.length, &self.model);
        json.expect("a packed version unpacks").into()
    }

    /// The object then.
    pub(super) fn entry(&self) -> Entry {
        Entry { key: self.key.clone(), revision: self.revision, json: self.json() }
    }

    /// The bytes that its JSON takes.
    pub(super) fn bytes(&self) -> usize {
        self.packed.len()
    }
}

impl From<&Entry> for Past {
    fn from(entry: &Entry) -> Self {
        Self::new(entry, Bytes::new())
    }
}

impl PartialEq for Past {
    fn eq(&self, other: &Self) -> bool {
        self.revision == other.revision && self.key == other.key && self.json() == other.json()
    }
}

impl Eq for Past {}

impl fmt::Debug for Past {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.entry().fmt(f)
    }
}

/// For how many versions a model is kept at least: each of them keeps it in memory, so that it must not be one's alone.
const USES_MIN: u32 = 64;

/// Packs past versions, each against an earlier one of its resource.
#[derive(Default)]
pub(super) struct Packer {
    models: HashMap<&'static str, Model>,
}

#[derive(Default)]
struct Model {
    json: Bytes,
    uses: u32,
}

impl Packer {
    pub(super) fn pack(&mut self, entry: &Entry) -> Arc<Past> {
        let model = self.models.entry(entry.key.resource).or_default();
        let past = Past::new(entry, model.json.clone());
        model.uses = model.uses.saturating_add(1);
        // Too little alike: the next may be more like this one.
        let unlike = past.packed.len() > past.length / 4;
        if unlike && (model.json.is_empty() || model.uses >= USES_MIN) {
            *model = Model { json: entry.json.clone(), uses: 0 };
        }
        Arc::new(past)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_unpacks() {
        let mut packer = Packer::default();
        let mut check = |resource: &'static str, json: &str, most: usize| {
            let key = Key { resource, namespace: "a".into(), name: "b".into() };
            let json = Bytes::copy_from_slice(json.as_bytes());
            let entry = Entry { key, revision: Revision(7), json };
            let past = packer.pack(&entry);
            assert_eq!(past.entry(), entry);
            assert_eq!(Past::from(&entry), *past);
            assert!(past.bytes() <= most, "{} is more than {most}", past.bytes());
        };
        let object = |name: &str| {
            let fields: String = (b'a'..=b'z').map(|c| format!("\"{}\":{c},", c as char)).collect();
            format!("{{{fields}\"name\":\"{name}\"}}")
        };
        let first = object("first");
        check("pods", &first, first.len() + 16);
        check("pods", &object("second"), 24);
        check("services", "", 16);
        check("services", "{}", 16);
        // What is not like the others becomes the model of those that are like it, in time.
        let other: String = (0..2000).map(|n| format!("{:x} ", n * 7919 % 65537)).collect();
        for _ in 0..USES_MIN {
            check("pods", &other, other.len() + 64);
        }
        check("pods", &other, other.len() / 40);
        let long = "x".repeat(200_000);
        check("pods", &long, 2_000);
    }
}
