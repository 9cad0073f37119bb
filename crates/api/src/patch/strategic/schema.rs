//! Which lists of the served kinds strategic merge patch merges, and by what.
//!
//! The table names only the lists with patch strategy `merge` and the objects on the way to them. All other
//! lists are atomic: a patch replaces them whole. All objects merge. A `$retainKeys` directive is honoured in
//! whichever object it stands, as Kubernetes does, so the strategy `retainKeys` (Deployment `strategy`,
//! `volumes`) needs no entry.
//!
//! The source is the `x-kubernetes-patch-merge-key` extension of Kubernetes 1.36's own OpenAPI. It is not
//! `x-kubernetes-list-map-keys`, which server-side apply goes by: Service ports merge on `port` here and on
//! `port` and `protocol` there.

use manifest::kind::{Kind, KindId, Stored};

/// The fields of one object type that matter to a strategic merge.
#[derive(Debug)]
pub(super) struct Schema(&'static [(&'static str, Field)]);

/// What one field holds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Field {
    /// An object in which some list merges.
    Object(&'static Schema),
    /// A list of objects that are the same one when their values of the merge key are equal.
    Keyed(&'static str, &'static Schema),
    /// A list of primitives that is a set.
    Set,
}

impl Schema {
    /// What `name` holds; `None` for anything that needs no rule of its own.
    pub(super) fn field(&self, name: &str) -> Option<Field> {
        self.0.iter().find(|(field, _)| *field == name).map(|(_, field)| *field)
    }
}

/// The root of a kind.
pub(super) fn of(kind: &Kind) -> &'static Schema {
    match kind.id {
        KindId::Namespace => &CONDITIONED,
        KindId::Node => &NODE,
        KindId::Pod => &POD,
        KindId::Service => &SERVICE,
        // Their lists are all atomic.
        KindId::Endpoints | KindId::Event | KindId::EndpointSlice => &METADATA_ONLY,
        KindId::StatefulSet | KindId::Deployment | KindId::ReplicaSet => &WORKLOAD,
        KindId::Stored(stored) => match stored {
            Stored::ServiceAccount => &SERVICE_ACCOUNT,
            Stored::PersistentVolumeClaim
            | Stored::HorizontalPodAutoscaler
            | Stored::PodDisruptionBudget => &CONDITIONED,
            Stored::DaemonSet | Stored::Job => &WORKLOAD,
            Stored::CronJob => &CRON_JOB,
            // Their lists are all atomic.
            Stored::ConfigMap
            | Stored::Secret
            | Stored::PersistentVolume
            | Stored::ResourceQuota
            | Stored::LimitRange
            | Stored::ControllerRevision
            | Stored::Lease
            | Stored::Event
            | Stored::NetworkPolicy
            | Stored::Ingress
            | Stored::IngressClass
            | Stored::Role
            | Stored::RoleBinding
            | Stored::ClusterRole
            | Stored::ClusterRoleBinding
            | Stored::PriorityClass
            | Stored::StorageClass => &METADATA_ONLY,
        },
    }
}

use Field::{Keyed, Object, Set};

/// An object without lists that merge.
pub(super) static PLAIN: Schema = Schema(&[]);

static OBJECT_META: Schema =
    Schema(&[("finalizers", Set), ("ownerReferences", Keyed("uid", &PLAIN))]);

static METADATA_ONLY: Schema = Schema(&[("metadata", Object(&OBJECT_META))]);

/// A kind whose status has conditions.
static CONDITIONED: Schema =
    Schema(&[("metadata", Object(&OBJECT_META)), ("status", Object(&CONDITIONS))]);

static SERVICE_ACCOUNT: Schema =
    Schema(&[("metadata", Object(&OBJECT_META)), ("secrets", Keyed("name", &PLAIN))]);

static CRON_JOB: Schema =
    Schema(&[("metadata", Object(&OBJECT_META)), ("spec", Object(&CRON_JOB_SPEC))]);

static CRON_JOB_SPEC: Schema = Schema(&[("jobTemplate", Object(&JOB_TEMPLATE))]);

static JOB_TEMPLATE: Schema =
    Schema(&[("metadata", Object(&OBJECT_META)), ("spec", Object(&WORKLOAD_SPEC))]);

static CONDITIONS: Schema = Schema(&[("conditions", Keyed("type", &PLAIN))]);

static NODE: Schema = Schema(&[
    ("metadata", Object(&OBJECT_META)),
    ("spec", Object(&NODE_SPEC)),
    ("status", Object(&NODE_STATUS)),
]);

static NODE_SPEC: Schema = Schema(&[("podCIDRs", Set)]);

static NODE_STATUS: Schema =
    Schema(&[("addresses", Keyed("type", &PLAIN)), ("conditions", Keyed("type", &PLAIN))]);

static SERVICE: Schema = Schema(&[
    ("metadata", Object(&OBJECT_META)),
    ("spec", Object(&SERVICE_SPEC)),
    ("status", Object(&CONDITIONS)),
]);

