//! A design for people, in the order in which they ask: which Services, why, the objects, the names, the checks, the
//! mistakes.

use std::fmt::Write as _;

use advisor::design::{Intent, Local, Mistake, Plan, Step, to_yaml};

use directory::RecordType;
use preview::{NamedRecord, ServiceRecords};

use super::Report;
use crate::records::table;

pub(super) fn text(report: &Report) -> String {
    let Report { plan, taken, changes, records, expectations: _, findings, verified } = report;
    let mut out = String::new();
    let Plan { intent, choice, sections, manifests, checklist, mistakes } = plan;
    line(&mut out, format_args!("# {} in namespace {}\n", intent.name, intent.namespace));
    line(&mut out, format_args!("**Choice: {}.**\n", choice.title));
    points(&mut out, intent, &choice.reasons);
    if !choice.settings.is_empty() {
        line(&mut out, format_args!("\n| what decides | value | because |\n|---|---|---|"));
        for setting in &choice.settings {
            let because = setting.because.replace('|', "\\|");
            line(&mut out, format_args!("| {} | `{}` | {because} |", setting.field, setting.value));
        }
    }
    line(&mut out, format_args!("\n**Why not the others**\n"));
    for rejected in &choice.rejected {
        line(&mut out, format_args!("- *{}*: {}.", rejected.instead, rejected.because));
    }
    if !taken.is_empty() {
        line(&mut out, format_args!("\n## What is there\n\nTaken from it:\n"));
        points(&mut out, intent, taken);
        line(&mut out, format_args!("\nChanged by the design:\n"));
        points(&mut out, intent, changes);
    }
    for section in sections {
        line(&mut out, format_args!("\n## {}\n", section.title));
        points(&mut out, intent, &section.points);
    }
    line(
        &mut out,
        format_args!(
            "\n## (a) Manifests\n\nThe same command with `-o yaml` prints these alone, for `kubectl apply -f -`.{}\n",
            namespaces(intent)
        ),
    );
    block(&mut out, "yaml", &to_yaml(manifests));
    line(&mut out, format_args!("\n## (b) Records that clients will see\n"));
    block(&mut out, "text", table::tables(&shown(records)).trim_end());
    line(
        &mut out,
        format_args!(
            "\n`headcount records -f -` prints all of the manifests' names, also those from addresses to names."
        ),
    );
    line(
        &mut out,
        format_args!(
            "\n## (c) Checklist\n\nIn angle brackets: what each cluster gives out.{}\n",
            locally(checklist)
        ),
    );
    for (at, step) in checklist.iter().enumerate() {
        check(&mut out, intent, at + 1, step);
    }
    line(&mut out, format_args!("## (d) The three mistakes most likely here\n"));
    for (at, mistake) in mistakes.likeliest.iter().enumerate() {
        let Mistake { code, title, why, shows } = mistake;
        let (title, why, shows) =
            (capital(title, intent), capital(why, intent), capital(shows, intent));
        line(
            &mut out,
            format_args!("{}. **{title}** ({code}). {why}.\n    *How it shows*: {shows}.", at + 1),
        );
    }
    if !mistakes.unlikely.is_empty() {
        line(&mut out, format_args!("\nWeighed as well, and less likely here:\n"));
        for Mistake { code, title, why, shows: _ } in &mistakes.unlikely {
            line(&mut out, format_args!("- {title} ({code}): {why}."));
        }
    }
    line(&mut out, format_args!("\n`headcount explain CODE` says more of each."));
    if !findings.is_empty() {
        line(&mut out, format_args!("\n## What lint says of the manifests\n"));
        let findings: Vec<String> = findings.iter().map(super::finding).collect();
        block(&mut out, "text", &findings.join("\n"));
    }
    line(
        &mut out,
        format_args!(
            "\n## Verified\n\nWhat must answer follows from the request alone, not from the manifests or records above.\n"
        ),
    );
    block(&mut out, "text", &verified.lines().join("\n"));
    out
}

/// Which of a look-up's two commands is for whom.
fn locally(checklist: &[Step]) -> &'static str {
    match checklist.iter().any(|step| step.local.is_some()) {
        true => {
            " Look-ups are asked from a pod. Pods of `headcount up` have a shell with `--pods process`; where they are simulated, `dig` asks, from the same machine, and the address is that of `--dns-listen`."
        }
        false => "",
    }
}

/// The namespaces that must be there before the objects are applied.
fn namespaces(intent: &Intent) -> String {
    let of_clients = intent.client_namespaces.iter();
    let names: Vec<&str> = std::iter::once(&intent.namespace)
        .chain(of_clients)
        .map(String::as_str)
        .filter(|name| *name != "default")
        .collect();
    match names.as_slice() {
        [] => String::new(),
        [one] => format!(" The namespace {one} must be there."),
        several => format!(" The namespaces {} must be there.", several.join(" and ")),
    }
}

/// The records that clients ask for: names' addresses and aliases, and ports by name.
fn shown(records: &[ServiceRecords]) -> Vec<ServiceRecords> {
    let is_asked = |named: &NamedRecord| {
        let is_srv = named.record.data.rtype() == RecordType::SRV;
        let by_port = named.owner.starts_with('_');
        let is_pointer = named.record.data.rtype() == RecordType::PTR;
        !is_pointer && !named.owner.starts_with('<') && is_srv == by_port
    };
    let one = |service: &ServiceRecords| ServiceRecords {
        records: service.records.iter().filter(|named| is_asked(named)).cloned().collect(),
        ..service.clone()
    };
    records.iter().map(one).collect()
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{text}");
}

fn points(out: &mut String, intent: &Intent, points: &[String]) {
    for point in points {
        line(out, format_args!("- {}.", capital(point, intent)));
    }
}

/// A sentence begins with a capital, unless with a name that has none.
fn capital(sentence: &str, intent: &Intent) -> String {
    let first = sentence.split([' ', ',', ':', '\'']).next().unwrap_or_default();
    let names = intent.client_namespaces.iter().map(String::as_str);
    let is_name = names.chain([intent.what(), "kubectl", "nslookup"]).any(|name| name == first);
    let is_word = first.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
    let mut chars = sentence.chars();
    match chars.next().filter(|_| is_word && !is_name) {
        Some(first) => format!("{}{}", first.to_ascii_uppercase(), chars.as_str()),
        None => sentence.to_owned(),
    }
}

fn block(out: &mut String, language: &str, text: &str) {
    line(out, format_args!("```{language}\n{}\n```", text.trim_end()));
}

fn check(out: &mut String, intent: &Intent, number: usize, step: &Step) {
    let Step { shows, command, expect, local } = step;
    line(out, format_args!("{number}. {}.\n", capital(shows, intent)));
    line(out, format_args!("    ```console\n    $ {command}"));
    for expected in expect {
        line(out, format_args!("    {expected}"));
    }
    if let Some(Local { command, expect }) = local {
        line(out, format_args!("    $ {command}"));
        for expected in expect {
            line(out, format_args!("    {expected}"));
        }
    }
    line(out, format_args!("    ```\n"));
}
