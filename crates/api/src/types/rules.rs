//! What Kubernetes says of its types beyond their fields: how lists and objects merge.
//!
//! The rules are the `x-kubernetes-*` extensions of the OpenAPI of Kubernetes 1.36, for the types of the kinds that are
//! served. Without a rule, objects merge field by field and lists are replaced.

/// What there is to say of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    /// How server-side apply merges and owns it; `None`: as its type says.
    pub(crate) apply: Option<Apply>,
    /// How a strategic merge patch changes it.
    pub(crate) patch: Patch,
}

/// How server-side apply sees a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Apply {
    /// Objects are owned field by field, lists as a whole.
    Fields,
    /// A list whose items are told apart by these fields.
    Keyed(&'static [&'static str]),
    /// A list of primitives that is a set.
    Set,
    /// Owned as a whole.
    Atomic,
}

/// How a strategic merge patch changes a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patch {
    /// Objects merge, lists are replaced.
    Usual,
    /// A list of objects that merges by a key.
    Keyed(&'static str),
    /// As [`Patch::Keyed`]; the author of a patch says which fields of an item stay (`$retainKeys`).
    KeyedRetainKeys(&'static str),
    /// A list of primitives that merges as a set.
    Set,
    /// An object that merges; the author of a patch says which fields stay (`$retainKeys`).
    RetainKeys,
    /// An object that is replaced.
    Replace,
}

/// No rule.
pub(super) const USUAL: Rule = Rule { apply: None, patch: Patch::Usual };

/// A list that merges by its keys: a strategic merge patch goes by the first of them.
const fn keyed(keys: &'static [&'static str]) -> Rule {
    Rule { apply: Some(Apply::Keyed(keys)), patch: Patch::Keyed(keys[0]) }
}

/// As [`keyed`], with `$retainKeys`.
const fn keyed_retain_keys(keys: &'static [&'static str]) -> Rule {
    Rule { apply: Some(Apply::Keyed(keys)), patch: Patch::KeyedRetainKeys(keys[0]) }
}

/// A list that merges by its keys where it is applied, and is replaced by patches.
const fn applied_keyed(keys: &'static [&'static str]) -> Rule {
    Rule { apply: Some(Apply::Keyed(keys)), patch: Patch::Usual }
}

/// A list that merges by its key in patches, and is applied as a whole.
const fn patched_keyed(key: &'static str) -> Rule {
    Rule { apply: Some(Apply::Atomic), patch: Patch::Keyed(key) }
}

const fn patched(patch: Patch) -> Rule {
    Rule { apply: None, patch }
}

const fn applied(apply: Apply) -> Rule {
    Rule { apply: Some(apply), patch: Patch::Usual }
}

const BY_NAME: Rule = keyed(&["name"]);
const BY_TYPE: Rule = keyed(&["type"]);
const SET: Rule = Rule { apply: Some(Apply::Set), patch: Patch::Set };
const APPLIED_SET: Rule = applied(Apply::Set);

const CONTAINER: &[(&str, Rule)] = &[
    ("env", BY_NAME),
    ("ports", keyed(&["containerPort", "protocol"])),
    ("volumeDevices", keyed(&["devicePath"])),
    ("volumeMounts", keyed(&["mountPath"])),
];

/// The value that a missing key of a list's item has.
pub(crate) fn key_default(key: &str) -> Option<&'static str> {
    (key == "protocol").then_some("TCP")
}

