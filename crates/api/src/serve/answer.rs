//! Answers as a connection sends them: they end when the server stops, and tell when they have ended.

use std::collections::HashMap;
use std::future::Future;
use std::io::IoSlice;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Buf;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::Instant;

use crate::options::Query;

/// What goes on on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Nothing was asked yet.
    Silent,
    /// So many requests are under way.
    Busy(usize),
    /// Since then nothing is under way.
    Idle(Instant),
}

/// What goes on on a connection, shared by its requests.
#[derive(Clone)]
pub(super) struct Activity(Arc<Mutex<Requests>>);

/// The requests of a connection.
struct Requests {
    /// How many there were so far.
    begun: u64,
    /// Those that are under way, by their numbers.
    under_way: HashMap<u64, Untaken>,
    /// When the last one ended.
    ended: Instant,
}

/// What was handed out of an answer, and its client has not taken: it may lie in a buffer, or wait for a window of
/// HTTP/2 to open.
struct Untaken {
    frames: usize,
    /// Since then nothing was taken.
    since: Instant,
}

impl Activity {
    pub(super) fn new() -> Self {
        let requests = Requests { begun: 0, under_way: HashMap::new(), ended: Instant::now() };
        Self(Arc::new(Mutex::new(requests)))
    }

    fn lock(&self) -> MutexGuard<'_, Requests> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn state(&self) -> State {
        let requests = self.lock();
        match requests.under_way.len() {
            0 if requests.begun == 0 => State::Silent,
            0 => State::Idle(requests.ended),
            count => State::Busy(count),
        }
    }

    /// Since when the client has taken nothing of the answer that waits for it the longest.
    pub(super) fn untaken_since(&self) -> Option<Instant> {
        let requests = self.lock();
        let waiting = requests.under_way.values().filter(|untaken| untaken.frames > 0);
        waiting.map(|untaken| untaken.since).min()
    }

    /// A request begins; it is under way until what is returned is dropped.
    pub(super) fn begin(&self) -> UnderWay {
        let mut requests = self.lock();
        let number = requests.begun;
        requests.begun += 1;
        requests.under_way.insert(number, Untaken { frames: 0, since: Instant::now() });
        UnderWay { activity: self.clone(), number }
    }
}

/// A request that is under way.
pub(super) struct UnderWay {
    activity: Activity,
    number: u64,
}

impl UnderWay {
    fn note(&self, change: impl FnOnce(&mut Untaken)) {
        if let Some(untaken) = self.activity.lock().under_way.get_mut(&self.number) {
            change(untaken);
        }
    }

    /// A frame begins to wait for the client.
    fn handed_out(&self) {
        self.note(|untaken| {
            if untaken.frames == 0 {
                untaken.since = Instant::now();
            }
            untaken.frames += 1;
        });
    }

    /// The client takes some of a frame.
    fn taking(&self) {
        self.note(|untaken| untaken.since = Instant::now());
    }

    /// Nothing of a frame is left.
    fn taken(&self) {
        self.note(|untaken| {
            untaken.since = Instant::now();
            untaken.frames -= 1;
        });
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut requests = self.activity.lock();
        requests.under_way.remove(&self.number);
        requests.ended = Instant::now();
    }
}

/// A frame's data on its way to the client. Its request is under way until it is taken.
pub(super) struct Chunk<D> {
    data: D,
    under_way: Arc<UnderWay>,
}

impl<D> Chunk<D> {
    fn new(data: D, under_way: Arc<UnderWay>) -> Self {
        under_way.handed_out();
        Self { data, under_way }
    }
}

impl<D> Drop for Chunk<D> {
    fn drop(&mut self) {
        self.under_way.taken();
    }
}

impl<D: Buf> Buf for Chunk<D> {
    fn remaining(&self) -> usize {
        self.data.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.data.chunk()
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        self.data.chunks_vectored(slices)
    }

    fn advance(&mut self, count: usize) {
        self.data.advance(count);
        self.under_way.taking();
    }
}

