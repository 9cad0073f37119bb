//! The subresources of pods (and of nodes and Services) that reach behind the object: logs, processes, eviction.

mod connect;
mod container;
mod log;

pub(crate) use connect::Connection;
pub(crate) use log::LogQuery;

use http::Method;
use manifest::kind::{Kind, KindId, Stored};

use crate::options::{Query, WriteOptions};
use crate::request::Verb;
use crate::status::StatusError;

/// The verb for a part of an object that reaches behind it; `None` when the kind has no such part.
pub(crate) fn verb(
    kind: &Kind,
    part: &str,
    method: &Method,
    query: &Query,
    name: &str,
) -> Result<Option<Verb>, StatusError> {
    let name = name.to_owned();
    let one_of = |methods: &[Method]| {
        let allowed = methods.contains(method);
        allowed.then_some(()).ok_or_else(StatusError::method_not_allowed)
    };
    match (kind.id, part) {
        (KindId::Pod, "log") => {
            one_of(&[Method::GET])?;
            Ok(Some(Verb::Log { name, query: LogQuery::parse(query)? }))
        }
        (KindId::Pod, "eviction") => {
            one_of(&[Method::POST])?;
            Ok(Some(Verb::Evict { name, options: WriteOptions::of_create(query)? }))
        }
        (
            KindId::Pod | KindId::Node | KindId::Service | KindId::Stored(Stored::ServiceAccount),
            _,
        ) => {
            let Some(to) = Connection::parse(kind.id, part, query)? else { return Ok(None) };
            one_of(to.methods())?;
            Ok(Some(Verb::Connect { name, to }))
        }
        _ => Ok(None),
    }
}
