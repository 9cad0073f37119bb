//! The process is killed while it writes: what it had acknowledged is there, and nothing is half there.
//!
//! The test runs itself again as a child process, which writes and reports on its standard output; kills
//! it; and looks into the data folder. (What the kernel had not yet written is not lost by that; for it see
//! `store_power.rs`.)

#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use api::store::{Change, Expect, Key, OpenError, Options, Revision, Sqlite, Store};
use support::disk::Random;
use support::{PODS, key};

const FOLDER: &str = "HEADCOUNT_TEST_FOLDER";
const SEED: &str = "HEADCOUNT_TEST_SEED";

const TASKS: u64 = 6;
const KEYS: u64 = 5;
const ROUNDS: u64 = 12;

fn open(folder: &Path) -> Result<Sqlite, OpenError> {
    // Checkpoints often, so that kills fall into them too.
    Sqlite::open_with(folder, Options { checkpoint_bytes: 256 << 10, ..Options::default() })
}

/// What a write renders, recognisable when it is not whole.
fn json(revision: u64, mark: u64) -> Vec<u8> {
    let length = Random(mark).below(9) * Random(mark + 1).below(1500);
    format!(r#"{{"revision":{revision},"mark":{mark},"fill":"{}"}}"#, "x".repeat(length as usize))
        .into_bytes()
}

fn say(line: &str) {
    // One write, so that lines of several tasks do not mix.
    let mut out = std::io::stdout().lock();
    out.write_all(format!("{line}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

/// Each task writes to keys of its own, one write after the other. Before a write it says `try KEY MARK`
/// (mark 0: a deletion), after it `ack KEY MARK REVISION`.
async fn write_until_killed(store: Arc<Sqlite>, task: u64, seed: u64) {
    let mut random = Random(seed ^ (task << 40));
    loop {
        let name = format!("{task}-{}", random.below(KEYS));
        let key = key(PODS, "kill", &name);
        let present = store.get(&key).map(|entry| entry.revision);
        let expect = present.map_or(Expect::Absent, Expect::At);
        let mark = if present.is_some() && random.below(4) == 0 { 0 } else { random.next() | 1 };
        let render = Box::new(move |Revision(revision)| json(revision, mark));
        let change = if mark == 0 { Change::Delete(render) } else { Change::Put(render) };
        say(&format!("try {name} {mark}"));
        let entry = store.write(key, expect, change).await.unwrap();
        say(&format!("ack {name} {mark} {}", entry.revision));
    }
}

#[test]
#[ignore = "the child process of the test below"]
fn child() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let seed: u64 = std::env::var(SEED).unwrap().parse().unwrap();
    let store = Arc::new(open(Path::new(&folder)).unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(async {
        let tasks: Vec<_> = (0..TASKS)
            .map(|task| tokio::spawn(write_until_killed(store.clone(), task, seed)))
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
}

/// What is known of a key: its acknowledged state, and the write that may have been under way.
#[derive(Clone, Debug, Default)]
struct Known {
    /// The mark and revision; `None`: absent.
    acknowledged: Option<(u64, u64)>,
    tried: Option<u64>,
}

#[test]
fn acknowledged_writes_survive_a_kill() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("data");
    let mut known: BTreeMap<String, Known> = BTreeMap::new();
    let (mut revision, mut acknowledged) = (0, 0);
    for round in 1..=ROUNDS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "child", "--nocapture"])
            .env(FOLDER, &folder)
            .env(SEED, round.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut left = 100 + Random(round).below(600);
        let mut line = String::new();
        // To the end of what the child has said, which goes on beyond the kill.
        while lines.read_line(&mut line).unwrap() > 0 {
            // A line cut short is no word given.
            let words: Vec<&str> = match line.strip_suffix('\n') {
                Some(line) => line.split(' ').collect(),
                None => Vec::new(),
            };
            match words[..] {
                ["try", name, mark] => {
                    known.entry(name.to_owned()).or_default().tried = Some(mark.parse().unwrap());
                }
                ["ack", name, mark, written] => {
                    let (mark, written) = (mark.parse().unwrap(), written.parse().unwrap());
                    let known = known.get_mut(name).unwrap();
                    assert_eq!(known.tried.take(), Some(mark));
                    known.acknowledged = (mark != 0).then_some((mark, written));
                    revision = revision.max(written);
                    acknowledged += 1;
                    left = left.saturating_sub(1);
                    if left == 0 {
                        child.kill().unwrap();
                    }
                }
                // The test harness of the child says its part too.
                _ => {}
            }
            line.clear();
        }
        assert!(!child.wait().unwrap().success());
        inspect(&folder, round, &mut revision, &mut known);
    }
    println!("{acknowledged} writes were acknowledged, {revision} is the revision");
    assert!(acknowledged > ROUNDS * 100);
}

/// Opens the folder that a killed process left, and takes over what it finds.
fn inspect(folder: &Path, round: u64, revision: &mut u64, known: &mut BTreeMap<String, Known>) {
    let store = open(folder).unwrap();
    assert!(store.revision().0 >= *revision, "round {round}");
    *revision = store.revision().0;
    let mut found: BTreeMap<Key, (u64, u64)> = BTreeMap::new();
    for entry in store.list(PODS, None).entries {
        let value: serde_json::Value = serde_json::from_slice(&entry.json).unwrap();
        let mark = value["mark"].as_u64().unwrap();
        assert!(
            entry.json == json(entry.revision.0, mark),
            "round {round}: {:?} is whole",
            entry.key
        );
        assert!(entry.revision.0 <= *revision);
        found.insert(entry.key.clone(), (mark, entry.revision.0));
    }
    for (name, known) in known {
        let state = found.remove(&key(PODS, "kill", name));
        let tried = match (known.tried, state) {
            (Some(0), None) => true,
            (Some(tried), Some((mark, _))) => tried == mark,
            (Some(_) | None, _) => false,
        };
        assert!(
            state == known.acknowledged || tried,
            "round {round}: {name} is {state:?}, known is {known:?}"
        );
        *known = Known { acknowledged: state, tried: None };
    }
    assert!(found.is_empty(), "round {round}: never written: {found:?}");
}
