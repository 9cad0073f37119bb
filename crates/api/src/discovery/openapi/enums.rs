//! Fields that take one of a few values, which k8s-openapi does not have: the types that Kubernetes marks as enums.
//!
//! Not here are lists of such values, of which `kubectl explain` says nothing, and the names of signals.

/// A type's fields and their values, sorted. Types are named without `io.k8s.`.
type Enums = (&'static str, &'static [(&'static str, &'static [&'static str])]);

const INCLUSION_POLICIES: &[&str] = &["Honor", "Ignore"];
const PROFILES: &[&str] = &["Localhost", "RuntimeDefault", "Unconfined"];
const PROTOCOLS: &[&str] = &["SCTP", "TCP", "UDP"];
const PULL_POLICIES: &[&str] = &["Always", "IfNotPresent", "Never"];
const RECLAIM_POLICIES: &[&str] = &["Delete", "Recycle", "Retain"];
const TAINT_EFFECTS: &[&str] = &["NoExecute", "NoSchedule", "PreferNoSchedule"];
const TRAFFIC_POLICIES: &[&str] = &["Cluster", "Local"];
const VOLUME_MODES: &[&str] = &["Block", "Filesystem"];

/// The values of a type's field; none where it takes any.
pub(super) fn values(name: &str, field: &str) -> &'static [&'static str] {
    let name = name.strip_prefix("io.k8s.").unwrap_or(name);
    let of_type = ENUMS.iter().find(|(candidate, _)| *candidate == name);
    let fields = of_type.map_or(&[][..], |(_, fields)| *fields);
    fields.iter().find(|(candidate, _)| *candidate == field).map_or(&[], |(_, values)| values)
}

pub(super) const ENUMS: &[Enums] = &[
    ("api.apps.v1.DaemonSetUpdateStrategy", &[("type", &["OnDelete", "RollingUpdate"])]),
    ("api.apps.v1.DeploymentStrategy", &[("type", &["Recreate", "RollingUpdate"])]),
    ("api.apps.v1.StatefulSetSpec", &[("podManagementPolicy", &["OrderedReady", "Parallel"])]),
    ("api.apps.v1.StatefulSetUpdateStrategy", &[("type", &["OnDelete", "RollingUpdate"])]),
    ("api.batch.v1.CronJobSpec", &[("concurrencyPolicy", &["Allow", "Forbid", "Replace"])]),
    (
        "api.batch.v1.JobSpec",
        &[
            ("completionMode", &["Indexed", "NonIndexed"]),
            ("podReplacementPolicy", &["Failed", "TerminatingOrFailed"]),
        ],
    ),
    ("api.batch.v1.PodFailurePolicyOnExitCodesRequirement", &[("operator", &["In", "NotIn"])]),
    (
        "api.batch.v1.PodFailurePolicyRule",
        &[("action", &["Count", "FailIndex", "FailJob", "Ignore"])],
    ),
    ("api.core.v1.AppArmorProfile", &[("type", PROFILES)]),
    (
        "api.core.v1.AzureDiskVolumeSource",
        &[
            ("cachingMode", &["None", "ReadOnly", "ReadWrite"]),
            ("kind", &["Dedicated", "Managed", "Shared"]),
        ],
    ),
    (
        "api.core.v1.Container",
        &[
            ("imagePullPolicy", PULL_POLICIES),
            ("terminationMessagePolicy", &["FallbackToLogsOnError", "File"]),
        ],
    ),
    ("api.core.v1.ContainerPort", &[("protocol", PROTOCOLS)]),
    ("api.core.v1.EndpointPort", &[("protocol", PROTOCOLS)]),
    ("api.core.v1.HTTPGetAction", &[("scheme", &["HTTP", "HTTPS"])]),
    (
        "api.core.v1.HostPathVolumeSource",
        &[(
            "type",
            &[
                "",
                "BlockDevice",
                "CharDevice",
                "Directory",
                "DirectoryOrCreate",
                "File",
                "FileOrCreate",
                "Socket",
            ],
        )],
    ),
    ("api.core.v1.ImageVolumeSource", &[("pullPolicy", PULL_POLICIES)]),
    ("api.core.v1.ModifyVolumeStatus", &[("status", &["InProgress", "Infeasible", "Pending"])]),
    ("api.core.v1.NamespaceStatus", &[("phase", &["Active", "Terminating"])]),
    (
        "api.core.v1.NodeSelectorRequirement",
        &[("operator", &["DoesNotExist", "Exists", "Gt", "In", "Lt", "NotIn"])],
    ),
    ("api.core.v1.NodeStatus", &[("phase", &["Pending", "Running", "Terminated"])]),
    ("api.core.v1.PersistentVolumeClaimSpec", &[("volumeMode", VOLUME_MODES)]),
    ("api.core.v1.PersistentVolumeClaimStatus", &[("phase", &["Bound", "Lost", "Pending"])]),
    (
        "api.core.v1.PersistentVolumeSpec",
        &[("persistentVolumeReclaimPolicy", RECLAIM_POLICIES), ("volumeMode", VOLUME_MODES)],
    ),
    (
        "api.core.v1.PersistentVolumeStatus",
        &[("phase", &["Available", "Bound", "Failed", "Pending", "Released"])],
    ),
    (
        "api.core.v1.PodSecurityContext",
        &[
            ("fsGroupChangePolicy", &["Always", "OnRootMismatch"]),
            ("supplementalGroupsPolicy", &["Merge", "Strict"]),
        ],
    ),
    (
        "api.core.v1.PodSpec",
        &[
            ("dnsPolicy", &["ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"]),
            ("preemptionPolicy", &["Never", "PreemptLowerPriority"]),
            ("restartPolicy", &["Always", "Never", "OnFailure"]),
        ],
    ),
    (
        "api.core.v1.PodStatus",
        &[
            ("phase", &["Failed", "Pending", "Running", "Succeeded", "Unknown"]),
            ("qosClass", &["BestEffort", "Burstable", "Guaranteed"]),
        ],
    ),
    ("api.core.v1.PortStatus", &[("protocol", PROTOCOLS)]),
    (
        "api.core.v1.ScopedResourceSelectorRequirement",
        &[
            ("operator", &["DoesNotExist", "Exists", "In", "NotIn"]),
            (
                "scopeName",
                &[
                    "BestEffort",
                    "CrossNamespacePodAffinity",
                    "NotBestEffort",
                    "NotTerminating",
                    "PriorityClass",
                    "Terminating",
                    "VolumeAttributesClass",
                ],
            ),
        ],
    ),
    ("api.core.v1.SeccompProfile", &[("type", PROFILES)]),
    ("api.core.v1.SecurityContext", &[("procMount", &["Default", "Unmasked"])]),
    ("api.core.v1.ServicePort", &[("protocol", PROTOCOLS)]),
    (
        "api.core.v1.ServiceSpec",
        &[
            ("externalTrafficPolicy", TRAFFIC_POLICIES),
            ("internalTrafficPolicy", TRAFFIC_POLICIES),
            ("ipFamilyPolicy", &["PreferDualStack", "RequireDualStack", "SingleStack"]),
            ("sessionAffinity", &["ClientIP", "None"]),
            ("type", &["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"]),
        ],
    ),
    ("api.core.v1.Taint", &[("effect", TAINT_EFFECTS)]),
    (
        "api.core.v1.Toleration",
        &[("effect", TAINT_EFFECTS), ("operator", &["Equal", "Exists", "Gt", "Lt"])],
    ),
    (
        "api.core.v1.TopologySpreadConstraint",
        &[
            ("nodeAffinityPolicy", INCLUSION_POLICIES),
            ("nodeTaintsPolicy", INCLUSION_POLICIES),
            ("whenUnsatisfiable", &["DoNotSchedule", "ScheduleAnyway"]),
        ],
    ),
    (
        "api.core.v1.VolumeMount",
        &[("mountPropagation", &["Bidirectional", "HostToContainer", "None"])],
    ),
    ("api.discovery.v1.EndpointPort", &[("protocol", PROTOCOLS)]),
    ("api.discovery.v1.EndpointSlice", &[("addressType", &["FQDN", "IPv4", "IPv6"])]),
    (
        "api.networking.v1.HTTPIngressPath",
        &[("pathType", &["Exact", "ImplementationSpecific", "Prefix"])],
    ),
    ("api.networking.v1.IngressPortStatus", &[("protocol", PROTOCOLS)]),
    ("api.networking.v1.NetworkPolicyPort", &[("protocol", PROTOCOLS)]),
    (
        "api.policy.v1.PodDisruptionBudgetSpec",
        &[("unhealthyPodEvictionPolicy", &["AlwaysAllow", "IfHealthyBudget"])],
    ),
    (
        "api.storage.v1.StorageClass",
        &[
            ("reclaimPolicy", RECLAIM_POLICIES),
            ("volumeBindingMode", &["Immediate", "WaitForFirstConsumer"]),
        ],
    ),
];
