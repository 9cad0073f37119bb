//! What the API says of itself: groups, versions, resources, its version, OpenAPI.
//!
//! | path | document |
//! |---|---|
//! | `/api`, `/apis` | the groups; with all their resources when aggregated discovery is asked for |
//! | `/api/v1`, `/apis/G/V` | the resources of a version |
//! | `/apis/G` | a group's versions |
//! | `/version` | the Kubernetes version whose behaviour is followed |
//! | `/openapi/v3`, `/openapi/v3/api/v1`, `/openapi/v3/apis/G/V` | OpenAPI 3: the index, and a document each |
//!
//! Everything is derived from [`Kind::all`] and [`Review::all`]. `/openapi/v2` is empty ([`OPENAPI_V2`]): kubectl does
//! without where it finds v3.

mod groups;
mod openapi;
mod resources;
mod version;

use bytes::Bytes;
use manifest::kind::{Kind, KindId};
use serde_json::Value;

use crate::body::to_bytes;
use crate::review::{self, Review};

/// A document and its media type.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Document {
    /// The `Content-Type` to answer with.
    pub content_type: &'static str,
    /// Whether the URL names this content, so that a client may keep it.
    pub immutable: bool,
    /// The document.
    pub body: Bytes,
}

pub(crate) use openapi::{V2 as OPENAPI_V2, V2_MEDIA_TYPE as OPENAPI_V2_MEDIA_TYPE};

const JSON: &str = "application/json";
const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/// The document at `path`, an URL's path; `hash` is that of the query; `accept` is the request's `Accept` (empty:
/// anything).
///
/// `None`: there is no such document (404).
pub(crate) fn document(path: &str, hash: Option<&str>, accept: &str) -> Option<Document> {
    let path = path.strip_prefix('/')?.trim_end_matches('/');
    let parts: Vec<&str> = path.split('/').collect();
    let made = |content_type, body: &Value| {
        Some(Document { content_type, immutable: false, body: to_bytes(body) })
    };
    let plain = |body: Value| made(JSON, &body);
    let aggregated = |body: Value| made(AGGREGATED, &body);
    match parts.as_slice() {
        ["api"] if wants_aggregated(accept) => aggregated(groups::aggregated(&[""])),
        ["api"] => plain(groups::core_versions()),
        ["apis"] if wants_aggregated(accept) => aggregated(groups::aggregated(&named_groups())),
        ["apis"] => plain(groups::list(&named_groups())),
        ["api", version] => resources::list("", version).and_then(plain),
        ["apis", group] => groups::named(group).and_then(plain),
        ["apis", group, version] if !group.is_empty() => {
            resources::list(group, version).and_then(plain)
        }
        ["version"] => plain(version::document()),
        ["openapi", "v3"] => {
            Some(Document { content_type: JSON, immutable: false, body: openapi::index() })
        }
        ["openapi", "v3", ..] => {
            let (body, immutable) = openapi::document(path.strip_prefix("openapi/v3/")?, hash)?;
            Some(Document { content_type: JSON, immutable, body })
        }
        _ => None,
    }
}

/// Whether the first form that the client accepts, and that there is, is aggregated discovery v2.
fn wants_aggregated(accept: &str) -> bool {
    for range in accept.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let media_type = parts.next().unwrap_or_default();
        let parameters: Vec<&str> = parts.collect();
        let names = |name: &str| parameters.iter().any(|parameter| parameter.starts_with(name));
        if media_type == JSON {
            let v2 = ["g=apidiscovery.k8s.io", "v=v2", "as=APIGroupDiscoveryList"];
            if v2.iter().all(|parameter| parameters.contains(parameter)) {
                return true;
            }
            if !names("as=") {
                return false;
            }
        } else if media_type == "*/*" || media_type == "application/*" {
            return false;
        }
    }
    false
}

/// The served groups with a name, in the order of the kinds.
fn named_groups() -> Vec<&'static str> {
    let mut groups = Vec::new();
    for kind in Kind::all() {
        if !kind.group.is_empty() && !groups.contains(&kind.group) {
            groups.push(kind.group);
        }
    }
    for review in Review::all() {
        if !groups.contains(&review.group) {
            groups.push(review.group);
        }
    }
    groups
}

/// The served versions of a group, in the order of the kinds: the first is preferred.
fn versions(group: &str) -> Vec<&'static str> {
    let mut versions = Vec::new();
    for kind in Kind::all().iter().filter(|kind| kind.group == group) {
        if !versions.contains(&kind.version) {
            versions.push(kind.version);
        }
    }
    if versions.is_empty() && Review::all().iter().any(|review| review.group == group) {
        versions.push(review::VERSION);
    }
    versions
}

/// The kinds of a group and version, by their plural names as Kubernetes lists them.
fn kinds(group: &str, version: &str) -> Vec<&'static Kind> {
    let mut kinds: Vec<&'static Kind> =
        Kind::all().iter().filter(|kind| kind.group == group && kind.version == version).collect();
    kinds.sort_by_key(|kind| kind.plural);
    kinds
}

/// The reviews of a group and version.
fn reviews(group: &str, version: &str) -> Vec<&'static Review> {
    let of_group = |review: &&Review| review.group == group && version == review::VERSION;
    Review::all().iter().filter(of_group).collect()
}

/// What is served of a group and version, for error messages; where it is not served, which are.
pub(crate) fn served(group: &str, version: &str) -> String {
    let at = group_version(group, version);
    let (kinds, reviews) = (kinds(group, version), reviews(group, version));
    let kinds = kinds.iter().map(|kind| kind.plural);
    let plurals: Vec<&str> = kinds.chain(reviews.iter().map(|review| review.plural)).collect();
    if !plurals.is_empty() {
        return format!("{at} has {}", plurals.join(", "));
    }
    let groups = [""].into_iter().chain(named_groups());
    let served = groups
        .flat_map(|group| versions(group).into_iter().map(move |v| group_version(group, v)))
        .collect::<Vec<_>>()
        .join(", ");
    format!("{at} is not served; served are {served}")
}

/// Whether many objects of a kind can be deleted at once: namespaces cannot, as in Kubernetes.
pub(crate) fn deletes_collections(kind: &Kind) -> bool {
    kind.id != KindId::Namespace
}

/// `v1` or `apps/v1`.
fn group_version(group: &str, version: &str) -> String {
    if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") }
}

/// The path of a group and version below the root: `api/v1` or `apis/apps/v1`.
fn root_path(group: &str, version: &str) -> String {
    if group.is_empty() { format!("api/{version}") } else { format!("apis/{group}/{version}") }
}

#[cfg(test)]
mod tests;
