//! ServiceImports of the Multi-Cluster Services API (KEP-1645, `multicluster.x-k8s.io/v1alpha1`), which k8s-openapi has not.

use k8s_openapi::api::core::v1::SessionAffinityConfig;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, ObjectMeta};
use k8s_openapi::{Metadata, NamespaceResourceScope, Resource};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// ServiceImport describes a Service imported from clusters in a cluster set.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "io.x-k8s.multicluster.v1alpha1.ServiceImport")]
pub struct ServiceImport {
    /// The group and version of this representation of the object.
    #[serde(default = "api_version")]
    api_version: String,
    /// The kind of the object.
    #[serde(default = "kind")]
    kind: String,
    /// Standard object metadata.
    #[serde(default)]
    pub metadata: ObjectMeta,
    /// What consumers of the Service need to know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spec: Option<ServiceImportSpec>,
    /// Where the Service is exported from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<ServiceImportStatus>,
}

/// ServiceImportSpec describes an imported Service and what is needed to consume it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "io.x-k8s.multicluster.v1alpha1.ServiceImportSpec")]
pub struct ServiceImportSpec {
    /// The addresses of the Service, one of a family, when the type is ClusterSetIP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ips: Option<Vec<String>>,
    /// The families of the addresses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip_families: Option<Vec<String>>,
    /// How nodes distribute the traffic that they receive: Cluster or Local.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub internal_traffic_policy: Option<String>,
    /// The ports of the Service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ports: Option<Vec<ServiceImportPort>>,
    /// Whether a client stays with an endpoint: ClientIP or None.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_affinity: Option<String>,
    /// How long a client stays with an endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_affinity_config: Option<SessionAffinityConfig>,
    /// Which endpoints are preferred.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traffic_distribution: Option<String>,
    /// ClusterSetIP or Headless.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub type_: Option<String>,
}

/// ServicePort is a port that the Service has.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "io.x-k8s.multicluster.v1alpha1.ServicePort")]
pub struct ServiceImportPort {
    /// The application protocol, as a hint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app_protocol: Option<String>,
    /// The name, which the ports of EndpointSlices have, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The number.
    #[serde(default)]
    pub port: i32,
    /// TCP, UDP or SCTP; TCP by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
}

/// ServiceImportStatus says where the Service is exported from.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "io.x-k8s.multicluster.v1alpha1.ServiceImportStatus")]
pub struct ServiceImportStatus {
    /// The clusters that export the Service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clusters: Option<Vec<ClusterStatus>>,
    /// What is observed of the import.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conditions: Option<Vec<Condition>>,
}

/// ClusterStatus is what one cluster exports.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[schemars(rename = "io.x-k8s.multicluster.v1alpha1.ClusterStatus")]
pub struct ClusterStatus {
    /// The cluster's id.
    #[serde(default)]
    pub cluster: String,
}

fn api_version() -> String {
    ServiceImport::API_VERSION.to_owned()
}

fn kind() -> String {
    ServiceImport::KIND.to_owned()
}

impl Resource for ServiceImport {
    const API_VERSION: &'static str = "multicluster.x-k8s.io/v1alpha1";
    const GROUP: &'static str = "multicluster.x-k8s.io";
    const KIND: &'static str = "ServiceImport";
    const VERSION: &'static str = "v1alpha1";
    const URL_PATH_SEGMENT: &'static str = "serviceimports";
    type Scope = NamespaceResourceScope;
}

impl Metadata for ServiceImport {
    type Ty = ObjectMeta;

    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn metadata_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}
