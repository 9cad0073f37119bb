//! ReferenceGrant: references from other namespaces that a namespace allows.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// ReferenceGrant allows objects of other namespaces to refer to objects of its own.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "io.k8s.networking.gateway.v1beta1.ReferenceGrant")]
pub struct ReferenceGrant {
    /// The group and version of this representation of the object.
    #[serde(default = "super::api_version::<ReferenceGrant>")]
    api_version: String,
    /// The kind of the object.
    #[serde(default = "super::kind::<ReferenceGrant>")]
    kind: String,
    /// Standard object metadata.
    #[serde(default)]
    pub metadata: ObjectMeta,
    /// What is allowed.
    #[serde(default)]
    pub spec: ReferenceGrantSpec,
}

/// ReferenceGrantSpec says who may refer to what.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "io.k8s.networking.gateway.v1beta1.ReferenceGrantSpec")]
pub struct ReferenceGrantSpec {
    /// Who may refer: any of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub from: Vec<ReferenceGrantFrom>,
    /// What may be referred to: any of these, in the namespace of the grant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<ReferenceGrantTo>,
}

/// ReferenceGrantFrom names a kind of objects in a namespace.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "io.k8s.networking.gateway.v1beta1.ReferenceGrantFrom")]
pub struct ReferenceGrantFrom {
    /// The group of the objects that refer; empty for the core group.
    #[serde(default)]
    pub group: String,
    /// The kind of the objects that refer, for example HTTPRoute.
    #[serde(default)]
    pub kind: String,
    /// Their namespace.
    #[serde(default)]
    pub namespace: String,
}

/// ReferenceGrantTo names objects of the namespace of the grant.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "io.k8s.networking.gateway.v1beta1.ReferenceGrantTo")]
pub struct ReferenceGrantTo {
    /// The group of what is referred to; empty for the core group.
    #[serde(default)]
    pub group: String,
    /// The kind of what is referred to, for example Service.
    #[serde(default)]
    pub kind: String,
    /// Its name; without it, any of the kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}
