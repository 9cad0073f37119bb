//! Port-forwards: each connection is two streams, one for its data and one for what went wrong.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::spdy::{self, Inbound, PIECE_MAX, ResetCode, Sender, Stream};
use crate::kubelet::{Duplex, Kubelet, Pod};

/// How long a client may take to open the second stream of a connection.
const PATIENCE: Duration = Duration::from_secs(30);

/// Serves the port-forwards of a client to their end.
pub(super) async fn serve<T>(carrier: T, kubelet: Arc<dyn Kubelet>, pod: Pod)
where
    T: AsyncRead + AsyncWrite + Send + 'static,
{
    let (connection, mut opened) = spdy::connect(carrier);
    // What goes on ends with this set.
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a port-forward ended");
        }
    });
    let pod = Arc::new(pod);
    let mut halves = HashMap::new();
    while let Some(stream) = next(&mut opened, &mut halves).await {
        while tasks.try_join_next().is_some() {}
        let Ok(kind) = Kind::of(&stream) else {
            stream.split().0.reset(ResetCode::Refused).await;
            continue;
        };
        if stream.accept().await.is_err() {
            break;
        }
        if let Some(pair) = pair(&mut halves, stream, kind).await {
            tasks.spawn(pair.forward(kubelet.clone(), pod.clone()));
        }
    }
}

/// The next stream that the client opens; streams that wait for too long meanwhile are given up.
async fn next(
    opened: &mut mpsc::Receiver<Stream>,
    halves: &mut HashMap<String, Half>,
) -> Option<Stream> {
    loop {
        let late = halves.values().map(|half| half.since + PATIENCE).min();
        tokio::select! {
            stream = opened.recv() => return stream,
            () = sleep_until(late.unwrap_or_else(Instant::now)), if late.is_some() => {
                give_up(halves).await;
            }
        }
    }
}

/// What a stream is for, and to which port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Data(u16),
    Error,
}

/// The stream has no port, or is for nothing that is known.
#[derive(Debug, PartialEq, Eq)]
struct Unknown;

impl Kind {
    fn of(stream: &Stream) -> Result<Self, Unknown> {
        Self::parse(stream.header("streamtype"), stream.header("port"))
    }

    fn parse(kind: Option<&str>, port: Option<&str>) -> Result<Self, Unknown> {
        let port = port.and_then(|port| port.parse().ok()).filter(|port| *port > 0);
        match (kind, port) {
            (Some("data"), Some(port)) => Ok(Self::Data(port)),
            (Some("error"), Some(_)) => Ok(Self::Error),
            _ => Err(Unknown),
        }
    }
}

/// A stream that waits for the other one of its connection.
struct Half {
    stream: Stream,
    kind: Kind,
    since: Instant,
}

/// The streams of a connection.
struct Pair {
    data: Stream,
    error: Stream,
    port: u16,
}

/// The connection to which a stream belongs, by the number that the client gave both of its streams. (Very old clients
/// give none; their streams have numbers that follow each other.)
fn request(stream: &Stream, kind: Kind) -> String {
    match (stream.header("requestid"), kind) {
        (Some(id), _) => id.to_owned(),
        (None, Kind::Error) => stream.id().to_string(),
        (None, Kind::Data(_)) => stream.id().saturating_sub(2).to_string(),
    }
}

/// The pair that a stream completes; alone, it waits.
async fn pair(halves: &mut HashMap<String, Half>, stream: Stream, kind: Kind) -> Option<Pair> {
    let request = request(&stream, kind);
    let half = Half { stream, kind, since: Instant::now() };
    let Some(other) = halves.remove(&request) else {
        halves.insert(request, half);
        return None;
    };
    match (other.kind, kind) {
        (Kind::Data(port), Kind::Error) => {
            Some(Pair { data: other.stream, error: half.stream, port })
        }
        (Kind::Error, Kind::Data(port)) => {
            Some(Pair { data: half.stream, error: other.stream, port })
        }
        (Kind::Data(_), Kind::Data(_)) | (Kind::Error, Kind::Error) => {
            half.stream.split().0.reset(ResetCode::Cancel).await;
            halves.insert(request, other);
            None
        }
    }
}

