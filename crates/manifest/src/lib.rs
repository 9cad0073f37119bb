//! Kubernetes objects from text: reading with positions, kinds, defaults, validation, selectors.
//!
//! Pure: text and values in, values and problems out.

pub mod edit;
mod family;
pub mod field;
pub mod gateway;
pub mod generate;
pub mod kind;
pub mod labels;
mod object;
pub mod read;
pub mod rules;
pub mod schema;
pub mod selector;
mod service_import;

pub use family::IpFamily;
pub use kind::{Kind, KindId, Stored};
pub use object::{Object, ObjectRef, StoredObject};
pub use service_import::{
    ClusterStatus, ServiceImport, ServiceImportPort, ServiceImportSpec, ServiceImportStatus,
};
