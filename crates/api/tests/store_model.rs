//! Random operations give what a plain map gives, and so does a store that is opened again.

#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use api::store::{
    Change, Entry, Event, EventKind, Expect, Key, Listing, Memory, Past, Revision, Sqlite, Store,
    Watch, WriteError,
};
use futures::FutureExt;
use proptest::prelude::*;
use support::{PODS, SERVICES, body, delete_change, key, put_change};

#[derive(Clone, Debug)]
enum Step {
    /// A write of a key, with an expectation that is right or wrong.
    Write {
        key: u8,
        right: bool,
        deletes: bool,
        length: u16,
    },
    /// Several writes that are handed in together.
    Together(Vec<(u8, bool)>),
    List {
        namespace: Option<u8>,
    },
    /// Begin to watch from a revision, in hundredths of the present one.
    Watch {
        from: u8,
    },
    /// Look at what the watches say.
    Drain,
    /// End the store and open it again, where it can be.
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..8_u8, prop::bool::weighted(0.85), prop::bool::weighted(0.3), 0..6000_u16)
            .prop_map(|(key, right, deletes, length)| Step::Write { key, right, deletes, length }),
        2 => prop::collection::vec((0..8_u8, any::<bool>()), 2..8).prop_map(Step::Together),
        2 => prop::option::of(0..3_u8).prop_map(|namespace| Step::List { namespace }),
        2 => (0..120_u8).prop_map(|from| Step::Watch { from }),
        2 => Just(Step::Drain),
        1 => Just(Step::Reopen),
    ]
}

/// Eight keys: two resources, two namespaces, two names.
fn numbered(n: u8) -> Key {
    let resource = if n & 1 == 0 { PODS } else { SERVICES };
    key(resource, &((n >> 1) & 1).to_string(), &(n >> 2).to_string())
}

struct Model {
    objects: BTreeMap<Key, Arc<Entry>>,
    events: Vec<Event>,
    revision: u64,
    /// The revision at the store's start.
    floor: u64,
    watches: Vec<(&'static str, u64, Box<dyn Watch>)>,
}

impl Model {
    fn expect(&self, key: &Key, right: bool) -> Expect {
        match (self.objects.get(key), right) {
            (None, true) => Expect::Absent,
            (None, false) => Expect::At(Revision(self.revision)),
            (Some(entry), true) => Expect::At(entry.revision),
            (Some(entry), false) => Expect::At(Revision(entry.revision.0 + 1)),
        }
    }

    /// What a write must answer, applied to the model if it goes through.
    fn write(
        &mut self,
        key: &Key,
        expect: Expect,
        deletes: bool,
        text: &str,
    ) -> Result<Arc<Entry>, Option<Arc<Entry>>> {
        let present = self.objects.get(key).cloned();
        let expected = match (expect, &present) {
            (Expect::Absent, None) => !deletes,
            (Expect::At(revision), Some(entry)) => entry.revision == revision,
            _ => false,
        };
        if !expected {
            return Err(present);
        }
        self.revision += 1;
        let json = body(self.revision, text).into();
        let entry = Arc::new(Entry { key: key.clone(), revision: Revision(self.revision), json });
        let kind = match (deletes, &present) {
            (true, _) => EventKind::Deleted,
            (false, None) => EventKind::Added,
            (false, Some(_)) => EventKind::Modified,
        };
        if deletes {
            self.objects.remove(key);
        } else {
            self.objects.insert(key.clone(), entry.clone());
        }
        let previous = present.map(|entry| Arc::new(Past::from(&*entry)));
        self.events.push(Event { kind, entry: entry.clone(), previous });
        Ok(entry)
    }

    fn list(&self, resource: &'static str, namespace: Option<&str>) -> Vec<Arc<Entry>> {
        self.objects
            .values()
            .filter(|entry| entry.key.resource == resource)
            .filter(|entry| namespace.is_none_or(|namespace| entry.key.namespace == namespace))
            .cloned()
            .collect()
    }

