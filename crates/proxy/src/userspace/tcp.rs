//! Connections of TCP, from a Service's address to its endpoints.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;
use tracing::debug;

use super::choice::{Backends, Choice};
use super::{Sockets, chance};
use crate::connections;

/// So long an endpoint may take to accept.
const PATIENCE: Duration = Duration::from_secs(5);

/// Serves an address until its endpoints are told no more. Connections under way go on.
pub(super) async fn serve(
    listener: TcpListener,
    sockets: Arc<impl Sockets>,
    backends: watch::Receiver<Backends>,
    connections: Arc<Semaphore>,
) {
    let mut choice = Choice::default();
    while let Some((client, peer, place)) = connections::accept(&listener, &connections).await {
        let now = Instant::now();
        let endpoint = choice.choose(&backends.borrow(), peer.ip().to_canonical(), now, chance());
        let Some(endpoint) = endpoint else { continue };
        let sockets = sockets.clone();
        tokio::spawn(async move {
            if let Err(error) = carry(client, &*sockets, endpoint).await {
                debug!(%error, %endpoint, "a connection to a Service broke off");
            }
            drop(place);
        });
    }
}

async fn carry(
    client: TcpStream,
    sockets: &impl Sockets,
    endpoint: SocketAddr,
) -> Result<(), String> {
    let connecting = timeout(PATIENCE, sockets.connect(endpoint)).await;
    let stream = connecting.map_err(|_| "it did not accept in time".to_owned())??;
    connections::carry(client, stream).await.map_err(|error| error.to_string())
}
