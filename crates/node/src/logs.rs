//! What the simulated node did for each pod: the log that `kubectl logs` shows.
//!
//! A log is bounded in lines and bytes, and so are all together: when they are full, the log that nobody wrote to for
//! longest loses its lines. A log goes with its pod; who follows it still reads its last lines. Who reads while a pod's
//! status is being written waits for what is said of it: a status that is seen has its lines.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::{Stream, StreamExt as _, stream};
use jiff::Timestamp;
use tokio::sync::Notify;

/// How much is kept.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// Lines of one pod.
    lines: usize,
    /// Bytes of one pod, with what is kept beside the text.
    pod_bytes: usize,
    /// Bytes of all pods together.
    bytes: usize,
}

const LIMITS: Limits = Limits { lines: 256, pod_bytes: 32 << 10, bytes: 8 << 20 };

/// Which part of a log, and in what form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogOptions {
    /// Go on with what is logged from now on, until the pod ends.
    pub follow: bool,
    /// Only what was logged at this time or later.
    pub since: Option<Timestamp>,
    /// Each line begins with its time.
    pub timestamps: bool,
    /// At most so many lines of what is there.
    pub tail_lines: Option<usize>,
    /// At most so many bytes.
    pub limit_bytes: Option<usize>,
}

/// The logs of all pods; clones share them.
#[derive(Clone, Debug)]
pub struct Logs {
    state: Arc<Mutex<State>>,
    /// That a write has come to its end.
    settled: Arc<Notify>,
}

#[derive(Debug)]
struct State {
    limits: Limits,
    /// By the pods' UIDs.
    pods: HashMap<Arc<str>, Kept>,
    /// Pods by when they were last written to.
    order: BTreeMap<u64, Arc<str>>,
    /// Pods whose status is being written: at most as many as the simulation writes at once.
    under_way: HashSet<Box<str>>,
    writes: u64,
    bytes: usize,
}

#[derive(Debug)]
struct Kept {
    log: Arc<Log>,
    written: u64,
}

/// One pod's log.
#[derive(Debug, Default)]
struct Log {
    lines: Mutex<Lines>,
    news: Notify,
}

#[derive(Debug, Default)]
struct Lines {
    lines: VecDeque<Line>,
    bytes: usize,
    /// How many lines came before those that are kept.
    dropped: u64,
    ended: bool,
}

#[derive(Debug)]
struct Line {
    at: Timestamp,
    /// The container that it is about; none for the pod as a whole.
    container: Option<Box<str>>,
    text: Box<str>,
}

impl Line {
    fn bytes(&self) -> usize {
        size_of::<Self>() + self.text.len() + self.container.as_ref().map_or(0, |name| name.len())
    }
}

impl Default for Logs {
    fn default() -> Self {
        Self::new(LIMITS)
    }
}

impl Logs {
    fn new(limits: Limits) -> Self {
        let state = State {
            limits,
            pods: HashMap::new(),
            order: BTreeMap::new(),
            under_way: HashSet::new(),
            writes: 0,
            bytes: 0,
        };
        Self { state: Arc::new(Mutex::new(state)), settled: Arc::default() }
    }

    /// Adds a line to a pod's log.
    pub(crate) fn add(&self, uid: &str, at: Timestamp, container: Option<&str>, text: &str) {
        let line = Line { at, container: container.map(Into::into), text: text.into() };
        let log = lock(&self.state).add(uid, line);
        log.news.notify_waiters();
    }

    /// Ends a pod's log.
    pub(crate) fn end(&self, uid: &str) {
        let Some(log) = lock(&self.state).remove(uid) else { return };
        lock(&log.lines).ended = true;
        log.news.notify_waiters();
    }

    /// A pod's status is about to be written.
    pub(crate) fn begin(&self, uid: &str) {
        lock(&self.state).under_way.insert(uid.into());
    }

    /// That write has ended, and what it means was added.
    pub(crate) fn settle(&self, uid: &str) {
        lock(&self.state).under_way.remove(uid);
        self.settled.notify_waiters();
    }

    /// What concerns a container in the log of the pod with this UID; nothing when there is none.
    pub fn read(
        &self,
        uid: &str,
        container: &str,
        options: LogOptions,
    ) -> impl Stream<Item = String> + Send + use<> {
        let (logs, uid, container) = (self.clone(), uid.to_owned(), container.to_owned());
        // At once where nothing is under way, for it is asked about what is there now.
        let is_settled = !lock(&self.state).under_way.contains(&*uid);
        let reader = is_settled.then(|| self.reader(&uid, container.clone(), options.clone()));
        let reader = async move {
            match reader {
                Some(reader) => reader,
                None => {
                    logs.wait(&uid).await;
                    logs.reader(&uid, container, options)
                }
            }
        };
        stream::once(reader).flat_map(|reader| {
            stream::unfold(reader, |mut reader| async move { Some((reader.next().await?, reader)) })
        })
    }

