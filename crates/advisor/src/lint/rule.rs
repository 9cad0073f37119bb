//! Rules, and how they say what they found.

use manifest::read::{Fault, Level, Located};

use super::finding::{Change, Finding, Fix, Label, Subject};
use super::objects::{Objects, subject};
use super::texts::{FILE, Why};
use super::words::on_one_line;

/// A rule. Its texts are the manual: `headcount explain` and docs/codes.md are made of them.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// The code; never changed, never used again for something else.
    pub code: &'static str,
    /// How bad a finding is, unless it says otherwise itself.
    pub level: Level,
    /// What is wrong, in a line.
    pub title: &'static str,
    /// What happens then, to whom, and why: paragraphs of Markdown.
    pub explanation: &'static str,
    /// How to mend it: a paragraph of Markdown.
    pub remedy: &'static str,
    /// Where that is known from: specification and section, issue, source.
    pub sources: &'static [&'static str],
    /// Looks through the objects.
    pub check: fn(&Objects, &mut Findings<'_>),
}

/// Takes what a rule finds.
#[derive(Debug)]
pub struct Findings<'r> {
    rule: &'r Rule,
    found: Vec<Finding>,
}

impl<'r> Findings<'r> {
    pub(crate) fn new(rule: &'r Rule) -> Self {
        Self { rule, found: Vec::new() }
    }

    pub(crate) fn into_vec(self) -> Vec<Finding> {
        self.found
    }

    /// A finding about a field of an object; `text` stands at the place. The result takes the rest.
    pub fn add(
        &mut self,
        subject: Subject,
        primary: Label,
        message: impl Into<String>,
    ) -> &mut Finding {
        self.found.push(Finding {
            code: self.rule.code,
            level: self.rule.level,
            subject,
            message: on_one_line(message.into()),
            primary: said_on_one_line(primary),
            secondary: Vec::new(),
            help: Vec::new(),
            fix: None,
        });
        self.found.last_mut().expect("one was pushed")
    }

    /// The problems of this sort that objects have by themselves.
    pub(super) fn of_problems(&mut self, objects: &Objects, wanted: fn(&Fault) -> bool) {
        for (document, reference, problems) in &objects.refused {
            for problem in problems.iter().filter(|problem| wanted(&problem.fault)) {
                let field = problem.field.as_deref().unwrap_or_default();
                let message = match problem.fault {
                    Fault::Value | Fault::Field => format!("{field}: {}", problem.message),
                    _ => problem.message.clone(),
                };
                let label = Label::new(document, field, "");
                let finding = self.add(subject(reference), label, message);
                if let Some(help) = &problem.help {
                    finding.help(help.to_string());
                }
                if let Fault::Twice(first) = &problem.fault {
                    finding.with(Label {
                        source: first.source.clone(),
                        span: first.span,
                        field: field.to_owned(),
                        text: "first here".to_owned(),
                    });
                }
            }
        }
    }

    /// The texts that hold no object for this reason.
    pub(super) fn of_unread(&mut self, objects: &Objects, why: Why) {
        for unread in objects.unread.iter().filter(|unread| unread.why == why) {
            let subject = Subject {
                kind: FILE.to_owned(),
                namespace: String::new(),
                name: unread.label.source.to_string(),
            };
            let finding = self.add(subject, unread.label.clone(), unread.message.clone());
            if let Some(help) = &unread.help {
                finding.help(help);
            }
        }
    }
}

impl Finding {
    /// Compares with another place.
    pub fn with(&mut self, label: Label) -> &mut Self {
        self.secondary.push(said_on_one_line(label));
        self
    }

    /// Says what follows, or how to mend it.
    pub fn help(&mut self, text: impl Into<String>) -> &mut Self {
        self.help.push(on_one_line(text.into()));
        self
    }

    /// Another level than the rule's.
    pub fn level(&mut self, level: Level) -> &mut Self {
        self.level = level;
        self
    }

    /// A safe mending of `object`.
    pub fn fix(
        &mut self,
        title: impl Into<String>,
        object: &Located,
        changes: Vec<Change>,
    ) -> &mut Self {
        self.fix = Some(Fix {
            title: title.into(),
            source: object.source.clone(),
            object: object.start(),
            changes,
        });
        self
    }
}

fn said_on_one_line(label: Label) -> Label {
    Label { text: on_one_line(label.text), ..label }
}
