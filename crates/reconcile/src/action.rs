//! What a controller wants done through the API.

use manifest::{Object, ObjectRef};

/// One request to the API.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::large_enum_variant)]
pub enum Action {
    /// Create this object. That it exists already is not an error: the next look at the world decides.
    Create(Object),
    /// Replace this object; its `metadata.resourceVersion` is the one the decision was made on.
    Update(Object),
    /// Replace the status of this object; `resourceVersion` as for `Update`.
    UpdateStatus(Object),
    /// Delete this object if it still has this UID.
    Delete {
        /// Which object.
        target: ObjectRef,
        /// The UID that the decision was made on.
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
