//! What those who run the server look at: whether it lives and is ready, its metrics, who asks for what.

mod http;
mod metrics;
mod observer;
mod samples;
mod state;
mod text;
mod top;

pub(super) use http::{Listener, Page};
pub(super) use observer::Watcher;
pub(super) use samples::Samples;
pub(super) use state::{Now, State};
