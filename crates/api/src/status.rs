//! Failures as Kubernetes' `Status` objects: code, reason, message, details with causes.
//!
//! The texts are those of the Kubernetes API server (`k8s.io/apimachinery/pkg/api/errors`), since people and
//! scripts search for them.

use manifest::field::{FieldError, FieldPath};
use manifest::kind::Kind;
use serde_json::{Map, Value, json};

use crate::store::WriteError;

/// `reason` of a `Status`, the machine-readable cause of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Reason {
    BadRequest,
    Unauthorized,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    NotAcceptable,
    AlreadyExists,
    Conflict,
    Expired,
    RequestEntityTooLarge,
    UnsupportedMediaType,
    Invalid,
    TooManyRequests,
    InternalError,
    NotImplemented,
    Timeout,
}

impl Reason {
    /// The HTTP status code that goes with the reason.
    pub(crate) fn code(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::Unauthorized => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::NotAcceptable => 406,
            Self::AlreadyExists | Self::Conflict => 409,
            Self::Expired => 410,
            Self::RequestEntityTooLarge => 413,
            Self::UnsupportedMediaType => 415,
            Self::Invalid => 422,
            Self::TooManyRequests => 429,
            Self::InternalError => 500,
            Self::NotImplemented => 501,
            Self::Timeout => 504,
        }
    }

    /// The reason as written in `Status.reason`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::BadRequest => "BadRequest",
            Self::Unauthorized => "Unauthorized",
            Self::Forbidden => "Forbidden",
            Self::NotFound => "NotFound",
            Self::MethodNotAllowed => "MethodNotAllowed",
            Self::NotAcceptable => "NotAcceptable",
            Self::AlreadyExists => "AlreadyExists",
            Self::Conflict => "Conflict",
            Self::Expired => "Expired",
            Self::RequestEntityTooLarge => "RequestEntityTooLarge",
            Self::UnsupportedMediaType => "UnsupportedMediaType",
            Self::Invalid => "Invalid",
            Self::TooManyRequests => "TooManyRequests",
            Self::InternalError => "InternalError",
            Self::NotImplemented => "NotImplemented",
            Self::Timeout => "Timeout",
        }
    }
}

/// One of `details.causes`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// For example `FieldValueRequired`.
    pub reason: &'static str,
    /// What is wrong, without the field.
    pub message: String,
    /// The field's path; empty when the cause is about no field.
    pub field: String,
}

/// `details` of a `Status`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Details {
    /// The object's name.
    pub name: String,
    /// The API group; empty for the core group.
    pub group: &'static str,
    /// The resource (`services`), or for [`Reason::Invalid`] the kind (`Service`).
    pub kind: String,
    /// The parts of the failure.
    pub causes: Vec<Cause>,
    /// After how many seconds a retry makes sense.
    pub retry_after_seconds: Option<u32>,
}

/// A request that failed, as the client is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusError {
    /// Why, for programs.
    pub reason: Reason,
    /// Why, for people.
    pub message: String,
    /// About which object and fields.
    pub details: Option<Box<Details>>,
    /// A fresh `continue` token, where the failure is that the given one expired.
    pub continue_token: Option<String>,
    /// For the answer's `Warning` headers.
    pub warnings: Vec<String>,
}

impl std::fmt::Display for StatusError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for StatusError {}