/// Whether the answer goes on until someone ends it: a watch, or a log that is followed. As the request itself is read, so
/// that no way of writing the query is another one here. One that cannot be read is refused, and that ends.
pub(super) fn endless(query: Option<&str>) -> bool {
    let Ok(query) = Query::parse(query.unwrap_or_default()) else { return false };
    ["watch", "follow"].into_iter().any(|name| matches!(query.flag(name), Ok(Some(true))))
}

/// Completes when the server stops.
pub(super) async fn stopped(mut stopped: watch::Receiver<bool>) {
    // An error means that the server is gone: stopped as well.
    _ = stopped.wait_for(|stopped| *stopped).await;
}

/// What makes an answer that has no end end.
pub(super) struct Endless {
    stop: Pin<Box<dyn Future<Output = ()> + Send>>,
    _permit: OwnedSemaphorePermit,
}

impl Endless {
    pub(super) fn new(stop: watch::Receiver<bool>, permit: OwnedSemaphorePermit) -> Self {
        Self { stop: Box::pin(stopped(stop)), _permit: permit }
    }
}

/// A body on its way. An endless one ends early, between two frames, when the server stops.
pub(super) struct Answer<B> {
    inner: Pin<Box<B>>,
    endless: Option<Endless>,
    ended: bool,
    under_way: Arc<UnderWay>,
}

impl<B> Answer<B> {
    pub(super) fn new(inner: B, endless: Option<Endless>, under_way: UnderWay) -> Self {
        Self { inner: Box::pin(inner), endless, ended: false, under_way: Arc::new(under_way) }
    }
}

impl<B: Body> Body for Answer<B> {
    type Data = Chunk<B::Data>;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, B::Error>>> {
        if let Some(endless) = &mut self.endless
            && endless.stop.as_mut().poll(context).is_ready()
        {
            self.endless = None;
            self.ended = true;
        }
        if self.ended {
            return Poll::Ready(None);
        }
        let polled = self.inner.as_mut().poll_frame(context);
        polled.map_ok(|frame| frame.map_data(|data| Chunk::new(data, self.under_way.clone())))
    }

    fn is_end_stream(&self) -> bool {
        self.ended || self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http_body_util::{BodyExt as _, Full};

    use super::*;

    #[test]
    fn endless_answers() {
        let check = |query: &str, expected| assert_eq!(endless(Some(query)), expected, "{query}");
        check("watch=true", true);
        check("limit=5&watch=1&resourceVersion=7", true);
        check("watch", true);
        check("watch=T", true);
        check("w%61tch=true", true);
        check("watch=%74rue", true);
        check("follow=true", true);
        check("watch=false", false);
        check("watch=0", false);
        check("watch=yes", false);
        check("watch=%", false);
        check("labelSelector=watch%3Dtrue", false);
        assert!(!endless(None));
    }

    #[test]
    fn activity_is_counted() {
        let activity = Activity::new();
        assert_eq!(activity.state(), State::Silent);
        let one = activity.begin();
        let other = activity.begin();
        assert_eq!(activity.state(), State::Busy(2));
        drop(one);
        assert_eq!(activity.state(), State::Busy(1));
        drop(other);
        assert!(matches!(activity.state(), State::Idle(_)));
        let _again = activity.begin();
        assert_eq!(activity.state(), State::Busy(1));
    }

    #[tokio::test]
    async fn what_was_handed_out_waits_until_it_is_taken() {
        let activity = Activity::new();
        let body = Full::new(Bytes::from_static(b"abc"));
        let mut answer = Answer::new(body, None, activity.begin());
        assert_eq!(activity.untaken_since(), None);
        let frame = answer.frame().await.unwrap().unwrap();
        let mut chunk = frame.into_data().ok().unwrap();
        let since = activity.untaken_since().unwrap();
        // The end of the body is not the end of the answer.
        drop(answer);
        assert_eq!(activity.state(), State::Busy(1));
        chunk.advance(1);
        assert!(activity.untaken_since().unwrap() > since, "taking some of it counts");
        assert_eq!(chunk.chunk(), b"bc");
        drop(chunk);
        assert_eq!(activity.untaken_since(), None);
        assert!(matches!(activity.state(), State::Idle(_)));
    }
}
