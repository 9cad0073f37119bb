//! The way from this machine to Ingresses and HTTPRoutes: connections are taken here and passed on inside of the pods' network.

use std::net::SocketAddr;
use std::sync::Arc;

use proxy::connections;
use sandbox::{Engine, Network};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::error::Error;

/// Connections at once; more wait until one ends.
const CONNECTIONS_MAX: usize = 1024;

/// Listens; port 0 takes a free one.
pub(super) async fn bind(address: SocketAddr) -> Result<TcpListener, Error> {
    TcpListener::bind(address).await.map_err(|error| {
        Error::caused(format_args!("could not listen on {address}"), &error)
            .hint("name another address with --ingress-listen")
    })
}

/// Passes connections on to an address inside until `stop` completes.
pub(super) async fn serve(
    listener: TcpListener,
    engine: Engine,
    inside: SocketAddr,
    stop: impl Future<Output = ()>,
) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut carried = JoinSet::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        while carried.try_join_next().is_some() {}
        let taken = tokio::select! {
            () = &mut stop => return,
            taken = connections::accept(&listener, &places) => taken,
        };
        let Some((client, _, place)) = taken else { return };
        let engine = engine.clone();
        carried.spawn(async move {
            pass(client, &engine, inside).await;
            drop(place);
        });
    }
}

async fn pass(client: TcpStream, engine: &Engine, inside: SocketAddr) {
    match engine.connect(Network::Cluster, inside).await {
        // What ends a connection early is between the two sides.
        Ok(inside) => drop(connections::carry(client, inside).await),
        Err(error) => tracing::warn!(%error, "the Ingresses could not be reached"),
    }
}
