//! Query parameters, and the `DeleteOptions` body, parsed into closed forms.

use std::str::FromStr;

use manifest::field::{FieldError, FieldPath};
use manifest::kind::Kind;
use serde_json::Value;

use crate::duplicates;
use crate::filter::Filter;
use crate::status::StatusError;
use crate::store::Revision;

/// The parameters of a query, decoded, in their order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// Parses `a=b&c=d`, percent-encoded.
    pub(crate) fn parse(text: &str) -> Result<Self, StatusError> {
        let mut parameters = Vec::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match (percent_decode(name, true), percent_decode(value, true)) {
                (Some(name), Some(value)) => parameters.push((name, value)),
                _ => {
                    let message = format!("invalid query parameter \"{pair}\"");
                    return Err(StatusError::bad_request(message));
                }
            }
        }
        Ok(Self(parameters))
    }

    /// The first parameter of that name; an empty one counts as absent.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(candidate, _)| candidate == name)?;
        (!value.is_empty()).then_some(value.as_str())
    }

    /// Every parameter of that name, empty ones too.
    pub(crate) fn every(&self, name: &str) -> impl Iterator<Item = &str> {
        let named = self.0.iter().filter(move |(candidate, _)| candidate == name);
        named.map(|(_, value)| value.as_str())
    }

    /// Every parameter of that name that is not empty.
    fn all(&self, name: &str) -> Vec<&str> {
        self.every(name).filter(|value| !value.is_empty()).collect()
    }

    /// A boolean parameter.
    pub(crate) fn flag(&self, name: &str) -> Result<Option<bool>, StatusError> {
        match self.0.iter().find(|(candidate, _)| candidate == name) {
            None => Ok(None),
            // `?watch` alone means true, as for any Go boolean parameter of this API.
            Some((_, value)) => match value.as_str() {
                "" | "1" | "true" | "True" | "TRUE" | "t" | "T" => Ok(Some(true)),
                "0" | "false" | "False" | "FALSE" | "f" | "F" => Ok(Some(false)),
                _ => Err(invalid_parameter(name, value, "must be true or false")),
            },
        }
    }

    fn number(&self, name: &str) -> Result<Option<u64>, StatusError> {
        self.parsed(name, "must be a number")
    }

    /// A parameter of another type; `why` says what that is.
    pub(crate) fn parsed<T: FromStr>(
        &self,
        name: &str,
        why: &str,
    ) -> Result<Option<T>, StatusError> {
        self.get(name)
            .map(|text| text.parse().map_err(|_| invalid_parameter(name, text, why)))
            .transpose()
    }
}

fn invalid_parameter(name: &str, value: &str, why: &str) -> StatusError {
    StatusError::bad_request(format!("invalid value \"{value}\" for parameter \"{name}\": {why}"))
}

/// Decodes `%XX` and, in queries, `+` for a space. `None` when the result is not UTF-8 or an escape is cut.
pub(crate) fn percent_decode(text: &str, plus_is_space: bool) -> Option<String> {
    if !text.contains(['%', '+']) {
        return Some(text.to_owned());
    }
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'%' => {
                let high = char::from(bytes.next()?).to_digit(16)?;
                let low = char::from(bytes.next()?).to_digit(16)?;
                u8::try_from(high * 16 + low).ok()?
            }
            b'+' if plus_is_space => b' ',
            other => other,
        });
    }
    String::from_utf8(out).ok()
}

/// How a list or watch relates to a resourceVersion (Kubernetes API concepts, "Resource versions").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum At {
    /// No resourceVersion: the newest state.
    Newest,
    /// `0`: any state will do; here that is the newest too.
    Any,
    /// At this revision or a newer one; for a watch, from this one on.
    NotOlderThan(Revision),
    /// At exactly this revision.
    Exact(Revision),
}

/// Parameters of list, watch and deletecollection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ListOptions {
    /// Which objects.
    pub filter: Filter,
    /// Which state.
    pub at: At,
    /// At most so many objects in one answer.
    pub limit: Option<usize>,
    /// Where an earlier answer ended.
    pub continue_token: Option<String>,
    /// Changes, not objects.
    pub watch: bool,
    /// Bookmarks now and then.
    pub bookmarks: bool,
    /// Begin a watch with the present objects and a bookmark that ends them.
    pub send_initial_events: bool,
    /// End a watch after so many seconds.
    pub timeout_seconds: Option<u64>,
}