/// The fields with a rule, by type. Types are named without `io.k8s.`.
pub(super) const FIELDS: &[(&str, &[(&str, Rule)])] = &[
    ("api.apps.v1.DaemonSetStatus", &[("conditions", BY_TYPE)]),
    ("api.apps.v1.DeploymentSpec", &[("strategy", patched(Patch::RetainKeys))]),
    ("api.apps.v1.DeploymentStatus", &[("conditions", BY_TYPE)]),
    ("api.apps.v1.ReplicaSetStatus", &[("conditions", BY_TYPE)]),
    ("api.apps.v1.StatefulSetStatus", &[("conditions", BY_TYPE)]),
    ("api.autoscaling.v2.HorizontalPodAutoscalerStatus", &[("conditions", BY_TYPE)]),
    ("api.batch.v1.JobStatus", &[("conditions", patched_keyed("type"))]),
    ("api.batch.v1.PodFailurePolicyOnExitCodesRequirement", &[("values", APPLIED_SET)]),
    (
        "api.batch.v1.UncountedTerminatedPods",
        &[("failed", APPLIED_SET), ("succeeded", APPLIED_SET)],
    ),
    ("api.core.v1.Container", CONTAINER),
    ("api.core.v1.ContainerRestartRuleOnExitCodes", &[("values", APPLIED_SET)]),
    (
        "api.core.v1.ContainerStatus",
        &[("allocatedResourcesStatus", BY_NAME), ("volumeMounts", keyed(&["mountPath"]))],
    ),
    ("api.core.v1.EphemeralContainer", CONTAINER),
    ("api.core.v1.NamespaceStatus", &[("conditions", BY_TYPE)]),
    ("api.core.v1.NodeAllocatableResourceClaimStatus", &[("containers", APPLIED_SET)]),
    ("api.core.v1.NodeSpec", &[("podCIDRs", SET)]),
    ("api.core.v1.NodeStatus", &[("addresses", BY_TYPE), ("conditions", BY_TYPE)]),
    (
        "api.core.v1.PersistentVolumeClaimStatus",
        &[("allocatedResourceStatuses", applied(Apply::Fields)), ("conditions", BY_TYPE)],
    ),
    ("api.core.v1.PersistentVolumeSpec", &[("claimRef", applied(Apply::Fields))]),
    (
        "api.core.v1.PodSpec",
        &[
            ("containers", BY_NAME),
            ("ephemeralContainers", BY_NAME),
            ("hostAliases", keyed(&["ip"])),
            ("imagePullSecrets", BY_NAME),
            ("initContainers", BY_NAME),
            ("nodeSelector", applied(Apply::Atomic)),
            ("resourceClaims", keyed_retain_keys(&["name"])),
            ("schedulingGates", BY_NAME),
            ("topologySpreadConstraints", keyed(&["topologyKey", "whenUnsatisfiable"])),
            ("volumes", keyed_retain_keys(&["name"])),
        ],
    ),
    (
        "api.core.v1.PodStatus",
        &[
            ("conditions", BY_TYPE),
            ("hostIPs", patched_keyed("ip")),
            ("podIPs", keyed(&["ip"])),
            ("resourceClaimStatuses", keyed_retain_keys(&["name"])),
        ],
    ),
    ("api.core.v1.ResourceRequirements", &[("claims", applied_keyed(&["name"]))]),
    ("api.core.v1.ResourceStatus", &[("resources", applied_keyed(&["resourceID"]))]),
    ("api.core.v1.ServiceAccount", &[("secrets", BY_NAME)]),
    (
        "api.core.v1.ServiceSpec",
        &[("ports", keyed(&["port", "protocol"])), ("selector", applied(Apply::Atomic))],
    ),
    ("api.core.v1.ServiceStatus", &[("conditions", BY_TYPE)]),
    ("api.discovery.v1.Endpoint", &[("addresses", APPLIED_SET)]),
    // Those of definitions are applied alone: patches of such objects are merge patches.
    ("networking.gateway.v1.GatewayClassStatus", &[("conditions", applied_keyed(&["type"]))]),
    ("networking.gateway.v1.GatewaySpec", &[("listeners", applied_keyed(&["name"]))]),
    (
        "networking.gateway.v1.GatewayStatus",
        &[("conditions", applied_keyed(&["type"])), ("listeners", applied_keyed(&["name"]))],
    ),
    (
        "networking.gateway.v1.HTTPHeaderFilter",
        &[("add", applied_keyed(&["name"])), ("set", applied_keyed(&["name"]))],
    ),
    (
        "networking.gateway.v1.HTTPRouteMatch",
        &[("headers", applied_keyed(&["name"])), ("queryParams", applied_keyed(&["name"]))],
    ),
    ("networking.gateway.v1.ListenerStatus", &[("conditions", applied_keyed(&["type"]))]),
    ("networking.gateway.v1.RouteParentStatus", &[("conditions", applied_keyed(&["type"]))]),
    ("api.policy.v1.PodDisruptionBudgetSpec", &[("selector", patched(Patch::Replace))]),
    ("api.policy.v1.PodDisruptionBudgetStatus", &[("conditions", BY_TYPE)]),
    (
        "apimachinery.pkg.apis.meta.v1.ObjectMeta",
        &[("finalizers", SET), ("ownerReferences", keyed(&["uid"]))],
    ),
];

/// The types whose objects are applied and owned as a whole.
pub(super) const ATOMIC_TYPES: &[&str] = &[
    "api.core.v1.ConfigMapKeySelector",
    "api.core.v1.EndpointAddress",
    "api.core.v1.EndpointPort",
    "api.core.v1.FileKeySelector",
    "api.core.v1.LocalObjectReference",
    "api.core.v1.NodeSelector",
    "api.core.v1.NodeSelectorTerm",
    "api.core.v1.ObjectFieldSelector",
    "api.core.v1.ObjectReference",
    "api.core.v1.ResourceFieldSelector",
    "api.core.v1.ScopeSelector",
    "api.core.v1.SecretKeySelector",
    "api.core.v1.SecretReference",
    "api.core.v1.TopologySelectorTerm",
    "api.core.v1.TypedLocalObjectReference",
    "api.discovery.v1.EndpointPort",
    "api.networking.v1.ServiceBackendPort",
    "api.rbac.v1.RoleRef",
    "api.rbac.v1.Subject",
    "apimachinery.pkg.apis.meta.v1.LabelSelector",
    "apimachinery.pkg.apis.meta.v1.OwnerReference",
];
