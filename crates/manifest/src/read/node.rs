//! A text's content as a tree in which everything knows its place.

use serde_json::{Map, Value};

use super::problem::{Position, Span};

/// A value, where it begins and where it ends (of lists and maps only the beginning is kept).
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    pub(super) at: Position,
    pub(super) end: Position,
    pub(super) content: Content,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Content {
    /// Null, a boolean, a number or a text; with the text as written where that is another.
    Scalar {
        value: Value,
        written: Option<Box<str>>,
    },
    List(Vec<Node>),
    /// Each key once, in the order of the text.
    Map(Vec<Entry>),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) key_at: Position,
    pub(super) key_end: Position,
    pub(super) value: Node,
}

impl Node {
    /// The tree as JSON.
    pub(super) fn to_value(&self) -> Value {
        match &self.content {
            Content::Scalar { value, .. } => value.clone(),
            Content::List(items) => Value::Array(items.iter().map(Node::to_value).collect()),
            Content::Map(entries) => Value::Object(
                entries
                    .iter()
                    .map(|entry| (entry.key.clone(), entry.value.to_value()))
                    .collect::<Map<_, _>>(),
            ),
        }
    }

    /// The value under `key`, if this is a map.
    pub(super) fn get(&self, key: &str) -> Option<&Entry> {
        match &self.content {
            Content::Map(entries) => entries.iter().find(|entry| entry.key == key),
            Content::Scalar { .. } | Content::List(_) => None,
        }
    }

    /// The text, if this is one.
    pub(super) fn as_str(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar { value, .. } => value.as_str(),
            Content::List(_) | Content::Map(_) => None,
        }
    }

    /// How many levels lie below, and about how many bytes a copy takes.
    pub(super) fn size(&self) -> (usize, usize) {
        let own = size_of::<Self>();
        let fold = |(depth, bytes): (usize, usize), node: &Node| {
            let (below, more) = node.size();
            (depth.max(below + 1), bytes + more)
        };
        match &self.content {
            Content::Scalar { value, written } => {
                let texts = [value.as_str(), written.as_deref()];
                (0, own + texts.into_iter().flatten().map(str::len).sum::<usize>())
            }
            Content::List(items) => items.iter().fold((0, own), fold),
            Content::Map(entries) => {
                let keys: usize = entries.iter().map(|entry| entry.key.len()).sum();
                entries.iter().map(|entry| &entry.value).fold((0, own + keys), fold)
            }
        }
    }

    /// Where a field such as `spec.ports[0].port` or `metadata.labels[app]` is: its value, or its key where the
    /// value is not a scalar. If there is no such field, the nearest parent that exists.
    pub(super) fn position(&self, field: &str) -> Position {
        self.find(field).0.start
    }

    /// As [`Node::position`], with the end of that value or key.
    pub(super) fn span(&self, field: &str) -> Span {
        self.find(field).0
    }

    /// Whether there is such a field.
    pub(super) fn has(&self, field: &str) -> bool {
        self.find(field).1.is_some()
    }

    /// A scalar field's text as written, where that differs from its value: `1.10`, `yes`.
    pub(super) fn written(&self, field: &str) -> Option<&str> {
        match self.find(field).1?.content {
            Content::Scalar { ref written, .. } => written.as_deref(),
            Content::List(_) | Content::Map(_) => None,
        }
    }

    /// The place of a field, and the field if it exists.
    fn find(&self, field: &str) -> (Span, Option<&Node>) {
        let mut node = self;
        let mut at = Span { start: self.at, end: self.end };
        let mut rest = field;
        while !rest.is_empty() {
            let Some((next, place, after)) = node.step(rest) else { return (at, None) };
            node = next;
            at = place;
            rest = after;
        }
        (at, Some(node))
    }

    /// The child that a path begins with, its place, and the rest of the path.
    fn step<'n, 'p>(&'n self, path: &'p str) -> Option<(&'n Node, Span, &'p str)> {
        match &self.content {
            Content::Scalar { .. } => None,
            Content::List(items) => {
                let (index, rest) = path.strip_prefix('[')?.split_once(']')?;
                let item = items.get(index.parse::<usize>().ok()?)?;
                let place = Span { start: item.at, end: item.end };
                Some((item, place, rest.strip_prefix('.').unwrap_or(rest)))
            }
            // Keys may hold dots and brackets of their own, so the keys that are there decide; the longest wins.
            Content::Map(entries) => entries
                .iter()
                .filter_map(|entry| Some((entry, after_key(path, &entry.key)?)))
                .max_by_key(|(entry, _)| entry.key.len())
                .map(|(entry, rest)| {
                    let (start, end) = match &entry.value.content {
                        Content::Scalar { value, .. } if !value.is_null() => {
                            (entry.value.at, entry.value.end)
                        }
                        Content::Scalar { .. } | Content::List(_) | Content::Map(_) => {
                            (entry.key_at, entry.key_end)
                        }
                    };
                    let at = Span { start, end };
                    (&entry.value, at, rest)
                }),
        }
    }
}

/// What follows `key` or `[key]` at the beginning of a path, if it begins so.
pub(crate) fn after_key<'p>(path: &'p str, key: &str) -> Option<&'p str> {
    let rest = match path.strip_prefix('[').and_then(|path| path.strip_prefix(key)) {
        Some(rest) => rest.strip_prefix(']')?,
        None => path.strip_prefix(key)?,
    };
    match rest.as_bytes() {
        [] | [b'[', ..] => Some(rest),
        [b'.', ..] => Some(&rest[1..]),
        _ => None,
    }
}
