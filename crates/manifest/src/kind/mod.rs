//! The closed table of the kinds that are served.

mod stored;
mod typed;
mod version;

use std::fmt;

pub use stored::Stored;
pub(crate) use typed::{Typed, WithType};

/// Names one of the served kinds, for exhaustive matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum KindId {
    Namespace,
    Node,
    Pod,
    Service,
    Endpoints,
    Event,
    EndpointSlice,
    StatefulSet,
    Deployment,
    ReplicaSet,
    /// A kind that the API only keeps and serves.
    Stored(Stored),
}

/// What the API's discovery says of a kind, and what the rules need to know of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// Which one.
    pub id: KindId,
    /// The API group; empty for the core group.
    pub group: &'static str,
    /// The version within the group.
    pub version: &'static str,
    /// The kind's name, for example `EndpointSlice`.
    pub kind: &'static str,
    /// The resource's name in URLs, for example `endpointslices`.
    pub plural: &'static str,
    /// The singular name that kubectl accepts.
    pub singular: &'static str,
    /// The short names that kubectl accepts.
    pub short_names: &'static [&'static str],
    /// The categories, `all` being the one in use.
    pub categories: &'static [&'static str],
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
    /// Whether there is a `status` subresource.
    pub status: bool,
    /// Whether there is a `scale` subresource.
    pub scale: bool,
    /// The fields that a field selector may name, besides `metadata.name` and `metadata.namespace`.
    pub selectable_fields: &'static [&'static str],
    api_version: &'static str,
    resource: &'static str,
}

const ALL: &[&str] = &["all"];

/// The kinds that have rules of their own, in the order of [`KindId`].
const ACTED_ON: &[Kind] = &[
    Kind {
        id: KindId::Namespace,
        group: "",
        version: "v1",
        kind: "Namespace",
        plural: "namespaces",
        singular: "namespace",
        short_names: &["ns"],
        categories: &[],
        namespaced: false,
        status: true,
        scale: false,
        selectable_fields: &["status.phase"],
        api_version: "v1",
        resource: "namespaces",
    },
    Kind {
        id: KindId::Node,
        group: "",
        version: "v1",
        kind: "Node",
        plural: "nodes",
        singular: "node",
        short_names: &["no"],
        categories: &[],
        namespaced: false,
        status: true,
        scale: false,
        selectable_fields: &["spec.unschedulable"],
        api_version: "v1",
        resource: "nodes",
    },
    Kind {
        id: KindId::Pod,
        group: "",
        version: "v1",
        kind: "Pod",
        plural: "pods",
        singular: "pod",
        short_names: &["po"],
        categories: ALL,
        namespaced: true,
        status: true,
        scale: false,
        selectable_fields: &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.nominatedNodeName",
        ],
        api_version: "v1",
        resource: "pods",
    },
    Kind {
        id: KindId::Service,
        group: "",
        version: "v1",
        kind: "Service",
        plural: "services",
        singular: "service",
        short_names: &["svc"],
        categories: ALL,
        namespaced: true,
        status: true,
        scale: false,
        selectable_fields: &["spec.clusterIP", "spec.type"],
        api_version: "v1",
        resource: "services",
    },
    Kind {
        id: KindId::Endpoints,
        group: "",
        version: "v1",
        kind: "Endpoints",
        plural: "endpoints",
        singular: "endpoints",
        short_names: &["ep"],
        categories: &[],
        namespaced: true,
        status: false,
        scale: false,
        selectable_fields: &[],
        api_version: "v1",
        resource: "endpoints",
    },
    Kind {
        id: KindId::Event,
        group: "",
        version: "v1",
        kind: "Event",
        plural: "events",
        singular: "event",
        short_names: &["ev"],
        categories: &[],
        namespaced: true,
        status: false,
        scale: false,
        selectable_fields: &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
        api_version: "v1",
        resource: "events",
    },
    Kind {
        id: KindId::EndpointSlice,
        group: "discovery.k8s.io",
        version: "v1",
        kind: "EndpointSlice",
        plural: "endpointslices",
        singular: "endpointslice",
        short_names: &[],
        categories: &[],
        namespaced: true,
        status: false,
        scale: false,
        selectable_fields: &[],
        api_version: "discovery.k8s.io/v1",
        resource: "endpointslices.discovery.k8s.io",
    },
    Kind {
        id: KindId::StatefulSet,
        group: "apps",
        version: "v1",
        kind: "StatefulSet",
        plural: "statefulsets",
        singular: "statefulset",
        short_names: &["sts"],
        categories: ALL,
        namespaced: true,
        status: true,
        scale: true,
        selectable_fields: &[],
        api_version: "apps/v1",
        resource: "statefulsets.apps",
    },
    Kind {
        id: KindId::Deployment,
        group: "apps",
        version: "v1",
        kind: "Deployment",
        plural: "deployments",
        singular: "deployment",
        short_names: &["deploy"],
        categories: ALL,
        namespaced: true,
        status: true,
        scale: true,
        selectable_fields: &[],
        api_version: "apps/v1",
        resource: "deployments.apps",
    },
    Kind {
        id: KindId::ReplicaSet,
        group: "apps",
        version: "v1",
        kind: "ReplicaSet",
        plural: "replicasets",
        singular: "replicaset",
        short_names: &["rs"],
        categories: ALL,
        namespaced: true,
        status: true,
        scale: true,
        selectable_fields: &["status.replicas"],
        api_version: "apps/v1",
        resource: "replicasets.apps",
    },
];

