//! Objects and lists in the form the client accepts.

use bytes::Bytes;
use jiff::Timestamp;
use manifest::kind::Kind;
use serde_json::{Map, Value, json};

use crate::body::to_bytes;
use crate::config::Clock;
use crate::negotiate::Form;
use crate::object;
use crate::registry::{Encoding, ListAnswer, encode_list};
use crate::store::Entry;
use crate::table::{self, IncludeObject};

/// A form with what it needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rendering {
    pub(crate) form: Form,
    pub(crate) include: IncludeObject,
    pub(crate) now: Timestamp,
}

impl Rendering {
    /// One object.
    pub(crate) fn object(self, kind: &Kind, json: Bytes) -> Bytes {
        match self.form {
            Form::Object => object::served(kind, &json),
            Form::Metadata => to_bytes(&partial(&object::stored(&json))),
            Form::Table => {
                let object = object::stored(&json);
                let metadata = version_of(&object);
                to_bytes(&table::table(kind, &[object], &metadata, self.include, self.now))
            }
        }
    }

    /// A list.
    pub(crate) fn list(self, kind: &Kind, list: &ListAnswer) -> Bytes {
        let ListAnswer { revision, entries, continue_token, remaining } = list;
        let metadata = || {
            let mut metadata = Map::new();
            metadata.insert("resourceVersion".to_owned(), revision.to_string().into());
            if !continue_token.is_empty() {
                metadata.insert("continue".to_owned(), continue_token.as_str().into());
            }
            if let Some(remaining) = remaining {
                metadata.insert("remainingItemCount".to_owned(), (*remaining).into());
            }
            metadata
        };
        let objects = || entries.iter().map(|entry| object::stored(&entry.json));
        match self.form {
            Form::Object => encode_list(kind, metadata(), entries),
            Form::Metadata => to_bytes(&json!({
                "kind": "PartialObjectMetadataList",
                "apiVersion": "meta.k8s.io/v1",
                "metadata": metadata(),
                "items": objects().map(|object| partial(&object)).collect::<Vec<_>>(),
            })),
            Form::Table => {
                let objects: Vec<Value> = objects().collect();
                to_bytes(&table::table(kind, &objects, &metadata(), self.include, self.now))
            }
        }
    }

    /// How a watch writes its objects. Ages in Tables are those of the event, so the clock is asked each time.
    pub(crate) fn watch(self, kind: &'static Kind, clock: Clock) -> Encoding {
        let Self { form, include, now: _ } = self;
        let mut columns_sent = false;
        Box::new(move |entry: &Entry, out: &mut Vec<u8>| match form {
            Form::Object => out.extend_from_slice(&object::served(kind, &entry.json)),
            Form::Metadata => {
                let partial = partial(&object::stored(&entry.json));
                out.extend_from_slice(partial.to_string().as_bytes());
            }
            Form::Table => {
                let object = object::stored(&entry.json);
                let metadata = version_of(&object);
                let mut table = table::table(kind, &[object], &metadata, include, clock());
                // The first event of a watch names the columns for all.
                if std::mem::replace(&mut columns_sent, true) {
                    table["columnDefinitions"] = Value::Null;
                }
                out.extend_from_slice(table.to_string().as_bytes());
            }
        })
    }
}

fn partial(object: &Value) -> Value {
    json!({
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": object["metadata"],
    })
}

fn version_of(object: &Value) -> Map<String, Value> {
    let version = object["metadata"]["resourceVersion"].clone();
    [("resourceVersion".to_owned(), version)].into_iter().collect()
}
