//! The API by itself, in memory, for trying it with kubectl: `cargo run -p api --example serve -- KUBECONFIG`.
//!
//! Writes the kubeconfig, prints the address, and serves until it is interrupted. No controller runs.

use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use api::serve::{Authenticate, Credentials, Kubeconfig, Server, write_private};
use api::store::Memory;
use api::{ApiServer, Config};
use tower::Layer as _;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args_os().nth(1).ok_or("usage: serve KUBECONFIG")?;
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let names = Credentials::names(listen.ip(), "cluster.local", &[]);
    let credentials = Credentials::ephemeral(&names, None)?;
    let server = Server::bind(listen, &credentials).await?;
    let kubeconfig = Kubeconfig::new(server.address(), &credentials, None);
    write_private(&PathBuf::from(path), kubeconfig.to_string().as_bytes())?;

    let config = Config::new(vec!["10.96.0.0/12".parse()?], server.address());
    let api = ApiServer::new(Arc::new(Memory::new()), config)?;
    api.bootstrap().await?;
    tokio::spawn(api.clone().maintain());
    #[allow(clippy::print_stdout)] // the one line that a person waits for
    {
        println!("serving https://{}", server.address());
    }
    let authenticated = Authenticate::new(credentials.token().clone()).layer(api);
    let stop = async {
        // Without a signal handler, the process ends by the signal itself.
        let _ = tokio::signal::ctrl_c().await;
    };
    server.serve(authenticated, stop).await;
    Ok(())
}
