//! A connection: what carries its frames, and its streams.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::mpsc;

use super::frame::{self, Decoder, Frame, ResetCode};
use super::headers::{Headers, Packer, Unpacker};

/// Streams of a connection at a time. A port-forward takes two for each connection.
const STREAMS: usize = 512;

/// Pieces of data that wait for who reads a stream, 1 MiB at most. There is no flow control for each stream: when they are so many, all streams
/// of the connection wait, for to end the stream would break what is only slow.
const PIECES: usize = 64;

/// Frames that wait for the client.
const FRAMES: usize = 16;

/// Octets of frames that are read, or written, at once.
const BUFFER: usize = 64 * 1024;

/// What comes on a stream. When nothing more does, and no end was told, the stream or its connection was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Inbound {
    /// Some data.
    Data(Bytes),
    /// The client sends no more.
    End,
}

/// What goes to the client.
enum Outbound {
    Reply(u32),
    Data { stream: u32, data: Bytes, fin: bool },
    Reset(u32, ResetCode),
    Ping(u32),
}

/// A stream that a client opened.
pub(crate) struct Stream {
    id: u32,
    headers: Headers,
    inbound: mpsc::Receiver<Inbound>,
    sender: Sender,
}

/// The half of a stream that goes to the client.
#[derive(Clone)]
pub(crate) struct Sender {
    id: u32,
    outbound: mpsc::Sender<Outbound>,
    streams: Streams,
}

/// The client is gone, or has given up the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gone;

impl Stream {
    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)
    }

    /// Tells the client that it may use the stream.
    pub(crate) async fn accept(&self) -> Result<(), Gone> {
        self.sender.put(Outbound::Reply(self.id)).await
    }

    /// The half that goes to the client, and what comes from there.
    pub(crate) fn split(self) -> (Sender, mpsc::Receiver<Inbound>) {
        (self.sender, self.inbound)
    }
}

impl Sender {
    async fn put(&self, outbound: Outbound) -> Result<(), Gone> {
        self.outbound.send(outbound).await.map_err(|_| Gone)
    }

    /// Sends a piece of data.
    pub(crate) async fn send(&self, data: Bytes) -> Result<(), Gone> {
        if !self.streams.sending(self.id) {
            return Err(Gone);
        }
        self.put(Outbound::Data { stream: self.id, data, fin: false }).await
    }

    /// Tells the client that nothing more comes.
    pub(crate) async fn finish(&self) {
        if self.streams.sending(self.id) {
            let fin = Outbound::Data { stream: self.id, data: Bytes::new(), fin: true };
            _ = self.put(fin).await;
            self.streams.finished(self.id, |ends| ends.ours = true);
        }
    }

    /// Ends the stream at once.
    pub(crate) async fn reset(&self, code: ResetCode) {
        if self.streams.remove(self.id) {
            _ = self.put(Outbound::Reset(self.id, code)).await;
        }
    }
}

/// What is kept of a stream that is open.
struct Open {
    inbound: mpsc::Sender<Inbound>,
    ends: Ends,
}

/// Which halves of a stream have ended.
#[derive(Clone, Copy, Default)]
struct Ends {
    ours: bool,
    theirs: bool,
}

/// The streams that are open.
#[derive(Clone, Default)]
struct Streams(Arc<Mutex<HashMap<u32, Open>>>);

impl Streams {
    fn lock(&self) -> MutexGuard<'_, HashMap<u32, Open>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether something may still be sent on a stream.
    fn sending(&self, id: u32) -> bool {
        self.lock().get(&id).is_some_and(|open| !open.ends.ours)
    }

    /// Who takes what comes on a stream.
    fn receiving(&self, id: u32) -> Option<mpsc::Sender<Inbound>> {
        let streams = self.lock();
        streams.get(&id).filter(|open| !open.ends.theirs).map(|open| open.inbound.clone())
    }