impl ListOptions {
    /// Parses and checks the combination, as `ValidateListOptions` of Kubernetes does.
    pub(crate) fn parse(kind: &'static Kind, query: &Query) -> Result<Self, StatusError> {
        let watch = query.flag("watch")?.unwrap_or(false);
        let send_initial_events = query.flag("sendInitialEvents")?;
        let revision = query.number("resourceVersion")?;
        let rule = query.get("resourceVersionMatch");
        let continue_token = query.get("continue").map(str::to_owned);
        let mut errors = Vec::new();
        let mut forbid = |field: &str, why: &str| {
            errors.push(FieldError::forbidden(&FieldPath::new(field), why));
        };
        match (watch, send_initial_events, rule) {
            (false, Some(_), _) => {
                forbid("sendInitialEvents", "sendInitialEvents is forbidden for list");
            }
            (true, None, Some(_)) => forbid(
                "resourceVersionMatch",
                "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
            ),
            (true, Some(_), rule) if rule != Some("NotOlderThan") => forbid(
                "resourceVersionMatch",
                "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
            ),
            (false, None, Some(_)) if revision.is_none() => forbid(
                "resourceVersionMatch",
                "resourceVersionMatch is forbidden unless resourceVersion is provided",
            ),
            (false, None, Some(_)) if continue_token.is_some() => forbid(
                "resourceVersionMatch",
                "resourceVersionMatch is forbidden when continue is provided",
            ),
            (false, None, Some("Exact")) if revision == Some(0) => forbid(
                "resourceVersionMatch",
                "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"",
            ),
            (false, None, Some("Exact" | "NotOlderThan") | None) | (true, ..) => {}
            (false, None, Some(other)) => errors.push(FieldError::not_supported(
                &FieldPath::new("resourceVersionMatch"),
                other,
                &["Exact", "NotOlderThan"],
            )),
        }
        if !errors.is_empty() {
            return Err(StatusError::invalid_fields("meta.k8s.io", "ListOptions", "", &errors));
        }
        let limit = query.number("limit")?.filter(|limit| *limit > 0);
        if continue_token.is_some() && revision.is_some_and(|revision| revision > 0) {
            let message = "specifying resource version is not allowed when using continue";
            return Err(StatusError::bad_request(message));
        }
        Ok(Self {
            filter: Filter::parse(
                kind,
                query.get("labelSelector").unwrap_or(""),
                query.get("fieldSelector").unwrap_or(""),
            )?,
            at: match (revision, rule) {
                (None, _) => At::Newest,
                (Some(0), _) => At::Any,
                (Some(revision), Some("Exact")) => At::Exact(Revision(revision)),
                (Some(revision), _) => At::NotOlderThan(Revision(revision)),
            },
            limit: limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX)),
            continue_token,
            watch,
            bookmarks: query.flag("allowWatchBookmarks")?.unwrap_or(false),
            send_initial_events: send_initial_events.unwrap_or(false),
            timeout_seconds: query.number("timeoutSeconds")?.filter(|seconds| *seconds > 0),
        })
    }
}

/// What becomes of fields that the kind does not have, or that stand twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum FieldValidation {
    /// They are dropped.
    Ignore,
    /// They are dropped, and a warning says so.
    #[default]
    Warn,
    /// The request fails.
    Strict,
}

/// Parameters of create and update.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct WriteOptions {
    /// Do everything but keep it.
    pub dry_run: bool,
    /// Fields that are unknown or stand twice.
    pub field_validation: FieldValidation,
    /// The fields that stand twice in the body.
    pub duplicates: Vec<String>,
    /// Who will own the fields that are written; `None` for clients that do not name themselves.
    pub manager: Option<String>,
    /// Whether this is a server-side apply, which settles by itself who owns what.
    pub applies: bool,
}

/// How many unknown and duplicate fields are told; Kubernetes' bound.
pub(crate) const PROBLEMS_MAX: usize = 100;

/// The longest name of a field manager, in bytes.
const MANAGER_BYTES_MAX: usize = 128;

impl WriteOptions {
    /// Looks for what stands twice in a body of JSON, where that matters.
    pub(crate) fn look_for_duplicates(&mut self, json: &[u8]) {
        if self.field_validation != FieldValidation::Ignore {
            self.duplicates = duplicates::find(json);
        }
    }