/// Resets the streams that have waited for too long. How many wait is bounded by the streams of a connection.
async fn give_up(halves: &mut HashMap<String, Half>) {
    let now = Instant::now();
    let late = halves.extract_if(|_, half| now.duration_since(half.since) >= PATIENCE);
    for half in late.map(|(_, half)| half).collect::<Vec<_>>() {
        half.stream.split().0.reset(ResetCode::Cancel).await;
    }
}

impl Pair {
    /// Connects, and carries data both ways until both have ended, or the client gives up.
    async fn forward(self, kubelet: Arc<dyn Kubelet>, pod: Arc<Pod>) {
        let Self { data, error, port } = self;
        let (data, inbound) = data.split();
        let (error, _inbound) = error.split();
        match kubelet.port_forward(&pod, port).await {
            Ok(connection) => {
                carry(connection, &data, inbound).await;
                data.reset(ResetCode::Cancel).await;
            }
            Err(why) => {
                let message =
                    format!("error forwarding port {port} to pod {}, uid : {why}", pod.uid);
                tracing::debug!(pod = pod.name, message);
                // An error means that there is nobody to tell.
                _ = error.send(message.into()).await;
                error.finish().await;
                data.reset(ResetCode::Cancel).await;
            }
        }
        error.finish().await;
    }
}

/// Carries data both ways. Each way ends for itself.
async fn carry(connection: Box<dyn Duplex>, data: &Sender, mut inbound: mpsc::Receiver<Inbound>) {
    let (mut from, to) = tokio::io::split(connection);
    let (ended, end) = oneshot::channel();
    let up = async move {
        let (mut to, mut ended) = (Some(to), Some(ended));
        while let Some(next) = inbound.recv().await {
            match next {
                Inbound::Data(octets) => {
                    if let Some(open) = &mut to
                        && open.write_all(&octets).await.is_err()
                    {
                        // The other side reads no more; it may still have something to say.
                        to = None;
                    }
                }
                Inbound::End => {
                    if let Some(mut to) = to.take() {
                        // An error means that the other side has closed before.
                        _ = to.shutdown().await;
                    }
                    if let Some(ended) = ended.take() {
                        _ = ended.send(());
                    }
                }
            }
        }
    };
    let down = async {
        let mut octets = BytesMut::new();
        loop {
            octets.reserve(PIECE_MAX);
            match (&mut from).take(PIECE_MAX as u64).read_buf(&mut octets).await {
                Ok(1..) => {
                    if data.send(octets.split().freeze()).await.is_err() {
                        return;
                    }
                }
                Ok(0) | Err(_) => break,
            }
        }
        data.finish().await;
        // The client's way goes on until it ends too.
        _ = end.await;
    };
    tokio::select! {
        () = up => {}
        () = down => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn half_a_connection_is_given_up() {
        let (mut client, mut opened) = spdy::testing::pair();
        let mut halves = HashMap::new();
        client.open(1).await;
        let stream = next(&mut opened, &mut halves).await.unwrap();
        assert!(pair(&mut halves, stream, Kind::Data(80)).await.is_none());
        let since = Instant::now();
        tokio::select! {
            _ = next(&mut opened, &mut halves) => panic!("no other stream was opened"),
            () = client.is_reset(1) => assert_eq!(since.elapsed().as_secs(), PATIENCE.as_secs()),
        }
        assert!(halves.is_empty());
    }

    #[test]
    fn kinds_of_streams() {
        let check = |kind, port, expected| assert_eq!(Kind::parse(kind, port), expected);
        check(Some("data"), Some("80"), Ok(Kind::Data(80)));
        check(Some("error"), Some("80"), Ok(Kind::Error));
        check(Some("data"), Some("0"), Err(Unknown));
        check(Some("data"), Some("65536"), Err(Unknown));
        check(Some("data"), None, Err(Unknown));
        check(Some("stdin"), Some("80"), Err(Unknown));
        check(None, Some("80"), Err(Unknown));
    }
}
