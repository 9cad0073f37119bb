//! Requests about objects, chosen by kind.
//!
//! Of the kinds whose content nobody here reads only the metadata crosses the wire (`PartialObjectMetadata`).

use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::core::v1::{Endpoints, Event, Namespace, Node, Pod, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{DeleteParams, GetParams, ListParams, Patch, PatchParams, PostParams, WatchParams};
use kube::core::Request;
use kube::{Client, Error};
use manifest::{Kind, KindId, Object, ObjectRef, Stored, StoredObject};
use serde::Deserialize;
use serde_json::Value;

/// What every object has.
#[derive(Deserialize)]
pub(crate) struct Outline {
    pub(crate) metadata: ObjectMeta,
}

macro_rules! kinds {
    ($($kind:ident = $id:pat => $value:expr;)*) => {
        /// The kind of an object.
        pub(crate) fn of(object: &Object) -> KindId {
            match object {
                $(Object::$kind(_) => $value,)*
                Object::Stored(object) => KindId::Stored(object.kind),
            }
        }

        /// Reads an object of this kind.
        pub(crate) fn read(kind: KindId, text: &str) -> serde_json::Result<Object> {
            match kind {
                $($id => serde_json::from_str::<$kind>(text).map(Object::from),)*
                KindId::Stored(Stored::ServiceImport) => {
                    let mut value = serde_json::from_str(text)?;
                    import(&mut value)
                }
                KindId::Stored(kind) if is_routing(kind) => {
                    Object::from_value(KindId::Stored(kind), &serde_json::from_str(text)?)
                }
                KindId::Stored(kind) => {
                    serde_json::from_str(text)
                        .map(|Outline { metadata }| outlined(kind, metadata).into())
                }
            }
        }

        /// Writes an object for a request.
        fn body(object: &Object) -> kube::Result<Vec<u8>> {
            match object {
                $(Object::$kind(object) => serde_json::to_vec(object),)*
                Object::Stored(_) => serde_json::to_vec(&object.to_value()),
            }
            .map_err(Error::SerdeError)
        }

        /// Whether only the metadata of this kind's objects is read.
        fn is_outlined(kind: KindId) -> bool {
            match kind {
                $($id => false,)*
                KindId::Stored(kind) => kind != Stored::ServiceImport && !is_routing(kind),
            }
        }
    };
}

kinds! {
    Namespace = KindId::Namespace => KindId::Namespace;
    Node = KindId::Node => KindId::Node;
    Pod = KindId::Pod => KindId::Pod;
    Service = KindId::Service => KindId::Service;
    Endpoints = KindId::Endpoints => KindId::Endpoints;
    EndpointSlice = KindId::EndpointSlice => KindId::EndpointSlice;
    StatefulSet = KindId::StatefulSet => KindId::StatefulSet;
    Deployment = KindId::Deployment => KindId::Deployment;
    ReplicaSet = KindId::ReplicaSet => KindId::ReplicaSet;
    Event = KindId::Event => KindId::Event;
    ControllerRevision = KindId::Stored(Stored::ControllerRevision) => KindId::Stored(Stored::ControllerRevision);
}

/// Whether the gateway reads the kind: it says where HTTP requests go.
fn is_routing(kind: Stored) -> bool {
    matches!(
        kind,
        Stored::Ingress
            | Stored::IngressClass
            | Stored::GatewayClass
            | Stored::Gateway
            | Stored::HTTPRoute
            | Stored::ReferenceGrant
    )
}

/// An import, whose specification the directory reads.
fn import(value: &mut Value) -> serde_json::Result<Object> {
    let Outline { metadata } = Outline::deserialize(&*value)?;
    let spec = ("spec".to_owned(), value["spec"].take());
    let content = serde_json::Map::from_iter([spec]);
    Ok(StoredObject { content, ..outlined(Stored::ServiceImport, metadata) }.into())
}

/// The object with this metadata, of which what is not read is dropped.
fn outlined(kind: Stored, metadata: ObjectMeta) -> StoredObject {
    let ObjectMeta {
        name,
        namespace,
        uid,
        resource_version,
        deletion_timestamp,
        finalizers,
        owner_references,
        ..
    } = metadata;
    let metadata = ObjectMeta {
        name,
        namespace,
        uid,
        resource_version,
        deletion_timestamp,
        finalizers,
        owner_references,
        ..ObjectMeta::default()
    };
    StoredObject { kind, metadata, content: serde_json::Map::new() }
}

/// GET of one object.
pub(crate) async fn get(client: &Client, kind: KindId, target: &ObjectRef) -> kube::Result<Object> {
    let (requests, params) = (requests(kind, &target.namespace), GetParams::default());
    let request = match is_outlined(kind) {
        true => requests.get_metadata(&target.name, &params),
        false => requests.get(&target.name, &params),
    };
    answer(client, kind, request).await
}

/// The request that lists all objects of a kind.
pub(crate) fn list(kind: KindId, params: &ListParams) -> Built {
    let requests = requests(kind, "");
    if is_outlined(kind) { requests.list_metadata(params) } else { requests.list(params) }
}

/// The request that watches all objects of a kind.
pub(crate) fn watch(kind: KindId, params: &WatchParams, version: &str) -> Built {
    let requests = requests(kind, "");
    match is_outlined(kind) {
        true => requests.watch_metadata(params, version),
        false => requests.watch(params, version),
    }
}

/// DELETE of one object. What is left of it, if the API says so.
pub(crate) async fn delete(
    client: &Client,
    kind: KindId,
    target: &ObjectRef,
    params: &DeleteParams,
) -> kube::Result<Option<Object>> {
    let request = requests(kind, &target.namespace).delete(&target.name, params);
    let text = client.request_text(request.map_err(Error::BuildRequest)?).await?;
    /// Tells a `Status` from an object.
    #[derive(Deserialize)]
    struct Answer<'a> {
        kind: &'a str,
    }
    match serde_json::from_str::<Answer<'_>>(&text) {
        Ok(Answer { kind: "Status" }) => Ok(None),
        _ => read(kind, &text).map(Some).map_err(Error::SerdeError),
    }
}

