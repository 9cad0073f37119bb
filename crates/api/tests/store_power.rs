//! The power goes: what a store has shown to anyone is there when it comes back.
//!
//! A workload runs on a disk that logs what is written and synced. Then, for every point of the log, the
//! disk as a power cut there would leave it (see `support/disk.rs`) is opened in the normal way.

#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex};

use api::store::{Change, Expect, Key, Options, Revision, Sqlite, Store, WriteError};
use support::disk::{Image, Random, Replay, Survival};
use support::vfs::{self, Disk, Fault, Logged};
use support::{PODS, SERVICES, key};

/// Every key's revision and JSON.
type Objects = BTreeMap<Key, (u64, Vec<u8>)>;

fn open(folder: &Path) -> Sqlite {
    let vfs = Some(vfs::NAME.to_owned());
    // A checkpoint after every few writes, as they are the delicate moments.
    let options = Options { vfs, checkpoint_bytes: 64 << 10, ..Options::default() };
    Sqlite::open_with(folder, options).unwrap()
}

fn objects(store: &Sqlite) -> Objects {
    [PODS, SERVICES]
        .into_iter()
        .flat_map(|resource| store.list(resource, None).entries)
        .map(|entry| (entry.key.clone(), (entry.revision.0, entry.json.to_vec())))
        .collect()
}

/// A write that was rendered, whatever became of it. A deletion has no JSON.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Attempt {
    revision: u64,
    key: Key,
    json: Option<Vec<u8>>,
}

#[derive(Clone, Default)]
struct Attempts(Arc<Mutex<BTreeSet<Attempt>>>);

impl Attempts {
    fn put(&self, key: &Key, text: String) -> Change {
        let (attempts, key) = (self.clone(), key.clone());
        Change::Put(Box::new(move |Revision(revision)| {
            let json = format!("{revision} {text}").into_bytes();
            let attempt = Attempt { revision, key, json: Some(json.clone()) };
            attempts.0.lock().unwrap().insert(attempt);
            json
        }))
    }

    fn delete(&self, key: &Key) -> Change {
        let (attempts, key) = (self.clone(), key.clone());
        Change::Delete(Box::new(move |Revision(revision)| {
            attempts.0.lock().unwrap().insert(Attempt { revision, key, json: None });
            Vec::new()
        }))
    }
}

/// Writes at random, each task to keys of its own; faults come and go if asked for.
async fn work(store: Arc<Sqlite>, disk: &Disk, attempts: &Attempts, faults: bool, seed: u64) {
    const TASKS: u64 = 3;
    const WRITES: usize = 30;
    let tasks = (0..TASKS).map(|task| {
        let (store, attempts) = (store.clone(), attempts.clone());
        async move {
            let mut random = Random(seed ^ (task << 32));
            let mut refused = 0;
            for _ in 0..WRITES {
                let resource = if random.coin() { PODS } else { SERVICES };
                let key = key(resource, &task.to_string(), &random.below(3).to_string());
                let expect = match store.get(&key) {
                    None => Expect::Absent,
                    Some(entry) => Expect::At(entry.revision),
                };
                if faults {
                    disk.set_fault(match random.below(8) {
                        0 => Some(Fault::Full),
                        1 => Some(Fault::Write),
                        2 | 3 => Some(Fault::Sync),
                        _ => None,
                    });
                }
                // From less than a page to several.
                let text = "x".repeat(random.below(9) as usize * random.below(1500) as usize);
                let deletes = expect != Expect::Absent && random.below(4) == 0;
                let change = match deletes {
                    true => attempts.delete(&key),
                    false => attempts.put(&key, text),
                };
                match store.write(key, expect, change).await {
                    Ok(_) => {}
                    Err(WriteError::Storage(text)) => {
                        assert!(text.contains("headcount.db") && text.contains("--data-dir"));
                        refused += 1;
                    }
                    Err(WriteError::Conflict(entry)) => panic!("{entry:?}"),
                }
            }
            refused
        }
    });
    let refused: usize = futures::future::join_all(tasks).await.into_iter().sum();
    disk.set_fault(None);
    assert_eq!(refused > 0, faults, "{refused} writes were refused");
}

/// What a workload leaves: the log of the disk, and the store's own account.
struct Run {
    log: Vec<Logged>,
    /// The objects at each revision; refused writes leave no gap.
    states: Vec<Objects>,
    attempts: BTreeSet<Attempt>,
    /// The disk after an orderly end.
    image: Image,
}

async fn run(start: &Image, faults: bool, seed: u64) -> Run {
    let folder = support::quick_folder();
    let disk = Disk::new(folder.path(), start);
    let store = Arc::new(open(folder.path()));
    let from = store.revision();
    let first = objects(&store);
    let watches = [PODS, SERVICES].map(|resource| store.watch(resource, from).unwrap());
    let seen = Arc::downgrade(&store);
    disk.watch(move || seen.upgrade().map_or(0, |store| store.revision().0));
    let attempts = Attempts::default();
    work(store.clone(), &disk, &attempts, faults, seed).await;

    let mut events = BTreeMap::new();
    let last = store.revision();
    for mut watch in watches {
        while watch.revision() < last {
            for event in watch.next().await.unwrap() {
                let deleted = event.kind == api::store::EventKind::Deleted;
                let state = (!deleted).then(|| event.entry.json.to_vec());
                events.insert(event.entry.revision.0, (event.entry.key.clone(), state));
            }
        }
    }
    let mut states = vec![Objects::new(); from.0 as usize];
    states.push(first);
    for (revision, (key, state)) in events {
        assert_eq!(revision as usize, states.len());
        let mut next = states.last().unwrap().clone();
        match state {
            Some(json) => _ = next.insert(key, (revision, json)),
            None => _ = next.remove(&key),
        }
        states.push(next);
    }
    assert_eq!(states.last().unwrap(), &objects(&store));
    store.close().await;
    drop(store);
    let (log, image) = (disk.take_log(), disk.image());
    let attempts = attempts.0.lock().unwrap().clone();
    Run { log, states, attempts, image }
}

