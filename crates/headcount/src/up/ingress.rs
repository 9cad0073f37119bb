//! The way from this machine to Ingresses and HTTPRoutes: connections are taken here and passed on inside of the pods' network.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use sandbox::{Engine, Network};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::sleep;

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
    let mut connections = JoinSet::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        while connections.try_join_next().is_some() {}
        let taken = async {
            let place = places.clone().acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            () = &mut stop => return,
            taken = taken => taken,
        };
        match accepted {
            Ok((client, _)) => {
                let engine = engine.clone();
                connections.spawn(async move {
                    pass(client, &engine, inside).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection to the Ingresses could not be taken");
                // Too many open files, as a rule: don't spin on it.
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn pass(mut client: TcpStream, engine: &Engine, inside: SocketAddr) {
    match engine.connect(Network::Cluster, inside).await {
        // What ends a connection early is between the two sides.
        Ok(mut inside) => drop(copy_bidirectional(&mut client, &mut inside).await),
        Err(error) => tracing::warn!(%error, "the Ingresses could not be reached"),
    }
}
