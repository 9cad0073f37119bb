//! Request bodies in Kubernetes' protobuf form, turned into the JSON they stand for.
//!
//! kubectl's typed `create` verbs and clients in Go send `application/vnd.kubernetes.protobuf`: the four bytes
//! `k8s\0`, then a `runtime.Unknown` message that names apiVersion and kind and holds the object's own message.
//! Answers are always JSON, which those clients accept.
//!
//! The messages are a table (`messages.txt`); a new kind is a few lines there.

mod decode;
mod schema;
mod wire;

use serde_json::{Map, Value};

use decode::Decoder;
use wire::{Payload, Reader};

/// The media type of such bodies.
pub(crate) const MEDIA_TYPE: &str = "application/vnd.kubernetes.protobuf";

const MAGIC: &[u8; 4] = b"k8s\0";

/// Why a body could not be decoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DecodeError {
    /// The body does not begin with `k8s\0`.
    #[error("it does not begin with the four bytes of Kubernetes' protobuf form")]
    NotKubernetes,
    /// The body is no protobuf message of its kind.
    #[error("{0}")]
    Malformed(&'static str),
    /// The same, with the field it is about.
    #[error("{field}: {why}")]
    Field {
        /// The path of JSON names.
        field: String,
        /// What is wrong.
        why: &'static str,
    },
    /// The kind is not served.
    #[error("no kind \"{kind}\" is registered for version \"{api_version}\"")]
    UnknownKind {
        /// As the body says.
        api_version: String,
        /// As the body says.
        kind: String,
    },
    /// It holds more than this many values.
    #[error("it holds more than {0} values")]
    TooLarge(usize),
}

impl DecodeError {
    fn below(self, name: &str) -> Self {
        match self {
            Self::Malformed(why) => Self::Field { field: name.to_owned(), why },
            Self::Field { field, why } => Self::Field { field: format!("{name}.{field}"), why },
            other => other,
        }
    }
}

/// Decodes a body. `expected` is apiVersion and kind for a body that names neither.
///
/// # Errors
///
/// [`DecodeError`]; bytes of any kind are an error at worst.
pub(crate) fn decode(body: &[u8], expected: (&str, &str)) -> Result<Value, DecodeError> {
    let unknown = body.strip_prefix(MAGIC).ok_or(DecodeError::NotKubernetes)?;
    let (mut api_version, mut kind) = (String::new(), String::new());
    let (mut raw, mut content_type): (&[u8], String) = (&[], String::new());
    let mut reader = Reader::new(unknown);
    while let Some((number, payload)) = reader.field()? {
        let Payload::Bytes(bytes) = payload else { continue };
        match number {
            1 => {
                let mut reader = Reader::new(bytes);
                while let Some((number, payload)) = reader.field()? {
                    match (number, payload) {
                        (1, Payload::Bytes(bytes)) => api_version = text(bytes)?,
                        (2, Payload::Bytes(bytes)) => kind = text(bytes)?,
                        _ => {}
                    }
                }
            }
            2 => raw = bytes,
            3 if !bytes.is_empty() => {
                return Err(DecodeError::Malformed("its content encoding is not supported"));
            }
            4 => content_type = text(bytes)?,
            _ => {}
        }
    }
    if !matches!(content_type.as_str(), "" | MEDIA_TYPE) {
        return Err(DecodeError::Malformed("its content type is not supported"));
    }
    if api_version.is_empty() && kind.is_empty() {
        (api_version, kind) = (expected.0.to_owned(), expected.1.to_owned());
    }
    // DeleteOptions belong to every group and version.
    let section = if kind == "DeleteOptions" { schema::META } else { &api_version };
    let Some(message) = schema::root(section, &kind) else {
        return Err(DecodeError::UnknownKind { api_version, kind });
    };
    let mut object = Map::new();
    object.insert("apiVersion".to_owned(), api_version.into());
    object.insert("kind".to_owned(), kind.into());
    Decoder::default().message(message, raw, &mut object)?;
    Ok(Value::Object(object))
}

fn text(bytes: &[u8]) -> Result<String, DecodeError> {
    let text = str::from_utf8(bytes).map_err(|_| DecodeError::Malformed("a text is not UTF-8"))?;
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests;
