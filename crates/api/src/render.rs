//! Objects and lists in the form the client accepts.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use jiff::Timestamp;
use manifest::kind::{Kind, KindId};
use serde_json::{Map, Value, json};

use crate::body::to_bytes;
use crate::config::Clock;
use crate::list_body::{ListBody, WriteItem};
use crate::negotiate::Form;
use crate::object;
use crate::registry::{ListAnswer, Registry};
use crate::store::Revision;
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
    pub(crate) fn list(self, kind: &'static Kind, list: ListAnswer) -> ListBody {
        let ListAnswer { revision, entries, continue_token, remaining } = list;
        let mut metadata = Map::new();
        metadata.insert("resourceVersion".to_owned(), revision.to_string().into());
        if !continue_token.is_empty() {
            metadata.insert("continue".to_owned(), continue_token.into());
        }
        if let Some(remaining) = remaining {
            metadata.insert("remainingItemCount".to_owned(), remaining.into());
        }
        let items = entries.into_iter().map(|entry| entry.json.clone()).collect();
        let Self { form, include, now } = self;
        match form {
            Form::Object => object_list(kind, metadata, items),
            Form::Metadata => {
                let head = list_head("PartialObjectMetadataList", "meta.k8s.io/v1", metadata);
                let write: WriteItem =
                    Box::new(|json, out| append(out, &partial(&object::stored(json))));
                ListBody::new(&head, "items", items, Some(write))
            }
            Form::Table => {
                let write: WriteItem = Box::new(move |json, out| {
                    append(out, &table::row(kind, &object::stored(json), include, now));
                });
                ListBody::new(&table::head(kind, &metadata), "rows", items, Some(write))
            }
        }
    }

    /// How a watch writes its objects.
    pub(crate) fn watch(self, kind: &'static Kind, registry: &Registry) -> Encoder {
        let Self { form, include, now: _ } = self;
        let clock = registry.config.clock.clone();
        let rendered = registry.rendered.clone();
        Encoder { kind, form, include, clock, rendered, columns_sent: false }
    }
}

/// Writes a watch's objects: as stored, as metadata, as Tables.
pub(crate) struct Encoder {
    kind: &'static Kind,
    form: Form,
    include: IncludeObject,
    clock: Clock,
    rendered: Arc<Rendered>,
    columns_sent: bool,
}

impl Encoder {
    /// Appends an object as it is since `revision`. Ages in Tables are those of the event, so the clock is asked each
    /// time.
    pub(crate) fn write(&mut self, json: &Bytes, revision: Revision, out: &mut Vec<u8>) {
        let Self { kind, form, include, ref clock, ref rendered, ref mut columns_sent } = *self;
        let of = |second| RenderedKey { kind: kind.id, revision, form, include, second };
        match form {
            Form::Object => out.extend_from_slice(&object::served(kind, json)),
            Form::Metadata => {
                let text = rendered.get(of(0), || to_bytes(&partial(&object::stored(json))));
                out.extend_from_slice(&text);
            }
            Form::Table => {
                let now = clock();
                let table = || {
                    let object = object::stored(json);
                    let metadata = version_of(&object);
                    table::table(kind, &[object], &metadata, include, now)
                };
                // The first event of a watch names the columns for all.
                if std::mem::replace(columns_sent, true) {
                    let text = rendered.get(of(now.as_second()), || {
                        let mut table = table();
                        table["columnDefinitions"] = Value::Null;
                        to_bytes(&table)
                    });
                    out.extend_from_slice(&text);
                } else {
                    append(out, &table());
                }
            }
        }
    }
}

/// The last events as they were written in forms other than the stored one, so that an event is written once a form,
/// and not once a watcher.
#[derive(Default)]
pub(crate) struct Rendered(Mutex<VecDeque<(RenderedKey, Bytes)>>);

/// Within one second, an event looks the same to all who ask for a form: ages are whole seconds.
#[derive(Clone, Copy, PartialEq, Eq)]
struct RenderedKey {
    kind: KindId,
    revision: Revision,
    form: Form,
    include: IncludeObject,
    second: i64,
}

impl Rendered {
    /// Watchers run behind one another by a few events only.
    const EVENTS: usize = 32;

    fn get(&self, key: RenderedKey, render: impl FnOnce() -> Bytes) -> Bytes {
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, text)) = lock().iter().find(|(known, _)| *known == key) {
            return text.clone();
        }
        let text = render();
        let mut known = lock();
        known.truncate(Self::EVENTS - 1);
        known.push_front((key, text.clone()));
        text
    }
}

fn append(out: &mut Vec<u8>, value: &Value) {
    serde_json::to_writer(out, value).expect("a JSON value serialises");
}

/// A list of whole objects.
pub(crate) fn object_list(
    kind: &'static Kind,
    metadata: Map<String, Value>,
    items: Vec<Bytes>,
) -> ListBody {
    let head = list_head(&format!("{}List", kind.kind), kind.api_version(), metadata);
    let write = (!kind.is_stored_as_served()).then(|| -> WriteItem {
        Box::new(|json, out| {
            let mut object = object::stored(json);
            kind.to_served(&mut object);
            append(out, &object);
        })
    });
    ListBody::new(&head, "items", items, write)
}

fn list_head(kind: &str, api_version: &str, metadata: Map<String, Value>) -> Value {
    json!({ "kind": kind, "apiVersion": api_version, "metadata": metadata })
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

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn an_event_is_rendered_once_for_all_who_watch_it() {
        let rendered = Rendered::default();
        let count = Cell::new(0);
        let get = |revision, form, second| {
            let key = RenderedKey {
                kind: KindId::Pod,
                revision: Revision(revision),
                form,
                include: IncludeObject::default(),
                second,
            };
            rendered.get(key, || {
                count.set(count.get() + 1);
                Bytes::from(format!("{revision} {form:?} {second}"))
            })
        };
        for _ in 0..1000 {
            assert_eq!(get(1, Form::Table, 0), "1 Table 0");
            assert_eq!(get(2, Form::Table, 0), "2 Table 0");
            assert_eq!(get(2, Form::Metadata, 0), "2 Metadata 0");
            assert_eq!(get(2, Form::Table, 1), "2 Table 1");
        }
        assert_eq!(count.get(), 4);
        for revision in 3..1000 {
            get(revision, Form::Table, 1);
        }
        assert_eq!(rendered.0.lock().unwrap().len(), Rendered::EVENTS);
    }
}
