//! Everything that speaks to Kubernetes through [`kube::Client`]: the watches, the feed of the directory, the
//! controllers' loops, Events for people, and applying manifests. It does not know whether the API is the embedded one.

mod activity;
mod apply;
pub mod bootstrap;
mod controllers;
mod feed;
mod kind;
mod merge;
pub mod queue;
mod recorder;
mod snapshot;
mod watches;

pub use activity::{Activity, Busy};
pub use apply::{Applied, ApplyError, Outcome, apply};
pub use bootstrap::bootstrap;
pub use controllers::Controllers;
pub use feed::{Feed, Observer, ServiceKind, Skips};
pub use recorder::{Notice, Recorder};
pub use snapshot::{SnapshotError, snapshot};
pub use watches::{Change, Delivery, Hearing, Hearings, RunningWatches, Subscription, Watches};

/// A random number from the system.
fn random() -> u64 {
    // Without a source of chance, the clock's nanoseconds are spread enough for delays and generated names.
    getrandom::u64().unwrap_or_else(|_| jiff::Timestamp::now().as_nanosecond() as u64)
}
