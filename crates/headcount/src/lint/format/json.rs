//! For programs. `version` grows when a field changes its meaning or goes; fields may be added.

use std::io::{self, Write};

use advisor::lint::{Allowed, Change, Fix, Label, Subject};
use manifest::read::{Level, Position};
use serde_json::{Value, json};

use super::{Finding, Outcome};

const VERSION: u32 = 1;

pub(super) fn write(outcome: &Outcome, out: &mut dyn Write) -> io::Result<()> {
    let Outcome { report, sources: _, files, objects, deny: _, fixed, fixable } = outcome;
    let of = |level: Level| report.findings.iter().filter(|it| it.level == level).count();
    let all = |findings: &[Finding]| findings.iter().map(finding).collect::<Vec<_>>();
    let allowed: Vec<Value> = report
        .allowed
        .iter()
        .map(|Allowed { finding: it, reason }| json!({ "finding": finding(it), "reason": reason }))
        .collect();
    let value = json!({
        "version": VERSION,
        "findings": all(&report.findings),
        "allowed": allowed,
        "fixed": all(fixed),
        "summary": {
            "clean": outcome.is_clean(),
            "errors": of(Level::Error),
            "warnings": of(Level::Warning),
            "notes": of(Level::Note),
            "allowed": report.allowed.len(),
            "fixed": fixed.len(),
            "fixable": fixable,
            "objects": objects,
            "files": files.len(),
            "rules": report.rules,
        },
    });
    serde_json::to_writer_pretty(&mut *out, &value)?;
    writeln!(out)
}

fn finding(finding: &Finding) -> Value {
    let Finding { code, level, subject, message, primary, secondary, help, fix } = finding;
    let Subject { kind, namespace, name } = subject;
    json!({
        "code": code,
        "level": level.to_string(),
        "message": message,
        "object": { "kind": kind, "namespace": namespace, "name": name },
        "primary": label(primary),
        "secondary": secondary.iter().map(label).collect::<Vec<_>>(),
        "help": help,
        "fix": fix.as_ref().map(self::fix),
    })
}

fn label(label: &Label) -> Value {
    let Label { source, span, field, text } = label;
    let position = |at: Position| json!({ "line": at.line, "column": at.column });
    json!({
        "file": source.as_ref(),
        "start": position(span.start),
        "end": position(span.end),
        "field": field,
        "text": text,
    })
}

fn fix(fix: &Fix) -> Value {
    let Fix { title, source, object: _, changes } = fix;
    let changes: Vec<Value> = changes
        .iter()
        .map(|change| match change {
            Change::Set { field, to } => json!({ "set": field, "to": to }),
            Change::Remove { field } => json!({ "remove": field }),
            Change::Add { parent, key, value } => {
                json!({ "addTo": parent, "key": key, "value": value })
            }
        })
        .collect();
    json!({ "title": title, "file": source.as_ref(), "changes": changes })
}