/// POST of an object.
pub(crate) async fn create(client: &Client, object: &Object) -> kube::Result<Object> {
    let (kind, namespace, _) = names(object);
    let request = requests(kind, namespace).create(&PostParams::default(), body(object)?);
    answer(client, kind, request).await
}

/// PUT of an object.
pub(crate) async fn replace(client: &Client, object: &Object) -> kube::Result<Object> {
    let (kind, namespace, name) = names(object);
    let request = requests(kind, namespace).replace(name, &PostParams::default(), body(object)?);
    answer(client, kind, request).await
}

/// PUT of one part of an object: `status` or `finalize`.
pub(crate) async fn replace_part(
    client: &Client,
    part: &str,
    object: &Object,
) -> kube::Result<Object> {
    let (kind, namespace, name) = names(object);
    let params = PostParams::default();
    let request = requests(kind, namespace).replace_subresource(part, name, &params, body(object)?);
    answer(client, kind, request).await
}

/// PATCH of an object by a merge patch.
pub(crate) async fn patch(
    client: &Client,
    kind: KindId,
    target: &ObjectRef,
    patch: &Value,
) -> kube::Result<Object> {
    let request = requests(kind, &target.namespace).patch(
        &target.name,
        &PatchParams::default(),
        &Patch::Merge(patch),
    );
    answer(client, kind, request).await
}

/// DELETE of all objects of a kind in a namespace.
pub(crate) async fn delete_all(
    client: &Client,
    kind: &'static Kind,
    namespace: &str,
) -> kube::Result<()> {
    let request = requests(kind.id, namespace)
        .delete_collection(&DeleteParams::background(), &ListParams::default());
    client.request_text(request.map_err(Error::BuildRequest)?).await.map(drop)
}

/// Whether a namespace holds an object of this kind.
pub(crate) async fn any(client: &Client, kind: KindId, namespace: &str) -> kube::Result<bool> {
    let params = ListParams::default().limit(1);
    let request = requests(kind, namespace).list_metadata(&params);
    #[derive(Deserialize)]
    struct Page {
        #[serde(default)]
        items: Vec<serde::de::IgnoredAny>,
    }
    let page: Page = client.request(request.map_err(Error::BuildRequest)?).await?;
    Ok(!page.items.is_empty())
}

/// The kind of this name.
pub(crate) fn named(name: &str) -> Option<KindId> {
    Kind::by_name(name).map(|kind| kind.id)
}

/// Whether an API may not have the kind: it is defined by an object, not by Kubernetes.
pub(crate) fn is_optional(kind: KindId) -> bool {
    matches!(
        kind,
        KindId::Stored(
            Stored::ServiceImport
                | Stored::GatewayClass
                | Stored::Gateway
                | Stored::HTTPRoute
                | Stored::ReferenceGrant
        )
    )
}

/// The kind's name, as in `kind: Pod`.
pub(crate) fn name_of(kind: KindId) -> &'static str {
    Kind::of(kind).kind
}

type Built = Result<http::Request<Vec<u8>>, kube::core::request::Error>;

async fn answer(client: &Client, kind: KindId, request: Built) -> kube::Result<Object> {
    let text = client.request_text(request.map_err(Error::BuildRequest)?).await?;
    read(kind, &text).map_err(Error::SerdeError)
}

/// The requests for one kind; an empty namespace stands for all, or for none where the kind has none.
fn requests(kind: KindId, namespace: &str) -> Request {
    let namespace = Some(namespace).filter(|namespace| !namespace.is_empty());
    Request::new(crate::apply::path(Kind::of(kind), namespace))
}

fn names(object: &Object) -> (KindId, &str, &str) {
    let ObjectMeta { namespace, name, .. } = object.metadata();
    let (namespace, name) = (namespace.as_deref(), name.as_deref());
    (of(object), namespace.unwrap_or_default(), name.unwrap_or_default())
}