    /// Waits until no status of the pod is being written.
    async fn wait(&self, uid: &str) {
        loop {
            let settled = self.settled.notified();
            let mut settled = std::pin::pin!(settled);
            // Before the look, so that an end after it wakes us.
            settled.as_mut().enable();
            if !lock(&self.state).under_way.contains(uid) {
                return;
            }
            settled.await;
        }
    }

    fn reader(&self, uid: &str, container: String, options: LogOptions) -> Reader {
        let LogOptions { follow, since, timestamps, tail_lines, limit_bytes } = options;
        let log = lock(&self.state).pods.get(uid).map(|kept| kept.log.clone());
        let mut reader = Reader {
            log: log.clone(),
            ready: String::new(),
            container,
            follow,
            since,
            timestamps,
            tail_lines,
            bytes_left: limit_bytes.unwrap_or(usize::MAX),
            next: 0,
        };
        if let Some(log) = log {
            reader.look(&lock(&log.lines));
        }
        reader
    }
}

impl State {
    fn add(&mut self, uid: &str, line: Line) -> Arc<Log> {
        self.writes += 1;
        let uid: Arc<str> = match self.pods.get_key_value(uid) {
            Some((uid, kept)) => {
                self.order.remove(&kept.written);
                uid.clone()
            }
            None => uid.into(),
        };
        self.order.insert(self.writes, uid.clone());
        let kept = self
            .pods
            .entry(uid)
            .or_insert_with(|| Kept { log: Arc::default(), written: self.writes });
        kept.written = self.writes;
        let log = kept.log.clone();
        let Limits { lines: lines_max, pod_bytes, bytes } = self.limits;
        {
            let mut lines = lock(&log.lines);
            self.bytes += line.bytes();
            lines.bytes += line.bytes();
            lines.lines.push_back(line);
            while lines.lines.len() > lines_max || lines.bytes > pod_bytes {
                let Some(freed) = lines.drop_first() else { break };
                self.bytes -= freed;
            }
        }
        while self.bytes > bytes {
            // Its place in the order goes as well: it has nothing more to lose.
            let Some((_, oldest)) = self.order.pop_first() else { break };
            let Some(kept) = self.pods.get(&oldest) else { continue };
            let mut lines = lock(&kept.log.lines);
            while let Some(freed) = lines.drop_first() {
                self.bytes -= freed;
            }
        }
        log
    }

    fn remove(&mut self, uid: &str) -> Option<Arc<Log>> {
        let Kept { log, written } = self.pods.remove(uid)?;
        self.order.remove(&written);
        self.bytes -= lock(&log.lines).bytes;
        Some(log)
    }
}

impl Lines {
    /// Drops the oldest line; how many bytes that freed.
    fn drop_first(&mut self) -> Option<usize> {
        let freed = self.lines.pop_front()?.bytes();
        self.bytes -= freed;
        self.dropped += 1;
        Some(freed)
    }
}

/// A place in a log. It holds no queue: lines are taken when they are asked for.
struct Reader {
    /// None when there will be no more than what is ready.
    log: Option<Arc<Log>>,
    /// Lines that were taken.
    ready: String,
    container: String,
    follow: bool,
    since: Option<Timestamp>,
    timestamps: bool,
    /// For the first look alone.
    tail_lines: Option<usize>,
    bytes_left: usize,
    /// The number of the next line, from the log's beginning.
    next: u64,
}

impl Reader {
    /// The next lines; none when there will be no more.
    async fn next(&mut self) -> Option<String> {
        loop {
            if !self.ready.is_empty() {
                return Some(std::mem::take(&mut self.ready));
            }
            let log = self.log.clone()?;
            let news = log.news.notified();
            let mut news = std::pin::pin!(news);
            // Before the look, so that a line added after it wakes us.
            news.as_mut().enable();
            self.look(&lock(&log.lines));
            if self.ready.is_empty() && self.log.is_some() {
                news.await;
            }
        }
    }

