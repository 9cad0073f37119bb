//! The way out of the cluster's network: TCP connections of pods to addresses outside of the cluster are led to a
//! listener inside, and dialled from this machine's own network. What pods get is what this machine gets; its loopback addresses stay
//! its own.

use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use proxy::Proxy;
use socket2::SockRef;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

/// Connections at once; more wait until one ends.
const CONNECTIONS_MAX: usize = 1024;

/// How long the other side may take to answer. A client's own patience ends later, as a rule.
const DIAL_PATIENCE: Duration = Duration::from_secs(30);

/// Serves a listener of the cluster's network for as long as it is polled.
pub(super) async fn serve(listener: TcpListener, proxy: Arc<Proxy>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((inside, client)) => {
                let proxy = proxy.clone();
                tokio::spawn(async move {
                    let destination = original_destination(&inside).and_then(|dialled| {
                        let chance = RandomState::new().hash_one(client);
                        let outside = proxy.outside();
                        outside.destination(client.ip(), dialled, chance).map_err(io::Error::other)
                    });
                    pass(inside, destination).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a pod's connection to the outside could not be taken");
                // Too many open files, as a rule: don't spin on it.
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Passes a connection on to where it was meant to go.
async fn pass(mut inside: TcpStream, destination: io::Result<SocketAddr>) {
    let outside = async {
        let destination = destination?;
        if !is_outside(destination) {
            return Err(io::Error::other(format!("{destination} is not outside")));
        }
        timeout(DIAL_PATIENCE, TcpStream::connect(destination)).await?
    };
    match outside.await {
        // What ends a connection early is between the two sides.
        Ok(mut outside) => drop(copy_bidirectional(&mut inside, &mut outside).await),
        Err(error) => {
            tracing::debug!(%error, "a pod's connection to the outside");
            // A reset is what comes nearest to the refusal that the client has not seen: it believes itself connected.
            let _ = SockRef::from(&inside).set_linger(Some(Duration::ZERO));
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
