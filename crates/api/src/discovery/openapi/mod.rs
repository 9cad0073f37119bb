//! OpenAPI 3: what `kubectl explain` prints, and what `kubectl create -f`, `apply` and `diff` look up before they write.
//!
//! They look, in the document of the object's group and version, for a PATCH operation with the kind's
//! `x-kubernetes-group-version-kind`, and ask whether it takes the query parameter `fieldValidation`; then the server
//! validates. `apply` and `diff` also look whether that operation takes `application/strategic-merge-patch+json`. Then
//! they build their patches from these schemas, and a merge key that is missing there would turn a merge into a
//! replacement: it may be named because the schemas carry every merge key, from the table that the server goes by.
//!
//! A document is made when it is first asked for, and kept.

mod enums;
mod paths;
mod schemas;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{LazyLock, OnceLock};

use bytes::Bytes;
use manifest::schema;
use serde_json::{Map, Value, json};

use super::{kinds, named_groups, reviews, root_path, versions};
use crate::body::to_bytes;

/// `/openapi/v2` in protobuf, the only form that kubectl asks for: a document without a path (`swagger: "2.0"`, `info`
/// with title and version). A kind that `/openapi/v3` does not have, kubectl looks up here; not finding it, it goes
/// on and says "no matches for kind", where a 404 would end in an error about validation.
pub(crate) const V2: &[u8] = b"\x0a\x032.0\x12\x19\x0a\x0aKubernetes\x12\x0bunversioned";

/// The media type of [`V2`].
pub(crate) const V2_MEDIA_TYPE: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

/// A group and version, and its document once it was asked for.
struct Served {
    group: &'static str,
    version: &'static str,
    made: OnceLock<Made>,
}

/// A document.
struct Made {
    json: Bytes,
    /// Changes with the content, for clients that keep it.
    hash: String,
}

/// What is served, by its path: `api/v1`, `apis/apps/v1`.
static SERVED: LazyLock<BTreeMap<String, Served>> = LazyLock::new(|| {
    let groups = [""].into_iter().chain(named_groups());
    let versions = groups.flat_map(|group| versions(group).into_iter().map(move |v| (group, v)));
    let served = |(group, version)| {
        (root_path(group, version), Served { group, version, made: OnceLock::new() })
    };
    versions.map(served).collect()
});

/// The index. It is made of all documents, which it does not keep: few of them are asked for.
static INDEX: LazyLock<Bytes> = LazyLock::new(|| {
    let definitions = schema::definitions();
    let entry = |(path, Served { group, version, .. }): (&String, &Served)| {
        let Made { hash, .. } = Made::new(group, version, &definitions);
        let url = format!("/openapi/v3/{path}?hash={hash}");
        (path.clone(), json!({"serverRelativeURL": url}))
    };
    let paths: Map<String, Value> = SERVED.iter().map(entry).collect();
    to_bytes(&json!({"paths": paths}))
});

/// `/openapi/v3`: where the document of each group and version is.
pub(super) fn index() -> Bytes {
    INDEX.clone()
}

/// The document at `path` below `/openapi/v3`, and whether it is the one that `hash` names; `None` when nothing is
/// served there.
pub(super) fn document(path: &str, hash: Option<&str>) -> Option<(Bytes, bool)> {
    let Served { group, version, made } = SERVED.get(path)?;
    let made = made.get_or_init(|| Made::new(group, version, &schema::definitions()));
    Some((made.json.clone(), hash == Some(&made.hash)))
}

impl Made {
    fn new(group: &str, version: &str, definitions: &Map<String, Value>) -> Self {
        let (kinds, reviews) = (kinds(group, version), reviews(group, version));
        let json = to_bytes(&json!({
            "openapi": "3.0.0",
            "info": {"title": "Kubernetes", "version": super::version::GIT_VERSION},
            "paths": paths::of(&kinds, &reviews),
            "components": {"schemas": schemas::of(&kinds, &reviews, definitions)},
        }));
        let hash = format!("{:016X}", fnv1a(&json));
        Self { json, hash }
    }
}

/// FNV-1a, 64 bits: tells documents apart, promises nothing against an attacker.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