    /// Every watch has been told exactly what it should, and stands where it should.
    fn drain(&mut self) -> Result<(), TestCaseError> {
        for (resource, seen, watch) in &mut self.watches {
            let mut told = Vec::new();
            while let Some(events) = watch.next().now_or_never() {
                let events = events.unwrap();
                prop_assert!(!events.is_empty());
                told.extend(events);
            }
            let expected: Vec<_> = self
                .events
                .iter()
                .filter(|event| event.entry.key.resource == *resource)
                .filter(|event| event.entry.revision.0 > *seen)
                .cloned()
                .collect();
            prop_assert_eq!(told, expected);
            *seen = self.revision.max(*seen);
            prop_assert_eq!(watch.revision(), Revision(*seen));
        }
        Ok(())
    }
}

fn compare(
    result: Result<Arc<Entry>, WriteError>,
    expected: Result<Arc<Entry>, Option<Arc<Entry>>>,
) -> Result<(), TestCaseError> {
    match (result, expected) {
        (Ok(entry), Ok(expected)) => prop_assert_eq!(entry, expected),
        (Err(WriteError::Conflict(entry)), Err(expected)) => prop_assert_eq!(entry, expected),
        (result, expected) => prop_assert!(false, "{:?} instead of {:?}", result, expected),
    }
    Ok(())
}

async fn check(
    mut store: Box<dyn Store>,
    reopen: Option<&dyn Fn() -> Box<dyn Store>>,
    steps: Vec<Step>,
) -> Result<(), TestCaseError> {
    let mut model = Model {
        objects: BTreeMap::new(),
        events: Vec::new(),
        revision: 0,
        floor: 0,
        watches: Vec::new(),
    };
    let change = |deletes: bool, text: &str| -> Change {
        if deletes { delete_change(text) } else { put_change(text) }
    };
    for step in steps {
        match step {
            Step::Write { key, right, deletes, length } => {
                let key = numbered(key);
                let expect = model.expect(&key, right);
                let text = "x".repeat(usize::from(length));
                let result = store.write(key.clone(), expect, change(deletes, &text)).await;
                compare(result, model.write(&key, expect, deletes, &text))?;
            }
            Step::Together(writes) => {
                // All with what is right before the first of them: later ones of a key conflict.
                let writes: Vec<_> = writes
                    .into_iter()
                    .map(|(key, deletes)| {
                        let key = numbered(key);
                        let expect = model.expect(&key, true);
                        (key, expect, deletes)
                    })
                    .collect();
                let results = writes.iter().map(|(key, expect, deletes)| {
                    store.write(key.clone(), *expect, change(*deletes, "together"))
                });
                // They are handed in, and done, in this order.
                let results = futures::future::join_all(results).await;
                for ((key, expect, deletes), result) in writes.into_iter().zip(results) {
                    compare(result, model.write(&key, expect, deletes, "together"))?;
                }
            }
            Step::List { namespace } => {
                for resource in [PODS, SERVICES] {
                    let namespace = namespace.map(|namespace| namespace.to_string());
                    let Listing { revision, entries } = store.list(resource, namespace.as_deref());
                    prop_assert_eq!(revision, Revision(model.revision));
                    prop_assert_eq!(entries, model.list(resource, namespace.as_deref()));
                }
            }
            Step::Watch { from } => {
                let from = model.revision * u64::from(from) / 100;
                match store.watch(PODS, Revision(from)) {
                    Ok(watch) => model.watches.push((PODS, from, watch)),
                    Err(error) => {
                        prop_assert!(from < model.floor);
                        prop_assert_eq!(error.oldest, Revision(model.floor));
                    }
                }
            }
            Step::Drain => model.drain()?,
            Step::Reopen => {
                if let Some(reopen) = reopen {
                    model.watches.clear();
                    drop(store);
                    store = reopen();
                    model.floor = model.revision;
                }
            }
        }
        prop_assert_eq!(store.revision(), Revision(model.revision));
        for n in 0..8 {
            let key = numbered(n);
            prop_assert_eq!(store.get(&key), model.objects.get(&key).cloned());
        }
    }
    model.drain()
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn sqlite(folder: &Path) -> Box<dyn Store> {
    Box::new(Sqlite::open(folder).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64,
        // Its place is looked for beside a lib.rs, which tests here have not.
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn memory(steps in prop::collection::vec(step(), 1..60)) {
        block_on(check(Box::new(Memory::new()), None, steps))?;
    }

    #[test]
    fn durable(steps in prop::collection::vec(step(), 1..60)) {
        let folder = support::quick_folder();
        let reopen = || sqlite(folder.path());
        block_on(check(reopen(), Some(&reopen), steps))?;
    }
}
