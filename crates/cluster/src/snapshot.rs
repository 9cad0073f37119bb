//! What names depend on, listed once.

use futures::TryFutureExt as _;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{Namespace, Pod, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::ListParams;
use kube::{Api, Client, Resource};
use manifest::Object;
use serde::de::DeserializeOwned;
use thiserror::Error;

/// So many objects are asked for at once.
const PAGE_SIZE: u32 = 500;

/// A kind could not be listed.
#[derive(Debug, Error)]
#[error("could not list {resource}")]
pub struct SnapshotError {
    /// The resource, for example `endpointslices.discovery.k8s.io`.
    pub resource: &'static str,
    /// Why.
    pub source: kube::Error,
}

/// The Namespaces, Services, EndpointSlices and Pods of a cluster, or of one namespace of it, as they are. Of one
/// namespace nothing beyond it is asked for: it counts as there.
pub async fn snapshot(
    client: &Client,
    namespace: Option<&str>,
) -> Result<Vec<Object>, SnapshotError> {
    let namespaces = async {
        match namespace {
            None => list(Api::<Namespace>::all(client.clone()), "namespaces").await,
            Some(name) => {
                let mut only = Namespace::default();
                only.metadata.name = Some(name.to_owned());
                Ok(vec![Object::Namespace(only)])
            }
        }
    };
    let (mut objects, services, slices, pods) = futures::try_join!(
        namespaces,
        list(api::<Service>(client, namespace), "services"),
        list(api::<EndpointSlice>(client, namespace), "endpointslices.discovery.k8s.io"),
        list(api::<Pod>(client, namespace), "pods"),
    )?;
    objects.extend(services);
    objects.extend(slices);
    objects.extend(pods);
    Ok(objects)
}

fn api<T>(client: &Client, namespace: Option<&str>) -> Api<T>
where
    T: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
{
    match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    }
}

/// All objects of a kind, in pages that are of one moment.
async fn list<T>(api: Api<T>, resource: &'static str) -> Result<Vec<Object>, SnapshotError>
where
    T: Clone + std::fmt::Debug + DeserializeOwned + Into<Object>,
{
    let mut objects = Vec::new();
    let mut params = ListParams::default().limit(PAGE_SIZE);
    loop {
        let page = api.list(&params).map_err(|source| SnapshotError { resource, source }).await?;
        objects.extend(page.items.into_iter().map(Into::into));
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None => return Ok(objects),
        }
    }
}