/// Opens what a power cut left, and compares.
struct Inspector {
    folder: tempfile::TempDir,
    opened: usize,
}

impl Inspector {
    fn new() -> Self {
        Self { folder: support::quick_folder(), opened: 0 }
    }

    /// Without faults: the store is exactly as it was at some revision, not before what was seen.
    fn check(&mut self, what: &str, image: &Image, visible: u64, run: &Run) {
        let (revision, found) = self.open(image);
        assert!(revision >= visible, "{what}: revision {revision}, but {visible} was seen");
        let expected = &run.states[revision as usize];
        assert!(&found == expected, "{what}: at revision {revision}");
    }

    /// With faults: nothing that was seen is lost or changed, but by writes that came after, be it that
    /// these were refused (a refusal says that the outcome is not on record, as with any failing disk).
    fn check_after_faults(&mut self, what: &str, image: &Image, visible: u64, run: &Run) {
        let (revision, found) = self.open(image);
        assert!(revision >= visible, "{what}: revision {revision}, but {visible} was seen");
        let seen = &run.states[visible as usize];
        let keys: BTreeSet<&Key> = seen.keys().chain(found.keys()).collect();
        for key in keys {
            let (found, seen) = (found.get(key), seen.get(key));
            let later = run.attempts.iter().any(|attempt| {
                attempt.revision > visible
                    && attempt.key == *key
                    && match found {
                        Some((revision, json)) => {
                            attempt.revision == *revision && attempt.json.as_ref() == Some(json)
                        }
                        None => attempt.json.is_none(),
                    }
            });
            assert!(found == seen || later, "{what}: {key:?} was {seen:?} and is {found:?}");
        }
    }

    fn open(&mut self, image: &Image) -> (u64, Objects) {
        self.opened += 1;
        let _disk = Disk::new(self.folder.path(), image);
        let store = open(self.folder.path());
        (store.revision().0, objects(&store))
    }
}

/// Cuts the power before each operation of a run, after `step` of them each, and at its end.
fn cut_everywhere(
    start: &Image,
    run: &Run,
    step: usize,
    seed: u64,
    mut check: impl FnMut(&str, &Image, u64),
) {
    let mut random = Random(seed);
    let mut replay = Replay::new(start);
    let mut visible = 0;
    // The last images and what had been seen then: the same need not be opened twice.
    let mut before = (Vec::new(), 0);
    for (at, logged) in run.log.iter().enumerate() {
        replay.apply(&logged.operation);
        visible = visible.max(logged.visible);
        if !at.is_multiple_of(step) {
            continue;
        }
        let what = |survival| format!("seed {seed}, operation {at}, {survival}");
        let images = [
            ("what was synced", replay.after_power_cut(Survival::Nothing)),
            ("all", replay.after_power_cut(Survival::Everything)),
            ("a part", replay.after_power_cut(Survival::Some(&mut random))),
        ];
        for (survival, image) in &images {
            if before.1 != visible || !before.0.contains(image) {
                check(&what(survival), image, visible);
            }
        }
        before = (images.map(|(_, image)| image).to_vec(), visible);
    }
    check("at the end", &replay.after_power_cut(Survival::Nothing), visible);
}

#[tokio::test]
async fn what_was_seen_survives_a_power_cut() {
    let mut inspector = Inspector::new();
    let mut start = Image::new();
    // From the first creation of the database, then from what each run leaves.
    for (seed, step) in [(1, 1), (2, 5)] {
        let run = run(&start, false, seed).await;
        cut_everywhere(&start, &run, step, seed, |what, image, visible| {
            inspector.check(what, image, visible, &run);
        });
        // Closing has moved the log into the database; that is enough to begin again.
        assert_eq!(run.image.keys().collect::<Vec<_>>(), ["headcount.db"]);
        start = run.image;
    }
    println!("{} disks were opened", inspector.opened);
    assert!(inspector.opened > 1000);
}

#[tokio::test]
async fn what_was_seen_survives_faults_and_a_power_cut() {
    let mut inspector = Inspector::new();
    for seed in 10..=12 {
        let start = Image::new();
        let run = run(&start, true, seed).await;
        cut_everywhere(&start, &run, 7, seed, |what, image, visible| {
            inspector.check_after_faults(what, image, visible, &run);
        });
        let (revision, found) = inspector.open(&run.image);
        assert_eq!(revision as usize, run.states.len() - 1);
        assert!(&found == run.states.last().unwrap(), "an orderly end leaves the last state");
    }
    println!("{} disks were opened", inspector.opened);
    assert!(inspector.opened > 300);
}
