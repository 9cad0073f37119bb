//! A stream that fails when its peer has stopped reading.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// How long a write may wait. Clones are one: it can change while a stream is in use.
#[derive(Clone)]
pub(super) struct Patience(Arc<Mutex<Duration>>);

impl Patience {
    pub(super) fn new(patience: Duration) -> Self {
        Self(Arc::new(Mutex::new(patience)))
    }

    fn get(&self) -> Duration {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For writes that begin to wait from now on.
    pub(super) fn set(&self, patience: Duration) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = patience;
    }
}

/// A stream whose writes fail once nothing could be written for some time: what waits for a client that never reads
/// is given up, not kept for good.
pub(super) struct Stalling<S> {
    inner: S,
    patience: Patience,
    /// Made at the first write that had to wait.
    timer: Option<Pin<Box<Sleep>>>,
    waiting: bool,
}

impl<S> Stalling<S> {
    pub(super) fn new(inner: S, patience: Patience) -> Self {
        Self { inner, patience, timer: None, waiting: false }
    }

    /// A write's result; one that waits is an error when it has waited for too long.
    fn watch<T>(
        &mut self,
        context: &mut Context<'_>,
        polled: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.waiting = false;
            return polled;
        }
        let patience = self.patience.get();
        let deadline = Instant::now() + patience;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if !std::mem::replace(&mut self.waiting, true) {
            timer.as_mut().reset(deadline);
        }
        timer.as_mut().poll(context).map(|()| {
            let message = format!("the client has read nothing for {patience:?}");
            Err(io::Error::new(io::ErrorKind::TimedOut, message))
        })
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Stalling<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Stalling<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write(context, bytes);
        self.watch(context, polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write_vectored(context, bytes);
        self.watch(context, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.inner).poll_flush(context);
        self.watch(context, polled)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.inner).poll_shutdown(context);
        self.watch(context, polled)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
    use tokio::time::sleep;

    use super::*;

    #[tokio::test]
    async fn a_peer_that_reads_nothing_is_given_up() {
        let (ours, _theirs) = duplex(8);
        let mut stream = Stalling::new(ours, Patience::new(Duration::from_millis(20)));
        let error = stream.write_all(b"more than fits").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn patience_can_grow() {
        let (ours, _theirs) = duplex(8);
        let patience = Patience::new(Duration::from_millis(1));
        let mut stream = Stalling::new(ours, patience.clone());
        patience.set(Duration::from_secs(3600));
        let write = stream.write_all(b"more than fits");
        let waited = tokio::time::timeout(Duration::from_millis(100), write).await;
        assert!(waited.is_err(), "it still waits");
    }

    #[tokio::test]
    async fn a_peer_that_reads_slowly_is_served() {
        let text = [b'x'; 32];
        let (ours, mut theirs) = duplex(8);
        let reader = tokio::spawn(async move {
            let mut seen = Vec::new();
            let mut buffer = [0; 4];
            while let Ok(count @ 1..) = theirs.read(&mut buffer).await {
                seen.extend_from_slice(&buffer[..count]);
                sleep(Duration::from_millis(100)).await;
            }
            seen
        });
        let start = Instant::now();
        let patience = Duration::from_millis(500);
        let mut stream = Stalling::new(ours, Patience::new(patience));
        stream.write_all(&text).await.unwrap();
        assert!(start.elapsed() > patience, "all of it takes longer than a wait may");
        drop(stream);
        assert_eq!(reader.await.unwrap(), text);
    }
}
