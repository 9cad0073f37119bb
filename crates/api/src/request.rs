//! Requests: method, path and query parsed into a closed form before anything is looked up.
//!
//! The legal shapes, `P` being `/api/v1` for the core group and `/apis/GROUP/VERSION` for the others:
//!
//! ```text
//! P/PLURAL                                   list, watch (across namespaces); cluster-scoped: create, deletecollection
//! P/PLURAL/NAME[/SUBRESOURCE]                cluster-scoped objects
//! P/namespaces/NAMESPACE/PLURAL              list, watch, create, deletecollection
//! P/namespaces/NAMESPACE/PLURAL/NAME[/SUB]   get, update, patch, delete
//! …/NAME/proxy[/PATH]                        a path of what is behind the object
//! ```

use http::Method;
use manifest::kind::{Kind, KindId};

use crate::discovery;
use crate::options::{DeleteOptions, ListOptions, PatchOptions, Query, WriteOptions};
use crate::pods::{self, Connection, LogQuery};
use crate::review::Review;
use crate::status::StatusError;

/// A part of an object that is read or written by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub(crate) enum Subresource {
    Status,
    Scale,
}

/// What is asked of a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    /// One object, or a part of it.
    Get {
        /// The object's name.
        name: String,
        /// The part.
        part: Option<Subresource>,
    },
    /// The objects of a namespace, or of all.
    List(ListOptions),
    /// The changes to them.
    Watch(ListOptions),
    /// A new object.
    Create(WriteOptions),
    /// Replace an object, or a part of it.
    Update {
        /// The object's name.
        name: String,
        /// The part.
        part: Option<Subresource>,
        /// How.
        options: WriteOptions,
    },
    /// Change an object, or a part of it.
    Patch {
        /// The object's name.
        name: String,
        /// The part.
        part: Option<Subresource>,
        /// How.
        options: PatchOptions,
    },
    /// Delete one object.
    Delete {
        /// The object's name.
        name: String,
        /// How; the body may say more.
        options: DeleteOptions,
    },
    /// Delete the objects of a namespace that match.
    DeleteCollection {
        /// Which.
        list: ListOptions,
        /// How; the body may say more.
        options: DeleteOptions,
    },
    /// Give a pod its node (`pods/NAME/binding`).
    Bind {
        /// The pod's name.
        name: String,
        /// How.
        options: WriteOptions,
    },
    /// What a pod's container has logged (`pods/NAME/log`).
    Log {
        /// The pod's name.
        name: String,
        /// Which part.
        query: LogQuery,
    },
    /// Delete a pod if its disruption budget allows it (`pods/NAME/eviction`).
    Evict {
        /// The pod's name.
        name: String,
        /// How.
        options: WriteOptions,
    },
    /// Connect to what runs behind an object.
    Connect {
        /// The object's name, for a proxy with scheme and port.
        name: String,
        /// What to.
        to: Connection,
    },
    /// Replace a namespace's `spec.finalizers` (`namespaces/NAME/finalize`).
    Finalize {
        /// The namespace's name.
        name: String,
        /// How.
        options: WriteOptions,
    },
}

/// A request about a resource of a kind that is served.
#[derive(Clone, Debug)]
pub(crate) struct ResourceRequest {
    /// The kind.
    pub kind: &'static Kind,
    /// The namespace; `None` for cluster-scoped kinds, and for lists across namespaces.
    pub namespace: Option<String>,
    /// What is asked.
    pub verb: Verb,
}

