//! The objects of a text.

use std::ops::Deref;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::node::{Content, Entry, Node};
use super::problem::{Fault, Position, Problem, Span};
use super::{json, yaml};
use crate::kind::{Kind, UnknownKind, served};
use crate::object::ObjectRef;
use crate::rules;

/// How deep lists may lie in lists.
const LISTS_MAX: usize = 8;

/// An object of a text, as its author wrote it, of whatever kind.
#[derive(Clone, Debug, PartialEq)]
pub struct Located {
    /// The text's name, usually a file's path.
    pub source: Arc<str>,
    /// The object, with `apiVersion` and `kind`.
    pub value: Value,
    root: Node,
}

impl Located {
    /// Where the object begins.
    pub fn start(&self) -> Position {
        self.root.at
    }

    /// Where a field such as `spec.ports[0].port` is: its value, or its key where the value is an object or a
    /// list. If there is no such field, the place of the nearest parent that exists.
    pub fn position(&self, field: &str) -> Position {
        self.span(field).start
    }

    /// As [`Located::position`], with the end of that value or key.
    pub fn span(&self, field: &str) -> Span {
        // What is wrong with the one address is said of the list that defaulting makes of it.
        let one = field.starts_with("spec.clusterIPs") && !self.has("spec.clusterIPs");
        self.root.span(if one { "spec.clusterIP" } else { field })
    }

    /// Whether the author wrote this field.
    pub fn has(&self, field: &str) -> bool {
        self.root.has(field)
    }

    /// A field's text as written, where YAML made a number, a boolean or null of it: `1.10`, `yes`.
    pub fn written(&self, field: &str) -> Option<&str> {
        self.root.written(field)
    }

    /// `metadata.name`, empty if there is none.
    pub fn name(&self) -> &str {
        self.value["metadata"]["name"].as_str().unwrap_or_default()
    }

    /// `metadata.namespace`, empty if there is none.
    pub fn namespace(&self) -> &str {
        self.value["metadata"]["namespace"].as_str().unwrap_or_default()
    }
}

/// An object of a kind that is served.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// Its kind.
    pub kind: &'static Kind,
    /// The object and its places.
    pub located: Located,
}

/// What can be said of every object can be said of one of a known kind.
impl Deref for Document {
    type Target = Located;

    fn deref(&self) -> &Located {
        &self.located
    }
}

/// An object of a kind that is not served, such as a Certificate: its shape is unknown.
#[derive(Clone, Debug, PartialEq)]
pub struct Foreign {
    /// The object and its places.
    pub located: Located,
    /// What is said of it where only known kinds will do.
    problem: Problem,
}

impl Foreign {
    /// `kind`, as written.
    pub fn kind(&self) -> &str {
        self.located.value["kind"].as_str().unwrap_or_default()
    }

    /// `apiVersion`, as written.
    pub fn api_version(&self) -> &str {
        self.located.value["apiVersion"].as_str().unwrap_or_default()
    }

    /// The served kind that may have been meant: of the same name in another group or version, or of a name that is near.
    pub fn suggestion(&self) -> Option<&'static Kind> {
        let (api_version, kind) = (self.api_version().to_owned(), self.kind().to_owned());
        UnknownKind { api_version, kind }.suggestion()
    }
}

/// What a text holds.
#[derive(Debug, Default)]
pub struct Reading {
    /// The objects of kinds that are served.
    pub documents: Vec<Document>,
    /// The objects of other kinds.
    pub foreign: Vec<Foreign>,
    /// What could not be read.
    pub problems: Vec<Problem>,
}

impl Document {
    /// What names the object, with the namespace that it is in or would be put in.
    pub fn reference(&self, default_namespace: &str) -> ObjectRef {
        let namespace = match (self.kind.namespaced, self.namespace()) {
            (false, _) => "",
            (true, "") => default_namespace,
            (true, namespace) => namespace,
        };
        ObjectRef {
            kind: self.kind.kind,
            namespace: namespace.to_owned(),
            name: self.name().to_owned(),
        }
    }

    /// An error in one of its fields.
    pub(super) fn problem(&self, field: &str, message: impl Into<String>) -> Problem {
        Problem::error(&self.source, self.position(field), message).of(Fault::Value).in_field(field)
    }
}

/// Reads the objects of a YAML or JSON text; `source` names it in problems. A kind that is not served is one.
///
/// Documents of a YAML text are read independently; lists (`kind: List`, `ServiceList`) are taken apart.
pub fn read(source: &str, text: &str) -> (Vec<Document>, Vec<Problem>) {
    let Reading { documents, foreign, mut problems } = read_any(source, text);
    problems.extend(foreign.into_iter().map(|foreign| foreign.problem));
    problems.sort_by_key(Problem::position);
    (documents, problems)
}

