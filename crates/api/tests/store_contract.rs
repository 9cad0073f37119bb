//! What every store must hold: the same checks, run on each.

#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use api::store::{
    Change, Entry, Event, EventKind, Expect, Key, Limits, Memory, Options, Revision, Sqlite, Store,
    TooOld, Watch, WriteError,
};
use bytes::Bytes;
use futures::FutureExt;
use support::{PODS, SERVICES, body, delete, delete_change, key, put, put_change};

/// Runs each named check on a fresh store of every sort.
macro_rules! contract {
    ($($name:ident),* $(,)?) => {
        mod memory {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(&|limits| std::sync::Arc::new(super::Memory::with_limits(limits))).await;
            })*
        }

        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let folders = std::cell::RefCell::new(Vec::new());
                super::$name(&|limits| {
                    let folder = super::support::quick_folder();
                    let options = super::Options { limits, ..super::Options::default() };
                    let store = super::Sqlite::open_with(folder.path(), options).unwrap();
                    folders.borrow_mut().push(folder);
                    std::sync::Arc::new(store)
                })
                .await;
            })*
        }
    };
}

contract!(
    create_read_replace_delete,
    conflicts_return_the_present_entry,
    lists_are_ordered_and_of_one_namespace,
    revisions_rise_by_one_and_are_rendered,
    keys_are_told_apart,
    a_watch_resumes_where_it_stopped,
    a_watch_from_the_future_waits,
    watchers_see_everything_once_and_in_order,
    concurrent_compare_and_set_loses_nothing,
    a_watch_too_old_is_told_so,
    old_events_are_dropped,
    bytes_of_history_are_bounded,
    a_slow_watcher_is_told_so,
    dropping_next_loses_nothing,
    bookmarks_follow_the_store,
);

/// Makes a fresh store that keeps this much history.
type Make<'a> = &'a dyn Fn(Limits) -> Arc<dyn Store>;

async fn create_read_replace_delete(make: Make<'_>) {
    let store = make(Limits::default());
    let db = key(SERVICES, "prod", "db");
    assert_eq!(store.get(&db), None);

    let first = put(&*store, &db, Expect::Absent, "one").await.unwrap();
    assert_eq!(
        *first,
        Entry { key: db.clone(), revision: Revision(1), json: body(1, "one").into() }
    );
    assert_eq!(store.get(&db), Some(first.clone()));

    let second = put(&*store, &db, Expect::At(first.revision), "two").await.unwrap();
    assert_eq!(second.revision, Revision(2));
    assert_eq!(store.get(&db), Some(second.clone()));

    let gone = delete(&*store, &db, Expect::At(second.revision), "last").await.unwrap();
    assert_eq!(
        *gone,
        Entry { key: db.clone(), revision: Revision(3), json: body(3, "last").into() }
    );
    assert_eq!(store.get(&db), None);
    assert_eq!(store.revision(), Revision(3), "a deletion raises the revision");

    let again = put(&*store, &db, Expect::Absent, "three").await.unwrap();
    assert_eq!(again.revision, Revision(4));
}

async fn conflicts_return_the_present_entry(make: Make<'_>) {
    let store = make(Limits::default());
    let (db, absent) = (key(SERVICES, "prod", "db"), key(SERVICES, "prod", "absent"));
    let present = put(&*store, &db, Expect::Absent, "one").await.unwrap();
    let stale = Expect::At(Revision(77));
    let present = Some(present);

    type Case<'a> = (&'a str, &'a Key, Expect, fn() -> Change, &'a Option<Arc<Entry>>);
    let cases: [Case<'_>; 7] = [
        ("create what exists", &db, Expect::Absent, || put_change("x"), &present),
        ("replace another revision", &db, stale, || put_change("x"), &present),
        ("delete another revision", &db, stale, || delete_change("x"), &present),
        ("delete what should not exist", &db, Expect::Absent, || delete_change("x"), &present),
        ("replace what is absent", &absent, stale, || put_change("x"), &None),
        ("delete what is absent", &absent, stale, || delete_change("x"), &None),
        ("delete, expecting absence", &absent, Expect::Absent, || delete_change("x"), &None),
    ];
    for (what, key, expect, change, current) in cases {
        match store.write(key.clone(), expect, change()).await {
            Err(WriteError::Conflict(found)) => assert_eq!(&found, current, "{what}"),
            other => panic!("{what}: {other:?}"),
        }
        assert_eq!(store.revision(), Revision(1), "{what}: nothing was written");
    }
    assert_eq!(store.get(&db), present);
}

