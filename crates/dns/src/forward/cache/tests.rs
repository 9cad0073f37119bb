use directory::{Name, RecordType};
use proptest::prelude::*;

use super::*;
use crate::forward::question::{Chance, Question, Sent, Wishes};

/// A question and a reply with so many addresses and this TTL.
fn made(number: u32, records: u8, ttl: u32) -> (Question, Arc<Reply>) {
    let name = Name::parse(&format!("n{number}.example")).expect("a name");
    let question = Question::new(name.wire(), RecordType::A, Wishes::default()).expect("it fits");
    let sent = Sent::new(&question, &Chance { id: 1, case: [0; 32] });
    let mut message = sent.message()[..12 + sent.question().len()].to_vec();
    message[2..4].copy_from_slice(&[0x80, 0]);
    message[7] = records;
    message[11] = 0;
    for record in 0..records {
        message.extend([0xC0, 12, 0, 1, 0, 1]);
        message.extend(ttl.to_be_bytes());
        message.extend([0, 4, 192, 0, 2, record]);
    }
    let reply = Reply::read(&message, &sent, &question, &CacheConfig::default());
    (question, Arc::new(reply.expect("a reply")))
}

fn cache(bytes_max: usize) -> Cache {
    Cache::new(CacheConfig { bytes_max, ..CacheConfig::default() })
}

#[test]
fn the_bound_counts_keys_replies_and_bookkeeping() {
    let now = Instant::now();
    let cache = cache(64 << 10);
    for number in 0..10_000 {
        let (question, reply) = made(number, 1 + number as u8 % 20, 60);
        cache.put(question.key(), &reply, now);
        assert!(cache.usage().1 <= 64 << 10);
    }
    let (entries, bytes) = cache.usage();
    assert!(bytes > 56 << 10, "it is used: {bytes}");
    assert!((50..150).contains(&entries), "{entries}");
    // What is larger than its share of the cache is not kept, and nothing goes for it.
    let (question, reply) = made(0, 255, 60);
    cache.put(question.key(), &reply, now);
    assert!(cache.get(question.key(), now).is_none());
    // Nothing is kept where there is no room at all.
    let none = Cache::new(CacheConfig { bytes_max: 0, ..CacheConfig::default() });
    let (question, reply) = made(0, 1, 60);
    none.put(question.key(), &reply, now);
    assert_eq!(none.usage(), (0, 0));
}

#[test]
fn what_is_asked_for_stays() {
    let now = Instant::now();
    let popular: Vec<_> = (0..20).map(|number| made(number, 1, 60)).collect();
    let others: Vec<_> = (100..3_000).map(|number| made(number, 1, 60)).collect();
    // Each cache hashes in its own way.
    for _ in 0..50 {
        let cache = cache(256 << 10);
        // It is full before they come.
        for (question, reply) in &others {
            cache.put(question.key(), reply, now);
        }
        for (question, reply) in &popular {
            cache.put(question.key(), reply, now);
        }
        for (number, (question, reply)) in others.iter().enumerate() {
            cache.put(question.key(), reply, now);
            if number % 50 == 0 {
                for (question, _) in &popular {
                    assert!(cache.get(question.key(), now).is_some(), "after {number}");
                }
            }
        }
    }
}

#[test]
fn what_is_over_goes_when_it_is_looked_at() {
    let now = Instant::now();
    let cache = cache(256 << 10);
    let (question, reply) = made(1, 1, 60);
    cache.put(question.key(), &reply, now);
    let hour = Duration::from_secs(3600);
    let at = |age: u64| cache.get(question.key(), now + Duration::from_secs(age));
    assert_eq!(at(59).map(|hit| (hit.age, hit.freshness)), Some((59, Freshness::Fresh)));
    assert_eq!(at(60).map(|hit| hit.freshness), Some(Freshness::Stale));
    // A clock that other threads have read earlier.
    let (other, reply) = made(2, 1, 60);
    cache.put(other.key(), &reply, now + hour);
    assert_eq!(cache.get(other.key(), now).map(|hit| hit.age), Some(0));
    assert_eq!(cache.usage().0, 2);
    assert!(at(60 + 3600).is_none());
    assert_eq!(cache.usage().0, 1);
}

proptest! {
    /// Whatever is put and asked for: what is found is what was put last, the count of octets is right, and the bound
    /// holds.
    #[test]
    fn the_cache_answers_as_a_map_does(
        steps in proptest::collection::vec((0..40_u32, 0..12_u8, 0..4_u64, any::<bool>()), 1..200),
    ) {
        let cache = cache(96 << 10);
        let mut last: HashMap<u32, (Arc<Reply>, Instant)> = HashMap::new();
        let mut now = Instant::now();
        for (number, records, seconds, is_put) in steps {
            now += Duration::from_secs(seconds);
            let (question, reply) = made(number, records.max(1), 5);
            if is_put {
                cache.put(question.key(), &reply, now);
                last.insert(number, (reply, now));
            } else if let Some(hit) = cache.get(question.key(), now) {
                let (reply, came) = &last[&number];
                prop_assert_eq!(&hit.reply, reply);
                let age = now - *came;
                prop_assert_eq!(u64::from(hit.age), age.as_secs());
                let is_over = matches!(hit.freshness, Freshness::Stale | Freshness::StaleHeld);
                prop_assert_eq!(is_over, age.as_secs() >= 5);
            }
            for shard in &cache.shards {
                let shard = lock(shard);
                let bytes: usize =
                    shard.entries.iter().map(|entry| size(&entry.key, &entry.reply)).sum();
                prop_assert_eq!(bytes, shard.bytes);
                prop_assert_eq!(shard.places.len(), shard.entries.len());
                for (index, entry) in shard.entries.iter().enumerate() {
                    prop_assert_eq!(shard.places.get(&entry.key), Some(&index));
                }
            }
            prop_assert!(cache.usage().1 <= 96 << 10);
        }
    }
}
