//! Gateway: where a class of gateway listens.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, LabelSelector, ObjectMeta};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Gateway is traffic taken in by listeners, for the routes that are attached to them.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "io.k8s.networking.gateway.v1.Gateway")]
pub struct Gateway {
    /// The group and version of this representation of the object.
    #[serde(default = "super::api_version::<Gateway>")]
    api_version: String,
    /// The kind of the object.
    #[serde(default = "super::kind::<Gateway>")]
    kind: String,
    /// Standard object metadata.
    #[serde(default)]
    pub metadata: ObjectMeta,
    /// What is wanted.
    #[serde(default)]
    pub spec: GatewaySpec,
    /// What is observed of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<GatewayStatus>,
}

/// GatewaySpec says where a Gateway listens.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "io.k8s.networking.gateway.v1.GatewaySpec")]
pub struct GatewaySpec {
    /// The name of the GatewayClass.
    #[serde(default)]
    pub gateway_class_name: String,
    /// Where it listens: at least one listener, told apart by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub listeners: Vec<Listener>,
    /// The addresses that are asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<GatewayAddress>,
    /// Labels, annotations and settings of what is made for the Gateway.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub infrastructure: Option<Value>,
    /// From which namespaces ListenerSets may be attached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_listeners: Option<Value>,
    /// Certificates of the whole Gateway.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<Value>,
}

/// Listener is a port, a protocol and the host names that are taken there.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "io.k8s.networking.gateway.v1.Listener")]
pub struct Listener {
    /// The name, which the sectionName of a route refers to.
    #[serde(default)]
    pub name: String,
    /// The host name that is taken, as example.com or *.example.com; without it, any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// The port.
    #[serde(default)]
    pub port: i32,
    /// HTTP, HTTPS, TLS, TCP or UDP.
    #[serde(default)]
    pub protocol: String,
    /// The certificates of HTTPS and TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<ListenerTls>,
    /// The routes that may be attached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_routes: Option<AllowedRoutes>,
}

/// ListenerTLSConfig says how TLS is ended.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "io.k8s.networking.gateway.v1.ListenerTLSConfig")]
pub struct ListenerTls {
    /// Terminate or Passthrough.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// The Secrets with the certificate and its key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub certificate_refs: Vec<CertificateReference>,
    /// How certificates of clients are checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frontend_validation: Option<Value>,
    /// Options of the implementation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub options: Option<BTreeMap<String, String>>,
}

/// SecretObjectReference names an object with a certificate.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "io.k8s.networking.gateway.v1.SecretObjectReference")]
pub struct CertificateReference {
    /// The group; empty for the core group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The kind; Secret by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The name.
    #[serde(default)]
    pub name: String,
    /// The namespace; the own one by default. Another needs a ReferenceGrant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// AllowedRoutes says which routes may be attached to a listener.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "io.k8s.networking.gateway.v1.AllowedRoutes")]
pub struct AllowedRoutes {
    /// The namespaces of the routes; the own one by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespaces: Option<RouteNamespaces>,
    /// The kinds of routes; those of the protocol by default.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<RouteGroupKind>,
}

/// RouteNamespaces says from which namespaces routes may be attached.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "io.k8s.networking.gateway.v1.RouteNamespaces")]
pub struct RouteNamespaces {
    /// All, Selector, Same or None.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The labels of the namespaces, when from is Selector.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<LabelSelector>,
}

/// RouteGroupKind names a kind of routes.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "io.k8s.networking.gateway.v1.RouteGroupKind")]
pub struct RouteGroupKind {
    /// The group; that of the Gateway API by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The kind.
    #[serde(default)]
    pub kind: String,
}

/// GatewaySpecAddress is an address of a Gateway.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "io.k8s.networking.gateway.v1.GatewayAddress")]
pub struct GatewayAddress {
    /// IPAddress or Hostname.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub type_: Option<String>,
    /// The address.
    #[serde(default)]
    pub value: String,
}

/// GatewayStatus says what became of a Gateway.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "io.k8s.networking.gateway.v1.GatewayStatus")]
pub struct GatewayStatus {
    /// The addresses where it listens.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<GatewayAddress>,
    /// Accepted and Programmed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// What became of each listener.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub listeners: Vec<ListenerStatus>,
}

/// ListenerStatus says what became of a listener.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "io.k8s.networking.gateway.v1.ListenerStatus")]
pub struct ListenerStatus {
    /// The name of the listener.
    #[serde(default)]
    pub name: String,
    /// The kinds of routes that it takes.
    pub supported_kinds: Vec<RouteGroupKind>,
    /// How many routes are attached.
    #[serde(default)]
    pub attached_routes: i32,
    /// Accepted, Programmed, ResolvedRefs and Conflicted.
    pub conditions: Vec<Condition>,
}
