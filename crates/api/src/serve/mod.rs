//! The API over HTTPS: its certificates and token, the kubeconfig that carries them, and the server.

mod authenticate;
mod credentials;
mod kubeconfig;
mod private;
mod server;

pub use authenticate::{Authenticate, Authenticated};
pub use credentials::{CredentialError, Credentials, Token};
pub use kubeconfig::{DnsAddress, Kubeconfig};
pub use private::write_private;
pub use server::{BindError, Server};
