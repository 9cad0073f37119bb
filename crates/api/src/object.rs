//! Objects as JSON values: their metadata read and written.

use bytes::Bytes;
use http::HeaderMap;
use manifest::kind::Kind;
use serde_json::{Map, Value};

use crate::negotiate::BodyFormat;
use crate::protobuf;
use crate::status::StatusError;

/// Parses a request's body as JSON.
pub(crate) fn parse_any(body: &[u8]) -> Result<Value, StatusError> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Err(StatusError::bad_request("the request has no body"));
    }
    serde_json::from_slice(body).map_err(|error| {
        StatusError::bad_request(format!(
            "the object provided is unrecognized (must be JSON): {error}"
        ))
    })
}

/// Parses a request's body as a JSON object.
pub(crate) fn parse(body: &[u8]) -> Result<Value, StatusError> {
    let value = parse_any(body)?;
    if value.is_object() {
        Ok(value)
    } else {
        Err(StatusError::bad_request("the object provided is unrecognized (must be a JSON object)"))
    }
}

/// Parses a request's body as an object in the format that its headers name. `expected` is apiVersion and kind for
/// a body in protobuf that names neither.
pub(crate) fn parse_sent(
    headers: &HeaderMap,
    body: &[u8],
    expected: (&str, &str),
) -> Result<Value, StatusError> {
    match BodyFormat::sent(headers)? {
        BodyFormat::Json => parse(body),
        BodyFormat::Yaml => parse_yaml(body),
        BodyFormat::Protobuf => protobuf::decode(body, expected).map_err(|error| {
            StatusError::bad_request(format!(
                "the object provided is unrecognized (must be Kubernetes' protobuf): {error}"
            ))
        }),
    }
}

/// Parses what is applied: YAML, of which JSON is a part.
pub(crate) fn parse_applied(body: &[u8]) -> Result<Value, StatusError> {
    if body.trim_ascii_start().starts_with(b"{")
        && let Ok(value) = parse(body)
    {
        return Ok(value);
    }
    parse_yaml(body)
}

/// Parses one object written in YAML.
fn parse_yaml(body: &[u8]) -> Result<Value, StatusError> {
    let (mut documents, problems) = manifest::read::read_bytes("the body", body);
    if let Some(problem) = problems.iter().find(|problem| problem.is_error()) {
        return Err(StatusError::bad_request(format!("error decoding YAML: {problem}")));
    }
    match (documents.pop(), documents.is_empty()) {
        (Some(document), true) if document.value.is_object() => Ok(document.located.value),
        (Some(_), true) => Err(StatusError::bad_request("the body is not an object")),
        (Some(_), false) => Err(StatusError::bad_request("the body holds more than one object")),
        (None, _) => Err(StatusError::bad_request("the body holds no object")),
    }
}

/// Parses what the store holds, which was written by this crate.
pub(crate) fn stored(json: &[u8]) -> Value {
    serde_json::from_slice(json).unwrap_or_else(|error| {
        // A damaged store must not take the server down: the object reads as an empty one.
        tracing::error!(%error, "a stored object is not JSON");
        Value::Object(Map::new())
    })
}

/// A stored object in the form of the kind as which it is asked for.
pub(crate) fn served(kind: &Kind, json: &Bytes) -> Bytes {
    if kind.is_stored_as_served() {
        return json.clone();
    }
    let mut object = stored(json);
    kind.to_served(&mut object);
    crate::body::to_bytes(&object)
}

/// Checks `apiVersion` and `kind`, and fills them in where they are missing.
pub(crate) fn adopt_type(kind: &Kind, value: &mut Value) -> Result<(), StatusError> {
    check_type(value, kind.api_version(), kind.kind)?;
    value["apiVersion"] = kind.api_version().into();
    value["kind"] = kind.kind.into();
    if !value["metadata"].is_object() {
        if !value["metadata"].is_null() {
            return Err(StatusError::bad_request("metadata: expected an object"));
        }
        value["metadata"] = Value::Object(Map::new());
    }
    Ok(())
}

/// Checks that `apiVersion` and `kind`, where given, are those that the path stands for.
pub(crate) fn check_type(value: &Value, api_version: &str, kind: &str) -> Result<(), StatusError> {
    let given_version = value["apiVersion"].as_str();
    let given_kind = value["kind"].as_str();
    match given_kind {
        None if value["kind"].is_null() => {}
        Some(given) if given == kind => {}
        given => {
            return Err(StatusError::bad_request(format!(
                "{} in version \"{}\" cannot be handled as a {kind}",
                given.unwrap_or("the kind"),
                given_version.unwrap_or(api_version),
            )));
        }
    }
    match given_version {
        None if value["apiVersion"].is_null() => Ok(()),
        Some(given) if given == api_version => Ok(()),
        given => Err(StatusError::bad_request(format!(
            "the API version in the data ({}) does not match the expected API version ({api_version})",
            given.unwrap_or("not a string"),
        ))),
    }
}

/// The field `name` of `metadata` as text; empty when it is absent.
pub(crate) fn meta<'a>(value: &'a Value, name: &str) -> &'a str {
    value["metadata"][name].as_str().unwrap_or("")
}

/// Whether the object waits for its finalizers.
pub(crate) fn is_deleting(value: &Value) -> bool {
    !value["metadata"]["deletionTimestamp"].is_null()
}

/// `metadata.finalizers`.
pub(crate) fn finalizers(value: &Value) -> Vec<&str> {
    strings(&value["metadata"]["finalizers"])
}

/// A list of texts.
pub(crate) fn strings(value: &Value) -> Vec<&str> {
    value.as_array().map(|list| list.iter().filter_map(Value::as_str).collect()).unwrap_or_default()
}

/// Sets a field, or takes it away when the value is null.
pub(crate) fn set(object: &mut Value, field: &str, value: Value) {
    if value.is_null() {
        remove(object, field);
    } else {
        object[field] = value;
    }
}

/// Takes a field away.
pub(crate) fn remove(object: &mut Value, field: &str) -> Value {
    object.as_object_mut().and_then(|object| object.remove(field)).unwrap_or(Value::Null)
}
