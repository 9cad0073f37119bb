//! Events. Both versions have one stored form; which one a request speaks decides how strictly it is checked
//! (Kubernetes' `ValidateEventCreate` and `ValidateEventUpdate`). Fields are named as there, in either version.

use k8s_openapi::api::core::v1::{Event, EventSource};
use serde_json::{Value, json};

use super::names;
use crate::field::{FieldError, FieldPath};

/// The longest `action`, `reason` and `reportingInstance`, in bytes.
const WORD_BYTES_MAX: usize = 128;

/// The longest message of an Event of the newer form, in bytes.
const NOTE_BYTES_MAX: usize = 1024;

/// What holds for Events of either version. One with an `eventTime` is of the newer form, which asks for more.
pub(crate) fn validate(event: &Event, errors: &mut Vec<FieldError>) {
    let own = event.metadata.namespace.as_deref().unwrap_or_default();
    let involved = event.involved_object.namespace.as_deref().unwrap_or_default();
    let fits = match (involved, event.event_time.is_some()) {
        // An Event about an object without a namespace.
        ("", false) => matches!(own, "" | "default"),
        ("", true) => matches!(own, "default" | "kube-system"),
        (involved, false) => involved == own,
        (_, true) => true,
    };
    if !fits {
        let path = FieldPath::new("involvedObject");
        let path = path.child("namespace");
        errors.push(FieldError::invalid(&path, involved, "does not match event.namespace"));
    }
    if event.event_time.is_some() {
        validate_newer(event, errors);
    }
}

fn validate_newer(event: &Event, errors: &mut Vec<FieldError>) {
    let controller = event.reporting_component.as_deref().unwrap_or_default();
    let path = FieldPath::new("reportingController");
    if controller.is_empty() {
        errors.push(FieldError::required(&path, ""));
    }
    let problems = names::qualified_name(controller).into_iter();
    errors.extend(problems.map(|problem| FieldError::invalid(&path, controller, problem)));
    for (field, value) in [
        ("reportingInstance", &event.reporting_instance),
        ("action", &event.action),
        ("reason", &event.reason),
    ] {
        let value = value.as_deref().unwrap_or_default();
        if value.is_empty() {
            errors.push(FieldError::required(&FieldPath::new(field), ""));
        }
        at_most(field, value, WORD_BYTES_MAX, errors);
    }
    at_most("message", event.message.as_deref().unwrap_or_default(), NOTE_BYTES_MAX, errors);
}

fn at_most(field: &'static str, value: &str, bytes_max: usize, errors: &mut Vec<FieldError>) {
    if value.len() > bytes_max {
        let detail = format!("can have at most {bytes_max} characters");
        errors.push(FieldError::invalid(&FieldPath::new(field), "", detail));
    }
}

/// What holds for Events that are written as `events.k8s.io/v1`.
pub(crate) fn validate_strictly(new: &Event, old: Option<&Event>, errors: &mut Vec<FieldError>) {
    validate(new, errors);
    match old {
        None => validate_new(new, errors),
        Some(old) => {
            if new.series != old.series {
                validate_series(new, errors);
            }
            for ((field, new), (_, old)) in unchanging(new).into_iter().zip(unchanging(old)) {
                if new != old {
                    let path = FieldPath::new(field);
                    errors.push(FieldError::invalid(&path, new, "field is immutable"));
                }
            }
        }
    }
}

fn validate_new(event: &Event, errors: &mut Vec<FieldError>) {
    validate_series(event, errors);
    if event.event_time.is_none() {
        errors.push(FieldError::required(&FieldPath::new("eventTime"), ""));
    }
    let kind = event.type_.as_deref().unwrap_or_default();
    if !matches!(kind, "Normal" | "Warning") {
        let detail = format!("has invalid value: {kind}");
        errors.push(FieldError::invalid(&FieldPath::new("type"), "", detail));
    }
    for (field, set) in [
        ("firstTimestamp", event.first_timestamp.is_some()),
        ("lastTimestamp", event.last_timestamp.is_some()),
        ("count", event.count.is_some_and(|count| count != 0)),
        ("source", event.source.as_ref().is_some_and(|source| *source != EventSource::default())),
    ] {
        if set {
            errors.push(FieldError::invalid(&FieldPath::new(field), "", "needs to be unset"));
        }
    }
}

fn validate_series(event: &Event, errors: &mut Vec<FieldError>) {
    let Some(series) = &event.series else { return };
    let path = FieldPath::new("series");
    if series.count.unwrap_or(0) < 2 {
        errors.push(FieldError::invalid(&path.child("count"), "", "should be at least 2"));
    }
    if series.last_observed_time.is_none() {
        errors.push(FieldError::required(&path.child("lastObservedTime"), ""));
    }
}

/// What an Event says for good: only its series and its metadata go on.
fn unchanging(event: &Event) -> [(&'static str, Value); 13] {
    [
        ("involvedObject", json!(event.involved_object)),
        ("reason", json!(event.reason)),
        ("message", json!(event.message)),
        ("source", json!(event.source)),
        ("firstTimestamp", json!(event.first_timestamp)),
        ("lastTimestamp", json!(event.last_timestamp)),
        ("count", json!(event.count)),
        ("type", json!(event.type_)),
        ("eventTime", json!(event.event_time)),
        ("action", json!(event.action)),
        ("related", json!(event.related)),
        ("reportingController", json!(event.reporting_component)),
        ("reportingInstance", json!(event.reporting_instance)),
    ]
}
