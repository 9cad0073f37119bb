//! YAML text to located trees.

use std::collections::HashMap;

use granit_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Tag};
use serde_json::Value;

use super::node::{Content, Entry, Node};
use super::problem::{Position, Problem, Span};
use super::scalar;

/// How many bytes of copies anchors and aliases may make in a document, and how deep a document may be.
const COPIED_BYTES_MAX: usize = 16 * 1024 * 1024;
const DEPTH_MAX: usize = 200;

/// Reads all documents of a text. One that cannot be read is a problem and does not hide the others.
pub(super) fn parse(source: &str, text: &str, problems: &mut Vec<Problem>) -> Vec<Node> {
    let chunks = chunks(text).into_iter();
    chunks.flat_map(|(before, chunk)| parse_chunk(source, before, chunk, problems)).collect()
}

/// Reads the documents of a chunk that has so many lines before it.
pub(super) fn parse_chunk(
    source: &str,
    first_line: usize,
    chunk: &str,
    problems: &mut Vec<Problem>,
) -> Vec<Node> {
    let mut documents = Vec::new();
    if is_blank(chunk) {
        return documents;
    }
    let mut composer = Composer {
        source,
        first_line,
        problems,
        documents: &mut documents,
        frames: Vec::new(),
        anchors: HashMap::new(),
        copied_bytes: 0,
        sound: true,
    };
    if let Err(problem) = composer.compose(chunk) {
        problems.push(problem);
    }
    documents
}

/// The text split before each line that begins a document (`---`), with the number of lines before it.
pub(crate) fn chunks(text: &str) -> Vec<(usize, &str)> {
    let mut chunks = Vec::new();
    let (mut start, mut start_line, mut at) = (0, 0, 0);
    for (line, content) in text.split_inclusive('\n').enumerate() {
        let begins = content
            .strip_prefix("---")
            .is_some_and(|rest| rest.chars().next().is_none_or(char::is_whitespace));
        if begins && at > start {
            chunks.push((start_line, &text[start..at]));
            (start, start_line) = (at, line);
        }
        at += content.len();
    }
    chunks.push((start_line, &text[start..]));
    chunks
}

/// Whether there are only comments, directives and document markers.
fn is_blank(chunk: &str) -> bool {
    chunk.lines().all(|line| {
        let line = line.strip_prefix("---").unwrap_or(line).trim();
        line.is_empty() || line.starts_with(['#', '%']) || line == "..."
    })
}

enum Frame {
    List { at: Position, anchor: usize, items: Vec<Node> },
    Map { at: Position, anchor: usize, map: OpenMap, key: Key },
}

/// A map that is being read.
#[derive(Default)]
struct OpenMap {
    entries: Vec<Entry>,
    /// The keys that are there, and where.
    keys: HashMap<String, Position>,
    /// The values of `<<`.
    merged: Vec<Node>,
}

/// What the next node of a map is.
enum Key {
    /// The next key.
    Awaited,
    /// The value of this key.
    Named(String, Span),
    /// The value of `<<`.
    Merge,
    /// The value of a key that cannot be one.
    Refused,
}

struct Composer<'t> {
    source: &'t str,
    first_line: usize,
    problems: &'t mut Vec<Problem>,
    documents: &'t mut Vec<Node>,
    frames: Vec<Frame>,
    /// The nodes that have a name and are complete.
    anchors: HashMap<usize, Node>,
    /// What anchors and aliases have copied.
    copied_bytes: usize,
    /// Whether the document has no problem so far.
    sound: bool,
}

