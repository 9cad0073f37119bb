//! Objects as controllers handle them: typed where their content matters, else their metadata alone.

use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::core::v1::{Endpoints, Event, Namespace, Node, Pod, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Deserialize as _;
use serde_json::{Map, Value};

use crate::kind::{Kind, KindId, Stored};

/// Which object: kind, namespace (empty for cluster-scoped kinds) and name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectRef {
    /// The kind, for example `EndpointSlice`.
    pub kind: &'static str,
    /// The namespace; empty for cluster-scoped kinds.
    pub namespace: String,
    /// The name.
    pub name: String,
}

/// An object of a kind whose content no controller reads.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredObject {
    /// The kind.
    pub kind: Stored,
    /// `metadata`.
    pub metadata: ObjectMeta,
    /// The fields beside it, of an object that is to be created; empty of one that is there.
    pub content: Map<String, Value>,
}

impl StoredObject {
    /// The kind, as discovery tells it.
    fn kind(&self) -> &'static Kind {
        Kind::of(KindId::Stored(self.kind))
    }

    fn to_value(&self) -> serde_json::Result<Value> {
        let Self { metadata, content, .. } = self;
        let mut value = content.clone();
        value.insert("apiVersion".to_owned(), self.kind().api_version().into());
        value.insert("kind".to_owned(), self.kind().kind.into());
        value.insert("metadata".to_owned(), serde_json::to_value(metadata)?);
        Ok(Value::Object(value))
    }
}

macro_rules! objects {
    ($($kind:ident = $id:pat),* $(,)?) => {
        /// An object of one of the kinds that controllers know.
        #[derive(Clone, Debug, PartialEq)]
        #[allow(missing_docs, clippy::large_enum_variant)]
        pub enum Object {
            $($kind($kind),)*
            /// Of any other kind.
            Stored(StoredObject),
        }

        impl Object {
            /// Reads an object of this kind, which its `kind` and `apiVersion` need not tell.
            ///
            /// # Errors
            ///
            /// A field holds what it may not hold.
            pub fn from_value(kind: KindId, value: &Value) -> serde_json::Result<Self> {
                match kind {
                    $($id => <$kind>::deserialize(value).map(Self::$kind),)*
                    KindId::Stored(kind) => {
                        let metadata = ObjectMeta::deserialize(&value["metadata"])?;
                        let mut content = value.as_object().cloned().unwrap_or_default();
                        for field in ["apiVersion", "kind", "metadata"] {
                            content.remove(field);
                        }
                        Ok(Self::Stored(StoredObject { kind, metadata, content }))
                    }
                }
            }

            /// The kind's name.
            pub fn kind(&self) -> &'static str {
                match self {
                    $(Self::$kind(_) => stringify!($kind),)*
                    Self::Stored(object) => object.kind().kind,
                }
            }

            /// `metadata`.
            pub fn metadata(&self) -> &ObjectMeta {
                match self {
                    $(Self::$kind(object) => &object.metadata,)*
                    Self::Stored(object) => &object.metadata,
                }
            }

            /// `metadata`, to change.
            pub fn metadata_mut(&mut self) -> &mut ObjectMeta {
                match self {
                    $(Self::$kind(object) => &mut object.metadata,)*
                    Self::Stored(object) => &mut object.metadata,
                }
            }

            /// The object as JSON, with `apiVersion` and `kind`.
            pub fn to_value(&self) -> Value {
                match self {
                    $(Self::$kind(object) => serde_json::to_value(object),)*
                    Self::Stored(object) => object.to_value(),
                }
                .expect("Kubernetes types serialise to JSON objects")
            }
        }

        $(impl From<$kind> for Object {
            fn from(object: $kind) -> Self { Self::$kind(object) }
        })*

        impl From<StoredObject> for Object {
            fn from(object: StoredObject) -> Self { Self::Stored(object) }
        }
    };
}

objects!(
    Namespace = KindId::Namespace,
    Node = KindId::Node,
    Pod = KindId::Pod,
    Service = KindId::Service,
    Endpoints = KindId::Endpoints,
    EndpointSlice = KindId::EndpointSlice,
    StatefulSet = KindId::StatefulSet,
    Deployment = KindId::Deployment,
    ReplicaSet = KindId::ReplicaSet,
    ControllerRevision = KindId::Stored(Stored::ControllerRevision),
    Event = KindId::Event,
);

impl Object {
    /// What names this object.
    pub fn reference(&self) -> ObjectRef {
        let metadata = self.metadata();
        ObjectRef {
            kind: self.kind(),
            namespace: metadata.namespace.clone().unwrap_or_default(),
            name: metadata.name.clone().unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn objects_are_read_and_written() {
        let check = |value: Value| {
            let text = |field: &str| value[field].as_str().unwrap();
            let kind = Kind::by_type(text("apiVersion"), text("kind")).unwrap();
            let object = Object::from_value(kind.id, &value).unwrap();
            assert_eq!(object.kind(), text("kind"));
            assert_eq!(object.to_value(), value);
        };
        let metadata = json!({"name": "x", "namespace": "default"});
        check(json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata,
            "spec": {"clusterIP": "None"}}));
        check(json!({"apiVersion": "apps/v1", "kind": "ControllerRevision", "metadata": metadata,
            "revision": 1}));
        check(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata,
            "data": {"a": "b"}}));
        let wrong = json!({"metadata": {"name": 1}});
        for kind in [KindId::Service, KindId::Stored(Stored::ConfigMap)] {
            assert!(Object::from_value(kind, &wrong).is_err(), "{kind:?}");
        }
    }
}
