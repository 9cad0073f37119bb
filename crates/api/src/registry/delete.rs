//! Deleting objects: preconditions, finalizers, propagation.
//!
//! An object without finalizers is gone at once. With finalizers it gets a `deletionTimestamp` and goes when an update
//! takes the last one away. A pod whose processes can be reached has its grace period: it goes when its node confirms that
//! they have ended, by a deletion without grace. No grace period is kept for others, so that a deleted simulated pod leaves at
//! once.

use jiff::SignedDuration;
use manifest::kind::{Kind, KindId, Stored};
use manifest::labels::{FOREGROUND, ORPHAN};
use serde_json::{Map, Value, json};

use super::update::{Subject, may_go};
use super::{ATTEMPTS_MAX, Registry, Written, has_generation, success};
use crate::body::to_bytes;
use crate::kubelet::Pod;
use crate::object::{self, finalizers, is_deleting, meta};
use crate::options::{DeleteOptions, ListOptions, Propagation};
use crate::render::object_list;
use crate::status::{Reason, StatusError};
use crate::store::{Entry, Expect, WriteError};

/// Namespaces that Kubernetes' NamespaceLifecycle admission keeps.
const IMMORTAL: [&str; 3] = ["default", "kube-system", "kube-public"];

impl Registry {
    /// Deletes one object.
    pub(crate) async fn delete(
        &self,
        subject: Subject<'_>,
        options: &DeleteOptions,
    ) -> Result<Written, StatusError> {
        let Subject { kind, namespace, name } = subject;
        if kind.id == KindId::Namespace && IMMORTAL.contains(&name) {
            return Err(StatusError::forbidden(kind, name, "this namespace may not be deleted"));
        }
        for _ in 0..ATTEMPTS_MAX {
            let entry = self.find(kind, namespace, name)?;
            let old = object::stored(&entry.json);
            check_preconditions(kind, name, &old, options)?;
            let new = self.marked(kind, &old, options);
            let last = may_go(kind, &new);
            if !last && new == old {
                return Ok(Written::new(entry.json.clone(), Vec::new()));
            }
            let uid = meta(&old, "uid").to_owned();
            let answer_status = last && !answers_object(kind);
            if options.dry_run {
                let json = if answer_status { success(kind, name, &uid) } else { to_bytes(&new) };
                return Ok(Written::new(json, Vec::new()));
            }
            let Entry { key, revision, json: _ } = &*entry;
            let written = if last {
                self.remove(key.clone(), *revision, new).await
            } else {
                self.put(key.clone(), Expect::At(*revision), new).await
            };
            match written {
                Ok(entry) => {
                    if last {
                        self.forget(kind, &old);
                    }
                    let json =
                        if answer_status { success(kind, name, &uid) } else { entry.json.clone() };
                    return Ok(Written::new(json, Vec::new()));
                }
                Err(WriteError::Conflict(_)) => {}
                Err(error) => return Err(StatusError::write(kind, name, error)),
            }
        }
        Err(StatusError::modified(kind, name))
    }

