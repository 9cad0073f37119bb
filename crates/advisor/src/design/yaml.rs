//! YAML for people: keys in the order in which they are set, short comments above them.

use std::fmt::Write as _;

use serde_json::Value;

/// Where comments are wrapped.
const COLUMNS_MAX: usize = 100;

/// A value that is written as YAML.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Yaml {
    /// Nothing.
    Null,
    /// A text.
    Text(String),
    /// A number.
    Number(i64),
    /// A boolean.
    Bool(bool),
    /// A list.
    List(Vec<Yaml>),
    /// A map.
    Map(Map),
}

/// Keys and values in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Map {
    entries: Vec<Entry>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    note: Option<String>,
    key: String,
    value: Yaml,
}

impl Map {
    /// An empty map.
    pub fn new() -> Self {
        Self::default()
    }

    /// With another key at the end, or another value for one that is there.
    #[must_use]
    pub fn set(mut self, key: impl Into<String>, value: impl Into<Yaml>) -> Self {
        let (key, value) = (key.into(), value.into());
        match self.entries.iter_mut().find(|entry| entry.key == key) {
            Some(entry) => entry.value = value,
            None => self.entries.push(Entry { note: None, key, value }),
        }
        self
    }

    /// With a value that there may be.
    #[must_use]
    pub fn set_some(self, key: &str, value: Option<impl Into<Yaml>>) -> Self {
        match value {
            Some(value) => self.set(key, value),
            None => self,
        }
    }

    /// With a comment above the last key.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        if let Some(entry) = self.entries.last_mut() {
            entry.note = Some(note.into());
        }
        self
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Yaml> {
        self.entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    /// The text at a path of keys: `["metadata", "name"]`.
    pub fn text(&self, path: &[&str]) -> Option<&str> {
        match (path, self.get(path.first()?)?) {
            ([_], Yaml::Text(text)) => Some(text),
            ([_, rest @ ..], Yaml::Map(map)) => map.text(rest),
            _ => None,
        }
    }

    /// As JSON, without the comments.
    pub fn to_value(&self) -> Value {
        let entries = self.entries.iter();
        Value::Object(entries.map(|entry| (entry.key.clone(), entry.value.to_value())).collect())
    }

    /// As a YAML document, without `---`.
    pub fn document(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, 0, false);
        out
    }

    /// Writes the entries; the first one stands behind a list's hyphen if `behind`.
    fn write(&self, out: &mut String, indent: usize, behind: bool) {
        for (at, Entry { note, key, value }) in self.entries.iter().enumerate() {
            let behind = behind && at == 0;
            // Behind a hyphen there is no line for a comment; it stands above the next key, or nowhere.
            for line in note.iter().filter(|_| !behind).flat_map(|note| comment(note, indent)) {
                let _ = writeln!(out, "{line}");
            }
            if !behind {
                let _ = write!(out, "{:indent$}", "");
            }
            let _ = write!(out, "{}:", scalar(key));
            value.write(out, indent);
        }
    }
}

impl Yaml {
    fn to_value(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Text(text) => Value::from(text.as_str()),
            Self::Number(number) => Value::from(*number),
            Self::Bool(value) => Value::from(*value),
            Self::List(items) => items.iter().map(Self::to_value).collect(),
            Self::Map(map) => map.to_value(),
        }
    }

    /// Writes what stands behind `key:`, and the end of its line.
    fn write(&self, out: &mut String, indent: usize) {
        match self {
            Self::Null => out.push_str(" null\n"),
            Self::Text(text) => {
                let _ = writeln!(out, " {}", scalar(text));
            }
            Self::Number(number) => {
                let _ = writeln!(out, " {number}");
            }
            Self::Bool(value) => {
                let _ = writeln!(out, " {value}");
            }
            Self::List(items) if items.is_empty() => out.push_str(" []\n"),
            Self::List(items) => {
                out.push('\n');
                for item in items {
                    let _ = write!(out, "{:indent$}-", "");
                    item.write_item(out, indent);
                }
            }
            Self::Map(map) if map.entries.is_empty() => out.push_str(" {}\n"),
            Self::Map(map) => {
                out.push('\n');
                map.write(out, indent + 2, false);
            }
        }
    }

    /// Writes what stands behind a list's hyphen.
    fn write_item(&self, out: &mut String, indent: usize) {
        match self {
            Self::Map(map) if !map.entries.is_empty() => {
                out.push(' ');
                map.write(out, indent + 2, true);
            }
            // A list in a list has a line of its own.
            _ => {
                self.write(out, indent + 2);
            }
        }
    }
}

/// A JSON value, its keys in the order in which people write objects; a key without a value is left out.
impl From<&Value> for Yaml {
    fn from(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::Number(number) => match number.as_i64() {
                Some(number) => Self::Number(number),
                None => Self::Text(number.to_string()),
            },
            Value::String(text) => Self::Text(text.clone()),
            Value::Array(items) => Self::List(items.iter().map(Self::from).collect()),
            Value::Object(entries) => {
                const FIRST: [&str; 5] = ["apiVersion", "kind", "metadata", "name", "namespace"];
                const LAST: [&str; 1] = ["status"];
                let mut keys: Vec<&String> = entries.keys().collect();
                keys.sort_by_key(|key| {
                    let rank = |keys: &[&str]| keys.iter().position(|known| known == key);
                    match (rank(&FIRST), rank(&LAST)) {
                        (Some(at), _) => at,
                        (None, None) => FIRST.len(),
                        (None, Some(at)) => FIRST.len() + 1 + at,
                    }
                });
                let shown = keys.into_iter().filter(|key| !entries[*key].is_null());
                Self::Map(shown.fold(Map::new(), |map, key| map.set(key, &entries[key])))
            }
        }
    }
}

