//! JSON pointers (RFC 6901) into a document.

use crate::patch::DEPTH_MAX;
use serde_json::Value;

/// A JSON pointer: its text and its unescaped reference tokens, at most [`DEPTH_MAX`].
pub(super) struct Pointer<'a> {
    text: &'a str,
    tokens: Vec<String>,
}

impl<'a> Pointer<'a> {
    /// Reads a pointer; the error says what is wrong with it.
    pub(super) fn read(text: &'a str) -> Result<Self, String> {
        let tokens = match text.strip_prefix('/') {
            Some(rest) => rest.split('/').map(unescape).collect::<Result<Vec<_>, _>>()?,
            None if text.is_empty() => Vec::new(),
            None => return Err(format!("{text:?} must be empty or begin with \"/\"")),
        };
        if tokens.len() > DEPTH_MAX {
            return Err(format!("it has more than {DEPTH_MAX} parts"));
        }
        Ok(Self { text, tokens })
    }

    /// The pointer as it was written.
    pub(super) fn text(&self) -> &'a str {
        self.text
    }

    /// How many levels below the document's root the place is.
    pub(super) fn depth(&self) -> usize {
        self.tokens.len()
    }

    /// Whether the place is inside what `other` names, and not that itself.
    pub(super) fn is_below(&self, other: &Self) -> bool {
        self.depth() > other.depth() && self.tokens.starts_with(&other.tokens)
    }

    /// Whether the place is a member of an object that is there and does not have it.
    pub(super) fn is_missing_member(&self, document: &Value) -> bool {
        let Some((last, above)) = self.tokens.split_last() else { return false };
        let holder = above.iter().try_fold(document, step);
        holder.and_then(Value::as_object).is_some_and(|members| !members.contains_key(last))
    }

    /// What is at the place.
    pub(super) fn find<'v>(&self, document: &'v Value) -> Option<&'v Value> {
        self.tokens.iter().try_fold(document, step)
    }

    /// What is at the place, to change.
    pub(super) fn find_mut<'v>(&self, document: &'v mut Value) -> Option<&'v mut Value> {
        self.tokens.iter().try_fold(document, step_mut)
    }

    /// What holds the place, and the last token; `None` for the root, which nothing holds.
    ///
    /// The inner `None`: there is nothing that could hold it.
    pub(super) fn holder<'v>(
        &self,
        document: &'v mut Value,
    ) -> Option<(Option<&'v mut Value>, &str)> {
        let (last, above) = self.tokens.split_last()?;
        Some((above.iter().try_fold(document, step_mut), last))
    }
}

fn step<'v>(value: &'v Value, token: &String) -> Option<&'v Value> {
    match value {
        Value::Object(members) => members.get(token),
        Value::Array(items) => items.get(array_index(token)?),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

fn step_mut<'v>(value: &'v mut Value, token: &String) -> Option<&'v mut Value> {
    match value {
        Value::Object(members) => members.get_mut(token),
        Value::Array(items) => items.get_mut(array_index(token)?),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

/// `~1` is `/` and `~0` is `~`, and nothing else may follow a tilde (RFC 6901 §3).
fn unescape(token: &str) -> Result<String, String> {
    let mut parts = token.split('~');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let mut rest = part.chars();
        plain.push(match rest.next() {
            Some('0') => '~',
            Some('1') => '/',
            _ => return Err(format!("in {token:?}, \"~\" must be followed by 0 or 1")),
        });
        plain.push_str(rest.as_str());
    }
    Ok(plain)
}

/// An array index: decimal digits without leading zeros (RFC 6901 §4).
pub(super) fn array_index(token: &str) -> Option<usize> {
    let digits = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_digit());
    let canonical = digits && (token == "0" || !token.starts_with('0'));
    if canonical { token.parse().ok() } else { None }
}
