//! The generic registry: what every kind has in common, over the store.
//!
//! Each object is parsed once per write, goes through the kind's rules (manifest) and its behaviour (strategy),
//! and is stored as JSON that reads hand out without looking at it again.
//!
//! `metadata.managedFields` is no input of the kinds' rules: it is taken off on the way in and set by ownership.

mod apply;
mod create;
mod delete;
mod evict;
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

pub(crate) use read::ListAnswer;
pub(crate) use update::Subject;

use crate::allocate::CidrError;
use crate::config::Config;
use crate::object;
use crate::options::WriteOptions;
use crate::render::Rendered;
use crate::status::StatusError;
use crate::store::{Change, Entry, Expect, Key, Revision, Store, WriteError};
use crate::strategy::service::Allocations;

/// How often a write is tried again when another one came between, before the client is told.
const ATTEMPTS_MAX: usize = 64;

/// The largest object that is kept, in bytes: what one body may bring, and as much again as its managedFields may take.
/// Many small patches could grow it without end otherwise. (The limit of etcd, 1.5 MiB, is what a real cluster has.)
const OBJECT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The registry of all kinds.
pub(crate) struct Registry {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) config: Config,
    pub(crate) allocations: Allocations,
    pub(crate) rendered: Arc<Rendered>,
    /// Held from the count of a budget's pods to the deletion of one.
    evictions: tokio::sync::Mutex<()>,
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
        Ok(Self {
            store,
            config,
            allocations,
            rendered: Arc::default(),
            evictions: tokio::sync::Mutex::default(),
        })
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

    /// Brings a body into the stored shape: right types, known fields, `apiVersion` and `kind`. Also the paths of the
    /// fields that the kind does not have.
    fn normalize(
        kind: &'static Kind,
        mut value: Value,
    ) -> Result<(Value, Vec<String>), StatusError> {
        object::adopt_type(kind, &mut value)?;
        // Clients send back what they read; see `ownership::accepted` for those that mean it.
        object::remove(&mut value["metadata"], "managedFields");
        match rules::normalize(kind, value) {
            Ok(rules::Normalized { value, unknown, nearest: _ }) => Ok((value, unknown)),
            Err(errors) => {
                let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
                Err(StatusError::undecodable(kind, &errors.join(", ")))
            }
        }
    }

    /// As [`normalize`](Self::normalize), for a body that a client sent; also the warnings about it.
    fn normalize_sent(
        kind: &'static Kind,
        value: Value,
        options: &WriteOptions,
    ) -> Result<(Value, Vec<String>), StatusError> {
        let (value, unknown) = Self::normalize(kind, value)?;
        let warnings = options.judge(&unknown);
        Ok((value, warnings.map_err(|error| StatusError::undecodable(kind, &error))?))
    }

    async fn put(&self, key: Key, expect: Expect, value: Value) -> Result<Arc<Entry>, WriteError> {
        self.store.write(key, expect, Change::Put(render(value))).await
    }

    async fn remove(&self, key: Key, at: Revision, value: Value) -> Result<Arc<Entry>, WriteError> {
        self.store.write(key, Expect::At(at), Change::Delete(render(value))).await
    }
}

/// Refuses an object that is too large to be kept.
fn check_size(kind: &Kind, value: &Value) -> Result<(), StatusError> {
    let bytes = crate::body::length(value);
    if bytes > OBJECT_BYTES_MAX {
        let message = format!(
            "Request entity too large: the {} would have {bytes} bytes, limit is {OBJECT_BYTES_MAX}",
            kind.kind
        );
        return Err(StatusError::new(crate::status::Reason::RequestEntityTooLarge, message));
    }
    Ok(())
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
            | Stored::PriorityClass
            | Stored::ServiceImport
            | Stored::GatewayClass
            | Stored::Gateway
            | Stored::HTTPRoute
            | Stored::ReferenceGrant => true,
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
            | Stored::Event
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
