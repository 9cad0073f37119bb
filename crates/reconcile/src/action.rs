//! What a controller wants done through the API.

use manifest::{Object, ObjectRef};

use crate::world::{Kept, reference};

/// An owner that a dependent names: which object, and the UID it had.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Owner {
    /// Which object.
    pub target: ObjectRef,
    /// The UID in the ownerReference; another object of the same name is not this owner.
    pub uid: String,
}

/// What becomes of the dependents of a deleted object (`DeleteOptions.propagationPolicy`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Propagation {
    /// The object goes at once, its dependents later.
    Background,
    /// The dependents that block their owner go first.
    Foreground,
    /// The dependents stay and lose their ownerReference.
    Orphan,
}

/// One request to the API.
///
/// The actions of one decision are applied in order. What the API answers goes into the
/// [`World`](crate::World) at once (`apply`, `remove`), before the watch delivers it, so that the next look sees
/// it. After an error the rest of the decision is dropped and the work is looked at again (with a delay that
/// grows): what follows may rest on what failed. A creation that the API refused is noted in the world
/// ([`note_refusal`](crate::World::note_refusal)).
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::large_enum_variant)]
pub enum Action {
    /// Create this object. That it exists already is not an error: the next look at the world decides.
    Create(Object),
    /// Replace this object; its `metadata.resourceVersion` is the one the decision was made on.
    Update(Object),
    /// Replace the status of this object; `resourceVersion` as for `Update`.
    UpdateStatus(Object),
    /// Delete this object if it still has this UID; that it is gone already is not an error.
    Delete {
        /// Which object.
        target: ObjectRef,
        /// The UID that the decision was made on; empty when the object carries none (objects from files).
        uid: String,
        /// What becomes of its dependents.
        propagation: Propagation,
    },
    /// Delete this object because its owners are gone, after the API itself has confirmed that they are:
    /// GET each of `absent`; 404 or another UID means absent. If any is still there, do nothing (its watch is
    /// late). The kinds of the world are watched separately, so absence from the world alone is no proof.
    Collect {
        /// Which object.
        target: ObjectRef,
        /// Its UID.
        uid: String,
        /// What becomes of its own dependents.
        propagation: Propagation,
        /// The owners that must be absent; never empty.
        absent: Vec<Owner>,
    },
    /// Take the dangling references to `absent` out of this object's ownerReferences, if the API confirms (as
    /// for `Collect`) that they are absent; other owners keep it alive. The object is as it shall become.
    Release {
        /// The object without these references; `resourceVersion` as for `Update`.
        object: Object,
        /// The owners that must be absent.
        absent: Vec<Owner>,
    },
    /// Delete all objects of a kind in a namespace (`DELETE` on the collection); none is not an error.
    DeleteAll {
        /// The kind, for example `Event`.
        kind: &'static str,
        /// The namespace.
        namespace: String,
    },
    /// Remove the finalizer `kubernetes` from this namespace (`PUT /api/v1/namespaces/NAME/finalize`), whose
    /// content is gone as far as the watched kinds tell. The API refuses, or the caller checks, when objects of
    /// other kinds remain.
    Finalize {
        /// The namespace's name.
        namespace: String,
        /// Its UID.
        uid: String,
    },
    /// Tell people: an Event about `regarding`.
    Record {
        /// The object that the Event is about.
        regarding: ObjectRef,
        /// Its UID.
        uid: String,
        /// `true` for a Warning, `false` for a Normal event.
        warning: bool,
        /// Machine-readable reason in UpperCamelCase, for example `SuccessfulCreate`.
        reason: &'static str,
        /// The sentence people read.
        message: String,
        /// Who reports, for example `statefulset-controller`.
        component: &'static str,
    },
}

impl Action {
    /// Deletes this object; its dependents go later.
    pub(crate) fn delete<K: Kept>(object: &K) -> Self {
        Self::Delete {
            target: reference(object),
            uid: object.metadata().uid.clone().unwrap_or_default(),
            propagation: Propagation::Background,
        }
    }

    /// A Normal Event about this object.
    pub(crate) fn normal<K: Kept>(
        regarding: &K,
        component: &'static str,
        reason: &'static str,
        message: String,
    ) -> Self {
        Self::event(regarding, component, false, reason, message)
    }

    /// A Warning about this object.
    pub(crate) fn warning<K: Kept>(
        regarding: &K,
        component: &'static str,
        reason: &'static str,
        message: String,
    ) -> Self {
        Self::event(regarding, component, true, reason, message)
    }

    fn event<K: Kept>(
        regarding: &K,
        component: &'static str,
        warning: bool,
        reason: &'static str,
        message: String,
    ) -> Self {
        Self::Record {
            regarding: reference(regarding),
            uid: regarding.metadata().uid.clone().unwrap_or_default(),
            warning,
            reason,
            message,
            component,
        }
    }
}
