//! Field selectors: `metadata.name=web-0,status.phase!=Running`.

use super::SelectorError;

/// One term of a field selector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldRequirement {
    /// The field: `status.phase`.
    pub field: String,
    /// Whether the field must have the value (`=`, `==`) or must not (`!=`).
    pub equal: bool,
    /// The value; an absent field has the empty value.
    pub value: String,
}

/// A conjunction of terms; the empty one selects everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSelector {
    /// The terms, in the order given.
    pub requirements: Vec<FieldRequirement>,
}

impl FieldSelector {
    /// Reads `field=value,field!=value`. In values, `\\`, `\,` and `\=` stand for the character itself.
    ///
    /// # Errors
    ///
    /// Kubernetes' text: `invalid selector: 'x'; can't understand 'x'`.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        let mut requirements = Vec::new();
        for term in split_terms(text) {
            if term.is_empty() {
                continue;
            }
            let refuse =
                || SelectorError(format!("invalid selector: '{text}'; can't understand '{term}'"));
            let (field, equal, value) = split_term(term).ok_or_else(refuse)?;
            let value = unescape(value).map_err(|what| {
                SelectorError(format!("invalid field selector {value:?}: {what}"))
            })?;
            requirements.push(FieldRequirement { field: field.to_owned(), equal, value });
        }
        Ok(Self { requirements })
    }

    /// Whether every term holds, given how to look up a field's text.
    pub fn matches<'v>(&self, field: impl Fn(&str) -> Option<&'v str>) -> bool {
        self.requirements
            .iter()
            .all(|term| (field(&term.field).unwrap_or_default() == term.value) == term.equal)
    }

    /// Whether there are no terms.
    pub fn is_empty(&self) -> bool {
        self.requirements.is_empty()
    }
}

/// Splits at commas that are not escaped.
fn split_terms(text: &str) -> Vec<&str> {
    let mut terms = Vec::new();
    let mut start = 0;
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b',' => {
                terms.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    terms.push(&text[start..]);
    terms
}

fn split_term(term: &str) -> Option<(&str, bool, &str)> {
    let at = term.find(['=', '!'])?;
    let (field, rest) = term.split_at(at);
    let (equal, value) = if let Some(value) = rest.strip_prefix("!=") {
        (false, value)
    } else if let Some(value) = rest.strip_prefix("==") {
        (true, value)
    } else {
        (true, rest.strip_prefix('=')?)
    };
    Some((field, equal, value))
}

fn unescape(value: &str) -> Result<String, String> {
    let mut text = String::with_capacity(value.len());
    let mut characters = value.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next() {
                Some(escaped @ ('\\' | ',' | '=')) => text.push(escaped),
                Some(other) => return Err(format!("invalid escape sequence: \\{other}")),
                None => return Err("it ends within an escape sequence".to_owned()),
            },
            '=' => return Err(format!("unescaped character in value: {character}")),
            _ => text.push(character),
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<&[(&str, bool, &str)], &str>) {
        let parsed = FieldSelector::parse(text);
        match (&parsed, expected) {
            (Ok(selector), Ok(expected)) => {
                let terms: Vec<_> = selector
                    .requirements
                    .iter()
                    .map(|term| (term.field.as_str(), term.equal, term.value.as_str()))
                    .collect();
                assert_eq!(terms, expected);
            }
            (Err(error), Err(expected)) => assert_eq!(error.to_string(), expected),
            _ => panic!("{text}: {parsed:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn terms() {
        check("", Ok(&[]));
        check("metadata.name=x", Ok(&[("metadata.name", true, "x")]));
        check(
            "metadata.name==x,status.phase!=Running",
            Ok(&[("metadata.name", true, "x"), ("status.phase", false, "Running")]),
        );
        check("spec.nodeName=", Ok(&[("spec.nodeName", true, "")]));
        check(r"reason=a\,b\=c\\", Ok(&[("reason", true, r"a,b=c\")]));
        check("foo", Err("invalid selector: 'foo'; can't understand 'foo'"));
        check("a=b,c!d", Err("invalid selector: 'a=b,c!d'; can't understand 'c!d'"));
        check(r"a=\b", Err(r#"invalid field selector "\\b": invalid escape sequence: \b"#));
        check("a=b=c", Err(r#"invalid field selector "b=c": unescaped character in value: ="#));
    }

    #[test]
    fn an_absent_field_is_empty() {
        let holds = |text| {
            FieldSelector::parse(text)
                .unwrap()
                .matches(|field| (field == "status.phase").then_some("Running"))
        };
        assert!(holds(""));
        assert!(holds("status.phase=Running"));
        assert!(!holds("status.phase!=Running"));
        assert!(holds("spec.nodeName="));
        assert!(holds("spec.nodeName!=n1,status.phase=Running"));
        assert!(!holds("spec.nodeName!=n1,status.phase=Failed"));
    }
}
