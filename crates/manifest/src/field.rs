//! Errors in fields, in Kubernetes' words.
//!
//! The types and texts follow `apimachinery/pkg/util/validation/field`, so that kubectl and people see what
//! they know.

use std::fmt;

use serde_json::Value;

/// The place of a field: `spec.ports[0].port`, `metadata.labels[app]`.
///
/// A path borrows its parent; text is made only when an error needs it.
#[derive(Clone, Copy, Debug)]
pub struct FieldPath<'a> {
    parent: Option<&'a FieldPath<'a>>,
    segment: Segment<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Segment<'a> {
    /// The object itself: no text.
    Root,
    Child(&'a str),
    Index(usize),
    Key(&'a str),
}

impl<'a> FieldPath<'a> {
    /// The object itself.
    pub const ROOT: FieldPath<'static> = FieldPath { parent: None, segment: Segment::Root };

    /// A path that begins with `name`.
    pub const fn new(name: &'a str) -> Self {
        Self { parent: None, segment: Segment::Child(name) }
    }

    /// The field `name` of this object: `self.name`.
    pub const fn child<'b>(&'b self, name: &'b str) -> FieldPath<'b>
    where
        'a: 'b,
    {
        FieldPath { parent: Some(self), segment: Segment::Child(name) }
    }

    /// The element of this list: `self[index]`.
    pub const fn index<'b>(&'b self, index: usize) -> FieldPath<'b>
    where
        'a: 'b,
    {
        FieldPath { parent: Some(self), segment: Segment::Index(index) }
    }

    /// The entry of this map: `self[key]`.
    pub const fn key<'b>(&'b self, key: &'b str) -> FieldPath<'b>
    where
        'a: 'b,
    {
        FieldPath { parent: Some(self), segment: Segment::Key(key) }
    }

    /// The path as a JSON pointer (RFC 6901).
    pub(crate) fn pointer(&self) -> String {
        let mut text = self.parent.map(FieldPath::pointer).unwrap_or_default();
        match self.segment {
            Segment::Root => {}
            Segment::Child(name) | Segment::Key(name) => {
                text.push('/');
                text.push_str(&name.replace('~', "~0").replace('/', "~1"));
            }
            Segment::Index(index) => {
                text.push('/');
                text.push_str(&index.to_string());
            }
        }
        text
    }
}

impl fmt::Display for FieldPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let after_text = match self.parent {
            None => false,
            Some(parent) => {
                parent.fmt(f)?;
                !matches!(parent.segment, Segment::Root)
            }
        };
        match self.segment {
            Segment::Root => Ok(()),
            Segment::Child(name) if after_text => write!(f, ".{name}"),
            Segment::Child(name) => f.write_str(name),
            Segment::Index(index) => write!(f, "[{index}]"),
            Segment::Key(key) => write!(f, "[{key}]"),
        }
    }
}

/// What kind of error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorType {
    /// A referenced thing does not exist.
    NotFound,
    /// A value is missing.
    Required,
    /// A value that must be unique is there twice.
    Duplicate,
    /// A value is malformed or does not fit.
    Invalid,
    /// A value is not one of the known ones.
    NotSupported,
    /// The field may not be set here.
    Forbidden,
    /// A text is too long.
    TooLong,
    /// A list has too many items.
    TooMany,
    /// The server's own fault.
    Internal,
    /// A value has the wrong type.
    TypeInvalid,
}

impl ErrorType {
    /// The `reason` of a Status cause.
    pub fn reason(self) -> &'static str {
        match self {
            Self::NotFound => "FieldValueNotFound",
            Self::Required => "FieldValueRequired",
            Self::Duplicate => "FieldValueDuplicate",
            Self::Invalid => "FieldValueInvalid",
            Self::NotSupported => "FieldValueNotSupported",
            Self::Forbidden => "FieldValueForbidden",
            Self::TooLong => "FieldValueTooLong",
            Self::TooMany => "FieldValueTooMany",
            Self::Internal => "InternalError",
            Self::TypeInvalid => "FieldValueTypeInvalid",
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::NotFound => "Not found",
            Self::Required => "Required value",
            Self::Duplicate => "Duplicate value",
            Self::Invalid | Self::TypeInvalid => "Invalid value",
            Self::NotSupported => "Unsupported value",
            Self::Forbidden => "Forbidden",
            Self::TooLong => "Too long",
            Self::TooMany => "Too many",
            Self::Internal => "Internal error",
        }
    }
}

/// One error in one field. Its `Display` is Kubernetes' text: `spec.ports: Required value`.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldError {
    /// What kind of error.
    pub error_type: ErrorType,
    /// The field's path: `spec.ports[0].port`; empty for the object itself.
    pub field: String,
    /// The value at fault, where the text shows it.
    pub value: Option<Value>,
    /// What is wrong or what would be right; may be empty.
    pub detail: String,
}

impl FieldError {
    fn new(
        error_type: ErrorType,
        field: &FieldPath<'_>,
        value: Option<Value>,
        detail: impl Into<String>,
    ) -> Self {
        Self { error_type, field: field.to_string(), value, detail: detail.into() }
    }

    /// `field: Required value: detail`
    pub fn required(field: &FieldPath<'_>, detail: impl Into<String>) -> Self {
        Self::new(ErrorType::Required, field, None, detail)
    }

    /// `field: Invalid value: value: detail`
    pub fn invalid(
        field: &FieldPath<'_>,
        value: impl Into<Value>,
        detail: impl Into<String>,
    ) -> Self {
        Self::new(ErrorType::Invalid, field, Some(value.into()), detail)
    }

