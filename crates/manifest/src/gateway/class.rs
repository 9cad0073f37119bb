//! GatewayClass: which controller Gateways of a class are for.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, ObjectMeta};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// GatewayClass describes a class of Gateways, and names the controller that looks after them.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "io.k8s.networking.gateway.v1.GatewayClass")]
pub struct GatewayClass {
    /// The group and version of this representation of the object.
    #[serde(default = "super::api_version::<GatewayClass>")]
    api_version: String,
    /// The kind of the object.
    #[serde(default = "super::kind::<GatewayClass>")]
    kind: String,
    /// Standard object metadata.
    #[serde(default)]
    pub metadata: ObjectMeta,
    /// What the class is.
    #[serde(default)]
    pub spec: GatewayClassSpec,
    /// What is observed of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<GatewayClassStatus>,
}

/// GatewayClassSpec says who looks after the Gateways of the class.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "io.k8s.networking.gateway.v1.GatewayClassSpec")]
pub struct GatewayClassSpec {
    /// The controller that manages Gateways of this class, as example.com/controller. It cannot be changed.
    #[serde(default)]
    pub controller_name: String,
    /// An object with settings for the controller.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameters_ref: Option<Value>,
    /// What the class is, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// GatewayClassStatus says whether the controller takes the class.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "io.k8s.networking.gateway.v1.GatewayClassStatus")]
pub struct GatewayClassStatus {
    /// Accepted: whether the controller takes it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// What the controller can do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub supported_features: Option<Value>,
}
