//! The generic registry: what every kind has in common, over the store.
//!
//! Each object is parsed once per write, goes through the kind's rules (manifest) and its behaviour (strategy),
//! and is stored as JSON that reads hand out without looking at it again.
//!
//! `metadata.managedFields` is no input of the kinds' rules: it is taken off on the way in and set by ownership.

mod apply;
mod create;
mod delete;
mod read;
mod subresource;
mod update;
mod watch;

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use manifest::kind::{Kind, KindId, Stored};
use manifest::rules;
use serde_json::Value;

pub(crate) use read::{ListAnswer, encode_list};
pub(crate) use update::Subject;
pub(crate) use watch::Encoding;

use crate::allocate::CidrError;
use crate::config::Config;
use crate::object;
use crate::options::FieldValidation;
use crate::status::StatusError;
use crate::store::{Change, Entry, Expect, Key, Revision, Store, WriteError};
use crate::strategy::service::Allocations;

/// How often a write is tried again when another one came between, before the client is told.
const ATTEMPTS_MAX: usize = 64;

/// The registry of all kinds.
pub(crate) struct Registry {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) config: Config,
    pub(crate) allocations: Allocations,
}

/// What a write came to.
#[derive(Debug)]
pub(crate) struct Written {
    /// The object as it is now (or would be), or a `Status`.
    pub(crate) json: Bytes,
    /// Whether the object is new.
    pub(crate) created: bool,
    /// For the client's `Warning` headers.
    pub(crate) warnings: Vec<String>,
}

impl Written {
    fn new(json: impl Into<Bytes>, warnings: Vec<String>) -> Self {
        Self { json: json.into(), created: false, warnings }
    }
}

impl Registry {
    pub(crate) fn new(store: Arc<dyn Store>, config: Config) -> Result<Self, CidrError> {
        let allocations = Allocations::restore(&config.service_cidrs, store.as_ref())?;
        Ok(Self { store, config, allocations })
    }

    fn now(&self) -> Timestamp {
        (self.config.clock)()
    }

    /// The time as Kubernetes writes it: whole seconds, UTC.
    fn time(&self) -> String {
        self.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }

    fn find(
        &self,
        kind: &'static Kind,
        namespace: &str,
        name: &str,
    ) -> Result<Arc<Entry>, StatusError> {
        self.store
            .get(&key(kind, namespace, name))
            .ok_or_else(|| StatusError::not_found(kind, name))
    }

    /// Brings a body into the stored shape: right types, known fields, `apiVersion` and `kind`.
    fn normalize(
        kind: &'static Kind,
        mut value: Value,
        validation: FieldValidation,
    ) -> Result<(Value, Vec<String>), StatusError> {
        object::adopt_type(kind, &mut value)?;
        // Clients send back what they read; see `with_managed_fields` for those that mean it.
        object::remove(&mut value["metadata"], "managedFields");
        let rules::Normalized { value, unknown, nearest: _ } = rules::normalize(kind, value)
            .map_err(|errors| {
                let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
                StatusError::bad_request(format!(
                    "{} in version \"{}\" cannot be handled as a {}: {}",
                    kind.kind,
                    kind.version,
                    kind.kind,
                    errors.join(", ")
                ))
            })?;
        let warnings: Vec<String> =
            unknown.iter().map(|path| format!("unknown field \"{path}\"")).collect();
        match validation {
            FieldValidation::Ignore => Ok((value, Vec::new())),
            FieldValidation::Warn => Ok((value, warnings)),
            FieldValidation::Strict if warnings.is_empty() => Ok((value, warnings)),
            FieldValidation::Strict => Err(StatusError::bad_request(format!(
                "strict decoding error: {}",
                warnings.join(", ")
            ))),
        }
    }

    async fn put(&self, key: Key, expect: Expect, value: Value) -> Result<Arc<Entry>, WriteError> {
        self.store.write(key, expect, Change::Put(render(value))).await
    }

    async fn remove(&self, key: Key, at: Revision, value: Value) -> Result<Arc<Entry>, WriteError> {
        self.store.write(key, Expect::At(at), Change::Delete(render(value))).await
    }
}

/// Makes the stored JSON once the revision is known.
fn render(mut value: Value) -> Box<dyn FnOnce(Revision) -> Vec<u8> + Send> {
    Box::new(move |revision| {
        value["metadata"]["resourceVersion"] = revision.to_string().into();
        serde_json::to_vec(&value).expect("a JSON value serialises")
    })
}

fn key(kind: &'static Kind, namespace: &str, name: &str) -> Key {
    Key { resource: kind.resource(), namespace: namespace.to_owned(), name: name.to_owned() }
}

/// Whether the kind counts its changes of specification in `metadata.generation`.
fn has_generation(kind: &Kind) -> bool {
    match kind.id {
        KindId::Pod
        | KindId::EndpointSlice
        | KindId::StatefulSet
        | KindId::Deployment
        | KindId::ReplicaSet => true,
        KindId::Namespace | KindId::Node | KindId::Service | KindId::Endpoints | KindId::Event => {
            false
        }
        KindId::Stored(stored) => match stored {
            Stored::DaemonSet
            | Stored::Job
            | Stored::CronJob
            | Stored::NetworkPolicy
            | Stored::Ingress
            | Stored::IngressClass
            | Stored::PodDisruptionBudget
            | Stored::PriorityClass => true,
            Stored::ConfigMap
            | Stored::Secret
            | Stored::ServiceAccount
            | Stored::PersistentVolumeClaim
            | Stored::PersistentVolume
            | Stored::ResourceQuota
            | Stored::LimitRange
            | Stored::ControllerRevision
            | Stored::HorizontalPodAutoscaler
            | Stored::Lease
            | Stored::Role
            | Stored::RoleBinding
            | Stored::ClusterRole
            | Stored::ClusterRoleBinding
            | Stored::StorageClass => false,
        },
    }
}

/// Answers `Status` of a success, as deletions do.
fn success(kind: &Kind, name: &str, uid: &str) -> Bytes {
    let mut details = serde_json::json!({ "name": name, "kind": kind.plural });
    if !kind.group.is_empty() {
        details["group"] = kind.group.into();
    }
    if !uid.is_empty() {
        details["uid"] = uid.into();
    }
    crate::body::to_bytes(&serde_json::json!({
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": details,
    }))
}