    /// Deletes the objects that match, one by one, and answers them as a list.
    pub(crate) async fn delete_collection(
        &self,
        kind: &'static Kind,
        namespace: Option<&str>,
        list: &ListOptions,
        options: &DeleteOptions,
    ) -> Result<Written, StatusError> {
        let listing = self.store.list(kind.resource(), namespace);
        let mut deleted = Vec::new();
        for entry in listing.entries {
            if !list.filter.matches(&entry.key, &entry.json) {
                continue;
            }
            let subject = Subject { kind, namespace: &entry.key.namespace, name: &entry.key.name };
            match self.delete(subject, options).await {
                Ok(_) => deleted.push(entry),
                // Somebody else was faster.
                Err(error) if error.reason == Reason::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        let mut metadata = Map::new();
        metadata.insert("resourceVersion".to_owned(), self.store.revision().to_string().into());
        let objects = deleted.into_iter().map(|entry| entry.json.clone()).collect();
        Ok(Written::new(object_list(kind, metadata, objects).whole(), Vec::new()))
    }

    /// The object as a deletion leaves it.
    fn marked(&self, kind: &Kind, old: &Value, options: &DeleteOptions) -> Value {
        let mut new = old.clone();
        let mut held: Vec<String> = finalizers(old).into_iter().map(str::to_owned).collect();
        if let Some(propagation) = options.propagation {
            held.retain(|finalizer| finalizer != FOREGROUND && finalizer != ORPHAN);
            match propagation {
                Propagation::Orphan => held.push(ORPHAN.to_owned()),
                Propagation::Foreground => held.push(FOREGROUND.to_owned()),
                Propagation::Background => {}
            }
        }
        let held = if held.is_empty() { Value::Null } else { json!(held) };
        object::set(&mut new["metadata"], "finalizers", held);
        // What goes at once never was "being deleted", except pods, whose watchers know it no other way.
        let known = old["metadata"]["deletionGracePeriodSeconds"].as_i64();
        if is_deleting(old)
            && let (Some(known), Some(asked)) = (known, options.grace_period_seconds)
            && asked < known
        {
            self.give_grace(&mut new, asked);
        }
        if !is_deleting(old) && (kind.id == KindId::Pod || !may_go(kind, &new)) {
            let grace = if kind.id == KindId::Pod { self.grace(old, options) } else { 0 };
            self.give_grace(&mut new, grace);
            if has_generation(kind) {
                let generation = old["metadata"]["generation"].as_i64().unwrap_or(0) + 1;
                new["metadata"]["generation"] = generation.into();
            }
        }
        if kind.id == KindId::Namespace {
            new["status"]["phase"] = "Terminating".into();
        }
        new
    }

    /// An object is to be gone in so many seconds.
    fn give_grace(&self, object: &mut Value, seconds: i64) {
        let now = self.now();
        let end = now.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(now);
        object["metadata"]["deletionTimestamp"] =
            end.strftime("%Y-%m-%dT%H:%M:%SZ").to_string().into();
        object["metadata"]["deletionGracePeriodSeconds"] = seconds.into();
    }

    /// How long the processes of a pod are given to end; nothing where there are none.
    fn grace(&self, pod: &Value, options: &DeleteOptions) -> i64 {
        let ended = matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"));
        let [namespace, name, uid] =
            ["namespace", "name", "uid"].map(|field| meta(pod, field).to_owned());
        let kubelet = self.config.kubelet.as_ref().filter(|_| !ended);
        if kubelet.is_none_or(|kubelet| kubelet.reachable(&Pod { namespace, name, uid }).is_err()) {
            return 0;
        }
        let own = pod["spec"]["terminationGracePeriodSeconds"].as_i64();
        options.grace_period_seconds.or(own).unwrap_or(DEFAULT_GRACE_SECONDS).max(0)
    }
}

/// Kubernetes' own.
const DEFAULT_GRACE_SECONDS: i64 = 30;

/// Kinds whose deletion is answered with the object even when it is gone.
fn answers_object(kind: &Kind) -> bool {
    match kind.id {
        KindId::Pod | KindId::Service => true,
        KindId::Stored(stored) => matches!(
            stored,
            Stored::ServiceAccount
                | Stored::PersistentVolumeClaim
                | Stored::PersistentVolume
                | Stored::ResourceQuota
        ),
        KindId::Namespace
        | KindId::Node
        | KindId::Endpoints
        | KindId::Event
        | KindId::EndpointSlice
        | KindId::StatefulSet
        | KindId::Deployment
        | KindId::ReplicaSet => false,
    }
}

fn check_preconditions(
    kind: &Kind,
    name: &str,
    old: &Value,
    options: &DeleteOptions,
) -> Result<(), StatusError> {
    let actual = meta(old, "uid");
    if let Some(given) = options.uid.as_deref().filter(|given| *given != actual) {
        let why = format!(
            "the UID in the precondition ({given}) does not match the UID in record ({actual}). \
             The object might have been deleted and then recreated"
        );
        return Err(StatusError::precondition(kind, name, why));
    }
    let actual = meta(old, "resourceVersion");
    if let Some(given) = options.resource_version.as_deref().filter(|given| *given != actual) {
        let why = format!(
            "the ResourceVersion in the precondition ({given}) does not match the ResourceVersion in record \
             ({actual}). The object might have been modified"
        );
        return Err(StatusError::precondition(kind, name, why));
    }
    Ok(())
}