impl Composer<'_> {
    fn position(&self, marker: &Marker) -> Position {
        Position { line: self.first_line + marker.line(), column: marker.col() + 1 }
    }

    fn refuse(&mut self, at: Position, message: impl Into<String>) {
        self.sound = false;
        self.problems.push(Problem::error(self.source, at, message));
    }

    fn compose(&mut self, chunk: &str) -> Result<(), Problem> {
        for event in Parser::new_from_str(chunk) {
            let (event, span) = event.map_err(|error| self.scan_error(chunk, &error))?;
            let (at, end) = (self.position(&span.start), self.position(&span.end));
            match event {
                Event::DocumentStart(..) => {
                    self.frames.clear();
                    self.anchors.clear();
                    self.copied_bytes = 0;
                    self.sound = true;
                }
                Event::Alias(anchor) => {
                    let node = self.aliased(anchor, at, end)?;
                    self.add(node);
                }
                Event::Scalar(text, style, anchor, tag) => {
                    let node = Node { at, end, content: scalar(&text, style, tag.as_deref()) };
                    self.name(anchor, &node)?;
                    self.add(node);
                }
                Event::SequenceStart(_, anchor, _) => {
                    self.push(Frame::List { at, anchor, items: Vec::new() })?;
                }
                Event::MappingStart(_, anchor, _) => self.push(Frame::Map {
                    at,
                    anchor,
                    map: OpenMap::default(),
                    key: Key::Awaited,
                })?,
                Event::SequenceEnd | Event::MappingEnd => self.close()?,
                // Starts and ends of stream and document, comments, and what this reader did not ask for.
                _ => {}
            }
        }
        Ok(())
    }

    fn push(&mut self, frame: Frame) -> Result<(), Problem> {
        let (Frame::List { at, .. } | Frame::Map { at, .. }) = &frame;
        if self.frames.len() >= DEPTH_MAX {
            let message = format!("more than {DEPTH_MAX} levels of nesting");
            return Err(Problem::error(self.source, *at, message));
        }
        self.frames.push(frame);
        Ok(())
    }

    fn aliased(&mut self, anchor: usize, at: Position, end: Position) -> Result<Node, Problem> {
        let part_of_itself =
            || Problem::error(self.source, at, "the alias refers to what it is part of");
        let (depth, bytes) = self.anchors.get(&anchor).ok_or_else(part_of_itself)?.size();
        self.count_copy(bytes, at)?;
        if self.frames.len() + depth > DEPTH_MAX {
            let message = format!("more than {DEPTH_MAX} levels of nesting");
            return Err(Problem::error(self.source, at, message));
        }
        let content = self.anchors[&anchor].content.clone();
        Ok(Node { at, end, content })
    }

    /// Keeps a complete node for the aliases of its anchor, if it has one.
    fn name(&mut self, anchor: usize, node: &Node) -> Result<(), Problem> {
        if anchor != 0 {
            self.count_copy(node.size().1, node.at)?;
            self.anchors.insert(anchor, node.clone());
        }
        Ok(())
    }

    fn count_copy(&mut self, bytes: usize, at: Position) -> Result<(), Problem> {
        self.copied_bytes += bytes;
        if self.copied_bytes > COPIED_BYTES_MAX {
            let message = format!("anchors and aliases copy more than {COPIED_BYTES_MAX} bytes");
            return Err(Problem::error(self.source, at, message));
        }
        Ok(())
    }

    /// Ends the innermost list or map.
    fn close(&mut self) -> Result<(), Problem> {
        let (anchor, node) = match self.frames.pop() {
            None => return Ok(()),
            Some(Frame::List { at, anchor, items }) => {
                (anchor, Node { at, end: at, content: Content::List(items) })
            }
            Some(Frame::Map { at, anchor, mut map, key: _ }) => {
                for node in std::mem::take(&mut map.merged) {
                    self.merge(node, &mut map);
                }
                (anchor, Node { at, end: at, content: Content::Map(map.entries) })
            }
        };
        self.name(anchor, &node)?;
        self.add(node);
        Ok(())
    }

    /// Adds the entries of `<<` that the map does not have itself; of several maps the first wins.
    fn merge(&mut self, node: Node, map: &mut OpenMap) {
        match node.content {
            Content::Map(more) => {
                for entry in more {
                    if !map.keys.contains_key(&entry.key) {
                        map.keys.insert(entry.key.clone(), entry.key_at);
                        map.entries.push(entry);
                    }
                }
            }
            Content::List(nodes)
                if nodes.iter().all(|node| matches!(node.content, Content::Map(_))) =>
            {
                for node in nodes {
                    self.merge(node, map);
                }
            }
            Content::List(_) | Content::Scalar { .. } => {
                self.refuse(node.at, "the value of << must be a map or a list of maps");
            }
        }
    }

    /// Puts a complete node where it belongs.
    fn add(&mut self, node: Node) {
        match self.frames.last_mut() {
            None => {
                if self.sound {
                    self.documents.push(node);
                }
            }
            Some(Frame::List { items, .. }) => items.push(node),
            Some(Frame::Map { map, key, .. }) => match std::mem::replace(key, Key::Awaited) {
                Key::Refused => {}
                Key::Merge => map.merged.push(node),
                Key::Named(name, Span { start: key_at, end: key_end }) => {
                    if let Some(first) = map.keys.get(&name) {
                        let message = format!(
                            "the key \"{name}\" is there twice, first at line {}, column {}",
                            first.line, first.column
                        );
                        self.refuse(key_at, message);
                    } else {
                        map.keys.insert(name.clone(), key_at);
                        map.entries.push(Entry { key: name, key_at, key_end, value: node });
                    }
                }
                Key::Awaited => match key_of(&node) {
                    Some(found) => *key = found,
                    None => {
                        *key = Key::Refused;
                        self.refuse(node.at, "a key must be a text");
                    }
                },
            },
        }
    }

    fn scan_error(&self, chunk: &str, error: &ScanError) -> Problem {
        let marker = error.marker();
        let at = self.position(marker);
        // A tab at the beginning of a line may be met when the line before ends.
        let lines = if error.info().contains("tab") { 2 } else { 1 };
        let mut lines = chunk.lines().skip(marker.line().saturating_sub(1)).take(lines);
        let help = lines
            .any(|line| line.chars().take_while(|c| c.is_whitespace()).any(|c| c == '\t'))
            .then(|| "indent with spaces; YAML does not take tabs for that".to_owned());
        Problem::error(self.source, at, format!("not YAML: {}", error.info())).with_help(help)
    }
}

