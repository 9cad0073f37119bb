//! Replacing and patching objects, whole or their status.

use std::borrow::Cow;

use manifest::field::{FieldError, FieldPath};
use manifest::kind::{Kind, KindId, Stored};
use manifest::rules;
use serde_json::Value;

use super::create::adopt_namespace;
use super::{ATTEMPTS_MAX, Registry, Written, check_size, has_generation};
use crate::body::to_bytes;
use crate::object::{self, finalizers, is_deleting, meta, strings};
use crate::options::{PatchOptions, WriteOptions};
use crate::ownership::{self, Writer};
use crate::patch;
use crate::status::{Reason, StatusError};
use crate::store::{Entry, Expect, WriteError};
use crate::strategy;

/// Which part of an object a write may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// Everything but the status, where that is a part by itself.
    Main,
    /// The status.
    Status,
    /// `spec.finalizers` of a namespace.
    Finalize,
    /// What a binding sets of a pod; made from the pod itself.
    Binding,
    /// The number of replicas; made from the workload itself.
    Scale,
}

/// The object that a write is about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) kind: &'static Kind,
    /// Empty for cluster-scoped kinds.
    pub(crate) namespace: &'a str,
    pub(crate) name: &'a str,
}

impl Registry {
    /// Replaces an object (PUT).
    pub(crate) async fn replace(
        &self,
        subject: Subject<'_>,
        status: bool,
        body: Value,
        options: WriteOptions,
    ) -> Result<Written, StatusError> {
        let scope = if status { Scope::Status } else { Scope::Main };
        self.replace_scope(subject, scope, body, options).await
    }

    /// Replaces a namespace's `spec.finalizers`.
    pub(crate) async fn finalize(
        &self,
        name: &str,
        body: Value,
        options: WriteOptions,
    ) -> Result<Written, StatusError> {
        let subject = Subject { kind: Kind::of(KindId::Namespace), namespace: "", name };
        self.replace_scope(subject, Scope::Finalize, body, options).await
    }

    async fn replace_scope(
        &self,
        subject: Subject<'_>,
        scope: Scope,
        body: Value,
        options: WriteOptions,
    ) -> Result<Written, StatusError> {
        let given = ownership::accepted(&body["metadata"]["managedFields"]);
        let (mut value, warnings) = Self::normalize_sent(subject.kind, body, &options)?;
        if let Some(given) = given {
            value["metadata"]["managedFields"] = given;
        }
        self.change(subject, scope, &options, |_| {
            check_version_is_given(subject, &value)?;
            Ok((value.clone(), warnings.clone()))
        })
        .await
    }

    /// Changes an object by a patch. Where another write comes between, the patch is applied again to what that
    /// write left, unless the patch itself names a resourceVersion.
    pub(crate) async fn patch(
        &self,
        subject: Subject<'_>,
        status: bool,
        format: patch::Format,
        patch: &Value,
        options: &PatchOptions,
    ) -> Result<Written, StatusError> {
        let scope = if status { Scope::Status } else { Scope::Main };
        self.change(subject, scope, &options.write, |current| {
            // A patch speaks of the object as the client sees it.
            let mut seen = Cow::Borrowed(current);
            if !subject.kind.is_stored_as_served() {
                subject.kind.to_served(seen.to_mut());
            }
            let patched = apply_patch(subject, format, &seen, patch)?;
            let given = ownership::accepted(&patched["metadata"]["managedFields"]);
            let invalid = |error: &str| StatusError::invalid_patch(&patch.to_string(), error);
            let (mut value, unknown) =
                Self::normalize(subject.kind, patched).map_err(|error| invalid(&error.message))?;
            let warnings = options.write.judge(&unknown).map_err(|error| invalid(&error))?;
            if let Some(given) = given {
                value["metadata"]["managedFields"] = given;
            }
            Ok((value, warnings))
        })
        .await
    }

