//! Who owns which fields of an object (`metadata.managedFields`), and server-side apply.
//!
//! Every write of a client that names itself, by the query's `fieldManager` or its `User-Agent`, is recorded. One that
//! does neither, as the clients in the server's own process, owns nothing; the fields that it changes are no longer
//! owned by others. That keeps the objects that controllers write small, and applying over them is no conflict.

mod set;
#[cfg(test)]
mod tests;
mod value;

use std::collections::{BTreeMap, VecDeque, btree_map};
use std::mem;

use manifest::kind::Kind;
use serde_json::{Value, json};

use crate::types::Place;
use set::FieldSet;
use value::Difference;

/// How many managers with operation Update an object has; older ones become [`ANCIENT`].
const UPDATERS_MAX: usize = 10;

/// The room for the names of the conflicts that a client is told, in bytes: what it may want to read, and not what many
/// managers of many fields with long names come to.
const LISTED_BYTES_MAX: usize = 64 * 1024;

/// The manager that stands for the oldest ones.
const ANCIENT: &str = "ancient-changes";

/// Who writes, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Writer<'a> {
    /// The manager's name; `None` for one that does not name itself.
    pub(crate) manager: Option<&'a str>,
    /// `status` or `scale`; empty for the object itself.
    pub(crate) subresource: &'static str,
    /// The kind of the object, which says the version in which it is written.
    pub(crate) kind: &'static Kind,
    /// Now, as Kubernetes writes it.
    pub(crate) time: &'a str,
}

/// How fields came to be owned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Apply,
    Update,
}

/// One of `metadata.managedFields`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    manager: String,
    operation: Operation,
    api_version: String,
    subresource: String,
    time: String,
    fields: FieldSet,
}

/// A field that another manager owns and that would change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Conflict {
    /// The other manager, as Kubernetes writes it: `"kubectl" using v1`.
    pub(crate) manager: String,
    /// The field.
    pub(crate) path: String,
}

/// Why something cannot be applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ApplyError {
    /// It is malformed.
    Malformed(String),
    /// Others own what would change.
    Conflicts(Conflicts),
}

/// The conflicts of one apply; at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Conflicts {
    /// The first of them, as many as [`LISTED_BYTES_MAX`] allows.
    pub(crate) listed: Vec<Conflict>,
    /// How many there are.
    pub(crate) total: usize,
}

/// An object with something applied to it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Applied {
    /// The object, not yet normalized. Without `metadata.managedFields`.
    pub(crate) object: Value,
    /// `metadata.managedFields` once it is written.
    pub(crate) managed: Value,
}

/// `metadata.managedFields` after `new` took the place of `old`, given what it was; null when nobody owns a field.
pub(crate) fn update(managed: &Value, old: &Value, new: &Value, writer: Writer<'_>) -> Value {
    let mut entries = parse(managed).unwrap_or_default();
    if entries.is_empty() && writer.manager.is_none() {
        return Value::Null;
    }
    let Difference { set, removed } = difference(Place::of(writer.kind), old, new);
    if set.is_empty() && removed.is_empty() {
        return render(&entries);
    }
    for entry in &mut entries {
        let mine = entry.is_updater(writer);
        entry.fields.subtract(&removed);
        if !mine {
            entry.fields.subtract(&set);
        }
    }
    if let Some(manager) = writer.manager.filter(|_| !set.is_empty()) {
        match entries.iter_mut().find(|entry| entry.is_updater(writer)) {
            Some(entry) => {
                entry.fields.add(&set);
                writer.time.clone_into(&mut entry.time);
            }
            None => entries.push(writer.entry(manager, Operation::Update, set)),
        }
    }
    bound(&mut entries);
    render(&entries)
}

/// Applies `config` to `live` (null: there is none).
pub(crate) fn apply(
    live: &Value,
    config: &Value,
    manager: &str,
    writer: Writer<'_>,
    force: bool,
) -> Result<Applied, ApplyError> {
    let place = Place::of(writer.kind);
    value::check(place, config, "").map_err(ApplyError::Malformed)?;
    let mut entries = parse(&live["metadata"]["managedFields"]).unwrap_or_default();
    let set = fields(place, config);
    let mut object = live.clone();
    if live.is_null() {
        object = config.clone();
    } else {
        value::merge(place, &mut object, config);
    }
    let is_mine = |entry: &Entry| {
        entry.operation == Operation::Apply
            && entry.manager == manager
            && entry.subresource == writer.subresource
    };
    let mut others = FieldSet::default();
    entries.iter().filter(|entry| !is_mine(entry)).for_each(|entry| others.add(&entry.fields));
    let before = entries.iter().find(|entry| is_mine(entry)).map(|entry| entry.fields.clone());
    if let Some(mut gone) = before.clone() {
        gone.subtract(&set);
        // What is above something still applied stays.
        others.add(&set);
        gone.subtract(&others);
        value::prune(place, &mut object, &gone, Some(&others));
    }
    let Difference { set: changed, removed } = difference(place, live, &object);
    let mut conflicts = Conflicts { listed: Vec::new(), total: 0 };
    let mut room = LISTED_BYTES_MAX;
    for entry in entries.iter_mut().filter(|entry| !is_mine(entry)) {
        let common = entry.fields.common(&changed);
        if !common.is_empty() && !force {
            let manager = entry.described();
            let paths = common.paths_within(&mut room, manager.len());
            let conflict = |path| Conflict { manager: manager.clone(), path };
            conflicts.listed.extend(paths.into_iter().map(conflict));
            conflicts.total += common.len();
        }
        entry.fields.subtract(&changed);
        entry.fields.subtract(&removed);
    }
    if conflicts.total > 0 {
        return Err(ApplyError::Conflicts(conflicts));
    }
    match entries.iter_mut().find(|entry| is_mine(entry)) {
        Some(entry) => {
            if before.as_ref() != Some(&set) || !changed.is_empty() || !removed.is_empty() {
                writer.time.clone_into(&mut entry.time);
            }
            entry.fields = set;
            writer.kind.api_version().clone_into(&mut entry.api_version);
        }
        None => entries.push(writer.entry(manager, Operation::Apply, set)),
    }
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.remove("managedFields");
    }
    Ok(Applied { object, managed: render(&entries) })
}

