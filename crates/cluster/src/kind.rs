//! Typed requests, chosen by kind.

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::core::v1::{Endpoints, Event, Namespace, Node, Pod, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::{DeleteParams, GetParams, ListParams, PostParams};
use kube::core::Request;
use kube::{Client, Error, Resource};
use manifest::{Kind, KindId, Object, ObjectRef};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What a kind's type must be able to do.
pub(crate) trait Typed:
    Resource<DynamicType = ()>
    + Clone
    + Serialize
    + DeserializeOwned
    + Into<Object>
    + Send
    + Sync
    + 'static
{
}

impl<K> Typed for K where
    K: Resource<DynamicType = ()>
        + Clone
        + Serialize
        + DeserializeOwned
        + Into<Object>
        + Send
        + Sync
        + 'static
{
}

macro_rules! kinds {
    ($($kind:ident),* $(,)?) => {
        /// The kind of an object.
        pub(crate) fn of(object: &Object) -> KindId {
            match object { $(Object::$kind(_) => KindId::$kind),* }
        }

        /// GET of one object.
        pub(crate) async fn get(client: &Client, kind: KindId, target: &ObjectRef) -> kube::Result<Object> {
            match kind { $(KindId::$kind => {
                let request = requests::<$kind>(&target.namespace).get(&target.name, &GetParams::default());
                client.request::<$kind>(request.map_err(Error::BuildRequest)?).await.map(Object::from)
            })* KindId::Stored(_) => Err(not_acted_on(kind)) }
        }

        /// DELETE of one object. What is left of it, if the API says so.
        pub(crate) async fn delete(
            client: &Client,
            kind: KindId,
            target: &ObjectRef,
            params: &DeleteParams,
        ) -> kube::Result<Option<Object>> {
            match kind { $(KindId::$kind => {
                let request = requests::<$kind>(&target.namespace).delete(&target.name, params);
                let answer = client.request_status::<$kind>(request.map_err(Error::BuildRequest)?).await?;
                Ok(answer.left().map(Object::from))
            })* KindId::Stored(_) => Err(not_acted_on(kind)) }
        }

        /// POST of an object.
        pub(crate) async fn create(client: &Client, object: &Object) -> kube::Result<Object> {
            match object { $(Object::$kind(object) => {
                let request = requests::<$kind>(namespace(object)).create(&PostParams::default(), body(object)?);
                client.request::<$kind>(request.map_err(Error::BuildRequest)?).await.map(Object::from)
            })* }
        }

        /// PUT of an object.
        pub(crate) async fn replace(client: &Client, object: &Object) -> kube::Result<Object> {
            match object { $(Object::$kind(object) => {
                let request = requests::<$kind>(namespace(object))
                    .replace(name(object), &PostParams::default(), body(object)?);
                client.request::<$kind>(request.map_err(Error::BuildRequest)?).await.map(Object::from)
            })* }
        }

        /// PUT of one part of an object: `status` or `finalize`.
        pub(crate) async fn replace_part(client: &Client, part: &str, object: &Object) -> kube::Result<Object> {
            match object { $(Object::$kind(object) => {
                let request = requests::<$kind>(namespace(object))
                    .replace_subresource(part, name(object), &PostParams::default(), body(object)?);
                client.request::<$kind>(request.map_err(Error::BuildRequest)?).await.map(Object::from)
            })* }
        }
    };
}

kinds!(
    Namespace,
    Node,
    Pod,
    Service,
    Endpoints,
    EndpointSlice,
    StatefulSet,
    Deployment,
    ReplicaSet,
    Event,
);

/// DELETE of all objects of a kind in a namespace.
pub(crate) async fn delete_all(
    client: &Client,
    kind: &'static Kind,
    namespace: &str,
) -> kube::Result<()> {
    let request = Request::new(crate::apply::path(kind, Some(namespace)))
        .delete_collection(&DeleteParams::background(), &ListParams::default());
    client.request_text(request.map_err(Error::BuildRequest)?).await.map(drop)
}

/// Why there is no typed request for a kind.
fn not_acted_on(kind: KindId) -> Error {
    Error::Service(format!("{} objects are only stored", name_of(kind)).into())
}

/// The kind of this name, if it is one that controllers act on.
pub(crate) fn named(name: &str) -> Option<KindId> {
    Kind::by_name(name).map(|kind| kind.id).filter(|id| !matches!(id, KindId::Stored(_)))
}

/// The kind's name, as in `kind: Pod`.
pub(crate) fn name_of(kind: KindId) -> &'static str {
    Kind::of(kind).kind
}

/// The requests for one kind; an empty namespace stands for all, or for none where the kind has none.
pub(crate) fn requests<K: Typed>(namespace: &str) -> Request {
    Request::new(K::url_path(&(), Some(namespace).filter(|namespace| !namespace.is_empty())))
}

fn namespace<K: Typed>(object: &K) -> &str {
    object.meta().namespace.as_deref().unwrap_or_default()
}

fn name<K: Typed>(object: &K) -> &str {
    object.meta().name.as_deref().unwrap_or_default()
}

fn body<K: Typed>(object: &K) -> kube::Result<Vec<u8>> {
    serde_json::to_vec(object).map_err(Error::SerdeError)
}
