//! Findings that are allowed: by annotation, with a reason, or on the command line.

use std::fmt;

use manifest::read::Located;

use super::finding::{Finding, Label, Subject};
use super::rule::Rule;
use super::rules;
use super::texts::FILE;

/// The annotation in which an object's author allows findings about it: `HC009 the sidecar adds the port`, several of them
/// on lines of their own or behind commas.
pub const ANNOTATION: &str = "headcount.dev/allow";

/// What `--allow` takes: `HC009`, or `HC009=Service/prod/db`.
#[derive(Clone, Debug)]
pub struct Allowance {
    rule: &'static Rule,
    /// The object, as [`Subject`] prints; without its namespace where that is the default one.
    subject: Option<String>,
}

impl Allowance {
    /// Reads one.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, NoAllowance> {
        let (code, subject) = match text.split_once('=') {
            Some((code, subject)) => (code, Some(subject.to_owned())),
            None => (text, None),
        };
        let rule =
            rules::by_code(code.trim()).ok_or_else(|| NoAllowance::Code(code.trim().to_owned()))?;
        match subject {
            Some(subject) if !is_object(&subject) => Err(NoAllowance::Object(subject)),
            subject => Ok(Self { rule, subject }),
        }
    }

    /// Whether it is about an object, of which a rule of these may speak.
    pub(super) fn is_of_an_object(&self, mut rules: impl Iterator<Item = &'static Rule>) -> bool {
        self.subject.is_some() && rules.any(|rule| rule.code == self.rule.code)
    }

    pub(super) fn covers(&self, finding: &Finding, default_namespace: &str) -> bool {
        let Some(wanted) = &self.subject else { return self.rule.code == finding.code };
        let Subject { kind, namespace, name } = &finding.subject;
        // Kinds are taken as kubectl takes them, in any case.
        let is = |written: String| match (wanted.split_once('/'), written.split_once('/')) {
            (Some((kind, name)), Some(written)) => {
                kind.eq_ignore_ascii_case(written.0) && name == written.1
            }
            _ => false,
        };
        let short = || namespace == default_namespace && is(format!("{kind}/{name}"));
        self.rule.code == finding.code && (is(finding.subject.to_string()) || short())
    }
}

/// `HC009=Service/prod/db`.
impl fmt::Display for Allowance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.subject {
            Some(subject) => write!(f, "{}={subject}", self.rule.code),
            None => f.write_str(self.rule.code),
        }
    }
}

/// Why a text is no allowance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoAllowance {
    /// No rule has this code.
    Code(String),
    /// This names no object.
    Object(String),
}

/// Whether a text has the shape of an object's name: a kind, perhaps a namespace, and a name; of a file any path.
fn is_object(text: &str) -> bool {
    let parts: Vec<&str> = text.split('/').collect();
    let is_file = parts[0].eq_ignore_ascii_case(FILE);
    parts.iter().skip(usize::from(is_file)).all(|part| is_file || !part.is_empty())
        && (matches!(parts.len(), 2 | 3) || is_file && parts.len() > 1)
        && (is_file || !text.contains('*'))
}

/// The annotation of an object.
#[derive(Clone, Debug)]
pub(super) struct Annotated {
    pub(super) subject: Subject,
    pub(super) label: Label,
    pub(super) entries: Vec<Entry>,
}

/// A part of it: a code and a reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) code: String,
    pub(super) reason: String,
}

impl Annotated {
    /// The annotation of this object, if it has one.
    pub(super) fn of(located: &Located, subject: impl FnOnce() -> Subject) -> Option<Self> {
        let text = located.value["metadata"]["annotations"][ANNOTATION].as_str()?;
        let field = format!("metadata.annotations[{ANNOTATION}]");
        let label = Label::new(located, &field, "");
        Some(Self { subject: subject(), label, entries: entries(text) })
    }
}

/// The parts of an annotation. A comma separates them where a code follows, for reasons have commas, too.
fn entries(text: &str) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    for line in text.lines() {
        let mut begins_line = true;
        for part in line.split(',') {
            let trimmed = part.trim();
            let (code, reason) = trimmed.split_once(char::is_whitespace).unwrap_or((trimmed, ""));
            match entries.last_mut() {
                Some(last) if !begins_line && !is_code(code) => {
                    last.reason.push(',');
                    last.reason.push_str(part);
                }
                _ if trimmed.is_empty() => {}
                _ => {
                    let code = code.trim_end_matches(':').to_owned();
                    entries.push(Entry { code, reason: reason.trim().to_owned() });
                }
            }
            begins_line = false;
        }
    }
    entries
}

/// Whether a word has the shape of a code.
fn is_code(word: &str) -> bool {
    let word = word.trim_end_matches(':');
    let letters = word.trim_end_matches(|c: char| c.is_ascii_digit());
    letters.eq_ignore_ascii_case("hc") && letters.len() < word.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[(&str, &str)]) {
        let seen = entries(text);
        let seen: Vec<_> =
            seen.iter().map(|entry| (entry.code.as_str(), entry.reason.as_str())).collect();
        assert_eq!(seen, expected, "{text:?}");
    }

    #[test]
    fn annotations() {
        check("HC009 the sidecar adds it", &[("HC009", "the sidecar adds it")]);
        check("HC009", &[("HC009", "")]);
        check("", &[]);
        check(
            "HC009 known, see the wiki\nhc011: later\n",
            &[("HC009", "known, see the wiki"), ("hc011", "later")],
        );
        check("HC009 a, HC011 b", &[("HC009", "a"), ("HC011", "b")]);
        check("HC009, HC011", &[("HC009", ""), ("HC011", "")]);
        check("all of them", &[("all", "of them")]);
    }

    #[test]
    fn objects_on_the_command_line() {
        let subject = |kind: &str, namespace: &str, name: &str| Subject {
            kind: kind.to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        };
        let check = |text: &str, subject: Subject, expected: bool| {
            let start = manifest::read::Position { line: 1, column: 1 };
            let finding = Finding {
                code: "HC001",
                level: manifest::read::Level::Warning,
                subject,
                message: String::new(),
                primary: Label {
                    source: "t".into(),
                    span: manifest::read::Span { start, end: start },
                    field: String::new(),
                    text: String::new(),
                },
                secondary: Vec::new(),
                help: Vec::new(),
                fix: None,
            };
            let allowance = Allowance::parse(text).expect("a known code");
            assert_eq!(allowance.covers(&finding, "prod"), expected, "{text}");
        };
        check("hc001", subject("Service", "prod", "db"), true);
        check("HC001=Service/prod/db", subject("Service", "prod", "db"), true);
        check("HC001=Service/db", subject("Service", "prod", "db"), true);
        check("HC001=Service/db", subject("Service", "test", "db"), false);
        check("HC001=Service/prod/db", subject("StatefulSet", "prod", "db"), false);
        check("HC001=Namespace/x", subject("Namespace", "", "x"), true);
        check("HC001=File/a/b.yaml", subject("File", "", "a/b.yaml"), true);
        check("HC100", subject("Service", "prod", "db"), false);
        check("hc001=service/db", subject("Service", "prod", "db"), true);
        check("HC001=Service/DB", subject("Service", "prod", "db"), false);
        assert_eq!(
            Allowance::parse("HC999=Service/db").expect_err("unknown"),
            NoAllowance::Code("HC999".to_owned())
        );
        for object in ["", "*", "db", "Service/", "Service/*", "/db", "Service/a/b/c", "File"] {
            assert_eq!(
                Allowance::parse(&format!("HC001={object}")).expect_err("no object"),
                NoAllowance::Object(object.to_owned())
            );
        }
    }
}
