//! Pieces of findings' sentences.

use std::collections::BTreeMap;
use std::fmt::Display;

use manifest::selector::LabelSelector;

/// Labels as kubectl takes them: `app=db,tier=1`.
pub(super) fn labels(labels: &BTreeMap<String, String>) -> String {
    LabelSelector::from_map(labels).to_string()
}

/// Labels as YAML on one line: `{app: db, version: "1"}`.
pub(super) fn yaml(labels: &BTreeMap<String, String>) -> String {
    let entries: Vec<String> =
        labels.iter().map(|(key, value)| format!("{key}: {}", scalar(value))).collect();
    format!("{{{}}}", entries.join(", "))
}

/// A label's value or a name, in quotes where YAML would take it for something else than a text.
pub(super) fn scalar(value: &str) -> String {
    let words = ["true", "false", "yes", "no", "on", "off", "y", "n", "null"];
    let is_text = value.starts_with(|first: char| first.is_ascii_alphabetic())
        && !words.contains(&value.to_ascii_lowercase().as_str());
    if is_text { value.to_owned() } else { format!("{value:?}") }
}

/// `a`, `a and b`, `a, b and c`; of more than `most` the first, and how many more.
pub(super) fn list<T: Display>(items: &[T], most: usize) -> String {
    let shown = if items.len() > most { most } else { items.len() };
    let mut words: Vec<String> = items[..shown].iter().map(T::to_string).collect();
    match items.len() - shown {
        0 => {}
        more => words.push(format!("{more} more")),
    }
    let last = words.pop().unwrap_or_default();
    if words.is_empty() { last } else { format!("{} and {last}", words.join(", ")) }
}

/// A sentence in which values of manifests stand, with their control characters escaped: a line break in a name must not
/// begin a line of the report, nor an escape sequence reach a terminal.
pub(super) fn on_one_line(text: String) -> String {
    if !text.contains(char::is_control) {
        return text;
    }
    let escaped = text.chars().map(|c| match c.is_control() {
        true => c.escape_debug().to_string(),
        false => c.to_string(),
    });
    escaped.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_as_yaml_need_quotes_where_yaml_reads_no_text() {
        let of = |entries: &[(&str, &str)]| {
            let entries =
                entries.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
            yaml(&entries.collect())
        };
        assert_eq!(of(&[("app", "db-1"), ("tier", "1.10")]), r#"{app: db-1, tier: "1.10"}"#);
        assert_eq!(of(&[("on", "Yes"), ("x/y", "")]), r#"{on: "Yes", x/y: ""}"#);
    }

    #[test]
    fn control_characters_are_escaped() {
        for (text, expected) in [
            ("names “ü” stay", "names “ü” stay"),
            ("a\nb\tc\r", r"a\nb\tc\r"),
            ("\u{1b}[31m\u{85}", r"\u{1b}[31m\u{85}"),
        ] {
            assert_eq!(on_one_line(text.to_owned()), expected);
        }
    }

    #[test]
    fn lists_end_with_and() {
        for (items, expected) in [
            (vec![], ""),
            (vec!["a"], "a"),
            (vec!["a", "b"], "a and b"),
            (vec!["a", "b", "c"], "a, b and c"),
            (vec!["a", "b", "c", "d", "e"], "a, b, c and 2 more"),
        ] {
            assert_eq!(list(&items, 3), expected);
        }
    }
}
