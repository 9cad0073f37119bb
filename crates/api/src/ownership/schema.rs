//! How server-side apply looks at the served kinds: which lists merge by which keys, and what is atomic.
//!
//! An object that is not named here is merged field by field, and a list that is not named is atomic. The source is
//! `x-kubernetes-list-map-keys`, `x-kubernetes-list-type` and `x-kubernetes-map-type` of Kubernetes 1.36. It is not
//! what strategic merge goes by: Service ports merge on `port` there.

/// What a value is to an owner of fields.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shape {
    /// Objects are owned field by field, lists as a whole.
    Fields(&'static [(&'static str, Shape)]),
    /// A list whose items are told apart by these fields.
    Keyed(&'static [&'static str], &'static [(&'static str, Shape)]),
    /// A list of primitives that is a set.
    Set,
    /// Owned as a whole.
    Atomic,
    /// Owned by the server.
    System,
}

/// The fields of an object that nobody has an opinion on.
pub(super) const PLAIN: Shape = Fields(&[]);

/// The value that a missing key of a list's item has.
pub(super) fn key_default(key: &str) -> Option<&'static str> {
    (key == "protocol").then_some("TCP")
}

impl Shape {
    /// The shape of a field.
    pub(super) fn field(self, name: &str) -> Self {
        match self {
            Fields(fields) | Keyed(_, fields) => {
                fields.iter().find(|(field, _)| *field == name).map_or(PLAIN, |(_, shape)| *shape)
            }
            Set | Atomic | System => Atomic,
        }
    }
}

use Shape::{Atomic, Fields, Keyed, Set, System};

type Table = &'static [(&'static str, Shape)];

/// The root of every kind. Field names mean the same in all kinds that are served, so that one table does: a `ports`
/// below `spec` is a Service's, a `template` a workload's.
pub(super) const ROOT: Shape = Fields(&[
    ("apiVersion", System),
    ("kind", System),
    ("metadata", Fields(METADATA)),
    ("spec", Fields(SPEC)),
    ("status", Fields(STATUS)),
    // References of Events and role bindings are atomic, as all references.
    ("involvedObject", Atomic),
    ("related", Atomic),
    ("regarding", Atomic),
    ("roleRef", Atomic),
    ("secrets", Keyed(&["name"], &[])),
]);

const METADATA: Table = &[
    ("name", System),
    ("namespace", System),
    ("uid", System),
    ("resourceVersion", System),
    ("creationTimestamp", System),
    ("deletionTimestamp", System),
    ("deletionGracePeriodSeconds", System),
    ("generation", System),
    ("managedFields", System),
    ("selfLink", System),
    ("finalizers", Set),
    ("ownerReferences", Keyed(&["uid"], &[])),
];

const STATUS: Table = &[
    ("addresses", Keyed(&["type"], &[])),
    ("conditions", Keyed(&["type"], &[])),
    ("podIPs", Keyed(&["ip"], &[])),
    ("resourceClaimStatuses", Keyed(&["name"], &[])),
];

/// Of Services, pods, nodes, workloads and the rest.
const SPEC: Table = &[
    ("affinity", Fields(AFFINITY)),
    ("containers", Keyed(&["name"], CONTAINER)),
    ("dataSource", Atomic),
    ("defaultBackend", Fields(&[("resource", Atomic)])),
    ("ephemeralContainers", Keyed(&["name"], CONTAINER)),
    ("hostAliases", Keyed(&["ip"], &[])),
    ("imagePullSecrets", Keyed(&["name"], &[])),
    ("initContainers", Keyed(&["name"], CONTAINER)),
    ("jobTemplate", Fields(&[("metadata", Fields(METADATA)), ("spec", Fields(JOB))])),
    ("nodeAffinity", Fields(&[("required", Atomic)])),
    ("nodeSelector", Atomic),
    ("podCIDRs", Set),
    ("podSelector", Atomic),
    ("ports", Keyed(&["port", "protocol"], &[])),
    ("resourceClaims", Keyed(&["name"], &[])),
    ("schedulingGates", Keyed(&["name"], &[])),
    ("scopeSelector", Atomic),
    ("selector", Atomic),
    ("template", Fields(&[("metadata", Fields(METADATA)), ("spec", Fields(POD))])),
    ("topologySpreadConstraints", SPREAD),
    ("volumes", Keyed(&["name"], VOLUME)),
];

const JOB: Table = &[
    ("selector", Atomic),
    ("template", Fields(&[("metadata", Fields(METADATA)), ("spec", Fields(POD))])),
];

const POD: Table = &[
    ("affinity", Fields(AFFINITY)),
    ("containers", Keyed(&["name"], CONTAINER)),
    ("hostAliases", Keyed(&["ip"], &[])),
    ("imagePullSecrets", Keyed(&["name"], &[])),
    ("initContainers", Keyed(&["name"], CONTAINER)),
    ("nodeSelector", Atomic),
    ("resourceClaims", Keyed(&["name"], &[])),
    ("schedulingGates", Keyed(&["name"], &[])),
    ("topologySpreadConstraints", SPREAD),
    ("volumes", Keyed(&["name"], VOLUME)),
];

const AFFINITY: Table =
    &[("nodeAffinity", Fields(&[("requiredDuringSchedulingIgnoredDuringExecution", Atomic)]))];

const SPREAD: Shape = Keyed(&["topologyKey", "whenUnsatisfiable"], &[("labelSelector", Atomic)]);

const CONTAINER: Table = &[
    ("env", Keyed(&["name"], &[("valueFrom", Fields(VALUE_FROM))])),
    ("ports", Keyed(&["containerPort", "protocol"], &[])),
    ("resources", Fields(&[("claims", Keyed(&["name"], &[]))])),
    ("volumeDevices", Keyed(&["devicePath"], &[])),
    ("volumeMounts", Keyed(&["mountPath"], &[])),
];

const VALUE_FROM: Table = &[
    ("configMapKeyRef", Atomic),
    ("fieldRef", Atomic),
    ("resourceFieldRef", Atomic),
    ("secretKeyRef", Atomic),
];

const VOLUME: Table = &[
    (
        "ephemeral",
        Fields(&[(
            "volumeClaimTemplate",
            Fields(&[("metadata", Fields(METADATA)), ("spec", Fields(CLAIM))]),
        )]),
    ),
    ("csi", Fields(&[("nodePublishSecretRef", Atomic)])),
];

const CLAIM: Table = &[("dataSource", Atomic), ("selector", Atomic)];
