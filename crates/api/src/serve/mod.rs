//! The API over HTTPS: its certificates and token, the kubeconfig that carries them, and the server.

mod answer;
mod authenticate;
mod connection;
mod credentials;
mod kubeconfig;
mod limits;
mod private;
mod server;
mod stall;

use std::time::Duration;

pub use authenticate::{Authenticate, Authenticated};
pub use credentials::{CredentialError, Credentials, Token};
pub use kubeconfig::{DnsAddress, Inside, Kubeconfig};
pub use limits::Limits;
pub(crate) use private::keep_private;
pub use private::write_private;
pub use server::{BindError, Server};

/// For answers under way when a connection, or the server, closes.
const GRACE: Duration = Duration::from_secs(2);
