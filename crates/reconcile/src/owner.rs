//! Owner references: who controls an object.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use k8s_openapi::{Metadata, Resource};

/// The reference to the owner that controls an object; there is at most one.
pub(crate) fn controller(metadata: &ObjectMeta) -> Option<&OwnerReference> {
    metadata.owner_references.iter().flatten().find(|owner| owner.controller == Some(true))
}

/// A reference that makes `owner` the controller and blocks its foreground deletion.
pub(crate) fn controlled_by<T>(owner: &T) -> OwnerReference
where
    T: Resource + Metadata<Ty = ObjectMeta>,
{
    let metadata = owner.metadata();
    OwnerReference {
        api_version: T::API_VERSION.to_owned(),
        kind: T::KIND.to_owned(),
        name: metadata.name.clone().unwrap_or_default(),
        uid: metadata.uid.clone().unwrap_or_default(),
        controller: Some(true),
        block_owner_deletion: Some(true),
    }
}

/// Whether an object names `owner`, by UID, among its owners.
pub(crate) fn owns<T>(owner: &T, metadata: &ObjectMeta) -> bool
where
    T: Resource + Metadata<Ty = ObjectMeta>,
{
    let uid = owner.metadata().uid.as_deref().unwrap_or_default();
    metadata.owner_references.iter().flatten().any(|reference| {
        reference.uid == uid && reference.kind == T::KIND && reference.api_version == T::API_VERSION
    })
}
