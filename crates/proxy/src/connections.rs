//! Connections of TCP that are taken on one side and carried to another.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::sleep;
use tracing::warn;

/// The pause after a connection could not be taken: too many open files, as a rule.
const PAUSE: Duration = Duration::from_millis(100);

/// After this much silence it is asked whether the other side is still there, so often, and so many times.
const SILENCE: Duration = Duration::from_secs(60);
const ASK_AGAIN: Duration = Duration::from_secs(15);
const ASKED_MAX: u32 = 4;

/// The next connection, and its place. Who waits for one of the places waits in the kernel's queue, which has a bound. `None` when there are
/// no more places to come.
pub async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let place = places.clone().acquire_owned().await.ok()?;
    loop {
        match listener.accept().await {
            Ok((stream, client)) => return Some((stream, client, place)),
            Err(error) => {
                let at = listener.local_addr().ok().map(tracing::field::display);
                warn!(at, %error, "a connection could not be taken");
                sleep(PAUSE).await;
            }
        }
    }
}

/// Carries what comes on either of two connections to the other, until both have ended.
///
/// # Errors
///
/// What broke off one of them, such as a peer that went without a word.
pub async fn carry(mut one: TcpStream, mut other: TcpStream) -> io::Result<()> {
    let asking =
        TcpKeepalive::new().with_time(SILENCE).with_interval(ASK_AGAIN).with_retries(ASKED_MAX);
    for stream in [&one, &other] {
        // What is small must not wait for what comes after it.
        stream.set_nodelay(true)?;
        SockRef::from(stream).set_tcp_keepalive(&asking)?;
    }
    copy_bidirectional(&mut one, &mut other).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn both_sides_are_asked_whether_they_are_still_there() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let places = Arc::new(Semaphore::new(2));
        let pair = || async {
            let dialled = TcpStream::connect(address).await.unwrap();
            (dialled, accept(&listener, &places).await.unwrap())
        };
        let ((mut client, (one, _, place)), (mut server, (other, _, _place))) =
            (pair().await, pair().await);
        assert_eq!(places.available_permits(), 0);
        drop(place);
        assert_eq!(places.available_permits(), 1);

        let carried = [&one, &other].map(|stream| SockRef::from(stream).try_clone().unwrap());
        let carrying = tokio::spawn(carry(one, other));
        client.write_all(b"to").await.unwrap();
        let mut seen = [0; 2];
        server.read_exact(&mut seen).await.unwrap();
        assert_eq!(&seen, b"to");
        for socket in &carried {
            assert!(socket.keepalive().unwrap());
            assert_eq!(socket.tcp_keepalive_time().unwrap(), SILENCE);
        }
        drop((carried, client, server));
        carrying.await.unwrap().unwrap();
    }
}