    /// Takes the lines that are there.
    fn look(&mut self, lines: &Lines) {
        let mut text = String::new();
        let whole = self.tail_lines.is_none() && self.since.is_none();
        if whole && self.next < lines.dropped {
            let count = lines.dropped - self.next;
            text = format!("({count} earlier lines are no longer kept)\n");
        }
        let skipped = usize::try_from(self.next.saturating_sub(lines.dropped)).unwrap_or(0);
        let chosen: Vec<&Line> = lines
            .lines
            .iter()
            .skip(skipped)
            .filter(|line| line.container.as_deref().is_none_or(|name| name == self.container))
            .filter(|line| self.since.is_none_or(|since| line.at >= since))
            .collect();
        self.next = lines.dropped + lines.lines.len() as u64;
        let tail = self.tail_lines.take().unwrap_or(usize::MAX).min(chosen.len());
        for line in &chosen[chosen.len() - tail..] {
            if self.timestamps {
                text.push_str(&line.at.strftime("%Y-%m-%dT%H:%M:%S.%9fZ ").to_string());
            }
            text.push_str(&line.text);
            text.push('\n');
        }
        if text.len() > self.bytes_left {
            let cut = (0..=self.bytes_left).rev().find(|at| text.is_char_boundary(*at));
            text.truncate(cut.unwrap_or(0));
            self.bytes_left = 0;
        } else {
            self.bytes_left -= text.len();
        }
        if !self.follow || lines.ended || self.bytes_left == 0 {
            self.log = None;
        }
        self.ready = text;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is counted may be a line off after a panic; lines are whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use futures::StreamExt as _;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// A pod `u` that logged at second 1 to 4; the third line is about another container.
    fn logs() -> Logs {
        let logs = Logs::default();
        logs.add("u", at(1), None, "one");
        logs.add("u", at(2), Some("c"), "two");
        logs.add("u", at(3), Some("other"), "three");
        logs.add("u", at(4), None, "four");
        logs.add("v", at(4), None, "of another pod");
        logs
    }

    async fn read(logs: &Logs, options: LogOptions) -> String {
        logs.read("u", "c", options).collect().await
    }

    #[tokio::test]
    async fn parts_of_a_log() {
        let check = async |options: LogOptions, expected: &str| {
            assert_eq!(read(&logs(), options.clone()).await, expected, "{options:?}");
        };
        let all = LogOptions::default();
        check(all.clone(), "one\ntwo\nfour\n").await;
        check(LogOptions { tail_lines: Some(2), ..all.clone() }, "two\nfour\n").await;
        check(LogOptions { tail_lines: Some(0), ..all.clone() }, "").await;
        check(LogOptions { tail_lines: Some(9), ..all.clone() }, "one\ntwo\nfour\n").await;
        check(LogOptions { since: Some(at(2)), ..all.clone() }, "two\nfour\n").await;
        check(LogOptions { limit_bytes: Some(5), ..all.clone() }, "one\nt").await;
        check(
            LogOptions { timestamps: true, tail_lines: Some(1), ..all.clone() },
            "1970-01-01T00:00:04.000000000Z four\n",
        )
        .await;
        assert_eq!(logs().read("nobody", "c", all).collect::<String>().await, "");
    }

    #[tokio::test]
    async fn who_follows_reads_on_until_the_pod_ends() {
        let logs = logs();
        let follow = LogOptions { follow: true, tail_lines: Some(1), ..LogOptions::default() };
        let mut reader = std::pin::pin!(logs.read("u", "c", follow));
        assert_eq!(reader.next().await.unwrap(), "four\n");
        assert!(futures::poll!(reader.next()).is_pending());
        logs.add("u", at(5), Some("other"), "five");
        assert!(futures::poll!(reader.next()).is_pending(), "not about this container");
        logs.add("u", at(6), None, "six");
        logs.add("u", at(7), None, "seven");
        logs.end("u");
        assert_eq!(reader.next().await.unwrap(), "six\nseven\n");
        assert_eq!(reader.next().await, None);
        assert_eq!(read(&logs, LogOptions::default()).await, "", "gone with the pod");
    }

    #[tokio::test]
    async fn who_reads_while_a_status_is_written_waits_for_its_lines() {
        let logs = logs();
        logs.begin("u");
        let mut read = std::pin::pin!(read(&logs, LogOptions::default()));
        assert!(futures::poll!(read.as_mut()).is_pending());
        logs.begin("other");
        logs.add("u", at(5), None, "five");
        logs.settle("u");
        assert!(read.await.ends_with("five\n"));
    }

    #[tokio::test]
    async fn a_log_is_bounded() {
        let logs = Logs::new(Limits { lines: 2, ..LIMITS });
        for text in ["one", "two", "three"] {
            logs.add("u", at(1), None, text);
        }
        let all = LogOptions::default();
        let text = read(&logs, all.clone()).await;
        assert_eq!(text, "(1 earlier lines are no longer kept)\ntwo\nthree\n");
        assert_eq!(read(&logs, LogOptions { tail_lines: Some(5), ..all }).await, "two\nthree\n");
    }

    #[tokio::test]
    async fn all_logs_together_are_bounded() {
        let line = size_of::<Line>() + 4;
        let logs = Logs::new(Limits { bytes: 3 * line, ..LIMITS });
        for uid in ["u", "v", "u", "w", "x"] {
            logs.add(uid, at(1), None, "text");
        }
        let seen = async |uid| logs.read(uid, "c", LogOptions::default()).collect::<String>().await;
        assert_eq!(seen("v").await, "(1 earlier lines are no longer kept)\n");
        assert_eq!(seen("u").await, "(2 earlier lines are no longer kept)\n");
        assert_eq!([seen("w").await, seen("x").await], ["text\n", "text\n"]);
        let state = lock(&logs.state);
        assert_eq!(state.bytes, 2 * line);
        drop(state);
        for uid in ["u", "v", "w", "x"] {
            logs.end(uid);
        }
        let state = lock(&logs.state);
        assert_eq!((state.bytes, state.pods.len(), state.order.len()), (0, 0, 0));
    }
}