static KINDS: [Kind; ACTED_ON.len() + stored::STORED.len()] = {
    let mut kinds = [ACTED_ON[0]; ACTED_ON.len() + stored::STORED.len()];
    let mut index = 0;
    while index < kinds.len() {
        kinds[index] = if index < ACTED_ON.len() {
            ACTED_ON[index]
        } else {
            stored::STORED[index - ACTED_ON.len()]
        };
        index += 1;
    }
    kinds
};

impl Kind {
    /// Every served kind.
    pub fn all() -> &'static [Kind] {
        &KINDS
    }

    /// The kind that `id` names.
    pub fn of(id: KindId) -> &'static Kind {
        let index = match id {
            KindId::Namespace => 0,
            KindId::Node => 1,
            KindId::Pod => 2,
            KindId::Service => 3,
            KindId::Endpoints => 4,
            KindId::Event => 5,
            KindId::EndpointSlice => 6,
            KindId::StatefulSet => 7,
            KindId::Deployment => 8,
            KindId::ReplicaSet => 9,
            KindId::Stored(stored) => ACTED_ON.len() + stored as usize,
        };
        &KINDS[index]
    }

    /// `v1`, or the group and the version: `apps/v1`.
    pub fn api_version(&self) -> &'static str {
        self.api_version
    }

    /// The plural name and the group: `services`, `endpointslices.discovery.k8s.io`. The store's key, and so that of the
    /// kind as which objects are [stored](Self::stored_as).
    pub fn resource(&self) -> &'static str {
        self.stored_as().resource
    }

    /// The kind that an object's `apiVersion` and `kind` name.
    ///
    /// # Errors
    ///
    /// [`UnknownKind`], whose text lists what is served.
    pub fn by_type(api_version: &str, kind: &str) -> Result<&'static Kind, UnknownKind> {
        KINDS.iter().find(|k| k.kind == kind && k.api_version == api_version).ok_or_else(|| {
            UnknownKind { api_version: api_version.to_owned(), kind: kind.to_owned() }
        })
    }

    /// The kind with this name, in whichever group.
    pub fn by_name(kind: &str) -> Option<&'static Kind> {
        KINDS.iter().find(|k| k.kind == kind)
    }

    /// The kind behind a URL's group (empty for the core group), version and plural.
    pub fn by_resource(group: &str, version: &str, plural: &str) -> Option<&'static Kind> {
        KINDS.iter().find(|k| k.plural == plural && k.group == group && k.version == version)
    }
}

/// An `apiVersion` and `kind` that are not served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownKind {
    /// The `apiVersion` asked for.
    pub api_version: String,
    /// The `kind` asked for.
    pub kind: String,
}