    /// `field: Duplicate value: value`
    pub fn duplicate(field: &FieldPath<'_>, value: impl Into<Value>) -> Self {
        Self::new(ErrorType::Duplicate, field, Some(value.into()), "")
    }

    /// `field: Forbidden: detail`
    pub fn forbidden(field: &FieldPath<'_>, detail: impl Into<String>) -> Self {
        Self::new(ErrorType::Forbidden, field, None, detail)
    }

    /// `field: Unsupported value: value: supported values: "A", "B"`
    pub fn not_supported(
        field: &FieldPath<'_>,
        value: impl Into<Value>,
        supported: &[&str],
    ) -> Self {
        let list: Vec<String> = supported.iter().map(|value| format!("{value:?}")).collect();
        let detail = if list.is_empty() {
            String::new()
        } else {
            format!("supported values: {}", list.join(", "))
        };
        Self::new(ErrorType::NotSupported, field, Some(value.into()), detail)
    }

    /// `field: Not found: value`
    pub fn not_found(field: &FieldPath<'_>, value: impl Into<Value>) -> Self {
        Self::new(ErrorType::NotFound, field, Some(value.into()), "")
    }

    /// `field: Too long: may not be more than 63 bytes`
    pub fn too_long(field: &FieldPath<'_>, bytes_max: usize) -> Self {
        let unit = if bytes_max == 1 { "byte" } else { "bytes" };
        let detail = format!("may not be more than {bytes_max} {unit}");
        Self::new(ErrorType::TooLong, field, None, detail)
    }

    /// `field: Too many: 101: must have at most 100 items`
    pub fn too_many(field: &FieldPath<'_>, actual: usize, items_max: usize) -> Self {
        let unit = if items_max == 1 { "item" } else { "items" };
        let detail = format!("must have at most {items_max} {unit}");
        Self::new(ErrorType::TooMany, field, Some(actual.into()), detail)
    }

    /// `field: detail`: the value has the wrong type; `detail` says what was expected and what is there.
    pub fn wrong_type(field: &FieldPath<'_>, value: Value, detail: impl Into<String>) -> Self {
        Self::new(ErrorType::TypeInvalid, field, Some(value), detail)
    }

    /// `field: Internal error: detail`
    pub fn internal(field: &FieldPath<'_>, detail: impl Into<String>) -> Self {
        Self::new(ErrorType::Internal, field, None, detail)
    }

    /// The `reason` of a Status cause.
    pub fn reason(&self) -> &'static str {
        self.error_type.reason()
    }

    /// The text without the field: the `message` of a Status cause.
    pub fn body(&self) -> String {
        let head = match self.error_type {
            // "expected a string, got the number 1" says it all.
            ErrorType::TypeInvalid => return self.detail.clone(),
            ErrorType::Required
            | ErrorType::Forbidden
            | ErrorType::TooLong
            | ErrorType::Internal => self.error_type.text().to_owned(),
            ErrorType::NotFound
            | ErrorType::Duplicate
            | ErrorType::Invalid
            | ErrorType::NotSupported
            | ErrorType::TooMany => match &self.value {
                None => self.error_type.text().to_owned(),
                Some(Value::Null) => format!("{}: null", self.error_type.text()),
                Some(value) => format!("{}: {value}", self.error_type.text()),
            },
        };
        if self.detail.is_empty() { head } else { format!("{head}: {}", self.detail) }
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.field.is_empty() {
            f.write_str(&self.body())
        } else {
            write!(f, "{}: {}", self.field, self.body())
        }
    }
}

impl std::error::Error for FieldError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_those_of_kubernetes() {
        let spec = FieldPath::new("spec");
        let ports = spec.child("ports");
        let check = |error: FieldError, expected: &str| assert_eq!(error.to_string(), expected);
        check(FieldError::required(&ports, ""), "spec.ports: Required value");
        check(
            FieldError::invalid(
                &ports.index(0).child("port"),
                70000,
                "must be between 1 and 65535, inclusive",
            ),
            "spec.ports[0].port: Invalid value: 70000: must be between 1 and 65535, inclusive",
        );
        check(
            FieldError::not_supported(&spec.child("type"), "Foo", &["ClusterIP", "NodePort"]),
            "spec.type: Unsupported value: \"Foo\": supported values: \"ClusterIP\", \"NodePort\"",
        );
        check(
            FieldError::duplicate(&ports.index(1).child("name"), "a"),
            "spec.ports[1].name: Duplicate value: \"a\"",
        );
        check(FieldError::forbidden(&spec, "no"), "spec: Forbidden: no");
        check(
            FieldError::too_long(&FieldPath::new("metadata").child("name"), 63),
            "metadata.name: Too long: may not be more than 63 bytes",
        );
        check(
            FieldError::too_many(&ports, 101, 100),
            "spec.ports: Too many: 101: must have at most 100 items",
        );
        check(FieldError::not_found(&spec, "x"), "spec: Not found: \"x\"");
        check(
            FieldError::wrong_type(&spec, Value::from(1), "expected an object, got the number 1"),
            "spec: expected an object, got the number 1",
        );
        check(FieldError::required(&FieldPath::ROOT.child("spec"), ""), "spec: Required value");
    }

    #[test]
    fn a_path_is_also_a_pointer() {
        let metadata = FieldPath::ROOT.child("metadata");
        let annotations = metadata.child("annotations");
        assert_eq!(annotations.key("a/b~c").pointer(), "/metadata/annotations/a~1b~0c");
        assert_eq!(annotations.key("a/b").to_string(), "metadata.annotations[a/b]");
        assert_eq!(FieldPath::new("x").index(3).pointer(), "/x/3");
    }
}