impl StatusError {
    /// A failure without details.
    pub(crate) fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
            details: None,
            continue_token: None,
            warnings: Vec::new(),
        }
    }

    /// The same failure, with what else the client should hear.
    pub(crate) fn with_warnings(self, warnings: &[String]) -> Self {
        Self { warnings: warnings.to_vec(), ..self }
    }

    fn about(reason: Reason, kind: &Kind, name: &str, message: String) -> Self {
        let details = Details {
            name: name.to_owned(),
            group: kind.stored_as().group,
            kind: kind.plural.to_owned(),
            ..Details::default()
        };
        Self { details: Some(Box::new(details)), ..Self::new(reason, message) }
    }

    pub(crate) fn with_cause(mut self, reason: &'static str, message: &str, field: &str) -> Self {
        let cause = Cause { reason, message: message.to_owned(), field: field.to_owned() };
        self.details.get_or_insert_default().causes.push(cause);
        self
    }

    /// 400: the request cannot be understood.
    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(Reason::BadRequest, message)
    }

    /// 401: no or wrong credentials.
    pub(crate) fn unauthorized() -> Self {
        Self::new(Reason::Unauthorized, "Unauthorized")
    }

    /// 403: understood, and refused.
    pub(crate) fn forbidden(kind: &Kind, name: &str, why: impl std::fmt::Display) -> Self {
        let message = format!("{} \"{name}\" is forbidden: {why}", kind.resource());
        Self::about(Reason::Forbidden, kind, name, message)
    }

    /// 403: the namespace is going away.
    pub(crate) fn namespace_terminating(kind: &Kind, name: &str, namespace: &str) -> Self {
        let why = format!(
            "unable to create new content in namespace {namespace} because it is being terminated"
        );
        Self::forbidden(kind, name, why).with_cause(
            "NamespaceTerminating",
            &format!("namespace {namespace} is being terminated"),
            "metadata.namespace",
        )
    }

    /// 404: no such object.
    pub(crate) fn not_found(kind: &Kind, name: &str) -> Self {
        let message = format!("{} \"{name}\" not found", kind.resource());
        Self::about(Reason::NotFound, kind, name, message)
    }

    /// 400: a body is no object of the kind.
    pub(crate) fn undecodable(kind: &Kind, error: &str) -> Self {
        let Kind { kind, version, .. } = kind;
        Self::bad_request(format!(
            "{kind} in version \"{version}\" cannot be handled as a {kind}: {error}"
        ))
    }

    /// 404: no such resource; `served` says which there are.
    pub(crate) fn unknown_resource(served: &str) -> Self {
        let mut error = Self::unknown_path();
        error.message.push_str(&format!(" ({served})"));
        error
    }

    /// 404: no such path.
    pub(crate) fn unknown_path() -> Self {
        let error = Self::new(Reason::NotFound, "the server could not find the requested resource");
        error.with_cause("UnexpectedServerResponse", "404 page not found", "")
    }

    /// 405: the resource exists and does not know this method.
    pub(crate) fn method_not_allowed() -> Self {
        Self::new(
            Reason::MethodNotAllowed,
            "the server does not allow this method on the requested resource",
        )
    }

    /// 409: an object of that name exists.
    pub(crate) fn already_exists(kind: &Kind, name: &str) -> Self {
        let message = format!("{} \"{name}\" already exists", kind.resource());
        Self::about(Reason::AlreadyExists, kind, name, message)
    }

    /// 409: a precondition does not hold; `why` completes the sentence.
    pub(crate) fn conflict(kind: &Kind, name: &str, why: impl std::fmt::Display) -> Self {
        let message =
            format!("Operation cannot be fulfilled on {} \"{name}\": {why}", kind.resource());
        Self::about(Reason::Conflict, kind, name, message)
    }

    /// 409: a precondition of a deletion does not hold. Kubernetes names the kind here, not the resource.
    pub(crate) fn precondition(kind: &Kind, name: &str, why: impl std::fmt::Display) -> Self {
        let qualified = qualified(kind.group, kind.kind);
        let message = format!("Operation cannot be fulfilled on {qualified} \"{name}\": {why}");
        let mut error = Self::about(Reason::Conflict, kind, name, message);
        error.details.get_or_insert_default().kind = kind.kind.to_owned();
        error
    }

    /// 409: the object is no longer at the given resourceVersion.
    pub(crate) fn modified(kind: &Kind, name: &str) -> Self {
        Self::conflict(
            kind,
            name,
            "the object has been modified; please apply your changes to the latest version and try again",
        )
    }

    /// 410: the resourceVersion lies outside the history that is kept.
    pub(crate) fn expired(message: impl Into<String>) -> Self {
        Self::new(Reason::Expired, message)
    }

    /// 413: the body is larger than the server reads.
    pub(crate) fn too_large(limit_bytes: usize) -> Self {
        let message = format!("Request entity too large: limit is {limit_bytes}");
        Self::new(Reason::RequestEntityTooLarge, message)
    }

    /// 429: the server has no room; `what` completes the sentence.
    pub(crate) fn too_many_requests(what: impl std::fmt::Display) -> Self {
        let message = format!("Too many requests, please try again later: {what}");
        let mut error = Self::new(Reason::TooManyRequests, message);
        error.details.get_or_insert_default().retry_after_seconds = Some(1);
        error
    }

    /// 422: fields of the object are at fault.
    pub(crate) fn invalid(kind: &Kind, name: &str, errors: &[FieldError]) -> Self {
        Self::invalid_fields(kind.stored_as().group, kind.kind, name, errors)
    }

    /// 422 for what is no stored kind, such as `DeleteOptions` and `Scale`.
    pub(crate) fn invalid_fields(
        group: &'static str,
        kind: &str,
        name: &str,
        errors: &[FieldError],
    ) -> Self {
        let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
        let list = match texts.as_slice() {
            [one] => one.clone(),
            several => format!("[{}]", several.join(", ")),
        };
        let message = format!("{} \"{name}\" is invalid: {list}", qualified(group, kind));
        let causes = errors
            .iter()
            .map(|error| Cause {
                reason: error.reason(),
                message: error.body(),
                field: error.field.clone(),
            })
            .collect();
        let details = Details {
            name: name.to_owned(),
            group,
            kind: kind.to_owned(),
            causes,
            retry_after_seconds: None,
        };
        Self { details: Some(Box::new(details)), ..Self::new(Reason::Invalid, message) }
    }

    /// 422: a patch that makes an object of the wrong shape. Kubernetes says that the patch is what is invalid.
    pub(crate) fn invalid_patch(patch: &str, why: &str) -> Self {
        let error = FieldError::invalid(&FieldPath::new("patch"), patch, why);
        Self::invalid_fields("", "", "", &[error])
    }

    /// 504: the asked resourceVersion lies in the future.
    pub(crate) fn too_large_resource_version(asked: u64, current: u64) -> Self {
        let message = format!("Timeout: Too large resource version: {asked}, current: {current}");
        let mut error = Self::new(Reason::Timeout, message).with_cause(
            "ResourceVersionTooLarge",
            "Too large resource version",
            "",
        );
        error.details.get_or_insert_default().retry_after_seconds = Some(1);
        error
    }

    /// What a failed write tells the client; a conflict here is one that retrying did not settle.
    pub(crate) fn write(kind: &Kind, name: &str, error: WriteError) -> Self {
        match error {
            WriteError::Conflict(_) => Self::modified(kind, name),
            WriteError::Storage(what) => {
                Self::new(Reason::InternalError, format!("Internal error occurred: {what}"))
            }
        }
    }

    /// The HTTP status code.
    pub(crate) fn code(&self) -> u16 {
        self.reason.code()
    }

    /// The `Status` object.
    pub(crate) fn to_value(&self) -> Value {
        let Self { reason, message, details, continue_token, warnings: _ } = self;
        let metadata = match continue_token {
            Some(token) => json!({ "continue": token }),
            None => json!({}),
        };
        let mut status = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": metadata,
            "status": "Failure",
            "message": message,
            "reason": reason.as_str(),
            "code": reason.code(),
        });
        if let Some(details) = details {
            status["details"] = details.to_value();
        }
        status
    }
}

/// `KIND.GROUP`; the kind alone in the core group.
fn qualified(group: &str, kind: &str) -> String {
    if group.is_empty() { kind.to_owned() } else { format!("{kind}.{group}") }
}

impl Details {
    fn to_value(&self) -> Value {
        let Self { name, group, kind, causes, retry_after_seconds } = self;
        let mut out = Map::new();
        for (field, value) in [("name", name.as_str()), ("group", group), ("kind", kind)] {
            if !value.is_empty() {
                out.insert(field.to_owned(), value.into());
            }
        }
        if !causes.is_empty() {
            let causes = causes.iter().map(|Cause { reason, message, field }| {
                let mut cause = json!({ "reason": reason, "message": message });
                if !field.is_empty() {
                    cause["field"] = field.as_str().into();
                }
                cause
            });
            out.insert("causes".to_owned(), causes.collect());
        }
        if let Some(seconds) = retry_after_seconds {
            out.insert("retryAfterSeconds".to_owned(), (*seconds).into());
        }
        Value::Object(out)
    }
}
