//! The state that readers and watchers see: objects in order, and each resource's recent events.
//!
//! A writer first makes its events (which for a durable store includes making them durable) and then
//! publishes them in one step; so what is seen here is always a state that was acknowledged or is about to
//! be. Locks are held for map look-ups only; JSON is shared, never copied.

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Instant;

use tokio::sync::watch;

use super::history::{History, Kept, Limits};
use super::past::Packer;
use super::{
    Change, Entry, Event, EventKind, Expect, Key, Listing, Revision, TooOld, Watch, WriteError,
};

pub(super) struct Serving {
    limits: Limits,
    state: RwLock<State>,
}

struct State {
    revision: Revision,
    /// The revision at start: nothing is known of what happened before it.
    floor: Revision,
    shelves: HashMap<&'static str, Shelf>,
}

/// One resource: namespace → name → object, and what happened lately.
struct Shelf {
    objects: BTreeMap<String, BTreeMap<String, Arc<Entry>>>,
    history: History,
    news: Arc<watch::Sender<Revision>>,
}

impl Shelf {
    fn new(floor: Revision) -> Self {
        Self {
            objects: BTreeMap::new(),
            history: History::new(floor),
            news: Arc::new(watch::Sender::new(floor)),
        }
    }

    fn put(&mut self, entry: Arc<Entry>) {
        let Key { resource: _, namespace, name } = &entry.key;
        // The namespace's String is made for its first object only.
        if !self.objects.contains_key(namespace) {
            self.objects.insert(namespace.clone(), BTreeMap::new());
        }
        if let Some(names) = self.objects.get_mut(namespace) {
            match names.get_mut(name) {
                Some(slot) => *slot = entry,
                None => _ = names.insert(name.clone(), entry),
            }
        }
    }

    fn remove(&mut self, key: &Key) {
        if let Some(names) = self.objects.get_mut(&key.namespace) {
            names.remove(&key.name);
            if names.is_empty() {
                self.objects.remove(&key.namespace);
            }
        }
    }
}

impl State {
    /// Drops what history is too much, into `retired`.
    fn trim(&mut self, limits: &Limits, now: Instant, retired: &mut Vec<Kept>) {
        for shelf in self.shelves.values_mut() {
            shelf.history.trim(limits, now, retired);
        }
        while self.shelves.values().map(|shelf| shelf.history.bytes()).sum::<usize>() > limits.bytes
        {
            // The resource that holds most pays for the room.
            let largest = self.shelves.values_mut().max_by_key(|shelf| shelf.history.bytes());
            match largest.and_then(|shelf| shelf.history.pop()) {
                Some(event) => retired.push(event),
                None => break,
            }
        }
    }
}

impl Serving {
    /// A state with these objects; `revision` is not below any of theirs.
    pub(super) fn new(
        limits: Limits,
        revision: Revision,
        entries: impl IntoIterator<Item = Entry>,
    ) -> Self {
        let mut shelves = HashMap::new();
        for entry in entries {
            debug_assert!(entry.revision <= revision);
            shelves
                .entry(entry.key.resource)
                .or_insert_with(|| Shelf::new(revision))
                .put(Arc::new(entry));
        }
        Self { limits, state: RwLock::new(State { revision, floor: revision, shelves }) }
    }

    // No code that can panic runs while the lock is held for writing, so a poisoned lock guards a whole
    // state.
    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn revision(&self) -> Revision {
        self.read().revision
    }

    pub(super) fn get(&self, key: &Key) -> Option<Arc<Entry>> {
        let state = self.read();
        state.shelves.get(key.resource)?.objects.get(&key.namespace)?.get(&key.name).cloned()
    }

    pub(super) fn list(&self, resource: &'static str, namespace: Option<&str>) -> Listing {
        let state = self.read();
        let mut entries = Vec::new();
        if let Some(shelf) = state.shelves.get(resource) {
            match namespace {
                Some(namespace) => {
                    let names = shelf.objects.get(namespace);
                    entries.extend(names.into_iter().flat_map(BTreeMap::values).cloned());
                }
                None => {
                    entries.extend(shelf.objects.values().flat_map(BTreeMap::values).cloned());
                }
            }
        }
        Listing { revision: state.revision, entries }
    }