    /// Notes an end; a stream of which both halves have ended is forgotten.
    fn finished(&self, id: u32, note: impl FnOnce(&mut Ends)) {
        let mut streams = self.lock();
        let Some(open) = streams.get_mut(&id) else { return };
        note(&mut open.ends);
        if open.ends.ours && open.ends.theirs {
            streams.remove(&id);
        }
    }

    fn remove(&self, id: u32) -> bool {
        self.lock().remove(&id).is_some()
    }
}

/// Forgets the streams when the connection ends, however it does, so that those who wait for them hear of it.
struct Closing(Streams);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.lock().clear();
    }
}

/// A connection over what carries it: the future that moves its frames, which ends when it does, and the streams that the
/// client opens, each to be taken or reset.
pub(crate) fn connect<T>(
    carrier: T,
) -> (impl Future<Output = io::Result<()>> + Send, mpsc::Receiver<Stream>)
where
    T: AsyncRead + AsyncWrite + Send,
{
    let (opened, streams) = mpsc::channel(1);
    let (outbound, frames) = mpsc::channel(FRAMES);
    let (from, to) = tokio::io::split(carrier);
    let reading = Reading {
        opened,
        outbound,
        streams: Streams::default(),
        unpacker: Unpacker::new(),
        last: 0,
    };
    let connection = async move {
        let _closing = Closing(reading.streams.clone());
        tokio::select! {
            ended = reading.run(from) => ended,
            ended = write(to, frames) => ended,
        }
    };
    (connection, streams)
}

/// The half of a connection that reads.
struct Reading {
    opened: mpsc::Sender<Stream>,
    outbound: mpsc::Sender<Outbound>,
    streams: Streams,
    unpacker: Unpacker,
    /// The last stream that was opened: numbers only grow.
    last: u32,
}

impl Reading {
    async fn run(mut self, mut from: impl AsyncRead + Unpin) -> io::Result<()> {
        let mut decoder = Decoder::default();
        let mut octets = BytesMut::with_capacity(BUFFER);
        loop {
            while let Some(frame) = decoder.next(&mut octets).map_err(invalid)? {
                self.take(frame).await?;
            }
            // A frame that is not data waits here until it is whole, and has its bound.
            octets.reserve(BUFFER.saturating_sub(octets.len()).max(1));
            if from.read_buf(&mut octets).await? == 0 {
                return Ok(());
            }
        }
    }

    async fn take(&mut self, frame: Frame) -> io::Result<()> {
        match frame {
            Frame::Open { stream, fin, headers } => {
                let headers = self.unpacker.unpack(&headers).map_err(invalid)?;
                self.open(stream, fin, headers).await;
            }
            Frame::Headers { stream, fin, headers } => {
                self.unpacker.unpack(&headers).map_err(invalid)?;
                if fin {
                    self.end(stream).await;
                }
            }
            Frame::Data { stream, data, fin } => {
                if !data.is_empty()
                    && let Some(inbound) = self.streams.receiving(stream)
                {
                    // A copy, since a piece of the buffer would keep all of it for as long as it waits. Whoever no longer
                    // reads the stream misses nothing.
                    _ = inbound.send(Inbound::Data(Bytes::copy_from_slice(&data))).await;
                }
                if fin {
                    self.end(stream).await;
                }
            }
            Frame::Reset { stream } => {
                self.streams.remove(stream);
            }
            // Those of clients are odd; an even one would answer a ping of this side.
            Frame::Ping { id } if id % 2 == 1 => self.put(Outbound::Ping(id)).await,
            // The streams that there are go on until the client closes.
            Frame::Ping { .. } | Frame::GoAway | Frame::Other => {}
        }
        Ok(())
    }

