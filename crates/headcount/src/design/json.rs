//! A design for programs. The form is described in `docs/design.md` and changes only with its version.

use advisor::design::{Local, Mistake, Plan, Rejected, Section, Setting, Step};
use advisor::lint::Finding;
use serde_json::{Value, json};

use super::Report;
use crate::records::json::services;

/// The version of the form: what is there stays as it is; more may come.
const VERSION: u32 = 1;

pub(super) fn text(report: &Report) -> String {
    let Report { plan, taken, changes, records, expectations, findings, verified } = report;
    let Plan { intent, choice, sections, manifests, checklist, mistakes } = plan;
    let value = json!({
        "version": VERSION,
        "name": intent.name,
        "namespace": intent.namespace,
        "software": intent.software().map(|software| software.name),
        "choice": {
            "title": choice.title,
            "reasons": choice.reasons,
            "settings": choice.settings.iter().map(setting).collect::<Vec<_>>(),
            "rejected": choice.rejected.iter().map(rejected).collect::<Vec<_>>(),
        },
        "taken": taken,
        "changes": changes,
        "sections": sections.iter().map(section).collect::<Vec<_>>(),
        "manifests": manifests.iter().map(|manifest| manifest.to_value()).collect::<Vec<_>>(),
        "records": services(records),
        "checklist": checklist.iter().map(step).collect::<Vec<_>>(),
        "mistakes": {
            "likeliest": mistakes.likeliest.iter().map(mistake).collect::<Vec<_>>(),
            "unlikely": mistakes.unlikely.iter().map(mistake).collect::<Vec<_>>(),
        },
        "expected": expectations
            .iter()
            .map(|expectation| json!({ "name": expectation.name, "for": expectation.purpose }))
            .collect::<Vec<_>>(),
        "findings": findings
            .iter()
            .map(|Finding { code, level, subject, message, help, .. }| {
                json!({
                    "code": code,
                    "level": level.to_string(),
                    "object": subject.to_string(),
                    "message": message,
                    "help": help,
                })
            })
            .collect::<Vec<_>>(),
        "verified": verified,
    });
    // A Value has nothing that JSON could not hold.
    format!("{value:#}\n")
}

fn setting(setting: &Setting) -> Value {
    let Setting { field, value, because } = setting;
    json!({ "field": field, "value": value, "because": because })
}

fn rejected(rejected: &Rejected) -> Value {
    let Rejected { instead, because } = rejected;
    json!({ "instead": instead, "because": because })
}

fn section(section: &Section) -> Value {
    let Section { title, points } = section;
    json!({ "title": title, "points": points })
}

fn step(step: &Step) -> Value {
    let Step { shows, command, expect, local } = step;
    let local = local
        .as_ref()
        .map(|Local { command, expect }| json!({ "command": command, "expect": expect }));
    json!({ "shows": shows, "command": command, "expect": expect, "local": local })
}

fn mistake(mistake: &Mistake) -> Value {
    let Mistake { code, title, why, shows } = mistake;
    json!({ "code": code, "title": title, "why": why, "shows": shows })
}