    /// What becomes of a body with these `unknown` fields: the warnings that it is answered with.
    ///
    /// # Errors
    ///
    /// Where validation is strict, the text that refuses it.
    pub(crate) fn judge(&self, unknown: &[String]) -> Result<Vec<String>, String> {
        let unknown = unknown.iter().map(|path| format!("unknown field \"{path}\""));
        let twice = self.duplicates.iter().map(|path| format!("duplicate field \"{path}\""));
        let problems = unknown.chain(twice).take(PROBLEMS_MAX);
        match self.field_validation {
            FieldValidation::Ignore => Ok(Vec::new()),
            FieldValidation::Warn => Ok(problems.collect()),
            FieldValidation::Strict => match problems.collect::<Vec<_>>() {
                problems if problems.is_empty() => Ok(problems),
                problems => Err(format!("strict decoding error: {}", problems.join(", "))),
            },
        }
    }

    /// Takes the first part of the `User-Agent` for the manager where the query names none.
    pub(crate) fn name_by(&mut self, user_agent: Option<&str>) {
        if self.manager.is_none() {
            let agent = user_agent.and_then(|agent| agent.split('/').next()).unwrap_or("").trim();
            let agent: String = agent.chars().take(MANAGER_BYTES_MAX / 4).collect();
            self.manager = Some(agent).filter(|agent| !agent.is_empty());
        }
    }

    /// Parses the parameters of an update.
    pub(crate) fn parse(query: &Query) -> Result<Self, StatusError> {
        Self::parse_as("UpdateOptions", query)
    }

    /// Parses the parameters of a creation.
    pub(crate) fn of_create(query: &Query) -> Result<Self, StatusError> {
        Self::parse_as("CreateOptions", query)
    }

    /// Parses `dryRun`, `fieldValidation` and `fieldManager`; `options` is what Kubernetes calls them in errors.
    fn parse_as(options: &str, query: &Query) -> Result<Self, StatusError> {
        let mut errors = Vec::new();
        let manager = query.get("fieldManager");
        errors.extend(manager.map(manager_errors).unwrap_or_default());
        let dry_run = dry_run(&query.all("dryRun")).unwrap_or_else(|error| {
            errors.push(error);
            false
        });
        let field_validation = match query.get("fieldValidation") {
            None | Some("Warn") => FieldValidation::Warn,
            Some("Ignore") => FieldValidation::Ignore,
            Some("Strict") => FieldValidation::Strict,
            Some(other) => {
                let path = FieldPath::new("fieldValidation");
                let supported = ["", "Ignore", "Strict", "Warn"];
                errors.push(FieldError::not_supported(&path, other, &supported));
                FieldValidation::Warn
            }
        };
        if !errors.is_empty() {
            return Err(StatusError::invalid_fields("meta.k8s.io", options, "", &errors));
        }
        let manager = manager.map(str::to_owned);
        let duplicates = Vec::new();
        Ok(Self { dry_run, field_validation, duplicates, manager, applies: false })
    }
}

fn manager_errors(manager: &str) -> Vec<FieldError> {
    let path = FieldPath::new("fieldManager");
    let mut errors = Vec::new();
    if manager.len() > MANAGER_BYTES_MAX {
        errors.push(FieldError::too_long(&path, MANAGER_BYTES_MAX));
    }
    let control = manager.char_indices().find(|(_, character)| character.is_control());
    errors.extend(control.map(|(place, character)| {
        let code = u32::from(character);
        let why = format!("invalid character U+{code:04X} (at position {place})");
        FieldError::invalid(&path, manager, why)
    }));
    errors
}

/// Whether all that is asked for is to do everything but keep it.
fn dry_run(values: &[&str]) -> Result<bool, FieldError> {
    if values.iter().all(|value| *value == "All") {
        return Ok(!values.is_empty());
    }
    let path = FieldPath::new("dryRun");
    Err(FieldError::not_supported(&path, values.to_vec(), &["All"]))
}

/// Parameters of patch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PatchOptions {
    /// As for update.
    pub write: WriteOptions,
    /// Who patches; server-side apply requires it.
    pub field_manager: Option<String>,
    /// Server-side apply: take fields over from other managers.
    pub force: bool,
}

impl PatchOptions {
    /// Parses the parameters.
    pub(crate) fn parse(query: &Query) -> Result<Self, StatusError> {
        Ok(Self {
            write: WriteOptions::parse_as("PatchOptions", query)?,
            field_manager: query.get("fieldManager").map(str::to_owned),
            force: query.flag("force")?.unwrap_or(false),
        })
    }
}

/// What becomes of the objects that an owner owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Propagation {
    /// They stay, without owner.
    Orphan,
    /// They are deleted after the owner.
    Background,
    /// They are deleted first.
    Foreground,
}

