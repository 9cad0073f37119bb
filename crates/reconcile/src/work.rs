//! Pieces of work: which controller looks at which object.

use manifest::ObjectRef;

/// Namespace and name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
}

impl Key {
    /// A key from its two parts.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }
}

/// One thing to look at again; equal pieces waiting in a queue are one piece.
///
/// The order of the variants is a sensible order of work when several wait: what DNS answers from comes first.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Work {
    /// The EndpointSlices of this Service.
    EndpointSlices(Key),
    /// The copies, as EndpointSlices, of this Endpoints object.
    Mirror(Key),
    /// The Endpoints of this Service.
    Endpoints(Key),
    /// The pods and the status of this StatefulSet.
    StatefulSet(Key),
    /// The ReplicaSets and the status of this Deployment.
    Deployment(Key),
    /// The pods and the status of this ReplicaSet.
    ReplicaSet(Key),
    /// Whether this object is to be collected, or what its own deletion waits for.
    Garbage(ObjectRef),
    /// The content of this namespace, which is being deleted.
    Namespace(String),
}

impl Work {
    /// The namespace whose objects this work may create.
    pub(crate) fn namespace(&self) -> Option<&str> {
        match self {
            Self::EndpointSlices(key)
            | Self::Mirror(key)
            | Self::Endpoints(key)
            | Self::StatefulSet(key)
            | Self::Deployment(key)
            | Self::ReplicaSet(key) => Some(&key.namespace),
            Self::Garbage(_) | Self::Namespace(_) => None,
        }
    }
}
