//! HTTPRoute: which requests go to which Services.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, ObjectMeta};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// HTTPRoute says where HTTP requests go that reach a Gateway.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "io.k8s.networking.gateway.v1.HTTPRoute")]
pub struct HTTPRoute {
    /// The group and version of this representation of the object.
    #[serde(default = "super::api_version::<HTTPRoute>")]
    api_version: String,
    /// The kind of the object.
    #[serde(default = "super::kind::<HTTPRoute>")]
    kind: String,
    /// Standard object metadata.
    #[serde(default)]
    pub metadata: ObjectMeta,
    /// What is wanted.
    #[serde(default)]
    pub spec: HttpRouteSpec,
    /// What is observed of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<HttpRouteStatus>,
}

/// HTTPRouteSpec says which requests go where.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "io.k8s.networking.gateway.v1.HTTPRouteSpec")]
pub struct HttpRouteSpec {
    /// The Gateways that it is attached to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parent_refs: Vec<ParentReference>,
    /// The host names of the requests, as example.com or *.example.com; without any, those of the listeners.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hostnames: Vec<String>,
    /// What is done with which requests.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<HttpRouteRule>,
}

/// ParentReference names an object that a route is attached to, usually a Gateway.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "io.k8s.networking.gateway.v1.ParentReference")]
pub struct ParentReference {
    /// The group; that of the Gateway API by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The kind; Gateway by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The namespace; the own one by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The name.
    #[serde(default)]
    pub name: String,
    /// The name of a listener; without it, all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub section_name: Option<String>,
    /// The port of listeners; without it, any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<i32>,
}

/// HTTPRouteRule says what is done with requests that match.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "io.k8s.networking.gateway.v1.HTTPRouteRule")]
pub struct HttpRouteRule {
    /// The name of the rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Which requests: those of which all of any match holds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub matches: Vec<HttpMatch>,
    /// What is done to the requests and answers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub filters: Vec<HttpFilter>,
    /// Where the requests go, by weight.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub backend_refs: Vec<BackendRef>,
    /// How long may be waited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeouts: Option<HttpTimeouts>,
    /// When a request is tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<Value>,
    /// How a client stays with a backend.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_persistence: Option<Value>,
}

/// HTTPRouteMatch is what must hold of a request.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "io.k8s.networking.gateway.v1.HTTPRouteMatch")]
pub struct HttpMatch {
    /// The path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<HttpPathMatch>,
    /// The headers: all of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<HttpNamedMatch>,
    /// The parameters of the query: all of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub query_params: Vec<HttpNamedMatch>,
    /// The method.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
}

/// HTTPPathMatch is how a path is compared.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "io.k8s.networking.gateway.v1.HTTPPathMatch")]
pub struct HttpPathMatch {
    /// Exact, PathPrefix or RegularExpression.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub type_: Option<String>,
    /// What it is compared to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

/// HTTPHeaderMatch is how a header, or a parameter of the query, is compared.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "io.k8s.networking.gateway.v1.HTTPHeaderMatch")]
pub struct HttpNamedMatch {
    /// Exact or RegularExpression.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub type_: Option<String>,
    /// The name.
    #[serde(default)]
    pub name: String,
    /// What it is compared to.
    #[serde(default)]
    pub value: String,
}

/// HTTPRouteFilter is something that is done to a request or its answer.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "io.k8s.networking.gateway.v1.HTTPRouteFilter")]
pub struct HttpFilter {
    /// RequestHeaderModifier, ResponseHeaderModifier, RequestRedirect, URLRewrite, RequestMirror, CORS or ExtensionRef.
    #[serde(rename = "type", default)]
    pub type_: String,
    /// How the headers of the request change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_header_modifier: Option<HttpHeaderFilter>,
    /// How the headers of the answer change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_header_modifier: Option<HttpHeaderFilter>,
    /// Where the client is sent instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_redirect: Option<HttpRedirect>,
    /// How host and path change on the way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url_rewrite: Option<HttpRewrite>,
    /// Where a copy of the request goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_mirror: Option<Value>,
    /// What is answered to requests from other origins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cors: Option<Value>,
    /// An object that says what else is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extension_ref: Option<Value>,
}

/// HTTPHeaderFilter says how headers change.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "io.k8s.networking.gateway.v1.HTTPHeaderFilter")]
pub struct HttpHeaderFilter {
    /// Headers that take the place of those of the same name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set: Vec<HttpHeader>,
    /// Headers that are added.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub add: Vec<HttpHeader>,
    /// The names of headers that are taken away.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remove: Vec<String>,
}

/// HTTPHeader is a header.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "io.k8s.networking.gateway.v1.HTTPHeader")]
pub struct HttpHeader {
    /// The name.
    #[serde(default)]
    pub name: String,
    /// The value.
    #[serde(default)]
    pub value: String,
}

/// HTTPRequestRedirectFilter says where a client is sent.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "io.k8s.networking.gateway.v1.HTTPRequestRedirectFilter")]
pub struct HttpRedirect {
    /// http or https; that of the request by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheme: Option<String>,
    /// The host name; that of the request by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// The path; that of the request by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<HttpPathModifier>,
    /// The port; without it, that of the scheme if one is given, else that of the listener.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<i32>,
    /// 301, 302, 303, 307 or 308.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_code: Option<i32>,
}

/// HTTPURLRewriteFilter says how host and path change.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "io.k8s.networking.gateway.v1.HTTPURLRewriteFilter")]
pub struct HttpRewrite {
    /// The host name that the backend sees.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// The path that the backend sees.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<HttpPathModifier>,
}

/// HTTPPathModifier says how a path changes.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "io.k8s.networking.gateway.v1.HTTPPathModifier")]
pub struct HttpPathModifier {
    /// ReplaceFullPath or ReplacePrefixMatch.
    #[serde(rename = "type", default)]
    pub type_: String,
    /// The whole path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replace_full_path: Option<String>,
    /// What takes the place of the prefix that matched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replace_prefix_match: Option<String>,
}

/// HTTPBackendRef names a Service and its share of the requests.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "io.k8s.networking.gateway.v1.HTTPBackendRef")]
pub struct BackendRef {
    /// The group; empty for the core group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The kind; Service by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The name.
    #[serde(default)]
    pub name: String,
    /// The namespace; the own one by default. Another needs a ReferenceGrant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The port of the Service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<i32>,
    /// The share; 1 by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<i32>,
    /// What is done to the requests that go there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub filters: Vec<HttpFilter>,
}

/// HTTPRouteTimeouts says how long may be waited.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "io.k8s.networking.gateway.v1.HTTPRouteTimeouts")]
pub struct HttpTimeouts {
    /// For the whole answer to a request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// For the answer of one backend.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backend_request: Option<String>,
}

/// HTTPRouteStatus says what became of a route.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "io.k8s.networking.gateway.v1.HTTPRouteStatus")]
pub struct HttpRouteStatus {
    /// What became of it at each object that it is attached to.
    pub parents: Vec<RouteParentStatus>,
}

/// RouteParentStatus says what became of a route at one parent.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "io.k8s.networking.gateway.v1.RouteParentStatus")]
pub struct RouteParentStatus {
    /// The parent.
    #[serde(default)]
    pub parent_ref: ParentReference,
    /// The controller that says so.
    #[serde(default)]
    pub controller_name: String,
    /// Accepted and ResolvedRefs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}