/// `DeleteOptions`, from the query and the body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct DeleteOptions {
    /// Do everything but delete.
    pub dry_run: bool,
    /// Owned objects; `None` leaves it to the object's finalizers, which is Background.
    pub propagation: Option<Propagation>,
    /// Only the object with this uid.
    pub uid: Option<String>,
    /// Only the object at this resourceVersion.
    pub resource_version: Option<String>,
    /// Seconds that the object's processes are given.
    pub grace_period_seconds: Option<i64>,
}

impl DeleteOptions {
    /// Parses the query's parameters.
    pub(crate) fn parse(query: &Query) -> Result<Self, StatusError> {
        Ok(Self {
            dry_run: dry_run(&query.all("dryRun")).map_err(invalid_deletion)?,
            propagation: propagation(
                query.get("propagationPolicy"),
                query.flag("orphanDependents")?,
            )?,
            uid: None,
            resource_version: None,
            grace_period_seconds: query
                .number("gracePeriodSeconds")?
                .map(|seconds| i64::try_from(seconds).unwrap_or(i64::MAX)),
        })
    }

    /// Adds what the body says; an empty body says nothing.
    pub(crate) fn merge_body(mut self, body: &[u8]) -> Result<Self, StatusError> {
        if body.iter().all(u8::is_ascii_whitespace) {
            return Ok(self);
        }
        let body: Value = serde_json::from_slice(body).map_err(|error| {
            StatusError::bad_request(format!("couldn't read the DeleteOptions: {error}"))
        })?;
        let malformed = |field: &str| {
            StatusError::bad_request(format!("DeleteOptions.{field}: unexpected type or value"))
        };
        let text = |value: &Value, field: &str| match value {
            Value::Null => Ok(None),
            Value::String(text) => Ok(Some(text.clone())),
            _ => Err(malformed(field)),
        };
        match &body["kind"] {
            Value::Null => {}
            Value::String(kind) if kind == "DeleteOptions" => {}
            _ => return Err(malformed("kind")),
        }
        match &body["dryRun"] {
            Value::Null => {}
            Value::Array(values) => {
                let values: Vec<&str> =
                    values.iter().map(|value| value.as_str().unwrap_or("")).collect();
                self.dry_run |= dry_run(&values).map_err(invalid_deletion)?;
            }
            _ => return Err(malformed("dryRun")),
        }
        let policy = text(&body["propagationPolicy"], "propagationPolicy")?;
        let orphan = match &body["orphanDependents"] {
            Value::Null => None,
            value => Some(value.as_bool().ok_or_else(|| malformed("orphanDependents"))?),
        };
        self.propagation = propagation(policy.as_deref(), orphan)?.or(self.propagation);
        match &body["gracePeriodSeconds"] {
            Value::Null => {}
            value => {
                let seconds = value.as_i64().ok_or_else(|| malformed("gracePeriodSeconds"))?;
                // Below zero is the shortest period, as in Kubernetes.
                self.grace_period_seconds = Some(if seconds < 0 { 1 } else { seconds });
            }
        }
        match &body["preconditions"] {
            Value::Null => {}
            preconditions @ Value::Object(_) => {
                self.uid = text(&preconditions["uid"], "preconditions.uid")?;
                self.resource_version =
                    text(&preconditions["resourceVersion"], "preconditions.resourceVersion")?;
            }
            _ => return Err(malformed("preconditions")),
        }
        Ok(self)
    }
}

/// The policy, or what the deprecated `orphanDependents` says of it.
fn propagation(
    policy: Option<&str>,
    orphan: Option<bool>,
) -> Result<Option<Propagation>, StatusError> {
    let path = FieldPath::new("propagationPolicy");
    match (policy, orphan) {
        (None, None) => Ok(None),
        (None, Some(true)) => Ok(Some(Propagation::Orphan)),
        (None, Some(false)) => Ok(Some(Propagation::Background)),
        (Some(policy), Some(_)) => {
            let why = "orphanDependents and deletionPropagation cannot be both set";
            Err(invalid_deletion(FieldError::invalid(&path, policy, why)))
        }
        (Some("Orphan"), None) => Ok(Some(Propagation::Orphan)),
        (Some("Background"), None) => Ok(Some(Propagation::Background)),
        (Some("Foreground"), None) => Ok(Some(Propagation::Foreground)),
        (Some(other), None) => {
            let supported = ["Foreground", "Background", "Orphan", "nil"];
            Err(invalid_deletion(FieldError::not_supported(&path, other, &supported)))
        }
    }
}

fn invalid_deletion(error: FieldError) -> StatusError {
    StatusError::invalid_fields("meta.k8s.io", "DeleteOptions", "", &[error])
}
