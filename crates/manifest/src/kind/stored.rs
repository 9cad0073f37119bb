//! The kinds that the API only keeps and serves: one line each. Among them is a second version of another kind
//! (`version`), whose type is for the shape of requests alone.
//!
//! Shape, discovery, patches, tables, deletion with the namespace and collection by owner follow from the line.
//! Defaults are in `rules::stored`; columns other than name and age, and merge keys, in the API's tables.

use k8s_openapi::api as types;

use super::{ALL, Kind, KindId, WithType};

/// The plural and the group: the store's key.
macro_rules! resource {
    ("", $plural:literal) => {
        $plural
    };
    ($group:literal, $plural:literal) => {
        concat!($plural, ".", $group)
    };
}

/// The group and the version.
macro_rules! api_version {
    ("", $version:literal) => {
        $version
    };
    ($group:literal, $version:literal) => {
        concat!($group, "/", $version)
    };
}

macro_rules! scope {
    (Namespaced) => {
        true
    };
    (Cluster) => {
        false
    };
}

/// `Kind(type) = group version plural/singular [short names] categories scope [status] [selectable fields];`
macro_rules! stored {
    ($($kind:ident($($type:ident)::+) = $group:tt $version:tt $plural:tt/$singular:tt $short_names:tt $categories:tt
        $scope:tt status: $status:tt fields: $fields:tt;)*) => {
        /// Names one of the kinds that are kept and served without behaviour of their own.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[allow(missing_docs)]
        pub enum Stored { $($kind),* }

        /// What there is to say of each, in the order of [`Stored`].
        pub(super) const STORED: &[Kind] = &[$(Kind {
            id: KindId::Stored(Stored::$kind),
            group: $group,
            version: $version,
            kind: stringify!($kind),
            plural: $plural,
            singular: $singular,
            short_names: &$short_names,
            categories: $categories,
            namespaced: scope!($scope),
            status: $status,
            scale: false,
            selectable_fields: &$fields,
            api_version: api_version!($group, $version),
            resource: resource!($group, $plural),
        }),*];

        impl Stored {
            /// Does something with the kind's type.
            pub(crate) fn with_type<W: WithType>(self, what: W) -> W::Output {
                match self { $(Self::$kind => what.run::<$($type)::+::$kind>()),* }
            }
        }
    };
}

const NONE: &[&str] = &[];
const GATEWAY_API: &[&str] = &["gateway-api"];

stored! {
    ConfigMap(types::core::v1) = "" "v1" "configmaps"/"configmap" ["cm"] NONE Namespaced status: false fields: [];
    Secret(types::core::v1) = "" "v1" "secrets"/"secret" [] NONE Namespaced status: false fields: ["type"];
    ServiceAccount(types::core::v1) = "" "v1" "serviceaccounts"/"serviceaccount" ["sa"] NONE Namespaced status: false fields: [];
    PersistentVolumeClaim(types::core::v1) = "" "v1" "persistentvolumeclaims"/"persistentvolumeclaim" ["pvc"] NONE Namespaced status: true fields: [];
    PersistentVolume(types::core::v1) = "" "v1" "persistentvolumes"/"persistentvolume" ["pv"] NONE Cluster status: true fields: [];
    ResourceQuota(types::core::v1) = "" "v1" "resourcequotas"/"resourcequota" ["quota"] NONE Namespaced status: true fields: [];
    LimitRange(types::core::v1) = "" "v1" "limitranges"/"limitrange" ["limits"] NONE Namespaced status: false fields: [];
    ControllerRevision(types::apps::v1) = "apps" "v1" "controllerrevisions"/"controllerrevision" [] NONE Namespaced status: false fields: [];
    DaemonSet(types::apps::v1) = "apps" "v1" "daemonsets"/"daemonset" ["ds"] ALL Namespaced status: true fields: [];
    HorizontalPodAutoscaler(types::autoscaling::v2) = "autoscaling" "v2" "horizontalpodautoscalers"/"horizontalpodautoscaler" ["hpa"] ALL Namespaced status: true fields: [];
    Job(types::batch::v1) = "batch" "v1" "jobs"/"job" [] ALL Namespaced status: true fields: ["status.successful"];
    CronJob(types::batch::v1) = "batch" "v1" "cronjobs"/"cronjob" ["cj"] ALL Namespaced status: true fields: [];
    Lease(types::coordination::v1) = "coordination.k8s.io" "v1" "leases"/"lease" [] NONE Namespaced status: false fields: [];
    Event(types::events::v1) = "events.k8s.io" "v1" "events"/"event" ["ev"] NONE Namespaced status: false fields: ["regarding.kind", "regarding.namespace", "regarding.name", "regarding.uid", "regarding.apiVersion", "regarding.resourceVersion", "regarding.fieldPath", "reason", "reportingController", "type"];
    NetworkPolicy(types::networking::v1) = "networking.k8s.io" "v1" "networkpolicies"/"networkpolicy" ["netpol"] NONE Namespaced status: false fields: [];
    Ingress(types::networking::v1) = "networking.k8s.io" "v1" "ingresses"/"ingress" ["ing"] NONE Namespaced status: true fields: [];
    IngressClass(types::networking::v1) = "networking.k8s.io" "v1" "ingressclasses"/"ingressclass" [] NONE Cluster status: false fields: [];
    PodDisruptionBudget(types::policy::v1) = "policy" "v1" "poddisruptionbudgets"/"poddisruptionbudget" ["pdb"] NONE Namespaced status: true fields: [];
    Role(types::rbac::v1) = "rbac.authorization.k8s.io" "v1" "roles"/"role" [] NONE Namespaced status: false fields: [];
    RoleBinding(types::rbac::v1) = "rbac.authorization.k8s.io" "v1" "rolebindings"/"rolebinding" [] NONE Namespaced status: false fields: [];
    ClusterRole(types::rbac::v1) = "rbac.authorization.k8s.io" "v1" "clusterroles"/"clusterrole" [] NONE Cluster status: false fields: [];
    ClusterRoleBinding(types::rbac::v1) = "rbac.authorization.k8s.io" "v1" "clusterrolebindings"/"clusterrolebinding" [] NONE Cluster status: false fields: [];
    ServiceImport(crate::service_import) = "multicluster.x-k8s.io" "v1alpha1" "serviceimports"/"serviceimport" ["svcim"] NONE Namespaced status: true fields: [];
    GatewayClass(crate::gateway) = "gateway.networking.k8s.io" "v1" "gatewayclasses"/"gatewayclass" ["gc"] GATEWAY_API Cluster status: true fields: [];
    Gateway(crate::gateway) = "gateway.networking.k8s.io" "v1" "gateways"/"gateway" ["gtw"] GATEWAY_API Namespaced status: true fields: [];
    HTTPRoute(crate::gateway) = "gateway.networking.k8s.io" "v1" "httproutes"/"httproute" [] GATEWAY_API Namespaced status: true fields: [];
    ReferenceGrant(crate::gateway) = "gateway.networking.k8s.io" "v1beta1" "referencegrants"/"referencegrant" ["refgrant"] GATEWAY_API Namespaced status: false fields: [];
    PriorityClass(types::scheduling::v1) = "scheduling.k8s.io" "v1" "priorityclasses"/"priorityclass" ["pc"] NONE Cluster status: false fields: [];
    StorageClass(types::storage::v1) = "storage.k8s.io" "v1" "storageclasses"/"storageclass" ["sc"] NONE Cluster status: false fields: [];
}
