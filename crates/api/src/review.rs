//! Reviews: what the client may do, and who it is. They are answered, never stored.
//!
//! Whoever gets here has the token, or is a client in the same process: both may do everything, as members of
//! `system:masters` may in Kubernetes.

use manifest::field::{FieldError, FieldPath};
use serde_json::{Value, json};

use crate::object;
use crate::status::StatusError;

/// The name of the only user: the bearer of the token, as the kubeconfig names it.
pub(crate) const USER: &str = "headcount";

/// The groups of the only user.
pub(crate) const GROUPS: [&str; 2] = ["system:masters", "system:authenticated"];

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    /// May I do this?
    Access,
    /// What may I do in a namespace?
    Rules,
    /// Who am I?
    Identity,
}

/// A resource that can only be created, and answers its question.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Review {
    /// What is asked.
    pub question: Question,
    /// The API group.
    pub group: &'static str,
    /// The resource's name in URLs.
    pub plural: &'static str,
    /// The singular name.
    pub singular: &'static str,
    /// The kind.
    pub kind: &'static str,
    /// Group and version.
    pub api_version: &'static str,
}

/// The version of all reviews.
pub(crate) const VERSION: &str = "v1";

static REVIEWS: [Review; 3] = [
    Review {
        question: Question::Access,
        group: "authorization.k8s.io",
        plural: "selfsubjectaccessreviews",
        singular: "selfsubjectaccessreview",
        kind: "SelfSubjectAccessReview",
        api_version: "authorization.k8s.io/v1",
    },
    Review {
        question: Question::Rules,
        group: "authorization.k8s.io",
        plural: "selfsubjectrulesreviews",
        singular: "selfsubjectrulesreview",
        kind: "SelfSubjectRulesReview",
        api_version: "authorization.k8s.io/v1",
    },
    Review {
        question: Question::Identity,
        group: "authentication.k8s.io",
        plural: "selfsubjectreviews",
        singular: "selfsubjectreview",
        kind: "SelfSubjectReview",
        api_version: "authentication.k8s.io/v1",
    },
];

impl Review {
    /// All of them.
    pub(crate) fn all() -> &'static [Self] {
        &REVIEWS
    }

    /// The review at `/apis/GROUP/VERSION/PLURAL`.
    pub(crate) fn by_resource(group: &str, version: &str, plural: &str) -> Option<&'static Self> {
        let found = |review: &&Self| review.group == group && review.plural == plural;
        REVIEWS.iter().find(found).filter(|_| version == VERSION)
    }

    /// The review with its answer in `status`.
    ///
    /// # Errors
    ///
    /// When the body is no such review, or does not say what is asked.
    pub(crate) fn answer(&self, mut review: Value) -> Result<Value, StatusError> {
        object::check_type(&review, self.api_version, self.kind)?;
        let status = match self.question {
            Question::Access => self.access(&review)?,
            Question::Rules => rules(&review)?,
            Question::Identity => {
                json!({ "userInfo": { "username": USER, "groups": GROUPS } })
            }
        };
        review["apiVersion"] = self.api_version.into();
        review["kind"] = self.kind.into();
        if !review["metadata"].is_object() {
            review["metadata"] = json!({});
        }
        review["status"] = status;
        Ok(review)
    }

    fn access(&self, review: &Value) -> Result<Value, StatusError> {
        let spec = FieldPath::new("spec");
        let (resource, other) =
            (&review["spec"]["resourceAttributes"], &review["spec"]["nonResourceAttributes"]);
        let error = match (resource.is_object(), other.is_object()) {
            (true, false) | (false, true) => return Ok(json!({ "allowed": true })),
            (true, true) => FieldError::invalid(
                &spec.child("nonResourceAttributes"),
                other.clone(),
                "cannot be specified in combination with resourceAttributes",
            ),
            (false, false) => FieldError::invalid(
                &spec.child("resourceAttributes"),
                resource.clone(),
                "exactly one of nonResourceAttributes or resourceAttributes must be specified",
            ),
        };
        Err(StatusError::invalid_fields(self.group, self.kind, "", &[error]))
    }
}

fn rules(review: &Value) -> Result<Value, StatusError> {
    if review["spec"]["namespace"].as_str().is_none_or(str::is_empty) {
        return Err(StatusError::bad_request("no namespace on request"));
    }
    Ok(json!({
        "resourceRules": [{ "verbs": ["*"], "apiGroups": ["*"], "resources": ["*"] }],
        "nonResourceRules": [{ "verbs": ["*"], "nonResourceURLs": ["*"] }],
        "incomplete": false,
    }))
}
