//! Fields that stand twice in a JSON text, which readers of JSON pass over: the last one counts.

use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt;

use manifest::field::FieldPath;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::options::PROBLEMS_MAX;

/// The paths of the fields that stand twice, in their order, no more than are told: `spec.ports[0].name`. Of a text that is no JSON, those
/// before its first error.
pub(crate) fn find(json: &[u8]) -> Vec<String> {
    let found = RefCell::default();
    let mut reader = serde_json::Deserializer::from_slice(json);
    // What is wrong with the text is said by who parses it.
    let _ = Seek { path: &FieldPath::ROOT, found: &found }.deserialize(&mut reader);
    found.into_inner()
}

/// One value, whose content is gone through and dropped.
struct Seek<'a> {
    path: &'a FieldPath<'a>,
    found: &'a RefCell<Vec<String>>,
}

impl<'de> DeserializeSeed<'de> for Seek<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seek<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let Self { path, found } = self;
        let mut index = 0;
        while items.next_element_seed(Seek { path: &path.index(index), found })?.is_some() {
            index += 1;
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let Self { path, found } = self;
        let mut seen = HashSet::new();
        while let Some(name) = members.next_key::<String>()? {
            let at = path.child(&name);
            if seen.contains(&name) && found.borrow().len() < PROBLEMS_MAX {
                found.borrow_mut().push(at.to_string());
            }
            members.next_value_seed(Seek { path: &at, found })?;
            seen.insert(name);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_twice() {
        let check = |json: &str, expected: &[&str]| {
            assert_eq!(find(json.as_bytes()), expected, "{json}");
        };
        check(r#"{"a": 1, "b": {"a": [1, "x", null, true, 1.5, -1]}}"#, &[]);
        check(
            r#"{"spec": {"x": 1, "x": 2, "ports": [{}, {"name": "a", "name": "b"}]}}"#,
            &["spec.x", "spec.ports[1].name"],
        );
        check(
            r#"{"metadata": {"labels": {"a": "1", "a": "2", "a": "3"}}}"#,
            &["metadata.labels.a", "metadata.labels.a"],
        );
        check(r#"{"a": {"b": 1, "b": 2}, "a": {"b": 1}}"#, &["a.b", "a"]);
        check(r#"[{"op": "add", "op": "add"}]"#, &["[0].op"]);
        check(r#"{"a": 1, "a": 2, "#, &["a"]);
        check("", &[]);
        check(&"[".repeat(1000), &[]);
        let many = format!("{{{}}}", vec![r#""a": 1"#; 500].join(","));
        assert_eq!(find(many.as_bytes()).len(), PROBLEMS_MAX);
    }
}
