//! The records for people: a table for each Service.

use std::fmt::Write as _;

use comfy_table::{Cell, Table};
use preview::{Absent, Change, NamedRecord, ServiceRecords, Shape};

use super::{Source, View};

pub(super) fn text(view: &View) -> String {
    let View { now: _, services, not_ready, source, findings: _ } = view;
    let mut text = String::new();
    if services.is_empty() {
        return match source {
            Source::Manifests => {
                "There is no Service in these manifests, so there are no names.\n".to_owned()
            }
            Source::Cluster { namespace: Some(namespace) } => {
                format!("There is no Service in namespace {namespace}.\n")
            }
            Source::Cluster { namespace: None } => {
                "There is no Service in this cluster.\n".to_owned()
            }
        };
    }
    if let Some(pods) = not_ready {
        let verb = if pods.len() == 1 { "is" } else { "are" };
        put(
            &mut text,
            format_args!(
                "When {} {verb} not ready (- leaves, + comes, ~ has another weight):\n",
                listed(pods)
            ),
        );
    }
    for service in services {
        let is_compared = not_ready.is_some();
        one(&mut text, service, is_compared);
    }
    let has_symbol = |named: &NamedRecord| format!("{}{}", named.owner, named.data).contains('<');
    if services.iter().flat_map(|service| &service.records).any(has_symbol) {
        put(
            &mut text,
            format_args!(
                "<ip of …> stands for an address that only a cluster can allot; -o zone has example addresses instead."
            ),
        );
    }
    text
}

/// The tables of these Services.
pub(crate) fn tables(services: &[ServiceRecords]) -> String {
    let mut text = String::new();
    for service in services {
        one(&mut text, service, false);
    }
    text
}

fn one(text: &mut String, service: &ServiceRecords, is_compared: bool) {
    let ServiceRecords { records, nothing, absent, notes, .. } = service;
    put(text, format_args!("Service {}: {}", service.service, summary(service)));
    let unchanged = records.iter().all(|named| named.change == Change::Same);
    if is_compared && unchanged {
        put(text, format_args!("  {}\n", stays(&service.shape)));
        return;
    }
    if let Some(reason) = nothing {
        put(text, format_args!("  Neither its name nor any below it exists (NXDOMAIN): {reason}"));
    }
    if !records.is_empty() {
        text.push('\n');
        text.push_str(&table(records, is_compared));
    }
    if !absent.is_empty() {
        put(text, format_args!("\n  These do not exist (NXDOMAIN):"));
        let mut rows = plain_table();
        for Absent { name, reason } in absent {
            rows.add_row([Cell::new(format!("    {name}")), Cell::new(reason)]);
        }
        text.push_str(&lines(&mut rows));
    }
    if is_compared && matches!(service.shape, Shape::ClusterIp { .. }) {
        put(
            text,
            format_args!("\n  Its address stays: connections to it go to the pods that are ready."),
        );
    }
    if !notes.is_empty() {
        text.push('\n');
        for note in notes {
            put(text, format_args!("  Note: {note}."));
        }
    }
    text.push('\n');
}

/// `headless, 2 of 3 endpoints ready (before: 3)`.
fn summary(service: &ServiceRecords) -> String {
    let (ready, total) = service.endpoints;
    let endpoints = match service.shape {
        Shape::ExternalName { .. } => String::new(),
        Shape::Headless { publishes_not_ready: true, .. } => {
            format!(", {total} endpoints, ready or not")
        }
        Shape::Headless { .. } | Shape::ClusterIp { .. } => {
            let before = service.endpoints_before.filter(|before| *before != service.endpoints);
            let before = before.map(|(ready, _)| format!(" (before: {ready})")).unwrap_or_default();
            format!(", {ready} of {total} endpoints ready{before}")
        }
    };
    format!("{}{endpoints}", service.shape)
}

/// Why nothing changes.
fn stays(shape: &Shape) -> &'static str {
    match shape {
        Shape::Headless { publishes_not_ready: true, .. } => {
            "No record changes: it publishes pods that are not ready, too (publishNotReadyAddresses)."
        }
        Shape::Headless { .. } | Shape::ClusterIp { .. } | Shape::ExternalName { .. } => {
            "No record changes."
        }
    }
}

/// The data of an SRV record with both weights: `0 33→50 6379 redis-0…`.
fn reweighted(was: &str, now: &str) -> String {
    let weight = |data: &str| data.split(' ').nth(1).unwrap_or_default().to_owned();
    let (old, new) = (weight(was), weight(now));
    now.replacen(&format!(" {new} "), &format!(" {old}→{new} "), 1)
}

fn table(records: &[NamedRecord], is_compared: bool) -> String {
    let mut rows = plain_table();
    let margin = if is_compared { "    " } else { "  " };
    rows.set_header([format!("{margin}NAME").as_str(), "TYPE", "DATA", "TTL", "FOR"]);
    let mut last = None;
    for named in records {
        let NamedRecord { record, owner, data, purpose, change } = named;
        let rtype = record.data.rtype();
        let mark = match change {
            Change::Same if is_compared => "    ",
            Change::Same => "  ",
            Change::Removed => "  - ",
            Change::Added => "  + ",
            Change::Reweighted { .. } => "  ~ ",
        };
        let data = match change {
            Change::Reweighted { was } => reweighted(was, data),
            Change::Same | Change::Removed | Change::Added => data.clone(),
        };
        // Said once for all records of a name that are for the same.
        let said = Some((owner, purpose));
        let purpose = if last == said { "" } else { purpose };
        last = said;
        rows.add_row([
            format!("{mark}{owner}"),
            rtype.to_string(),
            data,
            record.ttl.to_string(),
            purpose.to_owned(),
        ]);
    }
    lines(&mut rows)
}

fn plain_table() -> Table {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table
}

fn lines(table: &mut Table) -> String {
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// `a`, `a and b`, `a, b and c`.
fn listed(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

fn put(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{line}");
}