impl UnknownKind {
    /// What may have been meant: another version of the same kind, or a kind whose name is near.
    pub(crate) fn suggestion(&self) -> Option<&'static Kind> {
        if let Some(kind) = KINDS.iter().find(|k| k.kind.eq_ignore_ascii_case(&self.kind)) {
            return Some(kind);
        }
        if let Some(kind) = KINDS.iter().find(|k| {
            k.plural.eq_ignore_ascii_case(&self.kind)
                || k.short_names.iter().any(|short| short.eq_ignore_ascii_case(&self.kind))
        }) {
            return Some(kind);
        }
        KINDS
            .iter()
            .map(|k| (distance(&k.kind.to_lowercase(), &self.kind.to_lowercase()), k))
            // Two letters of three make another word.
            .filter(|(distance, _)| *distance <= 2.min(self.kind.len() / 3))
            .min_by_key(|(distance, _)| *distance)
            .map(|(_, k)| k)
    }
}

/// `v1: ConfigMap, …; apps/v1: DaemonSet, …`: every served kind by group and version, for error messages.
pub fn served() -> String {
    let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
    for kind in &KINDS {
        match groups.iter_mut().find(|(api_version, _)| *api_version == kind.api_version) {
            Some((_, kinds)) => kinds.push(kind.kind),
            None => groups.push((kind.api_version, vec![kind.kind])),
        }
    }
    // The core group first, as it is the one most meant.
    groups.sort_unstable_by_key(|(api_version, _)| (api_version.contains('/'), *api_version));
    let lines = groups.iter_mut().map(|(api_version, kinds)| {
        kinds.sort_unstable();
        format!("{api_version}: {}", kinds.join(", "))
    });
    lines.collect::<Vec<_>>().join("; ")
}

impl fmt::Display for UnknownKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { api_version, kind } = self;
        write!(f, "kind \"{kind}\" in \"{api_version}\" is not served; served are {}", served())
    }
}

impl std::error::Error for UnknownKind {}

/// How many insertions, deletions and replacements lie between two short words.
pub fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().take(64).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_index_the_table_and_derived_names_agree() {
        for kind in Kind::all() {
            assert_eq!(Kind::of(kind.id), kind);
            let (api_version, resource) = if kind.group.is_empty() {
                (kind.version.to_owned(), kind.plural.to_owned())
            } else {
                (
                    format!("{}/{}", kind.group, kind.version),
                    format!("{}.{}", kind.plural, kind.group),
                )
            };
            assert_eq!(kind.api_version(), api_version);
            assert_eq!(kind.resource, resource);
            assert_eq!(Kind::by_type(&api_version, kind.kind), Ok(kind));
            assert_eq!(Kind::by_resource(kind.group, kind.version, kind.plural), Some(kind));
            assert_eq!(kind.singular, kind.kind.to_lowercase());
        }
    }

    #[test]
    fn an_unknown_kind_says_what_is_served() {
        let unknown = Kind::by_type("example.com/v1", "Certificate").unwrap_err();
        assert_eq!(unknown.suggestion(), None);
        let text = unknown.to_string();
        assert!(
            text.starts_with(
                "kind \"Certificate\" in \"example.com/v1\" is not served; served are v1: ConfigMap, Endpoints, Event, "
            ),
            "{text}"
        );
        assert!(text.contains("; apps/v1: ControllerRevision, DaemonSet, Deployment, "), "{text}");
        for kind in Kind::all() {
            assert!(text.contains(kind.kind) && text.contains(kind.api_version()), "{}", kind.kind);
        }
    }

    #[test]
    fn a_near_miss_is_suggested() {
        let suggested = |api_version, kind| {
            Kind::by_type(api_version, kind).unwrap_err().suggestion().map(|k| k.kind)
        };
        assert_eq!(suggested("v1", "Sevice"), Some("Service"));
        assert_eq!(suggested("v1", "service"), Some("Service"));
        assert_eq!(suggested("v1", "svc"), Some("Service"));
        assert_eq!(suggested("v1", "StatefulSet"), Some("StatefulSet"));
        assert_eq!(suggested("v1", "cm"), Some("ConfigMap"));
        assert_eq!(suggested("v1", "Certificate"), None);
        assert_eq!(suggested("v1", "Foo"), None);
    }
}
