//! Events.

use super::column::{Column, NAME};
use super::value::{UNKNOWN, name_of, number_at, or, since, text_at};
use jiff::Timestamp;
use serde_json::Value;

pub(super) const COLUMNS: &[Column] = &[
    Column::text("Last Seen", "The time since this was last seen."),
    Column::text("Type", "Normal or Warning."),
    Column::text("Reason", "Why, in one word, for machines."),
    Column::text("Object", "What this event is about."),
    Column::text("Subobject", "The part of the object that this event is about.").wide(),
    Column::text("Source", "Who reports it.").wide(),
    Column::text("Message", "What happened, for people."),
    Column::text("First Seen", "The time since this was first seen.").wide(),
    Column::text("Count", "How often this was seen.").wide(),
    NAME.wide(),
];

pub(super) fn cells(item: &Value, now: Timestamp) -> Vec<Value> {
    let seen = |pointer: &str| since(item, pointer, now);
    let first = seen("/firstTimestamp")
        .or_else(|| seen("/eventTime"))
        .unwrap_or_else(|| UNKNOWN.to_owned());
    let (last, count) = if item.get("series").is_some_and(Value::is_object) {
        let last = seen("/series/lastObservedTime").unwrap_or_else(|| UNKNOWN.to_owned());
        (last, number_at(item, "/series/count"))
    } else {
        let last = seen("/lastTimestamp").unwrap_or_else(|| first.clone());
        // Events of the newer API that were seen once carry no count.
        (last, number_at(item, "/count").max(1))
    };
    vec![
        last.into(),
        text_at(item, "/type").into(),
        text_at(item, "/reason").into(),
        object(item).into(),
        text_at(item, "/involvedObject/fieldPath").into(),
        source(item).into(),
        text_at(item, "/message").trim().into(),
        first.into(),
        count.into(),
        name_of(item),
    ]
}

/// `pod/db-0`; the kind alone when the event names no object.
fn object(item: &Value) -> String {
    let kind = text_at(item, "/involvedObject/kind").to_lowercase();
    match text_at(item, "/involvedObject/name") {
        "" => kind,
        name => format!("{kind}/{name}"),
    }
}

/// `component, host`, from the older fields or the newer ones.
fn source(item: &Value) -> String {
    let component = or(text_at(item, "/source/component"), text_at(item, "/reportingComponent"));
    match or(text_at(item, "/source/host"), text_at(item, "/reportingInstance")) {
        "" => component.to_owned(),
        instance => format!("{component}, {instance}"),
    }
}
