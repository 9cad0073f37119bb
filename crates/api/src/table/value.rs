//! Reading cells out of an object's JSON; an object that lacks something still gets a row.

use super::age;
use jiff::Timestamp;
use serde_json::{Map, Value};
use std::fmt::Write as _;

/// The text at a JSON pointer; empty when there is none.
pub(super) fn text_at<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The whole number at a JSON pointer; 0 when there is none.
pub(super) fn number_at(value: &Value, pointer: &str) -> i64 {
    value.pointer(pointer).and_then(Value::as_i64).unwrap_or_default()
}

/// The elements of the list at a JSON pointer; none when there is no list.
pub(super) fn list_at<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// `text`, or `fallback` (such as `<none>`) when it is empty.
pub(super) fn or<'a>(text: &'a str, fallback: &'a str) -> &'a str {
    if text.is_empty() { fallback } else { text }
}

/// The object's name as a cell.
pub(super) fn name_of(item: &Value) -> Value {
    text_at(item, "/metadata/name").into()
}

/// The object's age as a cell.
pub(super) fn age_of(item: &Value, now: Timestamp) -> Value {
    since(item, "/metadata/creationTimestamp", now).unwrap_or_else(|| UNKNOWN.to_owned()).into()
}

/// What stands for a time that is not known.
pub(super) const UNKNOWN: &str = "<unknown>";

/// How long ago the time at a JSON pointer was; `None` when there is none that can be read.
pub(super) fn since(item: &Value, pointer: &str, now: Timestamp) -> Option<String> {
    time_at(item, pointer).map(|then| age::human(now.duration_since(then)))
}

/// The time at a JSON pointer.
pub(super) fn time_at(item: &Value, pointer: &str) -> Option<Timestamp> {
    text_at(item, pointer).parse().ok()
}

/// `key=value` pairs as kubectl prints a set of labels; `<none>` for no labels.
pub(super) fn labels(labels: Option<&Value>) -> String {
    match labels.and_then(Value::as_object) {
        Some(labels) if !labels.is_empty() => pairs(labels).join(","),
        Some(_) | None => "<none>".to_owned(),
    }
}

fn pairs(labels: &Map<String, Value>) -> Vec<String> {
    let mut pairs: Vec<String> = labels
        .iter()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect();
    pairs.sort_unstable();
    pairs
}

/// A LabelSelector in its string form, requirements sorted by key; `<none>` when it selects nothing or everything.
pub(super) fn label_selector(selector: Option<&Value>) -> String {
    let Some(selector) = selector else {
        return "<none>".to_owned();
    };
    let mut requirements: Vec<(String, String)> = Vec::new();
    if let Some(labels) = selector.get("matchLabels").and_then(Value::as_object) {
        for (key, value) in labels {
            requirements
                .push((key.clone(), format!("{key}={}", value.as_str().unwrap_or_default())));
        }
    }
    for expression in list_at(selector, "/matchExpressions") {
        let key = text_at(expression, "/key");
        let mut values: Vec<&str> =
            list_at(expression, "/values").iter().filter_map(Value::as_str).collect();
        values.sort_unstable();
        let values = values.join(",");
        let text = match text_at(expression, "/operator") {
            "In" => format!("{key} in ({values})"),
            "NotIn" => format!("{key} notin ({values})"),
            "Exists" => key.to_owned(),
            "DoesNotExist" => format!("!{key}"),
            // Validation lets no other operator in.
            _ => return "<error>".to_owned(),
        };
        requirements.push((key.to_owned(), text));
    }
    if requirements.is_empty() {
        return "<none>".to_owned();
    }
    requirements.sort();
    requirements.into_iter().map(|(_, text)| text).collect::<Vec<_>>().join(",")
}

/// The first three of `items`, and how many there are beyond: `a,b,c + 2 more...`; empty for none.
pub(super) fn first_three(items: impl Iterator<Item = String>) -> String {
    const SHOWN: usize = 3;
    let mut text = String::new();
    let mut count = 0;
    for item in items {
        if count > 0 && count < SHOWN {
            text.push(',');
        }
        if count < SHOWN {
            text.push_str(&item);
        }
        count += 1;
    }
    if count > SHOWN {
        // Writing to a String cannot fail.
        let _ = write!(text, " + {} more...", count - SHOWN);
    }
    text
}