async fn lists_are_ordered_and_of_one_namespace(make: Make<'_>) {
    let store = make(Limits::default());
    for (namespace, name) in
        [("b", "2"), ("a", "9"), ("b", "10"), ("", "cluster"), ("a-b", "1"), ("b", "1")]
    {
        put(&*store, &key(PODS, namespace, name), Expect::Absent, "x").await.unwrap();
    }
    put(&*store, &key(SERVICES, "b", "3"), Expect::Absent, "x").await.unwrap();

    let check = |namespace: Option<&str>, expected: &[(&str, &str)]| {
        let listing = store.list(PODS, namespace);
        assert_eq!(listing.revision, Revision(7));
        let names: Vec<_> =
            listing.entries.iter().map(|e| (&*e.key.namespace, &*e.key.name)).collect();
        assert_eq!(names, expected, "{namespace:?}");
    };
    check(None, &[("", "cluster"), ("a", "9"), ("a-b", "1"), ("b", "1"), ("b", "10"), ("b", "2")]);
    check(Some("b"), &[("b", "1"), ("b", "10"), ("b", "2")]);
    check(Some(""), &[("", "cluster")]);
    check(Some("none"), &[]);
    assert!(store.list("nothing", None).entries.is_empty());
}

async fn revisions_rise_by_one_and_are_rendered(make: Make<'_>) {
    let store = make(Limits::default());
    for n in 1..=20_u64 {
        let resource = if n % 2 == 0 { PODS } else { SERVICES };
        let entry =
            put(&*store, &key(resource, "a", &n.to_string()), Expect::Absent, "x").await.unwrap();
        assert_eq!((entry.revision, &entry.json[..]), (Revision(n), &body(n, "x")[..]));
        assert_eq!(store.revision(), Revision(n));
    }
    for entry in
        store.list(PODS, None).entries.into_iter().chain(store.list(SERVICES, None).entries)
    {
        assert_eq!(&entry.json[..], &body(entry.revision.0, "x")[..]);
    }
}

async fn keys_are_told_apart(make: Make<'_>) {
    let store = make(Limits::default());
    let keys = [
        key(PODS, "a", "b"),
        key(SERVICES, "a", "b"),
        key(PODS, "b", "a"),
        key(PODS, "", "a"),
        key(PODS, "A", "b"),
        key(PODS, "ä", "日本"),
    ];
    for (n, key) in keys.iter().enumerate() {
        put(&*store, key, Expect::Absent, &n.to_string()).await.unwrap();
    }
    for (n, key) in keys.iter().enumerate() {
        let entry = store.get(key).unwrap();
        assert_eq!(&entry.json[..], &body(entry.revision.0, &n.to_string())[..]);
        assert_eq!(&entry.key, key);
    }
}

/// The kind, name, revision and earlier state of events, to compare with.
fn told(events: &[Event]) -> Vec<(EventKind, &str, u64, Option<Bytes>)> {
    events
        .iter()
        .map(|event| {
            let Event { kind, entry, previous } = event;
            let previous = previous.as_ref().map(|past| past.json());
            (*kind, &*entry.key.name, entry.revision.0, previous)
        })
        .collect()
}

