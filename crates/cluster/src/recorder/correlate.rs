//! Which notices make an Event of their own, which are counted, and which are too many
//! (client-go, `tools/record/events_cache.go`).
//!
//! Three memories, each bounded. One counts how many different messages one source has for one object and reason: over
//! [`SIMILAR_MAX`] in ten minutes they become one Event. One knows the Events that were recorded, so that the same again
//! is only counted. One lets a source say at most [`BURST`] things about an object at once, and then one every five
//! minutes.

use std::hash::{BuildHasher as _, RandomState};

use jiff::{SignedDuration, Timestamp};

use super::Notice;
use super::recent::Recent;

/// So many objects, Events and sources are remembered; the number of client-go.
const REMEMBERED: usize = 4096;

/// So many different messages are told one by one.
const SIMILAR_MAX: usize = 10;

/// After so long without another message, those of before no longer count.
const SIMILAR_FOR: SignedDuration = SignedDuration::from_mins(10);

/// How much one source may say about one object at once.
const BURST: f64 = 25.0;

/// How long until it may say one thing more, in seconds.
const SECONDS_PER_TOKEN: f64 = 300.0;

/// What begins the message of an Event that stands for many.
const COMBINED: &str = "(combined from similar events): ";

#[derive(Debug)]
pub(super) struct Correlator {
    hasher: RandomState,
    similar: Recent<Similar>,
    recorded: Recent<Recorded>,
    buckets: Recent<Bucket>,
    /// The time in the newest name, in nanoseconds: names are told apart by it.
    named: i128,
}

/// The messages about one object for one reason, by their hashes.
#[derive(Debug)]
struct Similar {
    messages: Vec<u64>,
    last: Timestamp,
}

/// An Event that was recorded.
#[derive(Debug)]
struct Recorded {
    name: String,
    count: i32,
    first: Timestamp,
}

/// What a source may still say about an object.
#[derive(Debug)]
struct Bucket {
    tokens: f64,
    filled: Timestamp,
}

/// What becomes of a notice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Observed {
    /// What all notices of this Event have in common.
    pub(super) key: u64,
    /// The Event's name.
    pub(super) name: String,
    /// The newest message.
    pub(super) message: String,
    /// How often it has been said; the first time it is new.
    pub(super) count: i32,
    /// When it was said first.
    pub(super) first: Timestamp,
    /// When it was said last.
    pub(super) last: Timestamp,
}

impl Correlator {
    pub(super) fn new() -> Self {
        Self {
            hasher: RandomState::new(),
            similar: Recent::new(REMEMBERED),
            recorded: Recent::new(REMEMBERED),
            buckets: Recent::new(REMEMBERED),
            named: 0,
        }
    }

    /// Takes a notice in; `None` when its source has said too much about the object.
    pub(super) fn observe(&mut self, notice: &Notice, now: Timestamp) -> Option<Observed> {
        let Notice { regarding, uid, field, warning, reason, message, component, host } = notice;
        let source = (component, host, regarding, uid);
        let kind_of = (source, field, warning, reason);
        let similar_key = self.hasher.hash_one(kind_of);
        let own_key = self.hasher.hash_one((kind_of, message));
        let bucket_key = self.hasher.hash_one(source);

        let similar = self.similar.get_or_insert(similar_key, || Similar::new(now));
        let combined = similar.is_one_too_many(self.hasher.hash_one(message), now);
        let (key, message) = if combined {
            (similar_key, format!("{COMBINED}{message}"))
        } else {
            (own_key, message.clone())
        };
        let named = &mut self.named;
        let recorded = self.recorded.get_or_insert(key, || {
            *named = now.as_nanosecond().max(*named + 1);
            // As client-go names them: the object's name and the time, in hexadecimal nanoseconds.
            Recorded { name: format!("{}.{named:x}", regarding.name), count: 0, first: now }
        });
        recorded.count = recorded.count.saturating_add(1);
        let observed = Observed {
            key,
            name: recorded.name.clone(),
            message,
            count: recorded.count,
            first: recorded.first,
            last: now,
        };
        self.buckets.get_or_insert(bucket_key, || Bucket::new(now)).take(now).then_some(observed)
    }
}

