//! The three patch formats of the Kubernetes API, value in, value out.
//!
//! | media type | format | source of the rules |
//! |---|---|---|
//! | `application/json-patch+json` | [`Format::Json`] | RFC 6902 |
//! | `application/merge-patch+json` | [`Format::Merge`] | RFC 7396 |
//! | `application/strategic-merge-patch+json` | [`Format::Strategic`] | Kubernetes' strategic merge patch |
//!
//! Server-side apply is not among them: it is a matter of ownership (`crate::ownership`).
//!
//! A patch is applied to an object as the API serves it; what comes out is not validated here. Nothing
//! in a patch may make the result deeper than [`DEPTH_MAX`] levels, so that what was stored can be read.

mod json_patch;
mod merge;
mod strategic;

use manifest::kind::Kind;
use serde_json::Value;

/// How deep an object may be nested after a patch, in levels. JSON readers (serde_json's among them) stop at 128.
pub(crate) const DEPTH_MAX: usize = 120;

/// The format of a patch, as its media type says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// A list of operations (RFC 6902).
    Json,
    /// An object that is laid over the current one, `null` removes (RFC 7396).
    Merge,
    /// As [`Format::Merge`], with lists merged by their keys where the kind says so.
    Strategic,
}

impl Format {
    /// The media types of the formats that are served, for the text of a 415.
    pub(crate) const MEDIA_TYPES: [&'static str; 3] = [
        "application/json-patch+json",
        "application/merge-patch+json",
        "application/strategic-merge-patch+json",
    ];

    /// The format of a `Content-Type`; parameters such as `charset` are ignored. `None`: not a patch format that is served.
    pub(crate) fn from_content_type(content_type: &str) -> Option<Self> {
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        match essence.to_ascii_lowercase().as_str() {
            "application/json-patch+json" => Some(Self::Json),
            "application/merge-patch+json" => Some(Self::Merge),
            "application/strategic-merge-patch+json" => Some(Self::Strategic),
            _ => None,
        }
    }
}

/// Why a patch could not be applied; the current object is untouched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PatchError {
    /// The patch is not a patch of its format: HTTP 400, reason `BadRequest`.
    #[error("{0}")]
    Malformed(String),
    /// The patch is well formed and does not fit the object: HTTP 422, reason `Invalid`.
    #[error("{0}")]
    Unprocessable(String),
    /// The patch asks for more work than is allowed: HTTP 413, reason `RequestEntityTooLarge`.
    #[error("{0}")]
    TooLarge(String),
}

/// Applies `patch` to `current`, an object of `kind`, and returns the whole new object.
///
/// # Errors
///
/// [`PatchError`] with the path at fault; see its variants for the HTTP status each is.
pub(crate) fn apply(
    kind: &Kind,
    format: Format,
    current: &Value,
    patch: &Value,
) -> Result<Value, PatchError> {
    let patched = match format {
        Format::Json => json_patch::apply(current.clone(), patch)?,
        Format::Merge => {
            object_only(patch)?;
            merge::apply(current.clone(), patch)
        }
        Format::Strategic => {
            object_only(patch)?;
            strategic::apply(kind, current.clone(), patch)?
        }
    };
    if !patched.is_object() {
        return Err(PatchError::Unprocessable(format!(
            "the patch would turn the {} into {}; an object is needed",
            kind.kind,
            type_name(&patched)
        )));
    }
    Ok(patched)
}

fn object_only(patch: &Value) -> Result<(), PatchError> {
    if patch.is_object() {
        Ok(())
    } else {
        Err(PatchError::Malformed(format!(
            "the patch must be a JSON object, not {}",
            type_name(patch)
        )))
    }
}

/// What a JSON value is, with its article, for messages.
fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use manifest::kind::KindId;
    use serde_json::json;

    #[test]
    fn formats_by_media_type() {
        let check = |content_type: &str, format: Option<Format>| {
            assert_eq!(Format::from_content_type(content_type), format, "{content_type}");
        };
        check("application/json-patch+json", Some(Format::Json));
        check("application/merge-patch+json; charset=utf-8", Some(Format::Merge));
        check("Application/Strategic-Merge-Patch+JSON", Some(Format::Strategic));
        check("application/apply-patch+yaml", None);
        check("application/json", None);
        check("", None);
        for media_type in Format::MEDIA_TYPES {
            assert!(Format::from_content_type(media_type).is_some(), "{media_type}");
        }
    }

    #[test]
    fn each_format_merges_lists_its_own_way() {
        let service = json!({"spec": {"ports": [{"port": 80}, {"port": 443}]}});
        let check = |format: Format, patch: Value, ports: Value| {
            let patched = apply(Kind::of(KindId::Service), format, &service, &patch);
            assert_eq!(patched, Ok(json!({"spec": {"ports": ports}})), "{format:?}");
        };
        let named = json!({"spec": {"ports": [{"port": 80, "name": "http"}]}});
        check(Format::Merge, named.clone(), json!([{"port": 80, "name": "http"}]));
        check(Format::Strategic, named, json!([{"port": 80, "name": "http"}, {"port": 443}]));
        let operation = json!([{"op": "add", "path": "/spec/ports/1/name", "value": "https"}]);
        check(Format::Json, operation, json!([{"port": 80}, {"port": 443, "name": "https"}]));
    }

    #[test]
    fn only_an_object_comes_out() {
        let check = |format: Format, patch: Value, error: PatchError| {
            assert_eq!(apply(Kind::of(KindId::Service), format, &json!({}), &patch), Err(error));
        };
        let text = "the patch must be a JSON object, not a list";
        check(Format::Merge, json!([]), PatchError::Malformed(text.to_owned()));
        check(Format::Strategic, json!([]), PatchError::Malformed(text.to_owned()));
        let text = "the patch would turn the Service into null; an object is needed";
        let remove = json!([{"op": "remove", "path": ""}]);
        check(Format::Json, remove, PatchError::Unprocessable(text.to_owned()));
    }
}
