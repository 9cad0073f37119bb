//! Reading one object and lists of them.
//!
//! A list in pages is consistent: later pages show the state that the first page showed. The token says at which revision
//! that was, and the changes since are taken back with the help of the store's history. When the history no longer
//! reaches back, the answer is 410 with a token to go on from the present state, as in Kubernetes.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::FutureExt as _;
use manifest::kind::Kind;
use serde_json::{Value, json};

use super::Registry;
use crate::options::{At, ListOptions};
use crate::status::{Reason, StatusError};
use crate::store::{Entry, Key, Listing, Revision, TooOld};

/// A list, before it is encoded.
#[derive(Debug)]
pub(crate) struct ListAnswer {
    pub(crate) revision: Revision,
    pub(crate) entries: Vec<Arc<Entry>>,
    /// The token for the next page; empty when this is the last.
    pub(crate) continue_token: String,
    /// How many objects the later pages have, where that is known.
    pub(crate) remaining: Option<usize>,
}

impl Registry {
    /// One object.
    pub(crate) fn get(
        &self,
        kind: &'static Kind,
        namespace: &str,
        name: &str,
    ) -> Result<Arc<Entry>, StatusError> {
        self.find(kind, namespace, name)
    }

    /// The objects that match, ordered by namespace and name.
    pub(crate) fn list(
        &self,
        kind: &'static Kind,
        namespace: Option<&str>,
        options: &ListOptions,
    ) -> Result<ListAnswer, StatusError> {
        let start = options.continue_token.as_deref().map(Token::decode).transpose()?;
        let mut listing = self.store.list(kind.resource(), namespace);
        let present = listing.revision;
        let at = match (&start, options.at) {
            (Some(Token { revision, .. }), _) => *revision,
            (None, At::Newest | At::Any) => None,
            (None, At::NotOlderThan(asked)) => {
                if asked > present {
                    return Err(StatusError::too_large_resource_version(asked.0, present.0));
                }
                None
            }
            (None, At::Exact(asked)) => Some(asked),
        };
        if let Some(asked) = at {
            if asked > present {
                return Err(StatusError::too_large_resource_version(asked.0, present.0));
            }
            listing = self
                .rewind(kind, namespace, listing, asked)
                .map_err(|_| expired_page(start.as_ref()))?;
        }
        let Listing { revision, mut entries } = listing;
        if let Some(Token { after: (namespace, name), .. }) = &start {
            entries.retain(|entry| {
                let Entry { key, .. } = &**entry;
                (key.namespace.as_str(), key.name.as_str()) > (namespace, name)
            });
        }
        let everything = options.filter.is_everything();
        if !everything {
            entries.retain(|entry| options.filter.matches(&entry.key, &entry.json));
        }
        let mut answer =
            ListAnswer { revision, entries, continue_token: String::new(), remaining: None };
        if let Some(limit) = options.limit.filter(|limit| *limit < answer.entries.len()) {
            answer.remaining = everything.then_some(answer.entries.len() - limit);
            answer.entries.truncate(limit);
            if let Some(entry) = answer.entries.last() {
                let Entry { key, .. } = &**entry;
                let after = (key.namespace.clone(), key.name.clone());
                answer.continue_token = Token { revision: Some(revision), after }.encode();
            }
        }
        Ok(answer)
    }

    /// The listing as it was at an earlier revision.
    fn rewind(
        &self,
        kind: &'static Kind,
        namespace: Option<&str>,
        listing: Listing,
        to: Revision,
    ) -> Result<Listing, TooOld> {
        let Listing { revision: present, entries } = listing;
        if to == present {
            return Ok(Listing { revision: present, entries });
        }
        let mut state: BTreeMap<Key, Arc<Entry>> =
            entries.into_iter().map(|entry| (entry.key.clone(), entry)).collect();
        let mut cursor = self.store.watch(kind.resource(), to)?;
        let mut seen = HashSet::new();
        // The cursor reads history that is already there, so it is ready for as long as there is any.
        'history: while let Some(events) = cursor.next().now_or_never() {
            for event in events? {
                let Entry { key, revision, json: _ } = &*event.entry;
                if *revision > present {
                    break 'history;
                }
                if namespace.is_some_and(|namespace| namespace != key.namespace)
                    || !seen.insert(key.clone())
                {
                    continue;
                }
                // The first change since then knows how the object was.
                match event.previous {
                    Some(past) => {
                        let json = past.json();
                        let entry = Entry { key: key.clone(), revision: to, json };
                        state.insert(key.clone(), Arc::new(entry));
                    }
                    None => {
                        state.remove(key);
                    }
                }
            }
        }
        Ok(Listing { revision: to, entries: state.into_values().collect() })
    }
}

/// A `continue` token: where the last page ended, and at which revision the list is; none goes on from the present.
struct Token {
    revision: Option<Revision>,
    after: (String, String),
}

impl Token {
    fn encode(&self) -> String {
        let Self { revision, after: (namespace, name) } = self;
        let revision =
            revision.map_or(-1, |revision| i64::try_from(revision.0).unwrap_or(i64::MAX));
        let text = json!({ "v": "meta.k8s.io/v1", "rv": revision, "start": [namespace, name] });
        URL_SAFE_NO_PAD.encode(text.to_string())
    }

    fn decode(text: &str) -> Result<Self, StatusError> {
        let malformed = || StatusError::bad_request("continue key is not valid");
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| malformed())?;
        let value: Value = serde_json::from_slice(&bytes).map_err(|_| malformed())?;
        let place = |index: usize| value["start"][index].as_str().map(str::to_owned);
        match (value["rv"].as_i64(), place(0), place(1)) {
            (Some(revision), Some(namespace), Some(name)) => Ok(Self {
                revision: u64::try_from(revision).ok().map(Revision),
                after: (namespace, name),
            }),
            _ => Err(malformed()),
        }
    }
}

fn expired_page(start: Option<&Token>) -> StatusError {
    let Some(Token { after, .. }) = start else {
        return StatusError::expired("The resourceVersion for the provided list is too old.");
    };
    let mut error = StatusError::new(
        Reason::Expired,
        "The provided continue parameter is too old to display a consistent list result. You can start a new list without \
         the continue parameter, or use the continue token in this response to retrieve the remainder of the results. \
         Continuing with the provided token results in an inconsistent list - objects that were created, modified, or \
         deleted between the time the first chunk was returned and now may show up in the list.",
    );
    error.continue_token = Some(Token { revision: None, after: after.clone() }.encode());
    error
}
