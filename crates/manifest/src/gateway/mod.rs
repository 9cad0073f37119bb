//! The kinds of the Gateway API (`gateway.networking.k8s.io`) that are served, which k8s-openapi has not. Fields that
//! nobody here reads are kept as they are written.

mod class;
mod grant;
mod listener;
mod route;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::{ClusterResourceScope, Metadata, NamespaceResourceScope, Resource};

pub use class::{GatewayClass, GatewayClassSpec, GatewayClassStatus};
pub use grant::{ReferenceGrant, ReferenceGrantFrom, ReferenceGrantSpec, ReferenceGrantTo};
pub use listener::{
    AllowedRoutes, CertificateReference, Gateway, GatewayAddress, GatewaySpec, GatewayStatus,
    Listener, ListenerStatus, ListenerTls, RouteGroupKind, RouteNamespaces,
};
pub use route::{
    BackendRef, HTTPRoute, HttpFilter, HttpHeader, HttpHeaderFilter, HttpMatch, HttpNamedMatch,
    HttpPathMatch, HttpPathModifier, HttpRedirect, HttpRewrite, HttpRouteRule, HttpRouteSpec,
    HttpRouteStatus, HttpTimeouts, ParentReference, RouteParentStatus,
};

/// The group of the kinds.
pub const GROUP: &str = "gateway.networking.k8s.io";

/// What each kind is to those who ask for it.
macro_rules! resource {
    ($kind:ident, $version:literal, $plural:literal, $scope:ty) => {
        impl Resource for $kind {
            const API_VERSION: &'static str = concat!("gateway.networking.k8s.io/", $version);
            const GROUP: &'static str = GROUP;
            const KIND: &'static str = stringify!($kind);
            const VERSION: &'static str = $version;
            const URL_PATH_SEGMENT: &'static str = $plural;
            type Scope = $scope;
        }

        impl Metadata for $kind {
            type Ty = ObjectMeta;

            fn metadata(&self) -> &ObjectMeta {
                &self.metadata
            }

            fn metadata_mut(&mut self) -> &mut ObjectMeta {
                &mut self.metadata
            }
        }
    };
}

resource!(GatewayClass, "v1", "gatewayclasses", ClusterResourceScope);
resource!(Gateway, "v1", "gateways", NamespaceResourceScope);
resource!(HTTPRoute, "v1", "httproutes", NamespaceResourceScope);
resource!(ReferenceGrant, "v1beta1", "referencegrants", NamespaceResourceScope);

fn api_version<K: Resource>() -> String {
    K::API_VERSION.to_owned()
}

fn kind<K: Resource>() -> String {
    K::KIND.to_owned()
}
