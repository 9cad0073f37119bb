//! JSON text to located trees.
//!
//! serde_json reads the scalars; the structure is followed here, for the places and for keys that are there twice.

use std::collections::HashMap;

use super::node::{Content, Entry, Node};
use super::problem::{Position, Problem};

const DEPTH_MAX: usize = 200;

/// Reads the objects of a text, one after the other.
///
/// # Errors
///
/// The first place that is not JSON.
pub(super) fn parse(source: &str, text: &str) -> Result<Vec<Node>, Problem> {
    let mut reader = Reader { source, rest: text, at: Position::START };
    let mut documents = Vec::new();
    reader.skip_space();
    while !reader.rest.is_empty() {
        documents.push(reader.value(0)?);
        reader.skip_space();
    }
    Ok(documents)
}

struct Reader<'t> {
    source: &'t str,
    rest: &'t str,
    at: Position,
}

impl<'t> Reader<'t> {
    fn refuse<T>(&self, message: impl Into<String>) -> Result<T, Problem> {
        Err(Problem::error(self.source, self.at, format!("not JSON: {}", message.into())))
    }

    fn advance(&mut self, bytes: usize) -> &'t str {
        let (taken, rest) = self.rest.split_at(bytes);
        for character in taken.chars() {
            if character == '\n' {
                self.at = Position { line: self.at.line + 1, column: 1 };
            } else {
                self.at.column += 1;
            }
        }
        self.rest = rest;
        taken
    }

    fn skip_space(&mut self) {
        let trimmed = self.rest.trim_start_matches([' ', '\t', '\r', '\n']);
        self.advance(self.rest.len() - trimmed.len());
    }

    /// Takes `byte` if it is next, with the space after it.
    fn take(&mut self, byte: u8) -> bool {
        let is_next = self.rest.as_bytes().first() == Some(&byte);
        if is_next {
            self.advance(1);
            self.skip_space();
        }
        is_next
    }

    fn value(&mut self, depth: usize) -> Result<Node, Problem> {
        if depth > DEPTH_MAX {
            return self.refuse(format!("more than {DEPTH_MAX} levels of nesting"));
        }
        let at = self.at;
        let content = match self.rest.as_bytes().first() {
            None => return self.refuse("the text ends where a value was expected"),
            Some(b'{') => Content::Map(self.entries(depth)?),
            Some(b'[') => Content::List(self.items(depth)?),
            Some(_) => {
                let text = self.scalar_text();
                let value = match serde_json::from_str(text) {
                    Ok(value) => value,
                    Err(_) if text.starts_with('"') => {
                        return self.refuse("a text without end, or with a bad escape");
                    }
                    Err(_) if text.is_empty() => return self.refuse("expected a value"),
                    Err(_) => return self.refuse(format!("`{text}` is not a value")),
                };
                self.advance(text.len());
                Content::Scalar { value, written: None }
            }
        };
        let end = self.at;
        Ok(Node { at, end, content })
    }

    /// The text of the scalar that comes next; whether it is one is for serde_json to say.
    fn scalar_text(&self) -> &'t str {
        let bytes = self.rest.as_bytes();
        let end = if bytes.first() == Some(&b'"') {
            let mut escaped = false;
            let close = bytes.iter().skip(1).position(|byte| match byte {
                _ if escaped => {
                    escaped = false;
                    false
                }
                b'\\' => {
                    escaped = true;
                    false
                }
                byte => *byte == b'"',
            });
            close.map_or(bytes.len(), |close| close + 2)
        } else {
            self.rest
                .find(|c: char| {
                    c.is_whitespace() || matches!(c, ',' | ':' | '{' | '}' | '[' | ']' | '"')
                })
                .unwrap_or(bytes.len())
        };
        &self.rest[..end]
    }

    fn entries(&mut self, depth: usize) -> Result<Vec<Entry>, Problem> {
        self.take(b'{');
        let mut entries: Vec<Entry> = Vec::new();
        let mut keys: HashMap<String, Position> = HashMap::new();
        while !self.take_end(b'}', entries.is_empty())? {
            let key_at = self.at;
            if !self.rest.starts_with('"') {
                return self.refuse("expected a key in quotes");
            }
            let text = self.scalar_text();
            let Ok(key) = serde_json::from_str::<String>(text) else {
                return self.refuse("a key without end, or with a bad escape");
            };
            if let Some(first) = keys.insert(key.clone(), key_at) {
                return Err(Problem::error(
                    self.source,
                    key_at,
                    format!(
                        "the key \"{key}\" is there twice, first at line {}, column {}",
                        first.line, first.column
                    ),
                ));
            }
            self.advance(text.len());
            let key_end = self.at;
            self.skip_space();
            if !self.take(b':') {
                return self.refuse("expected `:` after a key");
            }
            let value = self.value(depth + 1)?;
            self.skip_space();
            entries.push(Entry { key, key_at, key_end, value });
        }
        Ok(entries)
    }

    fn items(&mut self, depth: usize) -> Result<Vec<Node>, Problem> {
        self.take(b'[');
        let mut items = Vec::new();
        while !self.take_end(b']', items.is_empty())? {
            items.push(self.value(depth + 1)?);
            self.skip_space();
        }
        Ok(items)
    }

    /// Takes the closing bracket, or the comma before a further element, which the first one does not have.
    fn take_end(&mut self, close: u8, is_first: bool) -> Result<bool, Problem> {
        if self.rest.as_bytes().first() == Some(&close) {
            self.advance(1);
            return Ok(true);
        }
        if !is_first && !self.take(b',') {
            return self.refuse(format!("expected `,` or `{}`", char::from(close)));
        }
        Ok(false)
    }
}