impl Similar {
    fn new(now: Timestamp) -> Self {
        Self { messages: Vec::new(), last: now }
    }

    fn is_one_too_many(&mut self, message: u64, now: Timestamp) -> bool {
        if now.duration_since(self.last) > SIMILAR_FOR {
            self.messages.clear();
        }
        self.last = now;
        if self.messages.contains(&message) {
            return false;
        }
        if self.messages.len() == SIMILAR_MAX {
            return true;
        }
        self.messages.push(message);
        false
    }
}

impl Bucket {
    fn new(now: Timestamp) -> Self {
        Self { tokens: BURST, filled: now }
    }

    fn take(&mut self, now: Timestamp) -> bool {
        let passed = now.duration_since(self.filled).as_secs_f64().max(0.0);
        self.tokens = (self.tokens + passed / SECONDS_PER_TOKEN).min(BURST);
        self.filled = now;
        let has = self.tokens >= 1.0;
        if has {
            self.tokens -= 1.0;
        }
        has
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::notice;
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// Says messages about an object at a time, and tells count and message of what comes of each.
    fn say(correlator: &mut Correlator, object: &str, second: i64, message: &str) -> String {
        match correlator.observe(&notice(object, message), at(second)) {
            Some(Observed { count, message, .. }) => format!("{count} {message}"),
            None => "dropped".to_owned(),
        }
    }

    #[test]
    fn the_same_again_is_counted() {
        let mut c = Correlator::new();
        assert_eq!(say(&mut c, "web", 1, "a"), "1 a");
        assert_eq!(say(&mut c, "web", 2, "a"), "2 a");
        assert_eq!(say(&mut c, "web", 2, "b"), "1 b");
        assert_eq!(say(&mut c, "db", 3, "a"), "1 a");
        let again = c.observe(&notice("web", "a"), at(9)).unwrap();
        assert_eq!((again.count, again.first, again.last), (3, at(1), at(9)));
        assert_eq!(again.name, "web.3b9aca00");
    }

    #[test]
    fn names_are_told_apart_when_the_clock_stands() {
        let mut c = Correlator::new();
        let first = c.observe(&notice("web", "a"), at(1)).unwrap();
        let second = c.observe(&notice("web", "b"), at(1)).unwrap();
        assert_eq!([first.name, second.name], ["web.3b9aca00", "web.3b9aca01"]);
    }

    #[test]
    fn many_messages_become_one_event() {
        let mut c = Correlator::new();
        for number in 0..10 {
            let message = format!("m{number}");
            assert_eq!(say(&mut c, "web", 1, &message), format!("1 {message}"));
        }
        assert_eq!(say(&mut c, "web", 2, "m10"), "1 (combined from similar events): m10");
        assert_eq!(say(&mut c, "web", 3, "m11"), "2 (combined from similar events): m11");
        assert_eq!(say(&mut c, "web", 3, "m1"), "2 m1", "told by itself before");
        assert_eq!(say(&mut c, "db", 3, "m12"), "1 m12");
        assert_eq!(say(&mut c, "web", 3 + 601, "m13"), "1 m13", "long after");
    }

    #[test]
    fn who_says_too_much_is_not_heard() {
        let mut c = Correlator::new();
        for number in 1..=25 {
            assert_eq!(say(&mut c, "web", 1, "a"), format!("{number} a"));
        }
        assert_eq!(say(&mut c, "web", 1, "a"), "dropped");
        assert_eq!(say(&mut c, "db", 1, "a"), "1 a");
        assert_eq!(say(&mut c, "web", 302, "a"), "27 a", "one more after five minutes");
        assert_eq!(say(&mut c, "web", 302, "a"), "dropped");
    }
}
