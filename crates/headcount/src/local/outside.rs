//! The way out of the cluster's network: TCP connections of pods to addresses outside of the cluster are led to a
//! listener inside, and dialled from this machine's own network. What pods get is what this machine gets; its loopback addresses stay
//! its own.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use proxy::{Proxy, connections};
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Connections at once; more wait until one ends.
const CONNECTIONS_MAX: usize = 1024;

/// Connections at once of one client; one more is reset.
const OF_CLIENT_MAX: usize = 256;

/// How long the other side may take to answer. A client's own patience ends later, as a rule.
const DIAL_PATIENCE: Duration = Duration::from_secs(30);

/// Serves a listener of the cluster's network for as long as it is polled.
pub(super) async fn serve(listener: TcpListener, proxy: Arc<Proxy>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let clients = Clients::default();
    while let Some((inside, client, place)) = connections::accept(&listener, &places).await {
        let proxy = proxy.clone();
        let Some(of_client) = clients.take(client.ip()) else {
            refuse(&inside);
            continue;
        };
        tokio::spawn(async move {
            let destination = original_destination(&inside).and_then(|dialled| {
                let chance = RandomState::new().hash_one(client);
                let outside = proxy.outside();
                outside.destination(client.ip(), dialled, chance).map_err(io::Error::other)
            });
            pass(inside, destination).await;
            drop((place, of_client));
        });
    }
}

/// Passes a connection on to where it was meant to go.
async fn pass(inside: TcpStream, destination: io::Result<SocketAddr>) {
    let outside = async {
        let destination = destination?;
        if !is_outside(destination) {
            return Err(io::Error::other(format!("{destination} is not outside")));
        }
        timeout(DIAL_PATIENCE, TcpStream::connect(destination)).await?
    };
    match outside.await {
        // What ends a connection early is between the two sides.
        Ok(outside) => drop(connections::carry(inside, outside).await),
        Err(error) => {
            tracing::debug!(%error, "a pod's connection to the outside");
            refuse(&inside);
        }
    }
}

/// Lets a connection be reset when it is dropped, which is what comes nearest to the refusal that the client has not seen: it believes itself connected.
fn refuse(inside: &TcpStream) {
    let _ = SockRef::from(inside).set_linger(Some(Duration::ZERO));
}

/// How many connections each client has, so that one does not take all.
#[derive(Clone, Default)]
struct Clients(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// A connection of a client, for as long as this is held.
struct OfClient(Clients, IpAddr);

impl Clients {
    fn take(&self, client: IpAddr) -> Option<OfClient> {
        let mut counts = self.counts();
        let count = counts.entry(client).or_default();
        if *count >= OF_CLIENT_MAX {
            return None;
        }
        *count += 1;
        Some(OfClient(self.clone(), client))
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        // Each change of it is one number.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for OfClient {
    fn drop(&mut self) {
        let mut counts = self.0.counts();
        if let Some(count) = counts.get_mut(&self.1) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.1);
            }
        }
    }
}

/// Where a client wanted to connect to, before it was led here (`SO_ORIGINAL_DST`).
#[cfg(target_os = "linux")]
fn original_destination(stream: &TcpStream) -> io::Result<SocketAddr> {
    let socket = SockRef::from(stream);
    let address = match stream.local_addr()? {
        SocketAddr::V4(_) => socket.original_dst_v4()?,
        SocketAddr::V6(_) => socket.original_dst_v6()?,
    };
    address.as_socket().ok_or_else(|| io::Error::other("no IP address"))
}

#[cfg(not(target_os = "linux"))]
fn original_destination(_: &TcpStream) -> io::Result<SocketAddr> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Whether pods may reach an address through this machine.
fn is_outside(address: SocketAddr) -> bool {
    let ip = address.ip().to_canonical();
    // 0.0.0.0/8 is this machine, too (RFC 6890).
    let this = matches!(ip, IpAddr::V4(ip) if ip.octets()[0] == 0);
    !(this || ip.is_loopback() || ip.is_unspecified() || ip.is_multicast())
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    async fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
        (client.unwrap(), accepted.unwrap().0)
    }

    #[tokio::test]
    async fn what_cannot_be_reached_is_reset() {
        let (mut client, inside) = pair().await;
        // Meant for loopback, which stays the machine's own.
        let destination = inside.local_addr();
        pass(inside, destination).await;
        let mut seen = Vec::new();
        let error = client.read_to_end(&mut seen).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        assert!(client.write_all(b"x").await.is_err());
    }

    #[test]
    fn no_client_takes_all() {
        let clients = Clients::default();
        let (greedy, other) = ("10.244.1.2".parse().unwrap(), "10.244.1.3".parse().unwrap());
        let mut held: Vec<_> = std::iter::from_fn(|| clients.take(greedy)).collect();
        assert_eq!(held.len(), OF_CLIENT_MAX);
        assert!(clients.take(other).is_some());
        held.pop();
        assert!(clients.take(greedy).is_some());
        drop(held);
        assert!(clients.counts().is_empty());
    }

    #[test]
    fn this_machines_own_addresses_stay_its_own() {
        let check = |address: &str, outside: bool| {
            assert_eq!(is_outside(address.parse().unwrap()), outside, "{address}");
        };
        check("203.0.113.10:443", true);
        check("[2001:db8::1]:443", true);
        check("127.0.0.1:6443", false);
        check("127.8.8.8:6443", false);
        check("[::1]:6443", false);
        check("[::ffff:127.0.0.1]:6443", false);
        check("0.0.0.0:6443", false);
        check("0.0.0.1:6443", false);
        check("[::ffff:0.0.0.0]:6443", false);
        check("224.0.0.251:5353", false);
    }
}
