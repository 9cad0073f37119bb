//! What manifests come to, for a directory that others keep.

use std::collections::BTreeSet;

use directory::Change;
use directory::view::{ObjectName, SliceView};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use manifest::ObjectRef;
use manifest::labels::{MIRRORING_CONTROLLER, SLICE_CONTROLLER, SLICE_MANAGED_BY};
use serde_json::Value;

use super::{Refused, SettleError, given, start};
use crate::views::{self, Unusable};

/// An EndpointSlice of the manifests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenSlice {
    /// The slice, as names see it.
    pub view: SliceView,
    /// Whether its label says that a controller of Kubernetes made it: it was taken from a cluster.
    pub of_controller: bool,
}

/// What manifests come to.
#[derive(Debug)]
pub struct Changes {
    /// Every Namespace, Service, ServiceImport, EndpointSlice and pod that there is then.
    pub changes: Vec<Change>,
    /// The objects that a cluster would refuse.
    pub refused: Vec<Refused>,
    /// The objects that publish nothing, and why.
    pub skipped: Vec<(ObjectRef, Unusable)>,
}

impl GivenSlice {
    /// An EndpointSlice of a manifest.
    ///
    /// # Errors
    ///
    /// Why it publishes nothing.
    pub fn new(slice: &EndpointSlice) -> Result<Self, Unusable> {
        let label = slice.metadata.labels.as_ref().and_then(|labels| labels.get(SLICE_MANAGED_BY));
        let of_controller =
            label.is_some_and(|label| label == SLICE_CONTROLLER || label == MIRRORING_CONTROLLER);
        Ok(Self { view: views::slice(slice)?, of_controller })
    }
}

/// Runs the controllers on objects as [`super::settle`] does. Slices are not among the objects: they are published as they
/// are, beside those that the controllers make. Where a controller made a given one, all of its Service are given, and none
/// is made.
///
/// # Errors
///
/// There is nothing to be published; see [`SettleError`].
pub fn changes(
    objects: impl IntoIterator<Item = Value>,
    slices: Vec<GivenSlice>,
) -> Result<Changes, SettleError> {
    let addresses = slices
        .iter()
        .flat_map(|slice| &slice.view.endpoints)
        .flat_map(|endpoint| endpoint.addresses.iter().copied());
    let (mut api, refused) = start(given(objects)?, addresses)?;
    api.rest()?;

    let service_of = |slice: &SliceView| {
        Some(ObjectName::new(slice.id.namespace.clone(), slice.service.clone()?))
    };
    let complete: BTreeSet<ObjectName> = slices
        .iter()
        .filter(|slice| slice.of_controller)
        .filter_map(|slice| service_of(&slice.view))
        .collect();
    let mut changes: Vec<Change> = slices
        .iter()
        .map(|slice| slice.view.id.namespace.clone())
        .collect::<BTreeSet<_>>()
        .into_iter()
        .map(Change::Namespace)
        .collect();
    let mut skipped = Vec::new();
    for object in api.objects.into_values() {
        match views::change(&object) {
            Ok(Some(Change::Slice(slice)))
                if service_of(&slice).is_some_and(|service| complete.contains(&service)) => {}
            Ok(change) => changes.extend(change),
            Err(unusable) => skipped.push((object.reference(), unusable)),
        }
    }
    changes.extend(slices.into_iter().map(|slice| Change::Slice(slice.view)));
    Ok(Changes { changes, refused, skipped })
}