impl From<&str> for Yaml {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<&String> for Yaml {
    fn from(text: &String) -> Self {
        Self::Text(text.clone())
    }
}

impl From<String> for Yaml {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u16> for Yaml {
    fn from(number: u16) -> Self {
        Self::Number(number.into())
    }
}

impl From<u32> for Yaml {
    fn from(number: u32) -> Self {
        Self::Number(number.into())
    }
}

impl From<bool> for Yaml {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<Map> for Yaml {
    fn from(map: Map) -> Self {
        Self::Map(map)
    }
}

impl<T: Into<Yaml>> From<Vec<T>> for Yaml {
    fn from(items: Vec<T>) -> Self {
        Self::List(items.into_iter().map(Into::into).collect())
    }
}

/// A comment's lines; a line of the text is wrapped on its own.
pub(super) fn comment(text: &str, indent: usize) -> Vec<String> {
    let width = COLUMNS_MAX.saturating_sub(indent + 2).max(20);
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        for word in paragraph.split(' ') {
            if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
                lines.push(format!("{:indent$}# {line}", ""));
                line.clear();
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(format!("{:indent$}# {line}", ""));
    }
    lines
}

/// A text as every YAML parser reads it as a text, in quotes where one could take it for something else.
fn scalar(text: &str) -> String {
    const WORDS: [&str; 10] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan"];
    let begins = match text.as_bytes() {
        [b'-', b'-', ..] => true,
        [first, ..] => first.is_ascii_alphabetic() || matches!(first, b'/' | b'$' | b'_'),
        [] => false,
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./@=,()$:+;".contains(&byte);
    let is_plain = begins
        && text.bytes().all(plain)
        // A colon ends a key only before white space or the end.
        && !text.ends_with(':')
        && !text.starts_with("---")
        && !WORDS.contains(&text.to_lowercase().as_str());
    if is_plain { text.to_owned() } else { Value::from(text).to_string() }
}

#[cfg(test)]
mod tests {
    use manifest::read::read_mapping;
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(map: &Map, expected: &str) {
        let text = map.document();
        assert_eq!(text, expected);
        let read = read_mapping("t.yaml", &text).expect("what is written can be read");
        assert_eq!(read.value, map.to_value());
    }

    #[test]
    fn what_is_written_is_read_as_it_was() {
        let port = Map::new().set("name", "http").set("port", 80u16).note("what clients dial");
        let inner = Map::new().set("empty", Map::new()).set("none", Vec::<String>::new());
        check(
            &Map::new()
                .set("kind", "Service")
                .note("for clients")
                .set("spec", Map::new().set("ports", vec![port.clone(), port]).set("on", true))
                .set("inner", inner)
                .set("args", vec!["--join=a:1,b:2", "-x", "yes", ""]),
            "\
# for clients
kind: Service
spec:
  ports:
  - name: http
    # what clients dial
    port: 80
  - name: http
    # what clients dial
    port: 80
  \"on\": true
inner:
  empty: {}
  none: []
args:
- --join=a:1,b:2
- \"-x\"
- \"yes\"
- \"\"
",
        );
    }

    #[test]
    fn a_text_stays_a_text() {
        for text in [
            "",
            "~",
            "null",
            "Yes",
            "off",
            "1",
            "1.5",
            "0x1f",
            "12:30:45",
            "- a",
            "a: b",
            "a #b",
            "#",
            "a:",
            "*",
            "&a",
            "{a}",
            "[a]",
            "\"",
            "it's",
            "a\nb",
            " a",
            "%",
            "@",
            "`",
            "!a",
            "|",
            ">",
            "ä",
            "$(POD).svc",
            "k=v",
            "---",
        ] {
            let document = Map::new().set("a", text).set(text, "b").set("l", vec![text]).document();
            let read = read_mapping("t.yaml", &document).expect(&document);
            assert_eq!(read.value, json!({"a": text, text: "b", "l": [text]}), "{document}");
        }
    }

    #[test]
    fn json_is_written_in_the_order_of_people() {
        let value = json!({"spec": {"b": [[1], {"x": 1}], "a": null}, "kind": "K", "metadata": {"name": "db"}, "apiVersion": "v1"});
        let Yaml::Map(map) = Yaml::from(&value) else { panic!("a map") };
        assert_eq!(
            map.document(),
            "apiVersion: v1\nkind: K\nmetadata:\n  name: db\nspec:\n  b:\n  -\n    - 1\n  - x: 1\n"
        );
    }

    #[test]
    fn long_comments_are_wrapped() {
        let lines = comment(&"word ".repeat(40), 4);
        assert!(lines.len() > 1 && lines.iter().all(|line| line.len() <= COLUMNS_MAX), "{lines:?}");
    }
}