/// The value of a YAML text such as `None`, `"8080"` or `[a, b]`; `None` if it is not exactly one.
pub(crate) fn value_of(text: &str) -> Option<Value> {
    let mut problems = Vec::new();
    let nodes = parse("", text, &mut problems);
    match (nodes.as_slice(), problems.as_slice()) {
        ([node], []) => Some(node.to_value()),
        _ => None,
    }
}

fn key_of(node: &Node) -> Option<Key> {
    let Content::Scalar { value, written } = &node.content else { return None };
    let at = Span { start: node.at, end: node.end };
    match (value, written.as_deref()) {
        (Value::Null, _) => None,
        // A plain one; a quoted one is just a key.
        (Value::String(_), Some("<<")) => Some(Key::Merge),
        (Value::String(text), _) => Some(Key::Named(text.clone(), at)),
        // kubectl makes texts of numbers and booleans that serve as keys.
        (value, written) => {
            let text = written.map_or_else(|| value.to_string(), str::to_owned);
            Some(Key::Named(text, at))
        }
    }
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Content {
    let value = match (tag.and_then(Tag::core_suffix), style) {
        (Some("str" | "binary"), _) => Value::from(text),
        (Some("int" | "float"), _) => scalar::number(text).unwrap_or_else(|| Value::from(text)),
        (Some("bool" | "null"), _) | (None, ScalarStyle::Plain) => scalar::plain(text),
        _ => Value::from(text),
    };
    let differs = value.as_str() != Some(text);
    let is_merge = text == "<<" && style == ScalarStyle::Plain;
    let written = (differs || is_merge).then(|| text.into());
    Content::Scalar { value, written }
}
