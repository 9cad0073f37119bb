//! The groups, in discovery's plain and aggregated forms.

use super::{group_version, kinds, resources, reviews, versions};
use serde_json::{Value, json};

/// `/api`: the versions of the core group.
///
/// `serverAddressByClientCIDRs` is empty: a client that came here knows the address.
pub(super) fn core_versions() -> Value {
    json!({
        "kind": "APIVersions",
        "versions": versions(""),
        "serverAddressByClientCIDRs": [],
    })
}

/// `/apis`: an `APIGroupList`.
pub(super) fn list(groups: &[&str]) -> Value {
    let groups: Vec<Value> = groups.iter().map(|group| api_group(group)).collect();
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
}

/// `/apis/G`: an `APIGroup`; `None` when it is not served.
pub(super) fn named(group: &str) -> Option<Value> {
    if group.is_empty() || versions(group).is_empty() {
        return None;
    }
    let mut document = api_group(group);
    document["kind"] = "APIGroup".into();
    document["apiVersion"] = "v1".into();
    Some(document)
}

fn api_group(group: &str) -> Value {
    let versions: Vec<Value> = versions(group)
        .into_iter()
        .map(|version| json!({"groupVersion": group_version(group, version), "version": version}))
        .collect();
    json!({"name": group, "preferredVersion": versions.first(), "versions": versions})
}

/// `/api` and `/apis` aggregated: an `APIGroupDiscoveryList` with every resource.
pub(super) fn aggregated(groups: &[&str]) -> Value {
    let items: Vec<Value> = groups.iter().map(|group| group_discovery(group)).collect();
    json!({
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": items,
    })
}

fn group_discovery(group: &str) -> Value {
    let versions: Vec<Value> = versions(group)
        .into_iter()
        .map(|version| {
            let kinds = kinds(group, version).into_iter().map(resources::aggregated);
            let reviews = reviews(group, version).into_iter().map(resources::aggregated_review);
            let resources: Vec<Value> = kinds.chain(reviews).collect();
            json!({"version": version, "freshness": "Current", "resources": resources})
        })
        .collect();
    // The core group has no name.
    let metadata = if group.is_empty() { json!({}) } else { json!({"name": group}) };
    json!({"metadata": metadata, "versions": versions})
}
