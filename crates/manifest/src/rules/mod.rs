//! What an object must be: its shape, its defaults, its validity. One place for all who ask.
//!
//! An object passes [`normalize`], [`default`] and [`validate`], in that order.

mod defaults;
mod deployment;
mod endpoint_slice;
mod endpoints;
mod event;
mod gateway;
pub(crate) mod metadata;
pub mod names;
mod namespace;
pub mod net;
mod network_policy;
mod node;
mod normalize;
mod pod;
mod replica_set;
pub mod service;
mod stateful_set;
mod stored;
#[cfg(test)]
mod tests;
mod warnings;
mod workload;

pub use normalize::{Normalized, normalize};
pub(crate) use normalize::{Pass, pass};
pub use warnings::warnings;

use k8s_openapi::Metadata;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::core::v1::{Endpoints, Event, Namespace, Node, Pod, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Deserialize;
use serde_json::Value;

use crate::field::{FieldError, FieldPath};
use crate::kind::{Kind, KindId, Stored, Typed, WithType};

/// Fills in what the author left out, as the API of Kubernetes 1.36 does when it reads an object.
///
/// What depends on the cluster (addresses, node ports, IP families) is not filled in here.
pub fn default(kind: &Kind, value: &mut Value) {
    let Some(object) = value.as_object_mut() else { return };
    match kind.id {
        KindId::Namespace => namespace::default(object),
        KindId::Pod => pod::default(object),
        KindId::Service => service::default(object),
        KindId::Endpoints => endpoints::default(object),
        KindId::EndpointSlice => endpoint_slice::default(object),
        KindId::StatefulSet => stateful_set::default(object),
        KindId::Deployment => deployment::default(object),
        KindId::ReplicaSet => replica_set::default(object),
        KindId::Stored(stored) => stored::default(stored, object),
        KindId::Node | KindId::Event => {}
    }
}

/// Checks an object of the shape that [`normalize`] gives, with its defaults and in its stored form
/// ([`Kind::to_stored`]); `old` is the stored object of an update. An empty list means valid.
pub fn validate(kind: &Kind, new: &Value, old: Option<&Value>) -> Vec<FieldError> {
    match kind.id {
        KindId::Namespace => typed::<Namespace>(kind, new, old, |new, _, errors| {
            namespace::validate(new, errors);
        }),
        KindId::Node => typed::<Node>(kind, new, old, node::validate),
        KindId::Pod => typed::<Pod>(kind, new, old, pod::validate),
        KindId::Service => typed::<Service>(kind, new, old, service::validate),
        KindId::Endpoints => typed::<Endpoints>(kind, new, old, |new, _, errors| {
            endpoints::validate(new, errors);
        }),
        KindId::Event => typed::<Event>(kind, new, old, |new, _, errors| {
            event::validate(new, errors);
        }),
        KindId::Stored(Stored::Event) => typed::<Event>(kind, new, old, event::validate_strictly),
        KindId::Stored(Stored::NetworkPolicy) => {
            typed::<NetworkPolicy>(kind, new, old, |new, _, errors| {
                network_policy::validate(new, errors);
            })
        }
        KindId::EndpointSlice => typed::<EndpointSlice>(kind, new, old, endpoint_slice::validate),
        KindId::StatefulSet => typed::<StatefulSet>(kind, new, old, stateful_set::validate),
        KindId::Deployment => typed::<Deployment>(kind, new, old, deployment::validate),
        KindId::ReplicaSet => typed::<ReplicaSet>(kind, new, old, replica_set::validate),
        KindId::Stored(stored) => {
            let mut errors = stored.with_type(MetadataOnly { kind, new, old });
            errors.extend(stored::validate(stored, new, old));
            errors
        }
    }
}

/// The check of a stored kind's metadata.
struct MetadataOnly<'a> {
    kind: &'a Kind,
    new: &'a Value,
    old: Option<&'a Value>,
}

impl WithType for MetadataOnly<'_> {
    type Output = Vec<FieldError>;

    fn run<T: Typed>(self) -> Vec<FieldError> {
        typed::<T>(self.kind, self.new, self.old, |_, _, _| {})
    }
}

/// Checks the metadata, then what the kind asks for.
fn typed<T>(
    kind: &Kind,
    new: &Value,
    old: Option<&Value>,
    rules: impl FnOnce(&T, Option<&T>, &mut Vec<FieldError>),
) -> Vec<FieldError>
where
    T: for<'de> Deserialize<'de> + Metadata<Ty = ObjectMeta>,
{
    let read = |value: &Value| {
        T::deserialize(value).map_err(|error| {
            vec![FieldError::wrong_type(&FieldPath::ROOT, Value::Null, error.to_string())]
        })
    };
    let new = match read(new) {
        Ok(new) => new,
        Err(errors) => return errors,
    };
    let old = match old.map(read).transpose() {
        Ok(old) => old,
        Err(errors) => return errors,
    };
    let mut errors = Vec::new();
    metadata::validate(kind, new.metadata(), old.as_ref().map(Metadata::metadata), &mut errors);
    rules(&new, old.as_ref(), &mut errors);
    errors
}