/// The fields that an object sets, apart from those that are the server's.
fn fields(place: Place, object: &Value) -> FieldSet {
    let mut set = value::fields(place, object);
    set.forget_system();
    set
}

/// What a change did to the fields that are not the server's.
fn difference(place: Place, old: &Value, new: &Value) -> Difference {
    let mut difference = value::difference(place, old, new);
    difference.set.forget_system();
    difference.removed.forget_system();
    difference
}

/// Whether a client may set `metadata.managedFields` to this: entries of the right form. One empty entry is how
/// clients ask that all ownership be forgotten.
pub(crate) fn accepted(managed: &Value) -> Option<Value> {
    let list = managed.as_array().filter(|list| !list.is_empty())?;
    if list.len() == 1 && list[0].as_object().is_some_and(serde_json::Map::is_empty) {
        return Some(Value::Null);
    }
    parse(managed).map(|entries| render(&entries))
}

/// What is applied, as an owner sees it: without nulls.
pub(crate) fn without_nulls(mut config: Value) -> Value {
    value::without_nulls(&mut config);
    config
}

impl Writer<'_> {
    fn entry(self, manager: &str, operation: Operation, fields: FieldSet) -> Entry {
        Entry {
            manager: manager.to_owned(),
            operation,
            api_version: self.kind.api_version().to_owned(),
            subresource: self.subresource.to_owned(),
            time: self.time.to_owned(),
            fields,
        }
    }
}

impl Entry {
    fn is_updater(&self, writer: Writer<'_>) -> bool {
        self.operation == Operation::Update
            && writer.manager == Some(&self.manager)
            && self.subresource == writer.subresource
            && self.api_version == writer.kind.api_version()
    }

    fn described(&self) -> String {
        let mut text = format!("{:?}", self.manager);
        if !self.subresource.is_empty() {
            text.push_str(&format!(" with subresource {:?}", self.subresource));
        }
        match self.operation {
            Operation::Apply => {}
            Operation::Update => text.push_str(&format!(" using {}", self.api_version)),
        }
        text
    }

    fn parse(entry: &Value) -> Option<Self> {
        let text = |name: &str| match &entry[name] {
            Value::Null => Some(String::new()),
            value => value.as_str().map(str::to_owned),
        };
        Some(Self {
            manager: text("manager")?,
            operation: match entry["operation"].as_str()? {
                "Apply" => Operation::Apply,
                "Update" => Operation::Update,
                _ => return None,
            },
            api_version: text("apiVersion")?,
            subresource: text("subresource")?,
            time: text("time")?,
            fields: FieldSet::parse(&entry["fieldsV1"])?,
        })
    }

    fn to_value(&self) -> Value {
        let Self { manager, operation, api_version, subresource, time, fields } = self;
        let mut entry = json!({
            "manager": manager,
            "operation": match operation {
                Operation::Apply => "Apply",
                Operation::Update => "Update",
            },
            "apiVersion": api_version,
            "fieldsType": "FieldsV1",
            "fieldsV1": fields.to_value(),
        });
        for (name, text) in [("subresource", subresource), ("time", time)] {
            if !text.is_empty() {
                entry[name] = text.as_str().into();
            }
        }
        entry
    }
}

fn parse(managed: &Value) -> Option<Vec<Entry>> {
    managed.as_array()?.iter().map(Entry::parse).collect()
}

fn render(entries: &[Entry]) -> Value {
    let kept: Vec<Value> =
        entries.iter().filter(|entry| !entry.fields.is_empty()).map(Entry::to_value).collect();
    if kept.is_empty() { Value::Null } else { kept.into() }
}

/// Puts the oldest updaters of each subresource together where there are too many.
fn bound(entries: &mut Vec<Entry>) {
    entries.retain(|entry| !entry.fields.is_empty());
    let is_updater = |entry: &Entry| entry.operation == Operation::Update;
    if entries.iter().filter(|entry| is_updater(entry)).count() <= UPDATERS_MAX {
        return;
    }
    let (updaters, appliers) = mem::take(entries).into_iter().partition::<Vec<_>, _>(is_updater);
    let (mut named, old) = updaters.into_iter().partition::<Vec<_>, _>(|it| it.manager != ANCIENT);
    let mut ancient = BTreeMap::new();
    let mut put = |entry: Entry| {
        match ancient.entry(entry.subresource.clone()) {
            btree_map::Entry::Vacant(free) => {
                free.insert(Entry { manager: ANCIENT.to_owned(), ..entry });
            }
            btree_map::Entry::Occupied(mut held) => {
                held.get_mut().fields.add(&entry.fields);
                held.get_mut().time = entry.time;
            }
        }
        ancient.len()
    };
    let mut count = 0;
    for entry in old {
        count = put(entry);
    }
    named.sort_by(|left, right| left.time.cmp(&right.time));
    let mut named = VecDeque::from(named);
    while named.len() + count > UPDATERS_MAX
        && let Some(oldest) = named.pop_front()
    {
        count = put(oldest);
    }
    entries.extend(appliers.into_iter().chain(ancient.into_values()).chain(named));
}