    async fn open(&mut self, id: u32, fin: bool, headers: Headers) {
        if id.is_multiple_of(2) || id <= self.last {
            return self.put(Outbound::Reset(id, ResetCode::Protocol)).await;
        }
        self.last = id;
        let (inbound, received) = mpsc::channel(PIECES);
        let ends = Ends::default();
        let full = {
            let mut streams = self.streams.lock();
            let full = streams.len() >= STREAMS;
            if !full {
                streams.insert(id, Open { inbound, ends });
            }
            full
        };
        if full {
            return self.put(Outbound::Reset(id, ResetCode::Refused)).await;
        }
        let sender = Sender { id, outbound: self.outbound.clone(), streams: self.streams.clone() };
        // An error means that nobody takes streams any longer: the connection is about to end.
        _ = self.opened.send(Stream { id, headers, inbound: received, sender }).await;
        if fin {
            self.end(id).await;
        }
    }

    async fn end(&self, stream: u32) {
        if let Some(inbound) = self.streams.receiving(stream) {
            _ = inbound.send(Inbound::End).await;
            self.streams.finished(stream, |ends| ends.theirs = true);
        }
    }

    async fn put(&self, outbound: Outbound) {
        // An error means that the writing half has ended, and with it the connection.
        _ = self.outbound.send(outbound).await;
    }
}

