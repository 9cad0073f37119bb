//! Kubernetes objects as names see them, and what manifests come to without a cluster.
//!
//! Pure: the feed of a live directory and the preview of manifests make the same views here.
//!
//! ```text
//! manifests ──► settle ──► objects ──► Preview ──► ServiceRecords: which names, what each answers and is for
//! a cluster's objects ───────────────────┘
//! ```

mod difference;
mod natural;
mod observe;
mod purpose;
mod records;
mod settle;
mod symbols;
pub mod views;
mod zone_text;

pub use observe::Preview;
pub use records::{Absent, Change, NamedRecord, ServiceRecords, Shape};
pub use settle::{
    Changes, GivenSlice, PodName, Refused, Settings, SettleError, Settled, changes, settle,
};
pub use zone_text::{UnknownZone, zone_text};
