//! Datagrams, from a Service's address to its endpoints and back.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::UdpSocket;
use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tracing::debug;

use super::choice::{Backends, Choice};
use super::{Sockets, chance};

/// A session ends when nothing has come for so long, as the kernel's table of flows has it.
const IDLE: Duration = Duration::from_secs(120);

/// So many sessions an address has at most.
const SESSIONS_MAX: usize = 256;

/// The largest datagram.
const DATAGRAM: usize = 65_535;

/// A client's datagrams to one endpoint.
struct Session {
    /// Which one: its client may have had others.
    number: u64,
    endpoint: SocketAddr,
    socket: Arc<UdpSocket>,
    task: AbortHandle,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Serves an address until its endpoints are told no more.
pub(super) async fn serve(
    socket: UdpSocket,
    sockets: Arc<impl Sockets>,
    mut backends: watch::Receiver<Backends>,
) {
    let socket = Arc::new(socket);
    let mut choice = Choice::default();
    let mut sessions = HashMap::<SocketAddr, Session>::new();
    let (ended, mut ends) = mpsc::channel(SESSIONS_MAX);
    let mut number = 0;
    let mut buffer = vec![0; DATAGRAM];
    loop {
        let (length, client) = tokio::select! {
            received = socket.recv_from(&mut buffer) => match received {
                Ok(received) => received,
                // That a client is not there for an answer any more is told here.
                Err(_) => continue,
            },
            Some((client, number)) = ends.recv() => {
                if sessions.get(&client).is_some_and(|session| session.number == number) {
                    sessions.remove(&client);
                }
                continue;
            }
            changed = backends.changed() => {
                if changed.is_err() {
                    return;
                }
                let now = backends.borrow_and_update();
                sessions.retain(|_, session| now.endpoints.contains(&session.endpoint));
                continue;
            }
        };
        if !sessions.contains_key(&client) {
            if sessions.len() >= SESSIONS_MAX {
                debug!(%client, "too many sessions: a datagram is dropped");
                continue;
            }
            let endpoint = choice.choose(
                &backends.borrow(),
                client.ip().to_canonical(),
                Instant::now(),
                chance(),
            );
            let Some(endpoint) = endpoint else { continue };
            number += 1;
            let end = (ended.clone(), number);
            match begin(&*sockets, &socket, client, endpoint, end).await {
                Ok(session) => sessions.insert(client, session),
                Err(error) => {
                    debug!(%error, %endpoint, "a datagram to a Service is dropped");
                    continue;
                }
            };
        }
        if let Some(session) = sessions.get(&client)
            && let Err(error) = session.socket.send(&buffer[..length]).await
        {
            debug!(%error, endpoint = %session.endpoint, "a datagram to a Service is dropped");
        }
    }
}

/// Begins to carry an endpoint's answers back to a client.
async fn begin(
    sockets: &impl Sockets,
    front: &Arc<UdpSocket>,
    client: SocketAddr,
    endpoint: SocketAddr,
    (ended, number): (mpsc::Sender<(SocketAddr, u64)>, u64),
) -> Result<Session, String> {
    let any = if endpoint.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let any = any.parse().map_err(|error| format!("{any}: {error}"))?;
    let back = sockets.bind(any).await?;
    back.connect(endpoint).await.map_err(|error| error.to_string())?;
    let (front, socket) = (front.clone(), Arc::new(back));
    let answers = socket.clone();
    let task = tokio::spawn(async move {
        let mut buffer = vec![0; DATAGRAM];
        while let Ok(received) = timeout(IDLE, answers.recv(&mut buffer)).await {
            // A refusal of an earlier datagram is the client's to find out by silence.
            let Ok(length) = received else { continue };
            if let Err(error) = front.send_to(&buffer[..length], client).await {
                debug!(%error, %client, "an answer of a Service is dropped");
            }
        }
        // Nobody is left to be told when the address is not served any more.
        let _ = ended.send((client, number)).await;
    });
    Ok(Session { number, endpoint, socket, task: task.abort_handle() })
}
