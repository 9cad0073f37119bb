//! Connections of TCP, from a Service's address to its endpoints.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};
use tracing::debug;

use super::choice::{Backends, Choice};
use super::{Sockets, chance};

/// So long an endpoint may take to accept.
const PATIENCE: Duration = Duration::from_secs(5);

/// The pause after a connection could not be accepted, for want of descriptors say.
const PAUSE: Duration = Duration::from_millis(50);

/// Serves an address until its endpoints are told no more. Connections under way go on.
pub(super) async fn serve(
    listener: TcpListener,
    sockets: Arc<impl Sockets>,
    backends: watch::Receiver<Backends>,
    connections: Arc<Semaphore>,
) {
    let mut choice = Choice::default();
    loop {
        // Who waits for its turn waits in the kernel's queue, which has a bound.
        let Ok(permit) = connections.clone().acquire_owned().await else { return };
        let (client, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                debug!(%error, "could not accept a connection to a Service");
                sleep(PAUSE).await;
                continue;
            }
        };
        let now = Instant::now();
        let endpoint = choice.choose(&backends.borrow(), peer.ip().to_canonical(), now, chance());
        let Some(endpoint) = endpoint else { continue };
        let sockets = sockets.clone();
        tokio::spawn(async move {
            if let Err(error) = carry(client, &*sockets, endpoint).await {
                debug!(%error, %endpoint, "a connection to a Service broke off");
            }
            drop(permit);
        });
    }
}

async fn carry(
    mut client: TcpStream,
    sockets: &impl Sockets,
    endpoint: SocketAddr,
) -> Result<(), String> {
    let connecting = timeout(PATIENCE, sockets.connect(endpoint)).await;
    let mut stream = connecting.map_err(|_| "it did not accept in time".to_owned())??;
    // What is small must not wait for what comes after it.
    for stream in [&client, &stream] {
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
    }
    copy_bidirectional(&mut client, &mut stream).await.map_err(|error| error.to_string())?;
    Ok(())
}
