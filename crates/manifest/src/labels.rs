//! Well-known labels, annotations and finalizers.

/// On an EndpointSlice: the Service that it belongs to.
pub const SERVICE_NAME: &str = "kubernetes.io/service-name";
/// On an EndpointSlice: the ServiceImport that it belongs to, of the Multi-Cluster Services API.
pub const IMPORT_NAME: &str = "multicluster.kubernetes.io/service-name";
/// On an EndpointSlice of a ServiceImport: the id of the cluster that its endpoints are in.
pub const SOURCE_CLUSTER: &str = "multicluster.kubernetes.io/source-cluster";
/// On an EndpointSlice: which controller writes it.
pub const SLICE_MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";
/// The EndpointSlice controller's name there.
pub const SLICE_CONTROLLER: &str = "endpointslice-controller.k8s.io";
/// The EndpointSliceMirroring controller's name there.
pub const MIRRORING_CONTROLLER: &str = "endpointslicemirroring-controller.k8s.io";
/// On a Service, its Endpoints and its slices: it has no cluster IP.
pub const HEADLESS: &str = "service.kubernetes.io/headless";
/// On Endpoints: which controller writes them.
pub const ENDPOINTS_MANAGED_BY: &str = "endpoints.kubernetes.io/managed-by";
/// The Endpoints controller's name there.
pub const ENDPOINTS_CONTROLLER: &str = "endpoint-controller";
/// On Endpoints and slices: when the last change that led here happened.
pub const LAST_CHANGE: &str = "endpoints.kubernetes.io/last-change-trigger-time";
/// On Endpoints that were cut to 1,000 addresses.
pub const OVER_CAPACITY: &str = "endpoints.kubernetes.io/over-capacity";
/// On Endpoints: `"true"` when they are not to be mirrored.
pub const SKIP_MIRROR: &str = "endpointslice.kubernetes.io/skip-mirror";
/// On Endpoints that a leader election uses: not to be mirrored.
pub const LEADER: &str = "control-plane.alpha.kubernetes.io/leader";
/// On a node: its zone.
pub const ZONE: &str = "topology.kubernetes.io/zone";
/// On a StatefulSet's pod: its name.
pub const POD_NAME: &str = "statefulset.kubernetes.io/pod-name";
/// On a StatefulSet's pod: its ordinal.
pub const POD_INDEX: &str = "apps.kubernetes.io/pod-index";
/// On a StatefulSet's pod: the revision of the template that it was made from.
pub const REVISION_HASH: &str = "controller-revision-hash";
/// On a ControllerRevision: the hash in its name.
pub const CONTROLLER_HASH: &str = "controller.kubernetes.io/hash";
/// On a Deployment's ReplicaSets and their pods: the hash of the template.
pub const TEMPLATE_HASH: &str = "pod-template-hash";
/// On a Deployment and its ReplicaSets: the number of the rollout.
pub const REVISION: &str = "deployment.kubernetes.io/revision";
/// On an object being deleted: its owned objects go first.
pub const FOREGROUND: &str = "foregroundDeletion";
/// On an object being deleted: its owned objects are set free first.
pub const ORPHAN: &str = "orphan";
/// What `kubectl apply` last applied.
pub const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// On a pod: how dear its deletion is when its ReplicaSet shrinks.
pub const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";
/// On a ReplicaSet: how many replicas its Deployment wanted when it was last scaled.
pub const DESIRED_REPLICAS: &str = "deployment.kubernetes.io/desired-replicas";
/// On a ReplicaSet: how many replicas its Deployment allowed then, surge included.
pub const MAX_REPLICAS: &str = "deployment.kubernetes.io/max-replicas";
/// On a ReplicaSet: the earlier rollouts that used the same template.
pub const REVISION_HISTORY: &str = "deployment.kubernetes.io/revision-history";
/// On a simulated pod: `"false"` plays that it is not ready.
pub const READY: &str = "headcount.dev/ready";