    /// Shows events to readers and watchers, all at once. Their revisions follow on the present one.
    pub(super) fn publish(&self, events: impl IntoIterator<Item = Event>) {
        let now = Instant::now();
        let mut retired = Vec::new();
        let mut news: Vec<(&'static str, Arc<watch::Sender<Revision>>)> = Vec::new();
        let revision = {
            let state = &mut *self.lock();
            for event in events {
                debug_assert_eq!(event.entry.revision.0, state.revision.0 + 1);
                state.revision = event.entry.revision;
                let resource = event.entry.key.resource;
                let floor = state.floor;
                let shelf = state.shelves.entry(resource).or_insert_with(|| Shelf::new(floor));
                match event.kind {
                    EventKind::Added | EventKind::Modified => {
                        shelf.put(event.entry.clone());
                    }
                    EventKind::Deleted => shelf.remove(&event.entry.key),
                }
                shelf.history.push(event, now);
                if news.iter().all(|(told, _)| *told != resource) {
                    news.push((resource, shelf.news.clone()));
                }
            }
            state.trim(&self.limits, now, &mut retired);
            state.revision
        };
        for (_, sender) in news {
            sender.send_replace(revision);
        }
    }

    /// Drops history that has become too old.
    pub(super) fn tidy(&self) {
        let mut retired = Vec::new();
        self.lock().trim(&self.limits, Instant::now(), &mut retired);
        // Dropped here, when the lock is free again.
        drop(retired);
    }

    pub(super) fn watch(
        self: &Arc<Self>,
        resource: &'static str,
        from: Revision,
    ) -> Result<Cursor, TooOld> {
        let state = &mut *self.lock();
        let floor = state.floor;
        let shelf = state.shelves.entry(resource).or_insert_with(|| Shelf::new(floor));
        shelf.history.resumes(from)?;
        Ok(Cursor { serving: self.clone(), resource, seen: from, news: shelf.news.subscribe() })
    }
}

/// Makes the event of a write, or says why it cannot be. `current` is the object's newest state.
pub(super) fn decide(
    key: Key,
    current: Option<&Arc<Entry>>,
    expect: Expect,
    change: Change,
    revision: Revision,
    packer: &mut Packer,
) -> Result<Event, WriteError> {
    let expected = match (expect, current) {
        (Expect::Absent, None) => !matches!(change, Change::Delete(_)),
        (Expect::At(at), Some(entry)) => at == entry.revision,
        (Expect::Absent, Some(_)) | (Expect::At(_), None) => false,
    };
    if !expected {
        return Err(WriteError::Conflict(current.cloned()));
    }
    let (kind, render) = match (change, current) {
        (Change::Put(render), None) => (EventKind::Added, render),
        (Change::Put(render), Some(_)) => (EventKind::Modified, render),
        (Change::Delete(render), _) => (EventKind::Deleted, render),
    };
    // Exactly as long as it is: what is kept for long has no room to grow.
    let json = render(revision).into_boxed_slice().into();
    let entry = Arc::new(Entry { key, revision, json });
    Ok(Event { kind, entry, previous: current.map(|entry| packer.pack(entry)) })
}

/// A place in the history of one resource.
pub(super) struct Cursor {
    serving: Arc<Serving>,
    resource: &'static str,
    seen: Revision,
    news: watch::Receiver<Revision>,
}

impl Cursor {
    async fn advance(&mut self) -> Result<Vec<Event>, TooOld> {
        loop {
            // Before the look, so that an event published after it wakes us.
            self.news.mark_unchanged();
            let events = {
                let state = self.serving.read();
                match state.shelves.get(self.resource) {
                    Some(shelf) => shelf.history.after(self.seen)?,
                    None => Vec::new(),
                }
            };
            let events: Vec<Event> = events.into_iter().map(Event::from).collect();
            if let Some(last) = events.last() {
                // Nothing is awaited between this and the return: a dropped future has moved nothing.
                self.seen = last.entry.revision;
                return Ok(events);
            }
            if self.news.changed().await.is_err() {
                // Cannot be: the sender lives in the state that this cursor holds.
                std::future::pending::<()>().await;
            }
        }
    }
}

impl Watch for Cursor {
    fn next(&mut self) -> Pin<Box<dyn Future<Output = Result<Vec<Event>, TooOld>> + Send + '_>> {
        Box::pin(self.advance())
    }

    fn revision(&self) -> Revision {
        let state = self.serving.read();
        let newest = state.shelves.get(self.resource).and_then(|shelf| shelf.history.newest());
        if newest.is_none_or(|newest| newest <= self.seen) {
            // Nothing of this resource lies between: what happened since was to others.
            self.seen.max(state.revision)
        } else {
            self.seen
        }
    }
}