static SERVICE_SPEC: Schema = Schema(&[("ports", Keyed("port", &PLAIN))]);

/// StatefulSet, Deployment, ReplicaSet.
static WORKLOAD: Schema = Schema(&[
    ("metadata", Object(&OBJECT_META)),
    ("spec", Object(&WORKLOAD_SPEC)),
    ("status", Object(&CONDITIONS)),
]);

static WORKLOAD_SPEC: Schema = Schema(&[("template", Object(&POD_TEMPLATE))]);

static POD_TEMPLATE: Schema =
    Schema(&[("metadata", Object(&OBJECT_META)), ("spec", Object(&POD_SPEC))]);

static POD: Schema = Schema(&[
    ("metadata", Object(&OBJECT_META)),
    ("spec", Object(&POD_SPEC)),
    ("status", Object(&POD_STATUS)),
]);

static POD_SPEC: Schema = Schema(&[
    ("containers", Keyed("name", &CONTAINER)),
    ("ephemeralContainers", Keyed("name", &CONTAINER)),
    ("hostAliases", Keyed("ip", &PLAIN)),
    ("imagePullSecrets", Keyed("name", &PLAIN)),
    ("initContainers", Keyed("name", &CONTAINER)),
    ("resourceClaims", Keyed("name", &PLAIN)),
    ("schedulingGates", Keyed("name", &PLAIN)),
    ("topologySpreadConstraints", Keyed("topologyKey", &PLAIN)),
    ("volumes", Keyed("name", &VOLUME)),
]);

/// Containers, init containers and ephemeral containers.
static CONTAINER: Schema = Schema(&[
    ("env", Keyed("name", &PLAIN)),
    ("ports", Keyed("containerPort", &PLAIN)),
    ("volumeDevices", Keyed("devicePath", &PLAIN)),
    ("volumeMounts", Keyed("mountPath", &PLAIN)),
]);

static VOLUME: Schema = Schema(&[("ephemeral", Object(&EPHEMERAL_VOLUME))]);

static EPHEMERAL_VOLUME: Schema = Schema(&[("volumeClaimTemplate", Object(&METADATA_ONLY))]);

static POD_STATUS: Schema = Schema(&[
    ("conditions", Keyed("type", &PLAIN)),
    ("hostIPs", Keyed("ip", &PLAIN)),
    ("podIPs", Keyed("ip", &PLAIN)),
    ("resourceClaimStatuses", Keyed("name", &PLAIN)),
]);

#[cfg(test)]
mod tests {
    use super::*;

    /// Every merge list below `schema`, as `path=key`, `*` for a list's element.
    fn lists(schema: &Schema, path: &str, found: &mut Vec<String>) {
        for (name, field) in schema.0 {
            let path = if path.is_empty() { (*name).to_owned() } else { format!("{path}.{name}") };
            match field {
                Object(inner) => lists(inner, &path, found),
                Keyed(key, inner) => {
                    found.push(format!("{path}={key}"));
                    lists(inner, &format!("{path}.*"), found);
                }
                Set => found.push(format!("{path}=")),
            }
        }
    }

    #[test]
    fn the_merge_lists_of_each_kind() {
        let check = |kind: KindId, count: usize, some: &[&str]| {
            let mut found = Vec::new();
            lists(of(Kind::of(kind)), "", &mut found);
            assert_eq!(found.len(), count, "{kind:?}: {found:#?}");
            for list in some {
                assert!(found.iter().any(|f| f == list), "{kind:?} lacks {list}: {found:#?}");
            }
        };
        let metadata = ["metadata.finalizers=", "metadata.ownerReferences=uid"];
        for kind in Kind::all() {
            let mut found = Vec::new();
            lists(of(kind), "", &mut found);
            assert!(metadata.iter().all(|m| found.iter().any(|f| f == m)), "{}", kind.kind);
        }
        check(KindId::Namespace, 3, &["status.conditions=type"]);
        check(KindId::Node, 5, &["spec.podCIDRs=", "status.addresses=type"]);
        check(KindId::Service, 4, &["spec.ports=port", "status.conditions=type"]);
        check(KindId::Endpoints, 2, &[]);
        check(KindId::Event, 2, &[]);
        check(KindId::EndpointSlice, 2, &[]);
        check(
            KindId::Pod,
            29,
            &[
                "spec.initContainers.*.env=name",
                "spec.containers.*.ports=containerPort",
                "spec.volumes.*.ephemeral.volumeClaimTemplate.metadata.finalizers=",
                "status.podIPs=ip",
            ],
        );
        for kind in [KindId::StatefulSet, KindId::Deployment, KindId::ReplicaSet] {
            check(
                kind,
                28,
                &[
                    "spec.template.metadata.finalizers=",
                    "spec.template.spec.containers.*.volumeMounts=mountPath",
                    "status.conditions=type",
                ],
            );
        }
    }
}