fn invalid(error: impl std::error::Error + Send + Sync + 'static) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// Writes frames in their order, several at once where they wait.
async fn write(
    mut to: impl AsyncWrite + Unpin,
    mut frames: mpsc::Receiver<Outbound>,
) -> io::Result<()> {
    let mut packer = Packer::new();
    let mut octets = BytesMut::with_capacity(BUFFER);
    while let Some(first) = frames.recv().await {
        put(&first, &mut packer, &mut octets);
        while octets.len() < BUFFER / 2
            && let Ok(next) = frames.try_recv()
        {
            put(&next, &mut packer, &mut octets);
        }
        to.write_all(&octets).await?;
        to.flush().await?;
        octets.clear();
    }
    Ok(())
}

fn put(outbound: &Outbound, packer: &mut Packer, octets: &mut BytesMut) {
    match outbound {
        Outbound::Reply(stream) => frame::reply(*stream, &packer.none(), octets),
        Outbound::Data { stream, data, fin } => frame::data(*stream, data, *fin, octets),
        Outbound::Reset(stream, code) => frame::reset(*stream, *code, octets),
        Outbound::Ping(id) => frame::ping(*id, octets),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use tokio::io::{DuplexStream, duplex};

    use super::*;

    /// A client's side: writes frames, and says what comes.
    pub(crate) struct Client {
        carrier: DuplexStream,
        packer: Packer,
        unpacker: Unpacker,
        decoder: Decoder,
        octets: BytesMut,
    }

    impl Client {
        async fn write(&mut self, frames: impl FnOnce(&mut Packer, &mut BytesMut)) {
            let mut octets = BytesMut::new();
            frames(&mut self.packer, &mut octets);
            self.carrier.write_all(&octets).await.unwrap();
        }

        /// Opens a stream for the data of port 80.
        pub(crate) async fn open(&mut self, id: u32) {
            let headers = Headers::from([("streamtype", "data"), ("port", "80")]);
            self.write(|packer, octets| frame::open(id, false, &packer.headers(&headers), octets))
                .await;
        }

        /// Waits for a frame, which must reset this stream.
        pub(crate) async fn is_reset(&mut self, id: u32) {
            assert_eq!(self.next().await, Frame::Reset { stream: id });
        }

        async fn next(&mut self) -> Frame {
            loop {
                if let Some(frame) = self.decoder.next(&mut self.octets).unwrap() {
                    if let Frame::Headers { headers, .. } = &frame {
                        assert_eq!(self.unpacker.unpack(headers), Ok(Headers::default()));
                    }
                    return frame;
                }
                assert_ne!(self.carrier.read_buf(&mut self.octets).await.unwrap(), 0, "the end");
            }
        }
    }

    pub(crate) fn pair() -> (Client, mpsc::Receiver<Stream>) {
        let (ours, theirs) = duplex(BUFFER);
        let (connection, streams) = connect(theirs);
        tokio::spawn(connection);
        let client = Client {
            carrier: ours,
            packer: Packer::new(),
            unpacker: Unpacker::new(),
            decoder: Decoder::default(),
            octets: BytesMut::new(),
        };
        (client, streams)
    }

    #[tokio::test]
    async fn a_stream_carries_data_both_ways_and_ends() {
        let (mut client, mut streams) = pair();
        client.open(1).await;
        let stream = streams.recv().await.unwrap();
        assert_eq!((stream.id(), stream.header("port")), (1, Some("80")));
        stream.accept().await.unwrap();
        assert!(matches!(client.next().await, Frame::Headers { stream: 1, fin: false, .. }));
        client.write(|_, octets| frame::data(1, b"to", true, octets)).await;
        let (sender, mut inbound) = stream.split();
        assert_eq!(inbound.recv().await, Some(Inbound::Data(Bytes::from_static(b"to"))));
        assert_eq!(inbound.recv().await, Some(Inbound::End));
        sender.send(Bytes::from_static(b"fro")).await.unwrap();
        sender.finish().await;
        let data = |data, fin| Frame::Data { stream: 1, data: Bytes::from_static(data), fin };
        assert_eq!(client.next().await, data(b"fro", false));
        assert_eq!(client.next().await, data(b"", true));
        // Both halves have ended: the stream is forgotten.
        assert_eq!(inbound.recv().await, None);
        assert_eq!(sender.send(Bytes::new()).await, Err(Gone));
    }

    #[tokio::test]
    async fn a_reset_ends_a_stream_and_pings_are_answered() {
        let (mut client, mut streams) = pair();
        client.open(1).await;
        let stream = streams.recv().await.unwrap();
        client.write(|_, octets| frame::reset(1, ResetCode::Cancel, octets)).await;
        client.write(|_, octets| frame::ping(3, octets)).await;
        assert_eq!(client.next().await, Frame::Ping { id: 3 });
        let (sender, mut inbound) = stream.split();
        assert_eq!(inbound.recv().await, None);
        assert_eq!(sender.send(Bytes::new()).await, Err(Gone));
    }

    #[tokio::test]
    async fn numbers_of_streams_grow_and_are_odd() {
        let (mut client, mut streams) = pair();
        client.open(3).await;
        let _three = streams.recv().await.unwrap();
        for id in [2, 1, 3] {
            client.open(id).await;
            assert_eq!(client.next().await, Frame::Reset { stream: id });
        }
    }

    #[tokio::test]
    async fn streams_have_a_bound() {
        let (mut client, mut streams) = pair();
        let mut kept = Vec::new();
        for number in 0..STREAMS as u32 {
            client.open(2 * number + 1).await;
            kept.push(streams.recv().await.unwrap());
        }
        let one_more = 2 * STREAMS as u32 + 1;
        client.open(one_more).await;
        assert_eq!(client.next().await, Frame::Reset { stream: one_more });
        kept.pop().unwrap().split().0.reset(ResetCode::Cancel).await;
        assert_eq!(client.next().await, Frame::Reset { stream: one_more - 2 });
        client.open(one_more + 2).await;
        assert_eq!(streams.recv().await.unwrap().id(), one_more + 2);
    }

    #[tokio::test]
    async fn a_stream_that_nobody_reads_leaves_the_others_time() {
        let (mut client, mut streams) = pair();
        client.open(1).await;
        let _unread = streams.recv().await.unwrap();
        let piece = vec![0; frame::PIECE_MAX];
        let sent = async {
            // Each may come in two pieces.
            for _ in 0..24 {
                client.write(|_, octets| frame::data(1, &piece, false, octets)).await;
            }
            client.open(3).await;
            streams.recv().await.unwrap().id()
        };
        let patience = std::time::Duration::from_secs(10);
        assert_eq!(tokio::time::timeout(patience, sent).await, Ok(3));
    }

    #[tokio::test]
    async fn the_end_of_the_connection_ends_its_streams() {
        let (mut client, mut streams) = pair();
        client.open(1).await;
        let (_, mut inbound) = streams.recv().await.unwrap().split();
        drop(client);
        assert_eq!(inbound.recv().await, None);
        assert!(streams.recv().await.is_none());
    }
}
