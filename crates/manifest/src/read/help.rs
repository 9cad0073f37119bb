//! How to mend what is wrong.

use serde_json::Value;

use super::document::Document;
use crate::field::{ErrorType, FieldError};
use crate::rules::names;

/// The help for an error in a field, where there is a sure way.
pub(super) fn for_error(document: &Document, error: &FieldError) -> Option<String> {
    let FieldError { error_type, field, value, detail } = error;
    let text = value.as_ref().and_then(Value::as_str);
    match error_type {
        ErrorType::TypeInvalid => for_type(document, field, value.as_ref()?, detail),
        ErrorType::Invalid if field == "spec.externalName" => for_external_name(text?),
        ErrorType::Invalid if field == "metadata.name" => {
            let name = text?;
            let better = respelled(name);
            let fits = |rule: fn(&str) -> Vec<String>| rule(&better).is_empty();
            (better != name && fits(names::dns_1035_label)).then(|| format!("for example {better}"))
        }
        ErrorType::NotSupported => near_value(text?, detail),
        ErrorType::Required if field == "metadata.name" => {
            let has_prefix = document.value["metadata"]["generateName"].is_string();
            has_prefix
                .then(|| "an object in a file needs a name of its own, not generateName".to_owned())
        }
        ErrorType::Required if field == "spec.ports" => {
            Some("list the ports, or set clusterIP: None if clients need none".to_owned())
        }
        ErrorType::Required if field.starts_with("spec.ports[") && field.ends_with("].name") => {
            Some("a Service of several ports names each of them".to_owned())
        }
        ErrorType::NotFound
        | ErrorType::Required
        | ErrorType::Duplicate
        | ErrorType::Invalid
        | ErrorType::Forbidden
        | ErrorType::TooLong
        | ErrorType::TooMany
        | ErrorType::Internal => None,
    }
}

/// A text that YAML took for something else needs quotes, and the other way round.
fn for_type(document: &Document, field: &str, value: &Value, detail: &str) -> Option<String> {
    let wants = |what: &str| detail.starts_with(&format!("expected {what}, "));
    match value {
        Value::Number(_) | Value::Bool(_) if wants("a string") => {
            let written = document.written(field).map_or_else(|| value.to_string(), str::to_owned);
            Some(format!("write it in quotes: \"{written}\""))
        }
        Value::String(text) if wants("an integer") => {
            let number: i64 = text.trim().parse().ok()?;
            Some(format!("write it without quotes: {number}"))
        }
        Value::String(text) if wants("true or false") => match text.to_lowercase().as_str() {
            "true" | "yes" | "on" | "1" => Some("write it without quotes: true".to_owned()),
            "false" | "no" | "off" | "0" => Some("write it without quotes: false".to_owned()),
            _ => None,
        },
        Value::Object(_) if wants("a list") => {
            Some("begin each element with a hyphen: `- `".to_owned())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
        Value::Array(_) | Value::Object(_) => None,
    }
}

/// An `externalName` is a DNS name: nothing before it, nothing behind it.
fn for_external_name(name: &str) -> Option<String> {
    let (scheme, rest) = match name.split_once("://") {
        Some((scheme, rest)) => (Some(scheme), rest),
        None => (None, name),
    };
    let end = rest.find(['/', ':', '?', '#']).unwrap_or(rest.len());
    let (host, behind) = rest.split_at(end);
    let host_is_a_name =
        names::dns_1123_subdomain(host.strip_suffix('.').unwrap_or(host)).is_empty();
    let mut parts = Vec::new();
    if let Some(scheme) = scheme {
        parts.push(format!("{scheme}://"));
    }
    if !behind.is_empty() {
        parts.push(behind.to_owned());
    }
    if parts.is_empty() {
        let better = respelled(name);
        return (better != name && names::dns_1123_subdomain(&better).is_empty())
            .then(|| format!("for example {better}"));
    }
    let remove = format!("remove {}", parts.join(" and "));
    Some(if host_is_a_name {
        format!("{remove}: an external name is only a DNS name, {host}")
    } else {
        remove
    })
}

/// A name in lower case and with hyphens.
fn respelled(name: &str) -> String {
    name.trim().to_lowercase().replace(['_', ' '], "-")
}

/// The supported value that differs only in case or by a slip.
fn near_value(text: &str, detail: &str) -> Option<String> {
    let wanted = text.to_lowercase();
    detail
        .strip_prefix("supported values: ")?
        .split(", ")
        .map(|value| value.trim_matches('"'))
        .map(|value| (crate::kind::distance(&value.to_lowercase(), &wanted), value))
        .filter(|(slips, value)| *slips <= value.len() / 3)
        .min()
        .map(|(_, value)| format!("did you mean {value}?"))
}
