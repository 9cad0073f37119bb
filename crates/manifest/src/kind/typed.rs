//! From a kind to its type.

use k8s_openapi::Metadata;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::core::v1::{Endpoints, Event, Namespace, Node, Pod, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::KindId;

/// What the type of every kind can do.
pub(crate) trait Typed:
    DeserializeOwned + Serialize + Metadata<Ty = ObjectMeta> + JsonSchema
{
}

impl<T: DeserializeOwned + Serialize + Metadata<Ty = ObjectMeta> + JsonSchema> Typed for T {}

/// Something to be done with the type of a kind.
pub(crate) trait WithType {
    /// What comes of it.
    type Output;

    /// Does it.
    fn run<T: Typed>(self) -> Self::Output;
}

impl KindId {
    /// Does something with the kind's type.
    pub(crate) fn with_type<W: WithType>(self, what: W) -> W::Output {
        match self {
            Self::Namespace => what.run::<Namespace>(),
            Self::Node => what.run::<Node>(),
            Self::Pod => what.run::<Pod>(),
            Self::Service => what.run::<Service>(),
            Self::Endpoints => what.run::<Endpoints>(),
            Self::Event => what.run::<Event>(),
            Self::EndpointSlice => what.run::<EndpointSlice>(),
            Self::StatefulSet => what.run::<StatefulSet>(),
            Self::Deployment => what.run::<Deployment>(),
            Self::ReplicaSet => what.run::<ReplicaSet>(),
            Self::Stored(stored) => stored.with_type(what),
        }
    }
}