    /// The loop of all changes: read, make the new object, write it if the old one is still there.
    pub(super) async fn change(
        &self,
        subject: Subject<'_>,
        scope: Scope,
        options: &WriteOptions,
        mut make: impl FnMut(&Value) -> Result<(Value, Vec<String>), StatusError>,
    ) -> Result<Written, StatusError> {
        let Subject { kind, namespace, name } = subject;
        for _ in 0..ATTEMPTS_MAX {
            let entry = self.find(kind, namespace, name)?;
            let old = object::stored(&entry.json);
            let (new, mut warnings) = make(&old)?;
            let mut new = Self::prepare(subject, scope, &old, new)?;
            let mut errors = match (kind.id, scope) {
                (KindId::Service, Scope::Main) => self.allocations.prepare(&mut new, Some(&old)),
                _ => Vec::new(),
            };
            // A deleted object whose last finalizer went by another way must still go.
            let last = is_deleting(&new) && may_go(kind, &new);
            if errors.is_empty() && new == old && !last {
                return Ok(Written::new(entry.json.clone(), warnings));
            }
            errors.extend(rules::validate(kind, &new, Some(&old)));
            if !errors.is_empty() {
                let invalid = StatusError::invalid(kind, name, &errors);
                return Err(invalid.with_warnings(&warnings));
            }
            if scope == Scope::Main {
                warnings.extend(rules::warnings(kind, &new, false));
            }
            let claim = match (kind.id, scope) {
                (KindId::Service, Scope::Main) => Some(
                    self.allocations
                        .claim(Some(&old), &mut new)
                        .map_err(|errors| StatusError::invalid(kind, name, &errors))?,
                ),
                _ => None,
            };
            self.own(subject, scope, options, &old, &mut new);
            check_size(kind, &new)?;
            if options.dry_run {
                return Ok(Written::new(to_bytes(&new), warnings));
            }
            let Entry { key, revision, json: _ } = &*entry;
            let written = if last {
                self.remove(key.clone(), *revision, new).await
            } else {
                self.put(key.clone(), Expect::At(*revision), new).await
            };
            match written {
                Ok(entry) => {
                    match claim {
                        Some(claim) if !last => claim.commit(),
                        Some(_) | None => {}
                    }
                    if last {
                        self.forget(kind, &old);
                    }
                    return Ok(Written::new(entry.json.clone(), warnings));
                }
                Err(WriteError::Conflict(_)) => {}
                Err(error) => return Err(StatusError::write(kind, name, error)),
            }
        }
        Err(StatusError::modified(kind, name))
    }

    /// Records who owns which fields now. What was applied says so itself.
    fn own(
        &self,
        subject: Subject<'_>,
        scope: Scope,
        options: &WriteOptions,
        old: &Value,
        new: &mut Value,
    ) {
        let managed = new["metadata"]["managedFields"].take();
        let applied = options.applies;
        if managed.is_null() && options.manager.is_none() || applied {
            object::set(&mut new["metadata"], "managedFields", managed);
            return;
        }
        let time = self.time();
        let writer = Writer {
            manager: options.manager.as_deref(),
            subresource: match scope {
                Scope::Main | Scope::Finalize | Scope::Binding => "",
                Scope::Status => "status",
                Scope::Scale => "scale",
            },
            kind: subject.kind.stored_as(),
            time: &time,
        };
        let managed = ownership::update(&managed, old, new, writer);
        object::set(&mut new["metadata"], "managedFields", managed);
    }

    /// Lets go of what a removed object held.
    pub(super) fn forget(&self, kind: &Kind, value: &Value) {
        if kind.id == KindId::Service {
            self.allocations.release(value);
        }
    }

    /// Makes of what the client wants the object to be stored.
    fn prepare(
        subject: Subject<'_>,
        scope: Scope,
        old: &Value,
        mut new: Value,
    ) -> Result<Value, StatusError> {
        let Subject { kind, namespace, name } = subject;
        check_identity(subject, old, &mut new, namespace)?;
        let mut new = match scope {
            Scope::Main | Scope::Scale => {
                if kind.status {
                    object::set(&mut new, "status", old["status"].clone());
                }
                new
            }
            Scope::Status => {
                let mut kept = old.clone();
                object::set(&mut kept, "status", object::remove(&mut new, "status"));
                let managed = object::remove(&mut new["metadata"], "managedFields");
                if !managed.is_null() {
                    kept["metadata"]["managedFields"] = managed;
                }
                kept
            }
            Scope::Finalize => {
                let mut kept = old.clone();
                object::set(&mut kept["spec"], "finalizers", new["spec"]["finalizers"].take());
                kept
            }
            Scope::Binding => new,
        };
        keep_system_metadata(old, &mut new);
        // Absent: as it was. Null: forgotten.
        if new["metadata"].get("managedFields").is_none() {
            let managed = old["metadata"]["managedFields"].clone();
            object::set(&mut new["metadata"], "managedFields", managed);
        } else if new["metadata"]["managedFields"].is_null() {
            object::remove(&mut new["metadata"], "managedFields");
        }
        if matches!(scope, Scope::Main | Scope::Scale) {
            strategy::prepare_update(kind, old, &mut new)
                .map_err(|errors| StatusError::invalid(kind, name, &errors))?;
        }
        rules::default(kind, &mut new);
        check_finalizers(kind, name, old, &new)?;
        if has_generation(kind) && specification_differs(old, &new) {
            let generation = old["metadata"]["generation"].as_i64().unwrap_or(0) + 1;
            new["metadata"]["generation"] = generation.into();
        }
        Ok(new)
    }
}

