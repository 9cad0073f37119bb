//! Forwarding: names outside our zones are asked of other servers, and their answers are kept for a while.

mod config;
mod resolv_conf;
mod upstream;

pub use config::{Authorities, CacheConfig, ForwardConfig, Order, StubZone};
pub use resolv_conf::{Unusable, resolv_conf};
pub use upstream::{Upstream, UpstreamError, UpstreamProtocol, interface_index};
