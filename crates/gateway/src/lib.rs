//! HTTP from outside to Services: `Ingress`, and `HTTPRoute` of the Gateway API.
//!
//! What is decided is pure: objects (`Objects`) become a table of routes and what is to be said in their statuses
//! (`routing`). [`Gateway`] keeps the table current and writes the statuses; `proxy` answers requests by it. Connections
//! are taken from and made by whoever runs the cluster's network ([`Network`]).

mod actor;
mod network;
mod objects;
mod proxy;
mod routing;
mod status;
mod tls;

pub use actor::{Config, Gateway};
pub use network::Network;

/// The name of the IngressClass and the GatewayClass that are served.
pub const CLASS: &str = "headcount";

/// The controller that those classes name.
pub const CONTROLLER: &str = "headcount.dev/gateway";
