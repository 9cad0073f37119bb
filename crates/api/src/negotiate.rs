//! Content negotiation: what the client accepts, and what it sends.

use http::HeaderMap;
use http::header::{ACCEPT, CONTENT_TYPE};

use crate::patch::Format;
use crate::protobuf;
use crate::status::{Reason, StatusError};

/// The form in which objects are answered. All forms are JSON; protobuf is never made, and clients that prefer it
/// also accept JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// As stored.
    Object,
    /// `Table` of `meta.k8s.io/v1`, made for people.
    Table,
    /// `PartialObjectMetadata` of `meta.k8s.io/v1`.
    Metadata,
}

impl Form {
    /// The first acceptable form that the `Accept` header names; quality values are not weighed, as in Kubernetes.
    pub(crate) fn accepted(headers: &HeaderMap) -> Result<Self, StatusError> {
        let mut named = false;
        for header in headers.get_all(ACCEPT) {
            let Ok(header) = header.to_str() else { continue };
            for range in header.split(',').map(str::trim).filter(|range| !range.is_empty()) {
                named = true;
                if let Some(form) = Self::of_range(range) {
                    return Ok(form);
                }
            }
        }
        if !named {
            return Ok(Self::Object);
        }
        Err(StatusError::new(
            Reason::NotAcceptable,
            "only the following media types are accepted: application/json, \
             application/json;as=Table;v=v1;g=meta.k8s.io, \
             application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io, \
             application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io",
        ))
    }

    fn of_range(range: &str) -> Option<Self> {
        let mut parts = range.split(';').map(str::trim);
        if !matches!(parts.next()?, "application/json" | "*/*" | "application/*") {
            return None;
        }
        let (mut kind, mut version, mut group) = (None, None, None);
        for part in parts {
            match part.split_once('=') {
                Some(("as", value)) => kind = Some(value),
                Some(("v", value)) => version = Some(value),
                Some(("g", value)) => group = Some(value),
                _ => {}
            }
        }
        match (kind, version, group) {
            (None, ..) => Some(Self::Object),
            (Some("Table"), Some("v1"), Some("meta.k8s.io")) => Some(Self::Table),
            (
                Some("PartialObjectMetadata" | "PartialObjectMetadataList"),
                Some("v1"),
                Some("meta.k8s.io"),
            ) => Some(Self::Metadata),
            _ => None,
        }
    }
}

fn media_type(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    Some(value.split(';').next().unwrap_or("").trim())
}

fn unsupported(accepted: &str, got: &str) -> StatusError {
    let message = format!(
        "the body of the request was in an unknown format - accepted media types include: {accepted} (got \"{got}\")"
    );
    StatusError::new(Reason::UnsupportedMediaType, message)
}

const JSON: &str = "application/json";
const YAML: &str = "application/yaml";
/// Server-side apply.
const APPLY: &str = "application/apply-patch+yaml";

/// In which format the body of a write is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyFormat {
    Json,
    Yaml,
    Protobuf,
}

impl BodyFormat {
    /// From the content type; a missing one means JSON.
    pub(crate) fn sent(headers: &HeaderMap) -> Result<Self, StatusError> {
        match media_type(headers) {
            None | Some("" | JSON) => Ok(Self::Json),
            Some(YAML) => Ok(Self::Yaml),
            Some(protobuf::MEDIA_TYPE) => Ok(Self::Protobuf),
            Some(other) => Err(unsupported(&[JSON, YAML, protobuf::MEDIA_TYPE].join(", "), other)),
        }
    }
}

/// Whether a patch is a server-side apply.
pub(crate) fn is_apply(headers: &HeaderMap) -> bool {
    media_type(headers) == Some(APPLY)
}

/// The format of a patch that is no server-side apply, from the content type.
pub(crate) fn patch_format(headers: &HeaderMap) -> Result<Format, StatusError> {
    let sent = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    Format::from_content_type(sent).ok_or_else(|| {
        let formats = Format::MEDIA_TYPES.into_iter().chain([APPLY]);
        unsupported(&formats.collect::<Vec<_>>().join(", "), sent)
    })
}