/// As [`read`], for who takes objects of any kind.
pub fn read_any(source: &str, text: &str) -> Reading {
    let mut problems = Vec::new();
    let mut reader = Reader { source: Arc::from(source), reading: Reading::default() };
    each_node(source, text, &mut problems, |node| reader.object(node, None, 0));
    let mut reading = reader.reading;
    reading.problems.extend(problems);
    reading.problems.sort_by_key(Problem::position);
    reading
}

/// As [`read`], for texts that are large: each object is handed on when it is read, so that of a YAML text the tree of one
/// document is held at a time.
pub fn read_each(source: &str, text: &str, mut take: impl FnMut(Document)) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut reader = Reader { source: Arc::from(source), reading: Reading::default() };
    each_node(source, text, &mut problems, |node| {
        reader.object(node, None, 0);
        reader.reading.documents.drain(..).for_each(&mut take);
    });
    let Reading { documents: _, foreign, problems: refused } = reader.reading;
    problems.extend(refused);
    problems.extend(foreign.into_iter().map(|foreign| foreign.problem));
    problems.sort_by_key(Problem::position);
    problems
}

/// Hands on the tree of each document, in their order.
fn each_node(source: &str, text: &str, problems: &mut Vec<Problem>, mut take: impl FnMut(Node)) {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim_start().starts_with('{') {
        match json::parse(source, text) {
            Ok(nodes) => return nodes.into_iter().for_each(take),
            Err(problem) if source.ends_with(".json") => return problems.push(problem),
            // It may be YAML in flow style.
            Err(_) => {}
        }
    }
    for (before, chunk) in yaml::chunks(text) {
        yaml::parse_chunk(source, before, chunk, problems).into_iter().for_each(&mut take);
    }
}

/// Reads a text that is one mapping and no object of Kubernetes, such as a tool's own settings: its value and its places.
///
/// # Errors
///
/// What could not be read, and what is there instead of one mapping.
pub fn read_mapping(source: &str, text: &str) -> Result<Located, Vec<Problem>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut problems = Vec::new();
    let mut nodes = yaml::parse(source, text, &mut problems).into_iter();
    let start = Position { line: 1, column: 1 };
    let root = match (nodes.next(), nodes.next()) {
        (Some(node), None) if matches!(node.content, Content::Map(_)) => Some(node),
        (Some(_), Some(second)) => {
            problems.push(Problem::error(source, second.at, "expected one document, not several"));
            None
        }
        (node, _) => {
            let at = node.map_or(start, |node| node.at);
            if problems.is_empty() {
                problems.push(Problem::error(source, at, "expected a mapping of keys to values"));
            }
            None
        }
    };
    match root {
        Some(root) if problems.is_empty() => {
            Ok(Located { source: Arc::from(source), value: root.to_value(), root })
        }
        _ => Err(problems),
    }
}

/// Brings what [`read_mapping`] read into a type. Fields that the type does not have are errors, too.
///
/// # Errors
///
/// All that is wrong, by place.
pub fn typed<T: DeserializeOwned>(located: &Located) -> Result<T, Vec<Problem>> {
    let problem = |field: &str, message: String| {
        Problem::error(&located.source, located.position(field), message)
            .of(Fault::Value)
            .in_field(field)
    };
    let mut problems = match rules::pass::<T>(located.value.clone(), true) {
        Ok(rules::Pass { typed, unknown, .. }) if unknown.is_empty() => return Ok(typed),
        Ok(rules::Pass { unknown, nearest, .. }) => {
            let unknown = unknown.iter().map(|field| {
                let help = nearest.get(field).map(|near| format!("did you mean {near}?"));
                problem(field, "there is no such field".to_owned()).of(Fault::Field).with_help(help)
            });
            unknown.collect::<Vec<_>>()
        }
        Err(errors) => errors.iter().map(|error| problem(&error.field, error.body())).collect(),
    };
    problems.sort_by_key(Problem::position);
    Err(problems)
}

/// A text as [`read`] takes it, of bytes that may not even be UTF-8.
///
/// # Errors
///
/// The first place that is not UTF-8.
pub fn text<'b>(source: &str, bytes: &'b [u8]) -> Result<&'b str, Problem> {
    std::str::from_utf8(bytes).map_err(|error| {
        let before = &bytes[..error.valid_up_to()];
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        let last = before.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
        let column = String::from_utf8_lossy(last).chars().count() + 1;
        Problem::error(source, Position { line, column }, "not UTF-8 text")
    })
}

/// Reads the objects of a text that may not even be UTF-8.
pub fn read_bytes(source: &str, bytes: &[u8]) -> (Vec<Document>, Vec<Problem>) {
    match text(source, bytes) {
        Ok(text) => read(source, text),
        Err(problem) => (Vec::new(), vec![problem]),
    }
}

