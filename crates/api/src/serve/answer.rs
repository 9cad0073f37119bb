//! Answers as a connection sends them: they end when the server stops, and tell when they have ended.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

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
pub(super) struct Activity(Arc<Mutex<State>>);

impl Activity {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(State::Silent)))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn state(&self) -> State {
        *self.lock()
    }

    /// A request begins; it is under way until what is returned is dropped.
    pub(super) fn begin(&self) -> UnderWay {
        let mut state = self.lock();
        *state = match *state {
            State::Silent | State::Idle(_) => State::Busy(1),
            State::Busy(others) => State::Busy(others + 1),
        };
        UnderWay(self.clone())
    }
}

/// A request that is under way.
pub(super) struct UnderWay(Activity);

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        *state = match *state {
            State::Busy(count @ 2..) => State::Busy(count - 1),
            State::Silent | State::Busy(_) | State::Idle(_) => State::Idle(Instant::now()),
        };
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
    _under_way: UnderWay,
}

impl<B> Answer<B> {
    pub(super) fn new(inner: B, endless: Option<Endless>, under_way: UnderWay) -> Self {
        Self { inner: Box::pin(inner), endless, ended: false, _under_way: under_way }
    }
}

impl<B: Body> Body for Answer<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        if let Some(endless) = &mut self.endless
            && endless.stop.as_mut().poll(context).is_ready()
        {
            self.endless = None;
            self.ended = true;
        }
        if self.ended {
            return Poll::Ready(None);
        }
        self.inner.as_mut().poll_frame(context)
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
}
