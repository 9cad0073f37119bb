//! SARIF 2.1.0 (OASIS), as code scanning takes it.

use std::io::{self, Write};

use advisor::lint::rules::RULES;
use advisor::lint::{Allowed, Label, Rule};
use manifest::read::Level;
use serde_json::{Map, Value, json};

use super::{Finding, Outcome};

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

pub(super) fn write(outcome: &Outcome, out: &mut dyn Write) -> io::Result<()> {
    let found = outcome.report.findings.iter().map(|finding| result(finding, outcome, Vec::new()));
    let allowed = outcome.report.allowed.iter().map(|Allowed { finding, reason }| {
        let suppression = match reason {
            Some(reason) => json!({ "kind": "inSource", "justification": reason }),
            None => json!({ "kind": "external" }),
        };
        result(finding, outcome, vec![suppression])
    });
    let value = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "headcount",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": RULES.iter().map(rule).collect::<Vec<_>>(),
            }},
            "columnKind": "unicodeCodePoints",
            "results": found.chain(allowed).collect::<Vec<_>>(),
        }],
    });
    serde_json::to_writer_pretty(&mut *out, &value)?;
    writeln!(out)
}

fn level(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Note => "note",
    }
}

fn rule(rule: &Rule) -> Value {
    let Rule { code, level: bad, title, explanation, remedy, sources: _, check: _ } = rule;
    let help = format!("{explanation}\n\n{remedy}");
    json!({
        "id": code,
        "shortDescription": { "text": title },
        "fullDescription": { "text": explanation },
        "help": { "text": help, "markdown": help },
        "defaultConfiguration": { "level": level(*bad) },
    })
}

/// A finding. With suppressions, even none, SARIF tells findings that count from those that do not.
fn result(finding: &Finding, outcome: &Outcome, suppressions: Vec<Value>) -> Value {
    let Finding { code, level: bad, subject, message, primary, secondary, help, fix: _ } = finding;
    let mut text = message.clone();
    for help in help {
        text.push_str("\nhelp: ");
        text.push_str(help);
    }
    let mut location = location(primary);
    location.insert(
        "logicalLocations".to_owned(),
        json!([{ "fullyQualifiedName": format!("{subject}/{}", primary.field), "kind": "object" }]),
    );
    let related: Vec<Value> = secondary
        .iter()
        .enumerate()
        .map(|(at, label)| {
            let mut related = self::location(label);
            related.insert("id".to_owned(), json!(at + 1));
            related.insert("message".to_owned(), json!({ "text": label.text }));
            Value::Object(related)
        })
        .collect();
    let mut result = json!({
        "ruleId": code,
        "ruleIndex": RULES.iter().position(|rule| rule.code == *code),
        "level": level(*bad),
        "message": { "text": text },
        "locations": [location],
        "relatedLocations": related,
        "suppressions": suppressions,
    });
    if let Some(fixes) = fixes(finding, outcome) {
        result["fixes"] = fixes;
    }
    result
}

fn location(label: &Label) -> Map<String, Value> {
    let Label { source, span, field: _, text: _ } = label;
    let mut region = json!({ "startLine": span.start.line, "startColumn": span.start.column });
    if span.end > span.start {
        region["endLine"] = json!(span.end.line);
        region["endColumn"] = json!(span.end.column);
    }
    let physical = json!({ "artifactLocation": { "uri": uri(source) }, "region": region });
    Map::from_iter([("physicalLocation".to_owned(), physical)])
}

/// The fix as one replacement: the stretch of lines in which the text before and after it differ.
fn fixes(finding: &Finding, outcome: &Outcome) -> Option<Value> {
    let fix = finding.fix.as_ref()?;
    let old = outcome.sources.text(&fix.source)?;
    let new = manifest::edit::edit(&fix.source, old, fix.object, &fix.changes).ok()?;
    let (old, new): (Vec<&str>, Vec<&str>) =
        (old.split_inclusive('\n').collect(), new.split_inclusive('\n').collect());
    let same = |pair: &(&&str, &&str)| pair.0 == pair.1;
    let before = old.iter().zip(&new).take_while(same).count();
    let after = old[before..].iter().rev().zip(new[before..].iter().rev()).take_while(same).count();
    let inserted = new[before..new.len() - after].concat();
    let deleted = json!({
        "startLine": before + 1,
        "startColumn": 1,
        "endLine": old.len() - after + 1,
        "endColumn": 1,
    });
    Some(json!([{
        "description": { "text": fix.title },
        "artifactChanges": [{
            "artifactLocation": { "uri": uri(&fix.source) },
            "replacements": [{
                "deletedRegion": deleted,
                "insertedContent": { "text": inserted },
            }],
        }],
    }]))
}

/// A path as a URI reference (RFC 3986): what is no path character is written in per cent.
fn uri(path: &str) -> String {
    let mut uri = if path.starts_with('/') { "file://".to_owned() } else { String::new() };
    let path = path.strip_prefix("./").unwrap_or(path);
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => uri.push(char::from(byte)),
            b'/' | b'-' | b'.' | b'_' | b'~' => uri.push(char::from(byte)),
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}