fn apply_patch(
    subject: Subject<'_>,
    format: patch::Format,
    current: &Value,
    patch: &Value,
) -> Result<Value, StatusError> {
    patch::apply(subject.kind, format, current, patch).map_err(|error| patch_error(&error))
}

/// What a patch that does not apply tells the client.
pub(super) fn patch_error(error: &patch::PatchError) -> StatusError {
    let reason = match error {
        patch::PatchError::Malformed(_) => Reason::BadRequest,
        patch::PatchError::Unprocessable(_) => Reason::Invalid,
        patch::PatchError::TooLarge(_) => Reason::RequestEntityTooLarge,
    };
    StatusError::new(reason, error.to_string())
}

/// Kinds of which Kubernetes replaces no state but the one that the client has seen.
fn check_version_is_given(subject: Subject<'_>, new: &Value) -> Result<(), StatusError> {
    let Subject { kind, name, .. } = subject;
    let conditional =
        matches!(kind.id, KindId::Stored(Stored::Lease | Stored::PodDisruptionBudget));
    if !conditional || !matches!(meta(new, "resourceVersion"), "" | "0") {
        return Ok(());
    }
    let metadata = FieldPath::new("metadata");
    let why = "must be specified for an update";
    let error = FieldError::invalid(&metadata.child("resourceVersion"), 0, why);
    Err(StatusError::invalid_fields(kind.group, kind.plural, name, &[error]))
}

/// The new object must be the old one: same name and namespace, and where they are given same uid and
/// resourceVersion.
fn check_identity(
    subject: Subject<'_>,
    old: &Value,
    new: &mut Value,
    namespace: &str,
) -> Result<(), StatusError> {
    let Subject { kind, name, .. } = subject;
    adopt_namespace(kind, new, kind.namespaced.then_some(namespace))?;
    match meta(new, "name") {
        "" => new["metadata"]["name"] = name.into(),
        given if given == name => {}
        given => {
            return Err(StatusError::bad_request(format!(
                "the name of the object ({given}) does not match the name on the URL ({name})"
            )));
        }
    }
    let (given, actual) = (meta(new, "uid"), meta(old, "uid"));
    if !given.is_empty() && given != actual {
        let why = format!(
            "Precondition failed: UID in precondition: {given}, UID in object meta: {actual}"
        );
        return Err(StatusError::conflict(kind, name, why));
    }
    match meta(new, "resourceVersion") {
        "" | "0" => Ok(()),
        given if given == meta(old, "resourceVersion") => Ok(()),
        _ => Err(StatusError::modified(kind, name)),
    }
}

/// Copies what clients cannot change.
pub(super) fn keep_system_metadata(old: &Value, new: &mut Value) {
    for field in [
        "uid",
        "resourceVersion",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "generation",
        "selfLink",
    ] {
        object::set(&mut new["metadata"], field, old["metadata"][field].clone());
    }
}

/// An object that is going away takes no new finalizers.
fn check_finalizers(kind: &Kind, name: &str, old: &Value, new: &Value) -> Result<(), StatusError> {
    if !is_deleting(old) {
        return Ok(());
    }
    let before = finalizers(old);
    let added: Vec<&str> =
        finalizers(new).into_iter().filter(|finalizer| !before.contains(finalizer)).collect();
    if added.is_empty() {
        return Ok(());
    }
    let detail = format!(
        "no new finalizers can be added if the object is being deleted, found new finalizers {added:?}"
    );
    let metadata = FieldPath::new("metadata");
    let error = FieldError::forbidden(&metadata.child("finalizers"), detail);
    Err(StatusError::invalid(kind, name, &[error]))
}

/// Whether nothing holds a deleted object back.
pub(super) fn may_go(kind: &Kind, value: &Value) -> bool {
    finalizers(value).is_empty()
        && match kind.id {
            KindId::Namespace => strings(&value["spec"]["finalizers"]).is_empty(),
            // Its node has not said yet that its processes have ended.
            KindId::Pod => {
                value["metadata"]["deletionGracePeriodSeconds"].as_i64().unwrap_or(0) == 0
            }
            _ => true,
        }
}

/// Whether anything but metadata and status differs.
fn specification_differs(old: &Value, new: &Value) -> bool {
    let (Some(old), Some(new)) = (old.as_object(), new.as_object()) else { return true };
    let differs = |field: &String| {
        !matches!(field.as_str(), "metadata" | "status" | "apiVersion" | "kind")
            && old.get(field) != new.get(field)
    };
    old.keys().chain(new.keys()).any(differs)
}