async fn a_watch_resumes_where_it_stopped(make: Make<'_>) {
    let store = make(Limits::default());
    let db = key(SERVICES, "prod", "db");
    put(&*store, &db, Expect::Absent, "one").await.unwrap();
    put(&*store, &key(PODS, "prod", "db-0"), Expect::Absent, "other").await.unwrap();
    put(&*store, &db, Expect::At(Revision(1)), "two").await.unwrap();
    delete(&*store, &db, Expect::At(Revision(3)), "last").await.unwrap();

    let (one, two) = (body(1, "one"), body(3, "two"));
    let all = [
        (EventKind::Added, "db", 1, None),
        (EventKind::Modified, "db", 3, Some(one.into())),
        (EventKind::Deleted, "db", 4, Some(two.into())),
    ];
    for (from, skipped) in [(0, 0), (1, 1), (2, 1), (3, 2)] {
        let mut watch = store.watch(SERVICES, Revision(from)).unwrap();
        let events = watch.next().await.unwrap();
        assert_eq!(told(&events), &all[skipped..], "from {from}");
        assert_eq!(events.last().unwrap().entry.json, body(4, "last"));
        assert_eq!(watch.revision(), Revision(4));
        assert!(watch.next().now_or_never().is_none(), "from {from}: nothing more");
    }
    let mut watch = store.watch(SERVICES, Revision(4)).unwrap();
    assert!(watch.next().now_or_never().is_none());
    let (events, _) = tokio::join!(watch.next(), put(&*store, &db, Expect::Absent, "three"));
    assert_eq!(told(&events.unwrap()), [(EventKind::Added, "db", 5, None)]);
}

async fn a_watch_from_the_future_waits(make: Make<'_>) {
    let store = make(Limits::default());
    let mut watch = store.watch(PODS, Revision(3)).unwrap();
    for n in 1..=3 {
        put(&*store, &key(PODS, "a", &n.to_string()), Expect::Absent, "x").await.unwrap();
        assert!(watch.next().now_or_never().is_none(), "revision {n} is not after 3");
    }
    put(&*store, &key(PODS, "a", "4"), Expect::Absent, "x").await.unwrap();
    assert_eq!(told(&watch.next().await.unwrap()), [(EventKind::Added, "4", 4, None)]);
}

/// Follows a resource until it has been told of `until`.
async fn follow(mut watch: Box<dyn Watch>, until: Revision) -> Vec<Event> {
    let mut seen = Vec::new();
    while watch.revision() < until {
        seen.extend(watch.next().await.unwrap());
    }
    seen
}

const WRITERS: usize = 8;
const WRITES: usize = 60;

async fn watchers_see_everything_once_and_in_order(make: Make<'_>) {
    let store = make(Limits::default());
    let last = Revision((WRITERS * WRITES) as u64 + 1);
    let watchers: Vec<_> = (0..4)
        .map(|_| tokio::spawn(follow(store.watch(PODS, Revision(0)).unwrap(), last)))
        .collect();
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut written = Vec::new();
                let mut expect = Expect::Absent;
                let key = key(PODS, "a", &writer.to_string());
                for n in 0..WRITES {
                    // Every fourth write deletes, and the next one creates anew.
                    let entry = if n % 4 == 3 {
                        let entry = delete(&*store, &key, expect, "gone").await.unwrap();
                        expect = Expect::Absent;
                        entry
                    } else {
                        let entry = put(&*store, &key, expect, &n.to_string()).await.unwrap();
                        expect = Expect::At(entry.revision);
                        entry
                    };
                    assert!(store.revision() >= entry.revision, "acknowledged is visible");
                    written.push(entry);
                }
                written
            })
        })
        .collect();
    let mut written = Vec::new();
    for writer in writers {
        written.extend(writer.await.unwrap());
    }
    put(&*store, &key(PODS, "a", "end"), Expect::Absent, "end").await.unwrap();
    written.sort_by_key(|entry| entry.revision);
    for watcher in watchers {
        let mut seen = watcher.await.unwrap();
        assert_eq!(seen.pop().unwrap().entry.revision, last);
        let mut state = BTreeMap::new();
        for event in &seen {
            let before = state.insert(event.entry.key.clone(), event.entry.json.clone());
            assert_eq!(event.previous.as_ref().map(|past| past.json()), before);
            assert_eq!(event.kind == EventKind::Added, before.is_none());
            if event.kind == EventKind::Deleted {
                state.remove(&event.entry.key);
            }
        }
        let seen: Vec<_> = seen.into_iter().map(|event| event.entry).collect();
        assert_eq!(seen, written);
    }
    // A list and a watch from its revision give the same as the whole history.
    let listing = store.list(PODS, None);
    assert_eq!(listing.revision, last);
    assert_eq!(listing.entries.len(), 1, "60 is a multiple of four: all others are deleted");
}