/// What to write into a field that is missing.
fn missing_help(node: &Node, field: &str) -> Option<String> {
    if field == "kind" {
        return Some(format!("served are {}", served()));
    }
    let kind = Kind::by_name(node.get("kind")?.value.as_str()?)?;
    Some(format!("for a {} write apiVersion: {}", kind.kind, kind.api_version()))
}

struct Reader {
    source: Arc<str>,
    reading: Reading,
}

impl Reader {
    fn refuse(&mut self, at: Position, field: &str, message: &str, help: Option<String>) {
        self.refuse_as(Fault::Text, at, field, message, help);
    }

    fn refuse_as(
        &mut self,
        fault: Fault,
        at: Position,
        field: &str,
        message: &str,
        help: Option<String>,
    ) {
        let problem = Problem::error(&self.source, at, message).of(fault);
        self.reading.problems.push(problem.in_field(field).with_help(help));
    }

    /// Takes an object, or those of a list; `item_type` is what the list says its items are.
    fn object(&mut self, node: Node, item_type: Option<(&str, &str)>, depth: usize) {
        let Content::Map(entries) = &node.content else {
            if !matches!(node.content, Content::Scalar { value: Value::Null, .. }) {
                let message = "expected an object with apiVersion, kind and metadata";
                let fault = if depth == 0 { Fault::NoObject } else { Fault::Text };
                self.refuse_as(fault, node.at, "", message, None);
            }
            return;
        };
        if entries.is_empty() {
            return;
        }
        let is_strange = depth == 0
            && ["apiVersion", "kind", "metadata"].iter().all(|key| node.get(key).is_none());
        let fault = if is_strange { Fault::NoObject } else { Fault::Text };
        let mut named = Vec::new();
        for (field, of_list) in [
            ("apiVersion", item_type.map(|(api_version, _)| api_version)),
            ("kind", item_type.map(|(_, kind)| kind)),
        ] {
            let text = match node.get(field) {
                Some(entry) => entry.value.as_str(),
                None => of_list,
            };
            match text {
                Some(text) if !text.is_empty() => named.push(text.to_owned()),
                _ => {
                    let help = missing_help(&node, field);
                    let at = node.position(field);
                    self.refuse_as(fault.clone(), at, field, "Required value", help);
                }
            }
        }
        let [api_version, kind] = named.as_slice() else { return };
        if let Some(item_kind) = kind.strip_suffix("List") {
            let item_type = (!item_kind.is_empty()).then_some((api_version.as_str(), item_kind));
            self.list(node, item_type, depth);
            return;
        }
        match Kind::by_type(api_version, kind) {
            Ok(kind) => {
                let mut value = node.to_value();
                if let Value::Object(map) = &mut value {
                    map.insert("apiVersion".to_owned(), kind.api_version().into());
                    map.insert("kind".to_owned(), kind.kind.into());
                }
                let source = Arc::clone(&self.source);
                let located = Located { source, value, root: node };
                self.reading.documents.push(Document { kind, located });
            }
            Err(unknown) => {
                let help = match unknown.suggestion() {
                    Some(near) => format!("did you mean {} ({})?", near.kind, near.api_version()),
                    None => format!("served are {}", served()),
                };
                let message =
                    format!("\"{kind}\" of \"{api_version}\" is not a kind that is served");
                let problem = Problem::error(&self.source, node.position("kind"), message)
                    .of(Fault::Kind)
                    .in_field("kind")
                    .with_help(Some(help));
                let mut value = node.to_value();
                if let Value::Object(map) = &mut value {
                    // What the list around it said.
                    map.entry("apiVersion").or_insert_with(|| api_version.as_str().into());
                    map.entry("kind").or_insert_with(|| kind.as_str().into());
                }
                let located = Located { source: Arc::clone(&self.source), value, root: node };
                self.reading.foreign.push(Foreign { located, problem });
            }
        }
    }

    fn list(&mut self, node: Node, item_type: Option<(&str, &str)>, depth: usize) {
        if depth >= LISTS_MAX {
            self.refuse(node.at, "items", "lists lie too deep in lists", None);
            return;
        }
        let Content::Map(entries) = node.content else { return };
        let items = entries.into_iter().find(|entry| entry.key == "items");
        match items.map(|Entry { key_at, value, .. }| (key_at, value.content)) {
            Some((_, Content::List(items))) => {
                for item in items {
                    self.object(item, item_type, depth + 1);
                }
            }
            None | Some((_, Content::Scalar { value: Value::Null, .. })) => {}
            Some((at, _)) => self.refuse(at, "items", "expected a list", None),
        }
    }
}
