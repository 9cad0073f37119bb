//! The resources of a group and version, in discovery's plain and aggregated forms.

use super::{deletes_collections, group_version, kinds, reviews};
use manifest::kind::{Kind, KindId};
use serde_json::{Map, Value, json};

use crate::review::{Review, VERSION};

/// What may be done with the resources of a kind.
fn verbs(kind: &Kind) -> Vec<&'static str> {
    let mut verbs =
        vec!["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
    verbs.retain(|verb| *verb != "deletecollection" || deletes_collections(kind));
    verbs
}

/// A subresource: its name, the group, version and kind of its object, and what may be done with it.
pub(super) struct Subresource {
    pub(super) name: &'static str,
    pub(super) group: &'static str,
    pub(super) version: &'static str,
    pub(super) kind: &'static str,
    pub(super) verbs: &'static [&'static str],
}

/// The subresources of a kind, by their names.
pub(super) fn subresources(kind: &Kind) -> Vec<Subresource> {
    let own = |name, verbs| Subresource {
        name,
        group: kind.group,
        version: kind.version,
        kind: kind.kind,
        verbs,
    };
    let mut subresources = Vec::new();
    match kind.id {
        KindId::Pod => subresources.extend([
            Subresource {
                name: "binding",
                group: "",
                version: "v1",
                kind: "Binding",
                verbs: &["create"],
            },
            Subresource {
                name: "eviction",
                group: "policy",
                version: "v1",
                kind: "Eviction",
                verbs: &["create"],
            },
            own("log", &["get"]),
        ]),
        KindId::Namespace => subresources.push(own("finalize", &["update"])),
        KindId::Node
        | KindId::Service
        | KindId::Endpoints
        | KindId::Event
        | KindId::EndpointSlice
        | KindId::StatefulSet
        | KindId::Deployment
        | KindId::ReplicaSet
        | KindId::Stored(_) => {}
    }
    if kind.scale {
        subresources.push(Subresource {
            name: "scale",
            group: "autoscaling",
            version: "v1",
            kind: "Scale",
            verbs: &["get", "patch", "update"],
        });
    }
    if kind.status {
        subresources.push(own("status", &["get", "patch", "update"]));
    }
    subresources
}

/// An `APIResourceList`; `None` when nothing is served there.
pub(super) fn list(group: &str, version: &str) -> Option<Value> {
    let kinds = kinds(group, version);
    let reviews = reviews(group, version);
    if kinds.is_empty() && reviews.is_empty() {
        return None;
    }
    let reviews = reviews.into_iter().map(plain_review);
    let resources: Vec<Value> = kinds.into_iter().flat_map(plain).chain(reviews).collect();
    Some(json!({
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": group_version(group, version),
        "resources": resources,
    }))
}

/// A kind's `APIResource`, and one for each of its subresources.
fn plain(kind: &Kind) -> Vec<Value> {
    let mut resource = json!({
        "name": kind.plural,
        "singularName": kind.singular,
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": verbs(kind),
    });
    add_names(&mut resource, kind);
    let mut resources = vec![resource];
    for Subresource { name, group, version, kind: response, verbs } in subresources(kind) {
        let mut resource = json!({
            "name": format!("{}/{name}", kind.plural),
            "singularName": "",
            "namespaced": kind.namespaced,
            "kind": response,
            "verbs": verbs,
        });
        // Group and version are said where they are not the list's.
        if (group, version) != (kind.group, kind.version) {
            resource["group"] = group.into();
            resource["version"] = version.into();
        }
        resources.push(resource);
    }
    resources
}

/// A review's `APIResource`.
fn plain_review(review: &Review) -> Value {
    json!({
        "name": review.plural,
        "singularName": review.singular,
        "namespaced": false,
        "kind": review.kind,
        "verbs": ["create"],
    })
}

/// A review's `APIResourceDiscovery`.
pub(super) fn aggregated_review(review: &Review) -> Value {
    json!({
        "resource": review.plural,
        "responseKind": {"group": review.group, "version": VERSION, "kind": review.kind},
        "scope": "Cluster",
        "singularResource": review.singular,
        "verbs": ["create"],
    })
}

/// An `APIResourceDiscovery`.
pub(super) fn aggregated(kind: &Kind) -> Value {
    let mut resource = json!({
        "resource": kind.plural,
        "responseKind": {"group": kind.group, "version": kind.version, "kind": kind.kind},
        "scope": if kind.namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": kind.singular,
        "verbs": verbs(kind),
    });
    add_names(&mut resource, kind);
    let subresources: Vec<Value> = subresources(kind)
        .into_iter()
        .map(|Subresource { name, group, version, kind, verbs }| {
            json!({
                "subresource": name,
                "responseKind": {"group": group, "version": version, "kind": kind},
                "verbs": verbs,
            })
        })
        .collect();
    if !subresources.is_empty() {
        resource["subresources"] = subresources.into();
    }
    resource
}

fn add_names(resource: &mut Value, kind: &Kind) {
    let mut names = Map::new();
    for (field, values) in [("shortNames", kind.short_names), ("categories", kind.categories)] {
        if !values.is_empty() {
            names.insert(field.to_owned(), values.into());
        }
    }
    if let Value::Object(members) = resource {
        members.extend(names);
    }
}