async fn concurrent_compare_and_set_loses_nothing(make: Make<'_>) {
    let store = make(Limits::default());
    let counter = key(SERVICES, "a", "counter");
    put(&*store, &counter, Expect::Absent, "0").await.unwrap();
    let tasks: Vec<_> = (0..6)
        .map(|_| {
            let (store, counter) = (store.clone(), counter.clone());
            tokio::spawn(async move {
                let mut done = 0;
                let mut present = store.get(&counter).unwrap();
                while done < 25 {
                    let text = std::str::from_utf8(&present.json).unwrap();
                    let value: u64 = text.split_once(' ').unwrap().1.parse().unwrap();
                    let next = (value + 1).to_string();
                    match put(&*store, &counter, Expect::At(present.revision), &next).await {
                        Ok(entry) => {
                            done += 1;
                            present = entry;
                        }
                        Err(WriteError::Conflict(entry)) => present = entry.unwrap(),
                        Err(WriteError::Storage(error)) => panic!("{error}"),
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(store.get(&counter).unwrap().json, body(151, "150"));
}

async fn a_watch_too_old_is_told_so(make: Make<'_>) {
    let store = make(Limits { events: 3, ..Limits::default() });
    put(&*store, &key(SERVICES, "a", "quiet"), Expect::Absent, "x").await.unwrap();
    for n in 0..10 {
        put(&*store, &key(PODS, "a", &n.to_string()), Expect::Absent, "x").await.unwrap();
    }
    // Pods were written at 2 to 11; the last three are 9, 10 and 11.
    let too_old = |from| store.watch(PODS, Revision(from)).err();
    for from in [0, 1, 7] {
        let oldest = Revision(8);
        assert_eq!(too_old(from), Some(TooOld { asked: Revision(from), oldest }));
    }
    let mut watch = store.watch(PODS, Revision(8)).unwrap();
    assert_eq!(watch.next().await.unwrap().len(), 3);
    assert!(
        store.watch(SERVICES, Revision(0)).is_ok(),
        "what happens to other resources ages nothing here"
    );
}

async fn old_events_are_dropped(make: Make<'_>) {
    let store = make(Limits { age: Duration::ZERO, ..Limits::default() });
    put(&*store, &key(PODS, "a", "1"), Expect::Absent, "x").await.unwrap();
    let start = std::time::Instant::now();
    while start.elapsed().is_zero() {}
    put(&*store, &key(PODS, "a", "2"), Expect::Absent, "x").await.unwrap();
    let too_old = |asked, oldest| TooOld { asked: Revision(asked), oldest: Revision(oldest) };
    assert_eq!(store.watch(PODS, Revision(0)).err(), Some(too_old(0, 1)));
    let mut watch = store.watch(PODS, Revision(1)).unwrap();
    assert_eq!(watch.next().await.unwrap().len(), 1);

    let start = std::time::Instant::now();
    while start.elapsed().is_zero() {}
    assert!(store.watch(PODS, Revision(1)).is_ok(), "nothing has been written since");
    store.tidy();
    assert_eq!(store.watch(PODS, Revision(1)).err(), Some(too_old(1, 2)));
}

async fn bytes_of_history_are_bounded(make: Make<'_>) {
    let store = make(Limits { bytes: 1000, ..Limits::default() });
    let long = "x".repeat(300);
    put(&*store, &key(SERVICES, "a", "small"), Expect::Absent, "x").await.unwrap();
    for n in 0..10 {
        put(&*store, &key(PODS, "a", &n.to_string()), Expect::Absent, &long).await.unwrap();
    }
    assert!(store.watch(PODS, Revision(7)).is_err());
    let mut watch = store.watch(PODS, Revision(8)).unwrap();
    assert_eq!(watch.next().await.unwrap().len(), 3);
    assert!(store.watch(SERVICES, Revision(0)).is_ok(), "who holds most gives way");
}

async fn a_slow_watcher_is_told_so(make: Make<'_>) {
    let store = make(Limits { events: 5, ..Limits::default() });
    let mut watch = store.watch(PODS, Revision(0)).unwrap();
    put(&*store, &key(PODS, "a", "first"), Expect::Absent, "x").await.unwrap();
    assert_eq!(watch.next().await.unwrap().len(), 1);
    for n in 0..6 {
        put(&*store, &key(PODS, "a", &n.to_string()), Expect::Absent, "x").await.unwrap();
    }
    let too_old = TooOld { asked: Revision(1), oldest: Revision(2) };
    assert_eq!(watch.next().await, Err(too_old));
    assert_eq!(watch.next().await, Err(too_old), "and stays so");
    assert_eq!(too_old.to_string(), "too old resource version: 1 (2)");
}

async fn dropping_next_loses_nothing(make: Make<'_>) {
    let store = make(Limits::default());
    let mut watch = store.watch(PODS, Revision(0)).unwrap();
    let mut seen = Vec::new();
    for n in 1..=20 {
        let pod = key(PODS, "a", &n.to_string());
        // Started, and dropped when the write is faster or when it was polled once too often.
        tokio::select! {
            biased;
            events = watch.next() => seen.extend(events.unwrap()),
            written = put(&*store, &pod, Expect::Absent, "x") => { written.unwrap(); }
        }
        if store.get(&pod).is_none() {
            // The write was dropped by `select!` before or after it was queued.
            let _ = put(&*store, &pod, Expect::Absent, "x").await;
        }
        drop(watch.next());
        if n % 3 == 0 {
            _ = watch.next().now_or_never().map(|events| seen.extend(events.unwrap()));
        }
    }
    let last = store.revision();
    while watch.revision() < last {
        seen.extend(watch.next().await.unwrap());
    }
    let revisions: Vec<_> = seen.iter().map(|event| event.entry.revision.0).collect();
    assert_eq!(revisions, (1..=last.0).collect::<Vec<_>>());
}

async fn bookmarks_follow_the_store(make: Make<'_>) {
    let store = make(Limits::default());
    let mut watch = store.watch(PODS, Revision(0)).unwrap();
    assert_eq!(watch.revision(), Revision(0));
    put(&*store, &key(SERVICES, "a", "other"), Expect::Absent, "x").await.unwrap();
    assert_eq!(watch.revision(), Revision(1), "nothing of pods up to here");
    put(&*store, &key(PODS, "a", "pod"), Expect::Absent, "x").await.unwrap();
    put(&*store, &key(SERVICES, "a", "more"), Expect::Absent, "x").await.unwrap();
    assert!(watch.revision() < Revision(2), "the pod has not been handed out");
    assert_eq!(watch.next().await.unwrap().len(), 1);
    assert_eq!(watch.revision(), Revision(3));
    assert_eq!(store.watch(PODS, Revision(9)).unwrap().revision(), Revision(9));
}