/// What a path is about.
#[derive(Clone, Debug)]
pub(crate) enum Route {
    /// Objects.
    Resource(Box<ResourceRequest>),
    /// A question about the client itself, asked by creating a review.
    Review(&'static Review),
    /// Anything above resources: discovery, version, schemas, health. The path without its trailing slash.
    Document,
}

impl Route {
    /// Parses method, path and query (without `?`).
    pub(crate) fn parse(method: &Method, path: &str, query: &str) -> Result<Self, StatusError> {
        let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        let (group, version, rest) = match segments.as_slice() {
            ["api", "v1", rest @ ..] if !rest.is_empty() => ("", "v1", rest),
            ["apis", group, version, rest @ ..] if !rest.is_empty() => (*group, *version, rest),
            _ => return Ok(Self::Document),
        };
        let (namespace, plural, name, part) = match *rest {
            ["namespaces", namespace, plural] if !is_namespace_part(plural) => {
                (Some(namespace), plural, None, None)
            }
            ["namespaces", namespace, plural, name] => (Some(namespace), plural, Some(name), None),
            ["namespaces", namespace, plural, name, part] => {
                (Some(namespace), plural, Some(name), Some(part))
            }
            ["namespaces", namespace, plural, name, "proxy", ..] => {
                (Some(namespace), plural, Some(name), Some("proxy"))
            }
            [plural, name, "proxy", ..] => (None, plural, Some(name), Some("proxy")),
            [plural] => (None, plural, None, None),
            [plural, name] => (None, plural, Some(name), None),
            [plural, name, part] => (None, plural, Some(name), Some(part)),
            _ => return Err(StatusError::unknown_path()),
        };
        if let (None, None, Some(review)) =
            (namespace, name, Review::by_resource(group, version, plural))
        {
            return match *method {
                Method::POST => Ok(Self::Review(review)),
                _ => Err(StatusError::method_not_allowed()),
            };
        }
        let kind = Kind::by_resource(group, version, plural)
            .ok_or_else(|| StatusError::unknown_resource(&discovery::served(group, version)))?;
        let query = Query::parse(query)?;
        let namespace = namespace.map(decode).transpose()?;
        let name = name.map(decode).transpose()?;
        // A namespaced object has its namespace in the path, a cluster-scoped one never does.
        match (kind.namespaced, &namespace, &name) {
            (false, Some(_), _) | (true, None, Some(_)) => {
                return Err(StatusError::unknown_path());
            }
            (false, None, _) | (true, ..) => {}
        }
        let verb = match name {
            None => collection_verb(kind, method, &query, namespace.is_some())?,
            Some(name) => object_verb(kind, method, &query, name, part)?,
        };
        Ok(Self::Resource(Box::new(ResourceRequest { kind, namespace, verb })))
    }
}

fn is_namespace_part(segment: &str) -> bool {
    matches!(segment, "status" | "finalize")
}

/// Names in paths are percent-encoded; those with a slash or dots only cannot be names.
fn decode(segment: &str) -> Result<String, StatusError> {
    let name = crate::options::percent_decode(segment, false)
        .ok_or_else(|| StatusError::bad_request(format!("invalid path segment \"{segment}\"")))?;
    if name.contains(['/', '%']) || name == "." || name == ".." || name.contains('\0') {
        return Err(StatusError::bad_request(format!("invalid path segment \"{segment}\"")));
    }
    Ok(name)
}

fn collection_verb(
    kind: &'static Kind,
    method: &Method,
    query: &Query,
    namespaced: bool,
) -> Result<Verb, StatusError> {
    let one_place = namespaced || !kind.namespaced;
    match *method {
        Method::GET | Method::HEAD => {
            let options = ListOptions::parse(kind, query)?;
            Ok(if options.watch { Verb::Watch(options) } else { Verb::List(options) })
        }
        Method::POST if one_place => Ok(Verb::Create(WriteOptions::of_create(query)?)),
        Method::DELETE if one_place && discovery::deletes_collections(kind) => {
            Ok(Verb::DeleteCollection {
                list: ListOptions::parse(kind, query)?,
                options: DeleteOptions::parse(query)?,
            })
        }
        _ => Err(StatusError::method_not_allowed()),
    }
}

fn object_verb(
    kind: &'static Kind,
    method: &Method,
    query: &Query,
    name: String,
    part: Option<&str>,
) -> Result<Verb, StatusError> {
    let part = match part {
        None => None,
        Some("status") if kind.status => Some(Subresource::Status),
        Some("scale") if kind.scale => Some(Subresource::Scale),
        Some("binding") if kind.id == KindId::Pod => {
            return match *method {
                Method::POST => Ok(Verb::Bind { name, options: WriteOptions::of_create(query)? }),
                _ => Err(StatusError::method_not_allowed()),
            };
        }
        Some("finalize") if kind.id == KindId::Namespace => {
            return match *method {
                Method::PUT => Ok(Verb::Finalize { name, options: WriteOptions::parse(query)? }),
                _ => Err(StatusError::method_not_allowed()),
            };
        }
        Some(part) => {
            return pods::verb(kind, part, method, query, &name)?
                .ok_or_else(StatusError::unknown_path);
        }
    };
    match (method, part) {
        (&Method::GET | &Method::HEAD, part) => {
            // `GET …/NAME?watch=true` is the old form of a watch of one object.
            let mut options = ListOptions::parse(kind, query)?;
            if options.watch && part.is_none() {
                options.filter.only_name(name);
                return Ok(Verb::Watch(options));
            }
            Ok(Verb::Get { name, part })
        }
        (&Method::PUT, part) => {
            Ok(Verb::Update { name, part, options: WriteOptions::parse(query)? })
        }
        (&Method::PATCH, part) => {
            Ok(Verb::Patch { name, part, options: PatchOptions::parse(query)? })
        }
        (&Method::DELETE, None) => Ok(Verb::Delete { name, options: DeleteOptions::parse(query)? }),
        _ => Err(StatusError::method_not_allowed()),
    }
}
