//! Sets of fields, in memory and as `FieldsV1`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// A set of paths: whether this path is in it, and the paths below.
///
/// The elements of a path are those of `FieldsV1`: `f:NAME` a field, `k:{…}` the list item with these keys, `v:…` the
/// value in a set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct FieldSet {
    pub(super) own: bool,
    pub(super) children: BTreeMap<String, FieldSet>,
}

/// The fields of an object, and of its metadata, that nobody owns: the server's, and those that name the object.
const SYSTEM: [&str; 2] = ["f:apiVersion", "f:kind"];
const SYSTEM_METADATA: [&str; 10] = [
    "f:creationTimestamp",
    "f:deletionGracePeriodSeconds",
    "f:deletionTimestamp",
    "f:generation",
    "f:managedFields",
    "f:name",
    "f:namespace",
    "f:resourceVersion",
    "f:selfLink",
    "f:uid",
];

impl FieldSet {
    /// Reads `FieldsV1`; `None` when it is none.
    pub(super) fn parse(fields: &Value) -> Option<Self> {
        let mut set = Self::default();
        for (element, below) in fields.as_object()? {
            if element == "." {
                set.own = true;
                continue;
            }
            if !["f:", "k:", "v:", "i:"].iter().any(|mark| element.starts_with(mark)) {
                return None;
            }
            let mut below = Self::parse(below)?;
            below.own |= below.children.is_empty();
            set.children.insert(element.clone(), below);
        }
        Some(set)
    }

    /// Writes `FieldsV1`.
    pub(super) fn to_value(&self) -> Value {
        let mut fields = Map::new();
        if self.own && !self.children.is_empty() {
            fields.insert(".".to_owned(), Value::Object(Map::new()));
        }
        for (element, below) in &self.children {
            fields.insert(element.clone(), below.to_value());
        }
        Value::Object(fields)
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.own && self.children.is_empty()
    }

    pub(super) fn child(&mut self, element: String) -> &mut Self {
        self.children.entry(element).or_default()
    }

    /// Leaves out the branches without a path in the set.
    pub(super) fn trim(&mut self) {
        self.children.retain(|_, below| {
            below.trim();
            !below.is_empty()
        });
    }

    /// Leaves out what nobody owns of a whole object. Its metadata, which every object has, is only what is in it.
    pub(super) fn forget_system(&mut self) {
        self.children.retain(|element, _| !SYSTEM.contains(&element.as_str()));
        if let Some(metadata) = self.children.get_mut("f:metadata") {
            metadata.own = false;
            metadata.children.retain(|element, _| !SYSTEM_METADATA.contains(&element.as_str()));
        }
        self.trim();
    }

    /// Adds the paths of another set.
    pub(super) fn add(&mut self, other: &Self) {
        self.own |= other.own;
        for (element, below) in &other.children {
            self.child(element.clone()).add(below);
        }
    }

    /// Takes the paths of another set away.
    pub(super) fn subtract(&mut self, other: &Self) {
        self.own &= !other.own;
        for (element, below) in &other.children {
            if let Some(mine) = self.children.get_mut(element) {
                mine.subtract(below);
                if mine.is_empty() {
                    self.children.remove(element);
                }
            }
        }
    }

    /// The paths that are in both.
    pub(super) fn common(&self, other: &Self) -> Self {
        let mut both = Self { own: self.own && other.own, children: BTreeMap::new() };
        for (element, below) in &self.children {
            if let Some(theirs) = other.children.get(element) {
                let common = below.common(theirs);
                if !common.is_empty() {
                    both.children.insert(element.clone(), common);
                }
            }
        }
        both
    }

    /// How many paths are in the set.
    pub(super) fn len(&self) -> usize {
        usize::from(self.own) + self.children.values().map(Self::len).sum::<usize>()
    }

    /// The paths as Kubernetes writes them: `.spec.ports[port=80,protocol="TCP"].name`.
    pub(super) fn paths(&self) -> Vec<String> {
        self.paths_within(&mut { usize::MAX }, 0)
    }

    /// The first of the paths, until `room` is used up: of that each takes its length and `more`, in bytes.
    pub(super) fn paths_within(&self, room: &mut usize, more: usize) -> Vec<String> {
        let mut found = Vec::new();
        if *room == 0 {
            return found;
        }
        self.collect("", &mut |path| {
            found.push(path.to_owned());
            *room = room.saturating_sub(path.len() + more);
            *room > 0
        });
        found
    }

    /// Hands out the paths until `take` wants no more.
    fn collect(&self, path: &str, take: &mut impl FnMut(&str) -> bool) -> bool {
        if self.own && !take(path) {
            return false;
        }
        for (element, below) in &self.children {
            let (mark, rest) = element.split_at(2);
            let step = match mark {
                "f:" => format!(".{rest}"),
                "k:" => {
                    let keys: Map<String, Value> = serde_json::from_str(rest).unwrap_or_default();
                    let keys: Vec<String> =
                        keys.iter().map(|(key, value)| format!("{key}={value}")).collect();
                    format!("[{}]", keys.join(","))
                }
                "v:" => format!("[={rest}]"),
                _ => format!("[{rest}]"),
            };
            if !below.collect(&format!("{path}{step}"), take) {
                return false;
            }
        }
        true
    }
}
